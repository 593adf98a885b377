"""Fit font sizes to the available space."""

from __future__ import annotations

import tkinter as tk
from tkinter import font as tkfont

from inspector.ui.kit.line_breaking import break_lines


class FontFitter:
    """Finds font sizes for texts; measures with Tk's own line breaking on a hidden canvas."""

    def __init__(self, parent: tk.Misc) -> None:
        self._canvas = tk.Canvas(parent)
        self._text = self._canvas.create_text(0, 0, anchor="nw", justify="center")
        self._font = tkfont.Font(parent)

    def size(
        self,
        text: str,
        width: int,
        height: int,
        largest: int,
        smallest: int = 8,
        family: str = "",
        bold: bool = False,
        wrap: bool = True,
    ) -> int:
        """Return the largest font size in pixels at which ``text`` fits into ``width`` x ``height`` pixels.

        Args:
            smallest: returned if nothing larger fits.
            wrap: break it into lines; no word is broken unless it alone is too wide even at the smallest size.
        """
        self._font.configure(weight="bold" if bold else "normal")
        if family:
            self._font.configure(family=family)
        if self._fits(text, width, height, largest, wrap):
            return largest
        low, high = smallest, max(smallest + 1, largest)
        while high - low > 1:
            middle = (low + high) // 2
            if self._fits(text, width, height, middle, wrap):
                low = middle
            else:
                high = middle
        return low

    def _fits(self, text: str, width: int, height: int, size: int, wrap: bool) -> bool:
        self._font.configure(size=-size)
        words = text.split() if wrap else text.splitlines()
        # Chinese can wrap anywhere, so a long word is no reason to shrink.
        if max((self._font.measure(word) for word in words if not wrap or word.isascii()), default=0) > width:
            return False
        text = break_lines(text, self._font.measure, width) if wrap else text
        self._canvas.itemconfigure(self._text, text=text, font=self._font, width=width if wrap else 0)
        left, top, right, bottom = self._canvas.bbox(self._text)
        return right - left <= width + 2 and bottom - top <= height
