"""What a table shows: its columns, and where its rows come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Cells = Sequence[str]


class Rows(Protocol):
    """Where a table's rows come from. Called on the Tk thread only, and answers at once.

    A provider may also have the attributes ``prepended``: how many rows it has put before the first one so far, which
    keeps the table and its selection at the rows that it shows; and ``version``: another number says that its rows are
    others, so that nothing is selected and the first one is shown.
    """

    def __len__(self) -> int: ...

    def fetch(self, start: int, stop: int) -> Sequence[Cells | None] | None:
        """The texts of these rows, one a column. None, for all or for one: not there yet; ``refresh()`` follows."""

    def tag(self, index: int) -> str:
        """How the row looks: ``ng``, ``warn``, ``ok``, ``skipped`` or ``""``."""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        width: pixels at 96 dpi.
        stretch: takes the room that is left.
        sortable: a click on its heading sorts.
    """

    key: str
    title: str
    width: int = 100
    anchor: Literal["w", "center", "e"] = "w"
    stretch: bool = False
    sortable: bool = True


class NoRows:
    """No rows."""

    def __len__(self) -> int:
        return 0

    def fetch(self, start: int, stop: int) -> Sequence[Cells]:
        return []

    def tag(self, index: int) -> str:
        return ""
