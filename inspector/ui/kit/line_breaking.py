"""Line breaking of Chinese text: Tk breaks at blanks only, or at any character of a text without blanks."""

from __future__ import annotations

from collections.abc import Callable

_NEVER_FIRST = frozenset("，。、；：！？）》」』】〕”’…％%,.;:!?)]}")
_NEVER_LAST = frozenset("（《「『【〔“‘([{")
_CHINESE = 0x2E80


def may_break(before: str, after: str, behind: str = "") -> bool:
    """Whether a line may end between two characters.

    Args:
        behind: the character behind ``after``.
    """
    if "\N{NO-BREAK SPACE}" in (before, after):
        return False
    if not before or not after or before.isspace() or "\n" in (before, after):
        return True
    if after == "." and behind.isalnum():
        return not before.isascii()  # a path begins here, e.g. .venv
    if after in _NEVER_FIRST or before in _NEVER_LAST or after.isspace():
        return False
    return not (before.isascii() and after.isascii())


def break_lines(text: str, measure: Callable[[str], int], width: int) -> str:
    """Return ``text`` with line breaks that fit it into ``width`` pixels; text without Chinese is not changed.

    Args:
        measure: returns the width of a text in pixels.
    """
    if not any(ord(character) > _CHINESE for character in text):
        return text
    lines = []
    for paragraph in text.split("\n"):
        rest = paragraph
        while len(rest) > 1 and measure(rest) > width:
            most = next((n for n in range(1, len(rest)) if measure(rest[: n + 1]) > width), len(rest) - 1)
            end = most
            while end > 1 and not may_break(rest[end - 1], rest[end], rest[end + 1 : end + 2]):
                end -= 1
            end = end if end > 1 else most  # a single word longer than a line
            lines.append(rest[:end].rstrip(" "))
            rest = rest[end:].lstrip(" ")
        lines.append(rest)
    return "\n".join(lines)
