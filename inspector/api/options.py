"""Texts in two languages, and the options of a spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from inspector.domain import InputError, message, quote


class Text(NamedTuple):
    """A text for the user in both languages."""

    en: str
    zh: str = ""

    def read(self, language: str) -> str:
        return self.zh if language.startswith("zh") and self.zh else self.en


_NO_TEXT = Text("")


@dataclass(frozen=True)
class Option:
    """One adjustable value of a spec; declared once, it is a command-line flag, a setting and a field of the window.

    Attributes:
        key: name of the keyword argument of ``open``; lower case with underscores.
        type: bool, int, float, str or Path.
        default: value if the user sets none; None makes the option optional.
        title, help: for the window.
        minimum, maximum: inclusive bounds of a number.
        choices: the accepted values.
    """

    key: str
    type: type
    default: Any
    title: Text
    help: Text = _NO_TEXT
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Any, ...] = ()

    def check(self, value: Any) -> Any:
        """Convert ``value`` (for example a text from the command line or a form) to the option's type and check it.

        Raises:
            InputError: names the option, the value and what is accepted.
        """
        if value is None and self.default is None:
            return None
        checked = self._convert(value)
        if self.choices and checked not in self.choices:
            raise InputError(
                "{key}: {value} is not one of {choices}",
                key=self.key,
                value=quote(value),
                choices=", ".join(map(str, self.choices)),
            )
        too_small = self.minimum is not None and checked < self.minimum
        too_large = self.maximum is not None and checked > self.maximum
        if too_small or too_large or checked != checked:
            self._refuse(value)
        return checked

    def _refuse(self, value: Any) -> NoReturn:
        """Raise InputError: ``value`` is outside the range."""
        key, text, minimum, maximum = self.key, quote(value), self.minimum, self.maximum
        if minimum is not None and maximum is not None:
            raise InputError(
                "{key}: {value} is outside the range from {minimum:g} to {maximum:g}",
                key=key,
                value=text,
                minimum=minimum,
                maximum=maximum,
            )
        if minimum is not None:
            raise InputError(
                "{key}: {value} is less than the minimum {minimum:g}", key=key, value=text, minimum=minimum
            )
        if maximum is not None:
            raise InputError(
                "{key}: {value} is more than the maximum {maximum:g}", key=key, value=text, maximum=maximum
            )
        raise InputError("{key}: {value} is not {kind}", key=key, value=text, kind=message("a number"))

    def _convert(self, value: Any) -> Any:
        if self.type is bool:
            words = {"true": True, "yes": True, "on": True, "1": True}
            words |= {"false": False, "no": False, "off": False, "0": False}
            if isinstance(value, bool):
                return value
            if isinstance(value, str) and value.strip().lower() in words:
                return words[value.strip().lower()]
        elif isinstance(value, str | int | float | Path) and not isinstance(value, bool) and "\0" not in str(value):
            whole = self.type is not int or not isinstance(value, float) or value.is_integer()
            with suppress(ValueError, TypeError, OverflowError):
                if whole:
                    return self.type(value)
        kinds = {bool: message("yes or no"), int: message("a whole number"), float: message("a number")}
        kind = message("a path") if self.type is Path else kinds.get(self.type, message("a text"))
        raise InputError("{key}: {value} is not {kind}", key=self.key, value=quote(value), kind=kind)


def check_options(options: Sequence[Option], values: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """Check ``values`` and return them with the defaults of the options that are not set.

    Args:
        owner: name of the spec for messages.

    Raises:
        InputError: for an unknown key or a refused value.
    """
    known = {option.key: option for option in options}
    if unknown := [key for key in values if key not in known]:
        has = message("it has {options}", options=", ".join(known)) if known else message("it has none")
        raise InputError("{owner} has no option {unknown}; {has}", owner=owner, unknown=quote(unknown[0]), has=has)
    checked = {}
    for key, option in known.items():
        try:
            checked[key] = option.check(values[key]) if key in values else option.default
        except InputError as error:
            raise InputError("{owner}, option {reason}", owner=owner, reason=error) from None
    return checked
