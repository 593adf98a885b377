"""Makes texts of files and plugins safe to show, to print and to put into a spreadsheet."""

from __future__ import annotations

import re
from unicodedata import category

_LONGEST = 2000  # characters of a text in a message
_LONGEST_VALUE = 100  # characters of a wrong value
_JOINERS = "\u200c\u200d"  # of letters and emoji; harmless
# A character that begins a formula, also in full width, which Excel treats alike, at the start of the text or after a
# separator: Excel in Germany or France splits at semicolons, and then quotes within a line protect nothing.
_NUMBER = re.compile(r"[+\-]?\d+([.,]\d+)?")
_FORMULA = re.compile(r"(^|[;|\t\r\n])([\s\"']*[=+\-@＝＋－＠]|(?=^[\t\r\n]))")


def shorten(text: str, longest: int = _LONGEST) -> str:
    """Shorten ``text`` to at most ``longest`` characters, with ``…`` in the middle."""
    if len(text) <= longest:
        return text
    end = longest // 3
    return f"{text[: longest - end - 1]}…{text[-end:]}"


def quote(value: object) -> str:
    """Return the ``repr`` of a wrong value for a message, of bounded length."""
    try:
        # A text may be huge, so it is shortened first.
        shown = repr(shorten(value, _LONGEST_VALUE)) if isinstance(value, str) else repr(value)
    except Exception:  # noqa: BLE001 - nested too deeply, an int of too many digits, an object of a plugin
        return f"a value of the type {type(value).__name__}"
    return shorten(shown, _LONGEST_VALUE)


def printable(text: str) -> str:
    """Return ``text`` as one line for a terminal: control and format characters become ``�``.

    These are ESC, BEL, C1, line feeds, separators and marks for the direction of writing. A surrogate (a byte of a file
    name that is no text) stays: the stream's ``backslashreplace`` shows it.
    """
    if text.isprintable():
        return text
    return "".join("\N{REPLACEMENT CHARACTER}" if _controls(character) else character for character in text)


def _controls(character: str) -> bool:
    return category(character) in ("Cc", "Cf", "Zl", "Zp") and character not in _JOINERS


def spreadsheet_text(text: str) -> str:
    """Put an apostrophe before formulas in ``text``, so that a spreadsheet shows them instead of calculating them.

    A formula begins with ``= + - @`` (also in full width) at the start of the text or after a semicolon, a bar, a tab
    or a line end, or with a tab, carriage return or line feed at the start. A plain number, e.g. -3.5, stays.
    """
    return text if _NUMBER.fullmatch(text) else _FORMULA.sub(r"\1'\2", text)
