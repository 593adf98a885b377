"""The program's log: everything to a rotating file, warnings as one sentence each to the terminal."""

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

from inspector.domain import InspectorError, printable, shorten
from inspector.system.credentials import mask
from inspector.system.paths import logs_folder

logger = logging.getLogger(__name__)
FILE_NAME = "bearing-inspector.log"
_OURS = ("inspector", "inspector_plugins")
_LONGEST = 6000  # characters of a message on the terminal
_FILES, _BYTES = 5, 1_000_000
_FULL = "%(asctime)s %(levelname)s %(process)d %(threadName)s %(name)s: %(message)s"
_PLAIN = "%(asctime)s %(levelname)s %(message)s"

_handlers: list[logging.Handler] = []


def start(verbose: bool = False, console: bool = True) -> Path | None:
    """Start logging; a second call restarts it.

    Args:
        verbose: also log everything, with tracebacks, to the terminal.
        console: show warnings and errors on stderr.

    Returns:
        The log file, or None if it cannot be written.
    """
    stop()
    logging.raiseExceptions = False  # an unwritable log must not interrupt the work
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
        handler.setFormatter(_Formatter(_FULL))
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
    """Stop logging and close the file."""
    while _handlers:
        handler = _handlers.pop()
        logging.getLogger().removeHandler(handler)
        handler.close()
    logging.captureWarnings(False)
    sys.excepthook = sys.__excepthook__
    threading.excepthook = threading.__excepthook__


@contextlib.contextmanager
def run_log(path: Path) -> Iterator[None]:
    """Within the block, also log to ``path``, the run's ``run.log``."""
    try:
        handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        logger.warning("%s cannot be written (%s); the run continues without it", path, error.strerror)
        yield
        return
    handler.setLevel(logging.INFO)
    handler.setFormatter(_Formatter(_PLAIN, "%Y-%m-%d %H:%M:%S"))
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


class _Formatter(logging.Formatter):
    """Masks passwords, also in tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))


class _Console(logging.Handler):
    """One sentence per message on the current stderr; nothing without a console.

    A record with ``told`` is left out: its caller reports it to the user.
    """

    def __init__(self, verbose: bool) -> None:
        super().__init__(logging.DEBUG if verbose else logging.WARNING)
        self.setFormatter(_Formatter())
        self.verbose = verbose

    def emit(self, record: logging.LogRecord) -> None:
        stream: TextIO | None = sys.stderr
        known = record.name == "py.warnings" or getattr(record, "told", False)
        if stream is None or (known and not self.verbose):
            return
        try:
            told = self.format(record) if self.verbose else mask(" ".join(record.getMessage().split()))
            stream.write("".join(shorten(printable(line), _LONGEST) + "\n" for line in told.split("\n")))
            stream.flush()
        except (OSError, ValueError):  # closed, or without these characters
            self.handleError(record)


class _RotatingFile(RotatingFileHandler):
    """Continues in the same file while another program has it open (Windows then refuses to rename it)."""

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
