"""Rows of history tables: columns, cell texts, and the thread that reads them."""

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
from inspector.history.periods import to_local_time
from inspector.history.reader import Stopped
from inspector.ui.kit.strings import tr
from inspector.ui.kit.table.selection import IndexRanges
from inspector.ui.kit.table.table import Column

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inspector.ui.kit.tasks import BackgroundTasks

    Keys = NDArray[np.int64]

Key = tuple[int, int]
BLOCK = 100
"""Rows fetched together."""
_KEPT = 6000  # rows kept in memory, more than a copy takes at once
_NONE = np.empty((0, 2), np.int64)
_SIGNS = {"OK": "✓ OK", "WARN": "⚠ WARN", "NG": "✕ NG"}

RESULT = ("verdict", "number", "time", "file", "label", "score", "area", "box", "ms")
"""Columns of a run's table."""
HISTORY = ("verdict", "date", "file", "defects", "label", "score", "area", "model")
"""Columns of the history's table, whose rows are parts that open to their images and defects."""


@dataclass(frozen=True)
class _Kind:
    """A kind of column: its width, sort key (None: not sortable), and cell text."""

    width: int
    text: Callable[[Row], str]
    sort: Literal["number", "time", "file", "label", "score", "area", "verdict", "ms", "defects"] | None
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
    "model": _Kind(116, lambda row: row.model, None),
    "defects": _Kind(84, lambda row: "", "defects"),
}
_WHOLE: dict[str, Callable[[Row], str]] = {  # of the row of a part or an image
    "file": lambda row: _name(row),
    "label": lambda row: ", ".join(row.labels) or "—",
    "area": lambda row: "—" if row.largest_px is None else f"{row.largest_px:,}",
    "score": lambda row: "—" if row.best is None else f"{row.best:.3f}",
    "defects": lambda row: str(row.defects) if row.defects else "—",
}
_WITHIN = {"verdict", "date", "file", "model"}  # left empty in the rows that an inspection opens to


def columns(keys: Iterable[str]) -> list[Column]:
    """Return the columns of these keys, e.g. :data:`RESULT`, titled in the current language."""
    titles = {
        "number": tr("No."),
        "time": tr("Time"),
        "date": tr("Time"),
        "file": tr("File"),
        "label": tr("Class"),
        "score": tr("Confidence"),
        "box": tr("Box"),
        "area": tr("Area px²"),
        "verdict": tr("Verdict"),
        "ms": "ms",
        "model": tr("Model"),
        "defects": tr("Defects"),
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
    """Return a verdict with its sign; None is a skipped image."""
    return _SIGNS[verdict] if verdict else tr("— Unreadable")


def sort_by(column: str, descending: bool) -> Sort | None:
    """The order for a column of :func:`columns`; None, the order in which all was kept, for one that does not sort."""
    kind = _KINDS[column].sort
    return None if kind is None else Sort(kind, descending)


def inspections_in(keys: Keys, chosen: IndexRanges, path: Path | None = None) -> list[int]:
    """Ids of the inspections in these rows, each once, in the order in which they were kept; of the row of a part those
    of all its images. For a worker thread.
    """
    rows = [keys[start:stop] for start, stop in chosen.spans]
    if not rows:
        return []
    found = np.concatenate(rows)
    parts = np.unique(-found[found[:, 1] < 0, 1]).tolist()
    ids = found[found[:, 1] >= 0, 0]
    if parts:
        with Listing(path) as listing:
            ids = np.concatenate([ids, *(listing.views(part)[:, 0] for part in parts)])
    kept: list[int] = np.unique(ids).tolist()
    return kept


def _name(row: Row) -> str:
    """A part by its id, one of its images by its view, another image by its name."""
    name = _KINDS["file"].text(row)
    if row.part:
        return f"{row.part} ({row.images})"
    if not row.view:
        return name
    return f"    {name}" if row.view.startswith(row.name) else f"    {row.view}: {name}"


class HistoryRows:
    """Rows of an :class:`VirtualTable` that a query finds. For the Tk thread; a thread of its own
    reads.

    Args:
        sort: None: in the order in which they were kept.
        on_changed: called on the Tk thread when rows have come, or are others.
        failed: called on the Tk thread with an error; without it the window shows it.
        keys: of the columns.
        parts: rows are parts.
        path: of the history; None means the user's.

    Attributes:
        version: counts the queries and orders that were answered.
        prepended: rows put before the first one since ``version`` changed.
        loading: a query or an order is not answered yet.
    """

    def __init__(
        self,
        tasks: BackgroundTasks,
        query: Query,
        sort: Sort | None,
        on_changed: Callable[[], object],
        *,
        failed: Callable[[BaseException], object] | None = None,
        keys: Sequence[str] = RESULT,
        parts: bool = False,
        path: Path | None = None,
    ) -> None:
        self.query, self.order = query, sort
        self.version = self.prepended = 0
        self.loading = True
        self._tasks, self._on_changed, self._failed = tasks, on_changed, failed
        self._columns, self._parts, self._path = tuple(keys), parts, path
        self._keys: Keys = _NONE
        self._last = 0  # id of the newest inspection
        self._rows: OrderedDict[Key, tuple[tuple[str, ...], Row | None]] = OrderedDict()
        # Requests to the thread, only the latest of each kind; guarded by the condition.
        self._changed = threading.Condition()
        self._asked: tuple[Query, Sort | None] | None = (query, sort)
        self._wanted: Keys | None = None
        self._newer: tuple[Query, int] | None = None
        self._closed = self._at_work = False
        self._look_again = False  # newer ones were asked for before an answer was there to append them to
        self._begin()

    # for the table

    def __len__(self) -> int:
        return len(self._keys)

    def fetch(self, start: int, stop: int) -> list[tuple[str, ...] | None]:
        """The texts of these rows; None for those that are on their way."""
        rows = [self._rows.get(self._key(index)) for index in range(start, stop)]
        missing = [start + place for place, row in enumerate(rows) if row is None]
        if missing:
            first = missing[0] // BLOCK * BLOCK
            wanted = self._keys[first : (missing[-1] // BLOCK + 1) * BLOCK]
            with self._changed:
                self._wanted = wanted
                self._changed.notify()
        return [None if row is None else row[0] for row in rows]

    def tag(self, index: int) -> str:
        row = self.row(index)
        return "" if row is None else (row.verdict or "skipped").lower()

    # for the page

    def row(self, index: int) -> Row | None:
        """Return a row; None while it is being loaded or if it was purged."""
        kept = self._rows.get(self._key(index))
        return None if kept is None else kept[1]

    def key(self, index: int) -> Key | None:
        """Return the ids of inspection and defect (0: none); None after the last row."""
        return self._key(index) if 0 <= index < len(self._keys) else None

    def find(self, inspection: int) -> int | None:
        """Index of the first row of an inspection."""
        return next(iter(self.places(inspection)), None)

    def places(self, inspection: int) -> list[int]:
        """Indices of all rows of an inspection."""
        rows: list[int] = np.flatnonzero(self._keys[:, 0] == inspection).tolist()
        return rows

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
        """Add rows stored since: before the others if the newest come first, else after them."""
        if self.loading:
            self._look_again = True
            return
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
            self._changed.wait_for(
                lambda: self._closed or self._asked or self._wanted is not None or self._newer or self._has_more()
            )
            asked, wanted, newer = self._asked, self._wanted, self._newer
            if self._closed:
                return None
            if asked is not None:
                self._asked = None
                return lambda listing: self._find(listing, *asked)
            if wanted is not None:
                self._wanted = None
                return lambda listing: self._post(self._came, self._read(listing, wanted))
            if newer is not None:
                self._newer = None
                return lambda listing: self._find_newer(listing, *newer)
            return self._more()

    def _has_more(self) -> bool:
        """Whether there is other work; called with the condition held."""
        return False

    def _more(self) -> Callable[[Listing], None] | None:
        """Do other work; called with the condition held."""
        return None

    def _outdated(self) -> bool:
        return self._closed or self._asked is not None

    def _find(self, listing: Listing, query: Query, sort: Sort | None) -> None:
        keys = listing.keys(query, sort, self._outdated, parts=self._parts)
        self._post(self._found, query, sort, keys, self._read(listing, keys[:BLOCK]))

    def _find_newer(self, listing: Listing, query: Query, after: int) -> None:
        keys = listing.newer(query, after, self._outdated, parts=self._parts)
        if len(keys):
            self._post(self._appended, query, after, keys, self._read(listing, keys[-BLOCK:]))

    def _read(self, listing: Listing, keys: Keys) -> dict[Key, tuple[tuple[str, ...], Row | None]]:
        pairs = [(int(inspection), int(detection)) for inspection, detection in keys]
        rows = zip(pairs, listing.rows(keys), strict=True)
        gone = ("—",) * len(self._columns)
        return {
            pair: (gone if row is None else tuple(self._text(key, row) for key in self._columns), row)
            for pair, row in rows
        }

    def _text(self, column: str, row: Row) -> str:
        if not self._parts:
            return _KINDS[column].text(row)
        if row.detection > 0:
            return "" if column in _WITHIN else _KINDS[column].text(row)
        return (_WHOLE.get(column) or _KINDS[column].text)(row)

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
        if self._look_again:
            self._look_again = False
            self.append_newer()

    def _appended(self, query: Query, after: int, keys: Keys, rows: dict) -> None:
        if self._closed or self.loading or query != self.query:
            return
        if after != self._last:  # what an earlier question found came in between
            self.append_newer()
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
        """Stop after the thread failed and reported its error; the rows stay."""
        self.loading = False
        self._on_changed()


def _local(row: Row) -> datetime:
    return to_local_time(datetime.fromisoformat(row.time))
