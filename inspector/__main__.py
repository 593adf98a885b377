"""``python -m inspector`` and ``bearing-inspector``: the window, or with a command the command line."""

import multiprocessing
import sys


def run() -> None:
    """The program as a whole: :func:`main`, and the end of the process."""
    code = main()
    if "tkinter" in sys.modules:
        from inspector import startup

        startup.leave(code)
    sys.exit(code)


def main() -> int:
    multiprocessing.freeze_support()  # first, for the packaged program: a worker process ends here
    from inspector import startup

    startup.prepare()
    arguments = sys.argv[1:]
    if arguments == ["--self-test"]:
        from inspector import selftest

        return selftest.main()
    if _asks_for_the_window(arguments):
        startup.prepare_screen()
        from inspector.ui import main as window

        return window(arguments)
    from inspector.cli import main as command_line

    return command_line(arguments)


def _asks_for_the_window(arguments: list[str]) -> bool:
    """Without a command it is the window: ``--open PATH``, ``--recipe FILE`` and the rescue flags belong to it."""
    first = next((word for word in arguments if word not in ("--no-plugins", "--verbose")), "--open")
    return first.partition("=")[0] in ("--open", "--recipe")


if __name__ == "__main__":
    run()
