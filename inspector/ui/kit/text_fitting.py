"""Fit font sizes to the available space."""

from __future__ import annotations

import tkinter as tk
from tkinter import font as tkfont

from inspector.ui.kit.line_breaking import break_lines


class FontFitter:
    """Finds font sizes for texts; measures with Tk's own line breaking on a hidden canvas.

    Each font is made once and never changed: changing a font makes Tk lay out every widget of the program again.
    """

    def __init__(self, parent: tk.Misc) -> None:
        self._canvas = tk.Canvas(parent)
        self._text = self._canvas.create_text(0, 0, anchor="nw", justify="center")
        self._default = str(tkfont.nametofont("TkDefaultFont", parent).actual("family"))
        self._fonts: dict[tuple[str, int, bool], tkfont.Font] = {}

    def font(self, family: str, size: int, bold: bool = False) -> tkfont.Font:
        """Return the font of this family, "" for the default one, and this size in pixels."""
        key = family or self._default, size, bold
        if key not in self._fonts:
            weight = "bold" if bold else "normal"
            self._fonts[key] = tkfont.Font(self._canvas, family=key[0], size=-size, weight=weight)  # type: ignore[arg-type]
        return self._fonts[key]

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
        if self._fits(text, width, height, self.font(family, largest, bold), wrap):
            return largest
        low, high = smallest, max(smallest + 1, largest)
        while high - low > 1:
            middle = (low + high) // 2
            if self._fits(text, width, height, self.font(family, middle, bold), wrap):
                low = middle
            else:
                high = middle
        return low

    def _fits(self, text: str, width: int, height: int, font: tkfont.Font, wrap: bool) -> bool:
        words = text.split() if wrap else text.splitlines()
        # Chinese can wrap anywhere, so a long word is no reason to shrink.
        if max((font.measure(word) for word in words if not wrap or word.isascii()), default=0) > width:
            return False
        text = break_lines(text, font.measure, width) if wrap else text
        self._canvas.itemconfigure(self._text, text=text, font=font, width=width if wrap else 0)
        left, top, right, bottom = self._canvas.bbox(self._text)
        return right - left <= width + 2 and bottom - top <= height
