"""Sentences for the user that can be translated: a template with its parameters instead of a finished text alone."""

from __future__ import annotations

import contextlib
import json
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

_JOINTS = {", ": "{first}, {other}", "; ": "{first}; {other}", " and ": "{first} and {other}"}
Value = str | int | float | None
"""A parameter: plain data, or a :class:`Message` (a sentence within the sentence, translated with it)."""


class Message(str):
    """A finished English sentence that knows the template and the parameters it was made of.

    It is a ``str`` wherever a text is wanted. ``str(message)`` and ``str(error)`` of an error made with it return the
    message itself; operations that make another text out of it (``+``, ``join``, f-strings) return a plain ``str``.
    It survives ``pickle`` and :func:`to_json`.

    Attributes:
        template: English text with named fields in the syntax of :meth:`str.format`; the key of its translation.
            Without parameters it is the sentence itself, braces included.
        parameters: by the names of the fields.
        cli_hint: options of the command line that help, for example ``--output``; "" if there are none. It is not
            part of the text: only :func:`cli_text` shows it.
    """

    template: str
    parameters: Mapping[str, Value]
    cli_hint: str

    def __new__(cls, template: str, parameters: Mapping[str, Value], cli_hint: str = "") -> Message:
        self = super().__new__(cls, filled(template, parameters))
        self.template, self.parameters, self.cli_hint = template, parameters, cli_hint
        return self

    def __str__(self) -> str:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Message, (self.template, self.parameters, self.cli_hint)

    def with_parameters(self, **parameters: object) -> Message:
        """The same message with some parameters changed."""
        return message(self.template, cli_hint=self.cli_hint, **{**self.parameters, **parameters})


def filled(template: str, parameters: Mapping[str, object]) -> str:
    """``template`` with its fields filled in; unchanged without parameters, or where they do not fit."""
    try:
        return template.format(**parameters) if parameters else template
    except (LookupError, ValueError, TypeError, AttributeError):
        return template


def message(template: str, /, *, cli_hint: str = "", **parameters: object) -> Message:
    """Build a message, for example ``message("{path} cannot be read ({reason})", path=path, reason=error.strerror)``.

    Args:
        template: English text with a field for each parameter; taken literally where there are no parameters. A
            :class:`Message` keeps its own.
        cli_hint: see :class:`Message`.
        parameters: numbers, texts and messages are kept; of an exception its message; of anything else its ``str``.
    """
    if isinstance(template, Message) and not parameters:
        return Message(template.template, template.parameters, cli_hint or template.cli_hint)
    return Message(template, {name: _value(value) for name, value in parameters.items()}, cli_hint)


def join_messages(separator: str, texts: Sequence[str]) -> str:
    """``separator.join(texts)``, whose messages are still translated.

    Args:
        separator: ``", "``, ``"; "`` or ``" and "``.
        texts: at least one.
    """
    if not any(isinstance(text, Message) for text in texts):
        return separator.join(texts)
    first, *others = texts
    for other in others:
        first = message(_JOINTS[separator], first=first, other=other)
    return first


def _value(value: object) -> Value:
    match value:
        case None | str() | int() | float():
            return value
        case numbers.Integral():
            return int(value)
        case numbers.Real():
            return float(value)
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - the exception of a plugin may fail to give its text
        return type(value).__name__


def cli_text(text: str) -> str:
    """``text`` for the command line: each hint in brackets after the sentence that it belongs to."""
    if not isinstance(text, Message):
        return text
    finished = str.__str__(text)
    if text.parameters:
        shown = {name: cli_text(value) if isinstance(value, str) else value for name, value in text.parameters.items()}
        finished = filled(text.template, shown)
    return f"{finished} ({text.cli_hint})" if text.cli_hint else finished


def to_line(text: str) -> str:
    """``text`` as a line for :func:`from_line` of a parent process."""
    return json.dumps(to_json(message(text)))


def from_line(line: str) -> str:
    """Read a line that a child process wrote: a message by :func:`to_line`, or text without the program's name."""
    if line.startswith('{"message"'):
        with contextlib.suppress(ValueError, RecursionError):
            return str(from_json(json.loads(line)))
    return line.removeprefix("bearing-inspector: ")


def to_json(value: Any) -> Any:
    """``value`` for ``json.dumps``: each message in it becomes an object that :func:`from_json` turns back.

    Args:
        value: anything that JSON can express, and messages.
    """
    match value:
        case Message():
            parts = {"template": value.template, "parameters": to_json(dict(value.parameters))}
            return {"message": str.__str__(value), **parts, "cli_hint": value.cli_hint}
        case dict():
            return {key: to_json(item) for key, item in value.items()}
        case list() | tuple():
            return [to_json(item) for item in value]
    return value


def from_json(value: Any) -> Any:
    """The reverse of :func:`to_json`."""
    match value:
        case {"message": str(), "template": str(template), "parameters": dict(parameters)}:
            hint = str(value.get("cli_hint", ""))
            return Message(template, {name: _value(from_json(item)) for name, item in parameters.items()}, hint)
        case dict():
            return {key: from_json(item) for key, item in value.items()}
        case list():
            return [from_json(item) for item in value]
    return value
