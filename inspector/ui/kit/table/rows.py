"""Columns and row providers of tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Cells = Sequence[str]


class Rows(Protocol):
    """Provider of a table's rows. Called on the Tk thread only; returns at once.

    Attributes:
        prepended: number of rows inserted before the first one so far; the table keeps its position and selection.
        version: changes when the rows are replaced; the table then shows the first row with nothing selected.
    """

    @property
    def prepended(self) -> int: ...

    @property
    def version(self) -> int: ...

    def __len__(self) -> int: ...

    def fetch(self, start: int, stop: int) -> Sequence[Cells | None] | None:
        """Return the cell texts of these rows. None, for all or one row: not loaded yet; ``refresh()`` follows."""

    def tag(self, index: int) -> str:
        """Return the style of the row: ``ng``, ``warn``, ``ok``, ``skipped`` or ``""``."""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        width: pixels at 96 dpi.
        stretch: takes the remaining width.
        sortable: a click on its heading sorts.
    """

    key: str
    title: str
    width: int = 100
    anchor: Literal["w", "center", "e"] = "w"
    stretch: bool = False
    sortable: bool = True


class ListRows:
    """Rows that are all in memory."""

    prepended = 0
    version = 0

    def __init__(self, rows: Sequence[Cells] = ()) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def fetch(self, start: int, stop: int) -> Sequence[Cells]:
        return self._rows[start:stop]

    def tag(self, index: int) -> str:
        return ""
