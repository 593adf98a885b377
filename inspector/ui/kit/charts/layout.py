"""A chart as a list of lines, rectangles and texts: the same for the window's canvas and for a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, Protocol

from inspector.ui.kit.charts.figure import Figure, Hatch, Series, number_text, ticks

Font = Literal["body", "caption", "head"]
Anchor = Literal["w", "e", "n", "s", "center", "nw"]
Point = tuple[float, float]


class TextMeasurer(Protocol):
    """Text metrics of the drawing surface.

    Attributes:
        unit: pixels per pixel at 96 dpi.
    """

    unit: float

    def width(self, text: str, font: Font) -> float: ...

    def height(self, font: Font) -> float: ...


@dataclass(frozen=True)
class Line:
    points: tuple[Point, ...]
    colour: str
    width: float = 1.0
    dashed: bool = False


@dataclass(frozen=True)
class Rect:
    left: float
    top: float
    right: float
    bottom: float
    colour: str


@dataclass(frozen=True)
class Text:
    """A text with its ``anchor`` at the point; ``upright`` rotates it to be read from the right."""

    at: Point
    text: str
    anchor: Anchor
    font: Font = "caption"
    colour: str = "text"
    upright: bool = False


Item = Line | Rect | Text


@dataclass(frozen=True)
class DisplayList:
    """Items in drawing order; colours are names of :class:`inspector.ui.kit.theme.Tokens`.

    Attributes:
        areas: of each bar, with its labels: left, top, right, bottom.
    """

    items: tuple[Item, ...]
    areas: tuple[tuple[float, float, float, float], ...]


def draw(figure: Figure, width: float, height: float, measurer: TextMeasurer) -> DisplayList:
    """Lay a chart out in ``width`` x ``height`` pixels."""
    return _Layout(figure, width, height, measurer).drawing()


class _Layout:
    def __init__(self, figure: Figure, width: float, height: float, measurer: TextMeasurer) -> None:
        self.figure, self.width, self.height, self.measurer = figure, width, height, measurer
        self.unit, self.line = measurer.unit, measurer.height("caption")
        self.gap = 6 * measurer.unit
        self.ticks = ticks(
            max(figure.totals, default=0), 5 if (width if figure.across else height) > 220 * self.unit else 3
        )
        self.texts = [number_text(tick) for tick in self.ticks]
        self.items: list[Item] = []

    def drawing(self) -> DisplayList:
        legend = self._legend()
        top = self.gap + (self.line + self.gap if legend else 0) + self.line * 0.6
        bottom = self.height - self.gap - self.line - self.gap
        if self.figure.x_title:
            bottom -= self.line
        self.items += legend
        areas = self._horizontal_bars(top, bottom) if self.figure.across else self._vertical_bars(top, bottom)
        return DisplayList(tuple(self.items), tuple(areas))

    # vertical bars

    def _vertical_bars(self, top: float, bottom: float) -> Iterator[tuple[float, float, float, float]]:
        figure, gap = self.figure, self.gap
        left = gap + self._widest(self.texts) + gap + (self.line + gap if figure.y_title else 0)
        beside = self._widest(["100 %"]) if figure.line else self._widest(figure.labels[-1:]) / 2 * figure.binned
        right = self.width - gap * 2 - beside
        count = len(figure.totals)
        if right - left < 20 * self.unit or bottom - top < 20 * self.unit or not count:
            return iter(())
        most = self.ticks[-1]
        slot = (right - left) / count

        def y(value: float) -> float:
            return bottom - (bottom - top) * value / most

        for tick, text in zip(self.ticks, self.texts, strict=True):
            self.items.append(Line(((left, y(tick)), (right, y(tick))), "line", self.unit if tick else 1.5 * self.unit))
            self._text(left - gap, y(tick), text, "e", "muted")
        if figure.y_title:
            self.items.append(
                Text((gap + self.line / 2, (top + bottom) / 2), figure.y_title, "center", "caption", "muted", True)
            )
        if figure.x_title:
            self._text((left + right) / 2, self.height - gap - self.line / 2, figure.x_title, "center", "muted")
        thick = slot - self.unit if figure.binned else min(slot * 0.72, 64 * self.unit)
        for place in range(count):
            middle = left + slot * (place + 0.5)
            base = 0.0
            for series in figure.series:
                value = series.values[place]
                self._bar(middle - thick / 2, y(base + value), middle + thick / 2, y(base), series)
                base += value
        self._labels_below(left, slot, bottom + gap + self.line / 2)
        self._values_above(left, slot, y)
        if figure.line:
            self._line(left, right, slot, top, bottom)
        return ((left + slot * i, top, left + slot * (i + 1), self.height) for i in range(count))

    def _labels_below(self, left: float, slot: float, y: float) -> None:
        labels = self.figure.labels
        shift = 0.0 if self.figure.binned else 0.5
        every = max(1, -(-int(self._widest(labels) + self.gap) // max(1, int(slot))))
        if every > 1 and len(labels) <= 12 and not self.figure.binned:  # names: all of them, shortened
            every = 1
        for place in range(0, len(labels), every):
            room = slot * every - self.gap
            self._text(left + slot * (place + shift), y, self._short(labels[place], room), "center", "text")

    def _values_above(self, left: float, slot: float, y: Callable[[float], float]) -> None:
        totals = self.figure.totals
        texts = [number_text(total) if total else "" for total in totals]
        if self._widest(texts) + self.unit < slot and not self.figure.line:
            for place, (total, text) in enumerate(zip(totals, texts, strict=True)):
                self._text(left + slot * (place + 0.5), y(total) - self.line * 0.55, text, "center", "text")

    def _line(self, left: float, right: float, slot: float, top: float, bottom: float) -> None:
        for percent in (0, 50, 100):
            y = bottom - (bottom - top) * percent / 100
            self._text(right + self.gap, y, f"{percent} %", "w", "muted")
        radius = (3 if slot > 14 * self.unit else 1.5) * self.unit
        values = enumerate(self.figure.line)
        for known, part in groupby(values, key=lambda pair: pair[1] is not None):  # a line a stretch without gaps
            points = [
                (left + slot * (place + 0.5), bottom - (bottom - top) * (value or 0) / 100) for place, value in part
            ]
            if known and len(points) > 1:
                self.items.append(Line(tuple(points), "text", 2 * self.unit))
            if known:
                self.items += [Rect(x - radius, y - radius, x + radius, y + radius, "text") for x, y in points]

    # horizontal bars

    def _horizontal_bars(self, top: float, bottom: float) -> Iterator[tuple[float, float, float, float]]:
        figure, gap = self.figure, self.gap
        totals = figure.totals
        values = [number_text(total) for total in totals]
        left = gap + min(self._widest(figure.labels), self.width * 0.35) + gap
        right = self.width - gap * 2 - self._widest(values)
        count = len(totals)
        if right - left < 20 * self.unit or bottom - top < 20 * self.unit or not count:
            return iter(())
        slot = min((bottom - top) / count, 48 * self.unit)
        floor = top + slot * count

        def x(value: float) -> float:
            return left + (right - left) * value / self.ticks[-1]

        for tick, text in zip(self.ticks, self.texts, strict=True):
            self.items.append(Line(((x(tick), top), (x(tick), floor)), "line", self.unit if tick else 1.5 * self.unit))
            self._text(x(tick), floor + gap + self.line / 2, text, "center", "muted")
        if figure.x_title:
            self._text((left + right) / 2, floor + gap + self.line * 1.6, figure.x_title, "center", "muted")
        thick = slot * 0.68
        for place in range(count):
            middle, base = top + slot * (place + 0.5), 0.0
            for series in figure.series:
                value = series.values[place]
                self._bar(x(base), middle - thick / 2, x(base + value), middle + thick / 2, series)
                base += value
            self._text(left - gap, middle, self._short(figure.labels[place], left - 2 * gap), "e", "text")
            self._text(x(base) + gap, middle, values[place], "w", "text")
        return ((0.0, top + slot * i, self.width, top + slot * (i + 1)) for i in range(count))

    # parts

    def _legend(self) -> list[Item]:
        names = [(series.name, series) for series in self.figure.series] if len(self.figure.series) > 1 else []
        items: list[Item] = []
        x, y, size = 2 * self.gap, self.gap + self.line / 2, self.line * 0.7
        before, self.items = self.items, items
        for name, series in names:
            self._bar(x, y - size / 2, x + size, y + size / 2, series)
            self._text(x + size + self.gap, y, name, "w", "text")
            x += size + self.measurer.width(name, "caption") + 4 * self.gap
        if self.figure.line:
            items.append(Line(((x, y), (x + 2 * size, y)), "text", 2 * self.unit))
            items.append(
                Rect(x + size - 3 * self.unit, y - 3 * self.unit, x + size + 3 * self.unit, y + 3 * self.unit, "text")
            )
            self._text(x + 2 * size + self.gap, y, self.figure.line_name, "w", "text")
        self.items = before
        return items

    def _bar(self, left: float, top: float, right: float, bottom: float, series: Series) -> None:
        if right - left > 0.2 and bottom - top > 0.2:
            self.items.append(Rect(left, top, right, bottom, series.colour))
            self.items += hatching(left, top, right, bottom, series.hatch, self.unit)

    def _text(self, x: float, y: float, text: str, anchor: Anchor, colour: str) -> None:
        if text:
            self.items.append(Text((x, y), text, anchor, "caption", colour))

    def _widest(self, texts: tuple[str, ...] | list[str]) -> float:
        return max((self.measurer.width(text, "caption") for text in texts), default=0.0)

    def _short(self, text: str, room: float) -> str:
        """``text``, or as much of it as the room has, with dots."""
        if self.measurer.width(text, "caption") <= room:
            return text
        while text and self.measurer.width(f"{text}…", "caption") > room:
            text = text[:-1]
        return f"{text}…" if text else ""


def hatching(left: float, top: float, right: float, bottom: float, hatch: Hatch, unit: float) -> Iterator[Line]:
    """Lines within a rectangle: level ones, or slanted ones."""
    step = 6 * unit
    if hatch == "lines":
        y = bottom - step / 2
        while y > top:
            yield Line(((left, y), (right, y)), "card", unit)
            y -= step
    elif hatch == "slants":
        # x + y is the same along a line.
        total = left + top + step
        while total < right + bottom:
            start = (left, total - left) if total - left <= bottom else (total - bottom, bottom)
            end = (total - top, top) if total - top <= right else (right, total - right)
            yield Line((start, end), "card", unit)
            total += step
