"""Command-line flags from :class:`inspector.api.Option` declarations."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from inspector.api import Option
from inspector.domain import InputError


def add_flags(parser: argparse._ActionsContainer, options: Sequence[Option], prefix: str = "") -> None:
    """Add a flag for each option: ``--PREFIX.KEY VALUE``, or ``--PREFIX.KEY`` and ``--no-PREFIX.KEY`` for booleans.

    Flags that are not given do not appear in the parsed arguments; see :func:`given`.
    """
    for option in options:
        flag, title = _flag(option.key, prefix), _help(option)
        if option.type is bool:
            action: Any = argparse.BooleanOptionalAction
            parser.add_argument(f"--{flag}", dest=flag, action=action, default=argparse.SUPPRESS, help=title)
        else:
            kind = {int: "N", float: "F"}.get(option.type, "TEXT")
            choices = "|".join(map(str, option.choices)) if option.choices else kind
            parser.add_argument(f"--{flag}", dest=flag, metavar=choices, default=argparse.SUPPRESS, help=title)


def given(arguments: argparse.Namespace, options: Sequence[Option], prefix: str = "") -> dict[str, Any]:
    """Return the options given on the command line, each checked.

    Raises:
        InputError: for a refused value, naming the flag.
    """
    found: Mapping[str, Any] = vars(arguments)
    checked = {}
    for option in options:
        flag = _flag(option.key, prefix)
        if flag in found:
            checked[option.key] = check(option, found[flag], prefix)
    return checked


def check(option: Option, value: Any, prefix: str = "") -> Any:
    """Return the checked value; raise InputError with the name of the flag where it is refused."""
    try:
        return option.check(value)
    except InputError as error:
        raise InputError(error.message.with_parameters(key=f"--{_flag(option.key, prefix)}")) from None


def _flag(key: str, prefix: str) -> str:
    return f"{prefix}.{key}" if prefix else key.replace("_", "-")


def _help(option: Option) -> str:
    text = option.help.en or option.title.en
    default = ("off", "on")[option.default] if option.type is bool else option.default
    return (text if default in (None, "") else f"{text} (default {default})").replace("%", "%%")
