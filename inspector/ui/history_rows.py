"""The history as a table's rows: which columns there are, what stands in them, and the thread that fetches it."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from inspector.history import Query
from inspector.history.listing import Listing, Row, Sort
from inspector.history.reading import Stopped
from inspector.ui.ranges import Ranges
from inspector.ui.table import Column
from inspector.ui.texts import t

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inspector.ui.work import Tasks

    Keys = NDArray[np.int64]

Key = tuple[int, int]
BLOCK = 100
"""Rows fetched together."""
_KEPT = 6000  # rows kept in memory, more than a copy takes at once
_NONE = np.empty((0, 2), np.int64)
_SIGNS = {"OK": "✓ OK", "WARN": "⚠ WARN", "NG": "✕ NG"}

RESULT = ("number", "time", "file", "label", "score", "box", "area", "verdict", "ms")
"""Columns of a run's table."""
HISTORY = ("date", "file", "label", "score", "area", "verdict", "model")
"""Columns of the history's table."""


@dataclass(frozen=True)
class _Kind:
    """A kind of column: how wide it is, how it sorts (None: it does not), and its text for a row."""

    width: int
    text: Callable[[Row], str]
    sort: Literal["number", "time", "file", "label", "score", "area", "verdict", "ms"] | None
    anchor: Literal["w", "e"] = "w"
    stretch: bool = False


_KINDS = {
    "number": _Kind(50, lambda row: "" if row.number is None else str(row.number), "number", "e"),
    "time": _Kind(76, lambda row: _local(row).strftime("%H:%M:%S"), "time"),
    "date": _Kind(150, lambda row: _local(row).strftime("%Y-%m-%d %H:%M:%S"), "time"),
    "file": _Kind(150, lambda row: row.name if row.seconds is None else f"#{row.index} {row.name}", "file", "w", True),
    "label": _Kind(80, lambda row: row.label or "—", "label"),
    "score": _Kind(96, lambda row: "—" if row.score is None else f"{row.score:.3f}", "score", "e"),
    "box": _Kind(130, lambda row: "—" if row.box is None else ", ".join(f"{v:.0f}" for v in row.box), None),
    "area": _Kind(84, lambda row: "—" if row.area_px is None else f"{row.area_px:,}", "area", "e"),
    "verdict": _Kind(84, lambda row: verdict_text(row.verdict), "verdict"),
    "ms": _Kind(52, lambda row: "—" if row.ms is None else f"{row.ms:.0f}", "ms", "e"),
    "model": _Kind(162, lambda row: row.model, None),
}


def columns(keys: Iterable[str]) -> list[Column]:
    """Columns for a table of these keys, such as :data:`RESULT`, titled in the language of the moment."""
    titles = {
        "number": t("No."),
        "time": t("Time"),
        "date": t("Time"),
        "file": t("File"),
        "label": t("Class"),
        "score": t("Confidence"),
        "box": t("Box"),
        "area": t("Area px²"),
        "verdict": t("Verdict"),
        "ms": "ms",
        "model": t("Model"),
    }
    kinds = {key: _KINDS[key] for key in keys}
    return [
        Column(key, titles[key], kind.width, kind.anchor, kind.stretch, kind.sort is not None)
        for key, kind in kinds.items()
    ]


def result_columns() -> list[Column]:
    """Columns of a run's table."""
    return columns(RESULT)


def verdict_text(verdict: str | None) -> str:
    """A verdict with its sign; None is a picture that was skipped."""
    return _SIGNS[verdict] if verdict else t("— unread")


def sort_by(column: str, descending: bool) -> Sort | None:
    """The order for a column of :func:`columns`; None, the order in which all was kept, for one that does not sort."""
    kind = _KINDS[column].sort
    return None if kind is None else Sort(kind, descending)


def inspections_in(keys: Keys, chosen: Ranges) -> list[int]:
    """Ids of the inspections in these rows, each once, in the order in which they were kept. For any thread."""
    parts = [keys[start:stop, 0] for start, stop in chosen.spans]
    ids: list[int] = np.unique(np.concatenate(parts)).tolist() if parts else []
    return ids


class HistoryRows:
    """Rows of an :class:`inspector.ui.table.VirtualTable` that a query finds. For the Tk thread; a thread of its own
    reads.

    Args:
        sort: None: in the order in which they were kept.
        on_changed: called on the Tk thread when rows have come, or are others.
        failed: called on the Tk thread with an error; without it the window shows it.
        keys: of the columns.
        path: of the history; None means the user's.

    Attributes:
        version: counts the queries and orders that were answered.
        prepended: rows put before the first one since ``version`` changed.
        loading: a query or an order is not answered yet.
    """

    def __init__(
        self,
        tasks: Tasks,
        query: Query,
        sort: Sort | None,
        on_changed: Callable[[], object],
        *,
        failed: Callable[[BaseException], object] | None = None,
        keys: Sequence[str] = RESULT,
        path: Path | None = None,
    ) -> None:
        self.query, self.order = query, sort
        self.version = self.prepended = 0
        self.loading = True
        self._tasks, self._on_changed, self._failed = tasks, on_changed, failed
        self._columns, self._path = tuple(keys), path
        self._keys: Keys = _NONE
        self._last = 0  # id of the newest inspection
        self._rows: OrderedDict[Key, tuple[tuple[str, ...], Row | None]] = OrderedDict()
        # What is asked of the thread, the latest wish of a kind only; guarded by the condition.
        self._changed = threading.Condition()
        self._asked: tuple[Query, Sort | None] | None = (query, sort)
        self._wanted: Keys | None = None
        self._newer: tuple[Query, int] | None = None
        self._closed = self._at_work = False
        self._begin()

    # for the table

    def __len__(self) -> int:
        return len(self._keys)

    def fetch(self, start: int, stop: int) -> list[tuple[str, ...] | None]:
        """The texts of these rows; None for those that are on their way."""
        found = [self._rows.get(self._key(index)) for index in range(start, stop)]
        missing = [start + place for place, row in enumerate(found) if row is None]
        if missing:
            first = missing[0] // BLOCK * BLOCK
            wanted = self._keys[first : (missing[-1] // BLOCK + 1) * BLOCK]
            with self._changed:
                self._wanted = wanted
                self._changed.notify()
        return [None if row is None else row[0] for row in found]

    def tag(self, index: int) -> str:
        row = self.row(index)
        return "" if row is None else (row.verdict or "skipped").lower()

    # for the page

    def row(self, index: int) -> Row | None:
        """What is known of a row; None while it is on its way, and where it was purged."""
        kept = self._rows.get(self._key(index))
        return None if kept is None else kept[1]

    def key(self, index: int) -> Key | None:
        """Ids of the inspection and of the defect, 0 where there is none; None behind the last row."""
        return self._key(index) if 0 <= index < len(self._keys) else None

    def find(self, inspection: int) -> int | None:
        """Index of the first row of an inspection."""
        return next(iter(self.places(inspection)), None)

    def places(self, inspection: int) -> list[int]:
        """Indices of all rows of an inspection."""
        found: list[int] = np.flatnonzero(self._keys[:, 0] == inspection).tolist()
        return found

    @property
    def keys(self) -> Keys:
        """All keys, (N, 2) int64; this array never changes."""
        return self._keys

    def reload(self, query: Query, sort: Sort | None) -> None:
        """Find other rows; the old ones stay until then."""
        self.query, self.order, self.loading = query, sort, True
        with self._changed:
            self._asked, self._wanted, self._newer = (query, sort), None, None
            self._changed.notify()
        self._begin()

    def sort(self, column: str, descending: bool) -> None:
        """Order by a column of :func:`columns`."""
        self.reload(self.query, sort_by(column, descending))

    def append_newer(self) -> None:
        """Take in what was kept meanwhile: where the newest stand first, before the others, else behind them."""
        if not self.loading:
            with self._changed:
                self._newer = self.query, self._last
                self._changed.notify()

    def close(self) -> None:
        """End the thread; nothing is called any more."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _key(self, index: int) -> Key:
        inspection, detection = self._keys[index].tolist()
        return inspection, detection

    def _begin(self) -> None:
        """Start the thread, or start it again after it failed."""
        with self._changed:
            if self._at_work or self._closed:
                return
            self._at_work = True
        self._tasks.run(self._work, failed=self._failed)

    # on the thread

    def _work(self) -> None:
        try:
            with Listing(self._path) as listing:
                while (task := self._next()) is not None:
                    with contextlib.suppress(Stopped):
                        task(listing)
        finally:
            with self._changed:
                self._at_work = False
            self._post(self._ended)

    def _next(self) -> Callable[[Listing], None] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._asked or self._wanted is not None or self._newer)
            asked, wanted, newer = self._asked, self._wanted, self._newer
            if self._closed:
                return None
            if asked is not None:
                self._asked = None
                return lambda listing: self._find(listing, *asked)
            if wanted is not None:
                self._wanted = None
                return lambda listing: self._post(self._came, self._read(listing, wanted))
            self._newer = None
            assert newer is not None
            return lambda listing: self._find_newer(listing, *newer)

    def _outdated(self) -> bool:
        return self._closed or self._asked is not None

    def _find(self, listing: Listing, query: Query, sort: Sort | None) -> None:
        keys = listing.keys(query, sort, self._outdated)
        self._post(self._found, query, sort, keys, self._read(listing, keys[:BLOCK]))

    def _find_newer(self, listing: Listing, query: Query, after: int) -> None:
        keys = listing.newer(query, after, self._outdated)
        if len(keys):
            self._post(self._appended, query, after, keys, self._read(listing, keys[-BLOCK:]))

    def _read(self, listing: Listing, keys: Keys) -> dict[Key, tuple[tuple[str, ...], Row | None]]:
        pairs = [(int(inspection), int(detection)) for inspection, detection in keys]
        found = zip(pairs, listing.rows(keys), strict=True)
        gone = ("—",) * len(self._columns)
        return {
            pair: (gone if row is None else tuple(_KINDS[key].text(row) for key in self._columns), row)
            for pair, row in found
        }

    def _post(self, callback: Callable[..., object], *args: object) -> None:
        if not self._closed:
            self._tasks.post(callback, *args)

    # back on the Tk thread

    def _found(self, query: Query, sort: Sort | None, keys: Keys, rows: dict) -> None:
        if self._closed or (query, sort) != (self.query, self.order):
            return
        self._keys, self.loading = keys, False
        self._last = int(keys[:, 0].max()) if len(keys) else 0
        self.version += 1
        self.prepended = 0
        self._rows.clear()
        self._came(rows)

    def _appended(self, query: Query, after: int, keys: Keys, rows: dict) -> None:
        if self._closed or self.loading or (query, after) != (self.query, self._last):
            return
        self._last = int(keys[-1, 0])
        if self.order is not None and self.order.column == "time" and self.order.descending:
            keys = keys[np.lexsort((keys[:, 1], -keys[:, 0]))]
            self._keys = np.concatenate([keys, self._keys])
            self.prepended += len(keys)
        else:
            self._keys = np.concatenate([self._keys, keys])
        self._came(rows)

    def _came(self, rows: dict) -> None:
        if self._closed:
            return
        for key, row in rows.items():
            self._rows[key] = row
            self._rows.move_to_end(key)
        while len(self._rows) > _KEPT:
            self._rows.popitem(last=False)
        self._on_changed()

    def _ended(self) -> None:
        """The thread failed, and its error was told; the rows stay as they are."""
        self.loading = False
        self._on_changed()


def _local(row: Row) -> datetime:
    return datetime.fromisoformat(row.time).astimezone()
