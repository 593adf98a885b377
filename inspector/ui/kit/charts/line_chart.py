"""Line chart over epochs on a Tk canvas; curves differ by colour, dashes and legend."""

from __future__ import annotations

import math
import tkinter as tk
from collections.abc import Sequence
from dataclasses import dataclass
from tkinter import font as tkfont
from tkinter import ttk

from inspector.ui.kit import theme
from inspector.ui.kit.strings import tr

_LIGHT = ("#0B5ED7", "#B34700", "#00796B", "#8E3B8E", "#7A5600", "#444B54", "#C2185B", "#2E7D32")
_DARK = ("#6BA6FF", "#FF9A5C", "#4FD1CB", "#E09AE0", "#F5CB5C", "#C2C9D2", "#FF85B3", "#8BD48F")
_DASHES: tuple[tuple[int, ...], ...] = ((), (6, 3), (2, 3), (8, 3, 2, 3))


@dataclass(frozen=True)
class Curve:
    """A named line: ``points`` as (epoch, value)."""

    name: str
    points: Sequence[tuple[float, float]]


class LineChart(ttk.Frame):
    """Draw curves and show the values below the pointer.

    Args:
        title: above the curves.
        top: minimum upper end of the axis; None: fitted to the values.
    """

    def __init__(self, parent: tk.Misc, title: str, top: float | None = None) -> None:
        super().__init__(parent)
        self._title, self._top = title, top
        self._curves: tuple[Curve, ...] = ()
        self._frame = (0.0, 0.0, 1.0, 1.0)  # plot area in the canvas: left, top, right, bottom
        self._range = (0.0, 1.0, 0.0, 1.0)  # first and last epoch, lowest and highest value
        self.canvas = tk.Canvas(self, highlightthickness=0, borderwidth=0, height=theme.px(120), width=theme.px(200))
        self.canvas.pack(fill="both", expand=True)
        self.canvas.bind("<Configure>", lambda event: self.draw())
        self.canvas.bind("<Motion>", lambda event: self._point(event.x))
        self.canvas.bind("<Leave>", lambda event: self.canvas.delete("pointer"))
        theme.on_theme_change(self, self.draw)

    def show(self, curves: Sequence[Curve], title: str | None = None) -> None:
        """Draw these curves, unless they are drawn already."""
        curves = tuple(Curve(curve.name, tuple(curve.points)) for curve in curves if curve.points)
        if (curves, title or self._title) != (self._curves, self._title):
            self._curves, self._title = curves, title or self._title
            self.draw()

    def colour(self, number: int) -> str:
        palette = _DARK if theme.dark() else _LIGHT
        return palette[number % len(palette)]

    def draw(self) -> None:
        canvas, tokens, px = self.canvas, theme.tokens(), theme.px
        canvas.configure(background=tokens.card)
        canvas.delete("all")
        width, height = canvas.winfo_width(), canvas.winfo_height()
        caption = tkfont.Font(canvas, name=theme.font("caption"), exists=True)
        line = caption.metrics("linespace")
        canvas.create_text(
            px(8), px(4), anchor="nw", text=self._title, font=theme.font("head"), fill=tokens.text, tags="title"
        )
        if width < px(120) or height < px(70):
            return
        if not self._curves:
            said = tr("No epoch finished yet")
            canvas.create_text(width / 2, height / 2, text=said, font=theme.font("body"), fill=tokens.muted)
            return
        legend = self._legend(width, line)
        self._scale()
        first, last, low, high = self._range
        ticks = _ticks(low, high, max(2, int((height - legend) / (3 * line))))
        labels = [f"{tick:.6g}" for tick in ticks]
        left = px(14) + max(caption.measure(label) for label in labels)
        self._frame = (left, legend + px(6), width - px(12), height - line - px(8))
        for tick, label in zip(ticks, labels, strict=True):
            _, y = self._place(first, tick)
            canvas.create_line(left, y, self._frame[2], y, fill=tokens.line)
            canvas.create_text(left - px(6), y, anchor="e", text=label, font=theme.font("caption"), fill=tokens.muted)
        whole = [tick for tick in _ticks(first, last, max(2, int(width / px(90)))) if tick == int(tick)]
        for tick in whole or [first]:
            x, _ = self._place(tick, low)
            canvas.create_text(
                x, height - px(4), anchor="s", text=f"{tick:g}", font=theme.font("caption"), fill=tokens.muted
            )
        for number, curve in enumerate(self._curves):
            spots = [value for point in curve.points for value in self._place(*point)]
            colour, dash = self.colour(number), _DASHES[number % len(_DASHES)]
            if len(curve.points) > 1:
                canvas.create_line(*spots, fill=colour, width=px(2), dash=dash, tags="curve")
            else:
                x, y = spots
                canvas.create_oval(x - px(3), y - px(3), x + px(3), y + px(3), fill=colour, outline="", tags="curve")

    def _legend(self, width: int, line: int) -> float:
        """Draw the names of the curves next to and below the title; return the lower edge."""
        canvas, px = self.canvas, theme.px
        title = canvas.bbox("title")
        x, y = title[2] + px(16), px(4) + line / 2
        for number, curve in enumerate(self._curves):
            swatch, gap = px(22), px(6)
            text = canvas.create_text(
                x + swatch + gap, y, anchor="w", text=curve.name, font=theme.font("caption"), fill=theme.tokens().text
            )
            if canvas.bbox(text)[2] > width - px(8) and x > px(8):
                x, y = px(8), y + line + px(2)
                canvas.coords(text, x + swatch + gap, y)
            colour, dash = self.colour(number), _DASHES[number % len(_DASHES)]
            canvas.create_line(x, y, x + swatch, y, fill=colour, width=px(2), dash=dash)
            x = canvas.bbox(text)[2] + px(14)
        return max(y + line / 2, title[3])

    def _scale(self) -> None:
        epochs = [epoch for curve in self._curves for epoch, _ in curve.points]
        values = [value for curve in self._curves for _, value in curve.points if math.isfinite(value)] or [0.0]
        low, high = min(0.0, *values), max(values if self._top is None else [*values, self._top])
        self._range = (min(epochs), max(max(epochs), min(epochs) + 1), low, high if high > low else low + 1)

    def _place(self, epoch: float, value: float) -> tuple[float, float]:
        left, top, right, bottom = self._frame
        first, last, low, high = self._range
        value = min(high, max(low, value)) if math.isfinite(value) else high
        return (
            left + (epoch - first) / (last - first) * (right - left),
            bottom - (value - low) / (high - low) * (bottom - top),
        )

    def _point(self, x: int) -> None:
        """The values at the epoch that is nearest to the pointer."""
        canvas, tokens, px = self.canvas, theme.tokens(), theme.px
        canvas.delete("pointer")
        left, top, right, bottom = self._frame
        if not self._curves or not left <= x <= right:
            return
        first, last = self._range[:2]
        wanted = first + (x - left) / (right - left) * (last - first)
        epoch = min((e for curve in self._curves for e, _ in curve.points), key=lambda e: abs(e - wanted))
        lines = [tr("Epoch {epoch}", epoch=f"{epoch:g}")]
        lines += [f"{c.name}  {value:.4g}" for c in self._curves for e, value in c.points if e == epoch]
        spot, _ = self._place(epoch, self._range[2])
        canvas.create_line(spot, top, spot, bottom, fill=tokens.muted, dash=(2, 2), tags="pointer")
        left_side = spot > (left + right) / 2
        text = canvas.create_text(
            spot + (-px(10) if left_side else px(10)),
            top + px(6),
            anchor="ne" if left_side else "nw",
            text="\n".join(lines),
            font=theme.font("caption"),
            fill=tokens.text,
            tags="pointer",
        )
        x1, y1, x2, y2 = canvas.bbox(text)
        box = canvas.create_rectangle(
            x1 - px(4), y1 - px(2), x2 + px(4), y2 + px(2), fill=tokens.panel, outline=tokens.line, tags="pointer"
        )
        canvas.tag_lower(box, text)


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from low to high, at most so many."""
    step = 10 ** math.floor(math.log10((high - low) / most or 1))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= most)
    start = math.ceil(low / step - 1e-9)
    return [round(number * step, 12) for number in range(start, math.floor(high / step + 1e-9) + 1)]
