"""``python -m inspector`` and the console script ``bearing-inspector``."""

import multiprocessing
import sys


def main() -> int:
    multiprocessing.freeze_support()  # first, for the packaged program: a worker process ends here
    from inspector.cli import main as command_line

    return command_line(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
