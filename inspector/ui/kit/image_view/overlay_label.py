"""Small text on a dark background over an image, as canvas items."""

from __future__ import annotations

import tkinter as tk
from bisect import bisect_right
from tkinter import font as tkfont

from inspector.ui.kit import theme

_GROUND, _EDGE, _INK = "#000000", "#5B6470", "#FFFFFF"


class OverlayLabel:
    """A text of one or more lines; hidden until ``show`` is called."""

    def __init__(self, canvas: tk.Canvas) -> None:
        self._canvas = canvas
        self._font = tkfont.nametofont(theme.font("caption"), canvas)
        self._ground = canvas.create_rectangle(0, 0, 1, 1, fill=_GROUND, outline=_EDGE, state="hidden")
        self._text = canvas.create_text(0, 0, anchor="nw", fill=_INK, font=self._font, state="hidden")

    @property
    def height(self) -> int:
        """Height of one line, px."""
        return self._font.metrics("linespace") + 2 * theme.px(4)

    def width(self, text: str) -> int:
        return max(self._font.measure(line) for line in text.splitlines() or [""]) + 2 * theme.px(8)

    def show(self, text: str, x: float, y: float, anchor: str, widest: int) -> None:
        """Place the corner ``anchor`` (nw, ne, sw or se) at a canvas point; an empty text hides the label."""
        if not text:
            self.hide()
            return
        if self.width(text) > widest:
            shown = bisect_right(range(1, len(text)), widest, key=lambda count: self.width(text[:count] + "…"))
            text = text[:shown] + "…"
        wide, high = self.width(text), self.height + text.count("\n") * self._font.metrics("linespace")
        left, top = x - (wide if "e" in anchor else 0), y - (high if "s" in anchor else 0)
        self._canvas.coords(self._ground, left, top, left + wide, top + high)
        self._canvas.coords(self._text, left + theme.px(8), top + theme.px(4))
        self._canvas.itemconfigure(self._text, text=text, state="normal")
        self._canvas.itemconfigure(self._ground, state="normal")

    def hide(self) -> None:
        for item in (self._ground, self._text):
            self._canvas.itemconfigure(item, state="hidden")
