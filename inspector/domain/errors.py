"""Errors whose message is shown to the user, and the description of any exception in one sentence."""

from __future__ import annotations

import threading

from inspector.domain.messages import Message, message
from inspector.domain.texts import shorten


class InspectorError(Exception):
    """An error with one sentence for the user: what is wrong and what to do.

    ``InputError("{path} cannot be read ({reason}); check it", path=path, reason=error.strerror)`` is translated by its
    template. ``str(error)`` is the :class:`~inspector.domain.Message`.

    Args:
        template, parameters, cli_hint: as for :func:`~inspector.domain.message`. A finished text is kept as it is.
    """

    def __init__(self, template: object = "", /, *more: object, cli_hint: str = "", **parameters: object) -> None:
        if parameters or cli_hint:
            template = message(str(template), cli_hint=cli_hint, **parameters)
        super().__init__(template, *more)

    @property
    def message(self) -> Message:
        """The sentence, with its template where it was made of one."""
        text = str(self)
        return text if isinstance(text, Message) else message(text)


class InputError(InspectorError):
    """The user's input cannot be used (exit code 2)."""


class TryAgain(InspectorError):
    """A temporary failure: another program holds a file, or a disk is full."""


def interrupts(error: BaseException) -> bool:
    """Whether ``error`` is Ctrl-C, which Python raises on the main thread only; no error boundary may swallow it.

    All others are failures of the code that raised them, including ``SystemExit``, ``asyncio.CancelledError``,
    ``GeneratorExit`` and the ``PanicException`` of libraries written in Rust.
    """
    return isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread()


def describe(error: BaseException) -> str:
    """Return the message of an InspectorError, or type and text of any other exception; of bounded length."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - __str__ of a plugin's error may fail
        text = ""
    return shorten(text if isinstance(error, InspectorError) else f"{type(error).__name__}: {text}".rstrip(": "))
