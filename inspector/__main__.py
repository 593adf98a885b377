"""``python -m inspector`` and ``bearing-inspector``: the window, or with a command the command line."""

import multiprocessing
import sys


def main() -> int:
    multiprocessing.freeze_support()  # first, for the packaged program: a worker process ends here
    arguments = sys.argv[1:]
    if _asks_for_the_window(arguments):
        from inspector.ui import main as window

        return window(arguments)
    from inspector.cli import main as command_line

    return command_line(arguments)


def _asks_for_the_window(arguments: list[str]) -> bool:
    """Without a command it is the window: ``--open PATH``, ``--recipe FILE`` and the rescue flags belong to it."""
    windowed = not arguments or "--open" in arguments or arguments[0] == "--recipe"
    return windowed or all(word in ("--no-plugins", "--verbose") for word in arguments)


if __name__ == "__main__":
    sys.exit(main())
