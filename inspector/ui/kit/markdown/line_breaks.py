"""Chinese line breaks in a text widget: no line begins with a closing mark, ends with an opening one, or cuts a word.

Tk breaks a text without blanks at any character. At a wrong position, an empty image as wide as the rest of the line
is inserted before the characters that belong to the next line. Not being a character, it is neither found by a search
nor copied.
"""

from __future__ import annotations

import tkinter as tk

from inspector.ui.kit.line_breaking import may_break

_MOST = 24  # characters that are moved to the next line at most; a longer word is cut
_TAG = "line-break"


class LineBreaks:
    """Keeps line breaks of ``text`` correct at every width."""

    def __init__(self, text: tk.Text) -> None:
        self._text = text
        self._gaps: dict[int, tk.PhotoImage] = {}

    def update(self) -> None:
        """Update all lines after the text or its width has changed."""
        text = self._text
        if text.winfo_width() <= 1:
            return
        state = str(text.cget("state"))
        text.configure(state="normal")
        gaps = text.tag_ranges(_TAG)
        for first in reversed(gaps[::2]):
            text.delete(first)
        at = "1.0"
        while text.compare(following := text.index(f"{at} +1 display lines"), ">", at):
            at = self._mended(at, following)
        text.configure(state=state)  # type: ignore[call-overload]

    def _mended(self, start: str, following: str) -> str:
        """Move the end of the line from ``start`` to ``following`` down where it must be; where the next one begins."""
        text, place = self._text, following
        for _ in range(_MOST):
            if self._allowed(place) or text.compare(place, "<=", f"{start} +2c"):
                break
            place = text.index(f"{place} -1c")
        if place == following or not self._allowed(place) or text.compare(place, "<=", f"{start} +2c"):
            return following
        room = self._room()
        # Counted from the edge of the text, the margin included.
        left = room - int(text.tk.call(text, "count", "-xpixels", start, place)) - 1
        if left > room // 2:
            return following
        if left > 0:
            text.image_create(place, image=self._gap(left))
            text.tag_add(_TAG, place)
            place = text.index(f"{place} +1c")
        return place

    def _allowed(self, place: str) -> bool:
        """Whether a line may begin there."""
        text = self._text
        return may_break(text.get(f"{place} -1c"), text.get(place), text.get(f"{place} +1c"))

    def _room(self) -> int:
        """Pixels of a line."""
        text = self._text
        edges = sum(int(str(text.cget(option))) for option in ("padx", "borderwidth", "highlightthickness"))
        return text.winfo_width() - 2 * edges

    def _gap(self, width: int) -> tk.PhotoImage:
        if width not in self._gaps:
            self._gaps[width] = tk.PhotoImage(master=self._text, width=width, height=1)
        return self._gaps[width]
