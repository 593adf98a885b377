"""A selection of rows that stays small: spans of indices, so that "all of a million" is one span."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import overload


class IndexRanges(Sequence[int]):
    """Sorted indices, each once, kept as spans. It never changes: every operation gives a new one.

    Attributes:
        spans: (first, one past the last), ascending, with gaps between them.
    """

    def __init__(self, spans: Iterable[tuple[int, int]] = ()) -> None:
        merged: list[tuple[int, int]] = []
        for start, stop in sorted(span for span in spans if span[0] < span[1]):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
            else:
                merged.append((start, stop))
        self.spans = tuple(merged)

    @classmethod
    def between(cls, start: int, end: int) -> IndexRanges:
        """Return the range between two indices, inclusive, in any order."""
        return cls([(min(start, end), max(start, end) + 1)])

    @property
    def first(self) -> int:
        """Smallest index.

        Raises:
            IndexError: it is empty.
        """
        return self.spans[0][0]

    def __len__(self) -> int:
        return sum(stop - start for start, stop in self.spans)

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(range(*span) for span in self.spans)

    def __contains__(self, index: object) -> bool:
        if not isinstance(index, int):
            return False
        place = bisect_right(self.spans, index, key=lambda span: span[0]) - 1
        return place >= 0 and index < self.spans[place][1]

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> list[int]: ...
    def __getitem__(self, place: int | slice) -> int | list[int]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        left = place + len(self) if place < 0 else place
        for start, stop in self.spans:
            if 0 <= left < stop - start:
                return start + left
            left -= stop - start
        raise IndexError(place)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, IndexRanges):
            return self.spans == other.spans
        return isinstance(other, list) and list(self) == other

    def __hash__(self) -> int:
        return hash(self.spans)

    def __repr__(self) -> str:
        return f"IndexRanges({list(self.spans)})"

    def __or__(self, other: IndexRanges) -> IndexRanges:
        return IndexRanges((*self.spans, *other.spans))

    def toggled(self, index: int) -> IndexRanges:
        """With ``index`` if it was not in it, else without."""
        if index not in self:
            return self | IndexRanges([(index, index + 1)])
        parts = []
        for start, stop in self.spans:
            parts += [(start, index), (index + 1, stop)] if start <= index < stop else [(start, stop)]
        return IndexRanges(parts)

    def shifted(self, by: int) -> IndexRanges:
        """All indices moved by ``by``."""
        return IndexRanges((start + by, stop + by) for start, stop in self.spans)

    def within(self, length: int) -> IndexRanges:
        """Those from 0 on and below ``length``."""
        return IndexRanges((max(start, 0), min(stop, length)) for start, stop in self.spans)


class Selection:
    """Which rows are chosen, and where the keyboard is.

    Attributes:
        chosen: the selected indices.
        current: the row that the keyboard is at.
        anchor: the row from which Shift chooses.
    """

    def __init__(self) -> None:
        self.chosen = IndexRanges()
        self.current = self.anchor = 0

    def choose(self, index: int, up_to: bool = False, add: bool = False) -> None:
        """Go to a row and choose it alone; ``up_to``: all from the anchor to it; ``add``: keep the others."""
        self.current = index
        if up_to:
            span = IndexRanges.between(self.anchor, index)
            self.chosen = self.chosen | span if add else span
        else:
            self.anchor = index
            self.chosen = self.chosen.toggled(index) if add else IndexRanges.between(index, index)

    def shift(self, by: int) -> None:
        """Rows were put before the first one."""
        self.chosen = self.chosen.shifted(by)
        self.current += by
        self.anchor += by

    def clip(self, length: int) -> None:
        """There are only this many rows left."""
        self.chosen = self.chosen.within(length)
        self.current, self.anchor = (max(0, min(place, length - 1)) for place in (self.current, self.anchor))
