"""The window's words, in the language of the moment."""

from __future__ import annotations

from inspector import i18n
from inspector.api import Text


class _State:
    language: i18n.Language = "en"


def use(setting: str) -> None:
    """Speak ``en``, ``zh`` or, with ``auto``, what the system speaks."""
    _State.language = i18n.language(setting)


def language() -> i18n.Language:
    return _State.language


def t(text: str, **values: object) -> str:
    """``text``, always a literal, in the language of the moment, with ``values`` in its ``{places}``."""
    return i18n.tr(text, _State.language, **values)


def read(text: Text) -> str:
    """The text of a plugin's spec or option."""
    return text.read(_State.language)


def sentence(text: str) -> str:
    """A sentence from below, such as an error's."""
    return i18n.sentence(text, _State.language)
