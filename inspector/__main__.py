"""``python -m inspector`` and ``bearing-inspector``: the window, or the command line if a command is given."""

import sys


def run() -> None:
    """Run the program and end the process.

    The process ends at once: a non-daemon thread of a plugin would keep it alive, and a thread inside a
    native library would abort it.
    """
    try:
        code = main()
    except SystemExit:  # a worker process of multiprocessing
        raise
    except BaseException as error:  # noqa: BLE001 - the last guard
        sys.excepthook(type(error), error, error.__traceback__)
        code = 130 if isinstance(error, KeyboardInterrupt) else 1
    from inspector.system import startup

    startup.leave(code)


def main() -> int:
    arguments = sys.argv[1:]
    if arguments[:1] == ["--isolated"]:  # first, so that it starts quickly
        from inspector.system import isolation

        return isolation.child(arguments[1:])
    import multiprocessing

    multiprocessing.freeze_support()  # for the packaged program: a worker process ends here
    from inspector.system import startup

    startup.prepare()
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
    """Without a command it is the window: its flags are ``--open PATH``, ``--recipe FILE``, ``--operator``, ``--start``
    and those of the rescue.
    """
    first = next((word for word in arguments if word not in ("--no-plugins", "--verbose")), "--open")
    return first.partition("=")[0] in ("--open", "--recipe", "--operator", "--start")


if __name__ == "__main__":
    run()
