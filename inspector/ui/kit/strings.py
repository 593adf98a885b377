"""Texts of the window in the current language."""

from __future__ import annotations

from inspector import i18n
from inspector.api import Text


class _State:
    language: i18n.Language = "en"


def set_language(setting: str) -> None:
    """Set the language: ``en``, ``zh`` or ``auto`` for the language of the system."""
    _State.language = i18n.language(setting)


def language() -> i18n.Language:
    return _State.language


def tr(text: str, **values: object) -> str:
    """Translate ``text``, always a literal, into the current language, with ``values`` for its placeholders."""
    return i18n.tr(text, _State.language, **values)


def localized(text: Text) -> str:
    """Return a text of a plugin's spec or option in the current language."""
    return text.read(_State.language)


def untranslated(text: str) -> Text:
    """Wrap an already translated text for an option that needs a :class:`Text`."""
    return Text(text, text)


def sentence(text: str) -> str:
    """Translate a message of the core, e.g. an error."""
    return i18n.translate(text, _State.language)
