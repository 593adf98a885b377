"""Data of a chart: numbers and names, independent of size, colours and toolkit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Cell = str | int | float | None
Hatch = Literal["", "lines", "slants"]


@dataclass(frozen=True)
class Series:
    """Bars of one kind; several series are stacked.

    Attributes:
        colour: name of one of :class:`inspector.ui.kit.theme.Tokens`.
        hatch: hatched, to be distinguishable without colour.
    """

    name: str
    values: tuple[float, ...]
    colour: str = "primary"
    hatch: Hatch = ""


@dataclass(frozen=True)
class Figure:
    """A bar chart.

    Attributes:
        labels: one per bar; for ``binned`` one per edge: one more than there are bars.
        across: horizontal bars with labels at the left.
        binned: histogram, whose bars touch.
        line: percentages drawn as a line against an axis at the right; None: a gap.
        heading: of the label column in the data table.
    """

    title: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    x_title: str = ""
    y_title: str = ""
    across: bool = False
    binned: bool = False
    line: tuple[float | None, ...] = ()
    line_name: str = ""
    heading: str = ""

    @property
    def totals(self) -> list[float]:
        """Height of each bar."""
        return [sum(column) for column in zip(*(s.values for s in self.series), strict=True)]

    @property
    def empty(self) -> bool:
        return not any(self.totals)

    def name(self, place: int) -> str:
        """Return the name of a bar."""
        return f"{self.labels[place]} – {self.labels[place + 1]}" if self.binned else self.labels[place]

    def tip(self, place: int) -> str:
        """All values of a bar, a line each."""
        lines = [self.name(place)]
        lines += [f"{series.name}: {number_text(series.values[place])}" for series in self.series]
        if self.line and (percent := self.line[place]) is not None:
            lines.append(f"{self.line_name}: {percent:.1f} %")
        return "\n".join(lines)

    def numbers(self) -> tuple[list[str], list[list[Cell]]]:
        """The chart as a table: its headings and its rows."""
        headings = [self.heading, *(series.name for series in self.series)]
        columns: list[list[Cell]] = [[self.name(place) for place in range(len(self.totals))]]
        columns += [list(series.values) for series in self.series]
        if self.line:
            headings.append(self.line_name if self.line_name.endswith("%") else f"{self.line_name} %")
            columns.append([None if value is None else round(value, 2) for value in self.line])
        return headings, [list(row) for row in zip(*columns, strict=True)]


def ticks(most: float, count: int = 5) -> list[float]:
    """Return round integers from 0 to at least ``most`` in about ``count`` steps: 0, 20, 40 …"""
    rough = max(most, 1) / max(count, 1)
    decade = 10 ** math.floor(math.log10(rough))
    step = max(1, next(decade * part for part in (1, 2, 5, 10) if decade * part >= rough * 0.999))
    return [step * place for place in range(math.ceil(max(most, 1) / step) + 1)]


def number_text(value: float) -> str:
    """``12,345``, with decimals only where there are some."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"
