"""Command-line flags from :class:`inspector.api.Option` declarations."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from inspector.api import Option

_UNSET = object()


def add_flags(parser: argparse._ActionsContainer, options: Sequence[Option], prefix: str = "") -> None:
    """One flag an option: ``--PREFIX.KEY VALUE``, or ``--PREFIX.KEY`` and ``--no-PREFIX.KEY`` for yes and no.

    What is not given does not appear in the result; see :func:`given`.
    """
    for option in options:
        flag, title = f"{prefix}.{option.key}" if prefix else option.key, _help(option)
        if option.type is bool:
            action: Any = argparse.BooleanOptionalAction
            parser.add_argument(f"--{flag}", dest=flag, action=action, default=_UNSET, help=title)
        else:
            kind = {int: "N", float: "F"}.get(option.type, "TEXT")
            choices = "|".join(map(str, option.choices)) if option.choices else kind
            parser.add_argument(f"--{flag}", dest=flag, metavar=choices, default=_UNSET, help=title)


def given(arguments: argparse.Namespace, options: Sequence[Option], prefix: str = "") -> dict[str, Any]:
    """The options that were given on the command line, each checked.

    Raises:
        InputError: for a refused value.
    """
    found: Mapping[str, Any] = vars(arguments)
    keys = {option.key: f"{prefix}.{option.key}" if prefix else option.key for option in options}
    return {o.key: o.check(found[keys[o.key]]) for o in options if found.get(keys[o.key], _UNSET) is not _UNSET}


def _help(option: Option) -> str:
    text = option.help.en or option.title.en
    default = "" if option.default is None or option.type is bool else f" (default {option.default})"
    return f"{text}{default}".replace("%", "%%")
