"""The program's log: everything to a file that rotates, warnings as one sentence each to the person at the terminal."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import TextIO

from inspector.domain import InspectorError
from inspector.paths import logs_folder

logger = logging.getLogger(__name__)
FILE_NAME = "bearing-inspector.log"
_OURS = ("inspector", "inspector_plugins")
_FILES, _BYTES = 5, 1_000_000
_FULL = "%(asctime)s %(levelname)s %(process)d %(threadName)s %(name)s: %(message)s"
_PLAIN = "%(asctime)s %(levelname)s %(message)s"

_handlers: list[logging.Handler] = []


def start(verbose: bool = False, console: bool = True) -> Path | None:
    """Begin logging; called again, it begins anew.

    Args:
        verbose: everything, and tracebacks, on the terminal too.
        console: show warnings and errors on stderr, where there is one.

    Returns:
        The log file, or None where none can be written.
    """
    stop()
    logging.raiseExceptions = False  # a log that cannot be written must not disturb the work
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    for name in _OURS:
        logging.getLogger(name).setLevel(logging.DEBUG if verbose else logging.INFO)
    if console:
        _add(_Console(verbose))
    path: Path | None = None
    try:
        path = logs_folder() / FILE_NAME
        handler = _RotatingFile(
            path, maxBytes=_BYTES, backupCount=_FILES - 1, encoding="utf-8", errors="backslashreplace"
        )
        handler.setFormatter(logging.Formatter(_FULL))
        _add(handler)
    except InspectorError as error:
        logger.warning("No log is written: %s", error)
        path = None
    except OSError as error:
        logger.warning("No log is written: %s cannot be written (%s)", path, error.strerror or error)
        path = None
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    return path


def stop() -> None:
    """End logging, and close the file."""
    while _handlers:
        handler = _handlers.pop()
        logging.getLogger().removeHandler(handler)
        handler.close()
    logging.captureWarnings(False)
    sys.excepthook = sys.__excepthook__
    threading.excepthook = threading.__excepthook__


@contextlib.contextmanager
def run_log(path: Path) -> Iterator[None]:
    """Everything that is logged meanwhile also goes to ``path``, for people: the run's ``run.log``."""
    try:
        handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        logger.warning("%s cannot be written (%s); the run goes on without it", path, error.strerror)
        yield
        return
    handler.setLevel(logging.INFO)
    handler.setFormatter(logging.Formatter(_PLAIN, "%Y-%m-%d %H:%M:%S"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


def _add(handler: logging.Handler) -> None:
    logging.getLogger().addHandler(handler)
    _handlers.append(handler)


class _Console(logging.Handler):
    """One sentence a message on the stderr of the moment; nothing where a program without console has none.

    A record with ``told`` is left out: whoever logged it sees to it that the person hears of it.
    """

    def __init__(self, verbose: bool) -> None:
        super().__init__(logging.DEBUG if verbose else logging.WARNING)
        self.verbose = verbose

    def emit(self, record: logging.LogRecord) -> None:
        stream: TextIO | None = sys.stderr
        known = record.name == "py.warnings" or getattr(record, "told", False)
        if stream is None or (known and not self.verbose):
            return
        try:
            text = self.format(record) if self.verbose else " ".join(record.getMessage().split())
            stream.write(text + "\n")
            stream.flush()
        except (OSError, ValueError):  # closed, or it cannot show these characters
            self.handleError(record)


class _RotatingFile(RotatingFileHandler):
    """Goes on in the same file while another program has it open (Windows then refuses to rename it)."""

    def doRollover(self) -> None:  # noqa: N802 - the base class's name
        try:
            super().doRollover()
        except OSError:
            if self.stream is None:
                self.stream = self._open()


def _uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    logger.critical("Unexpected error: %s: %s", kind.__name__, error, exc_info=(kind, error, traceback))


def _uncaught_in_thread(hook: threading.ExceptHookArgs) -> None:
    if hook.exc_value is None or issubclass(hook.exc_type, SystemExit):
        return
    name = hook.thread.name if hook.thread is not None else "a thread"
    logger.critical(
        "Unexpected error in %s: %s: %s",
        name,
        hook.exc_type.__name__,
        hook.exc_value,
        exc_info=(hook.exc_type, hook.exc_value, hook.exc_traceback),
    )
