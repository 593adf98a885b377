"""Rows of the history grouped by part; each expands to its images, and an image to its defects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from inspector.history import Query
from inspector.history.listing import Listing, Sort
from inspector.history.reader import Stopped
from inspector.ui.history.rows import BLOCK, HISTORY, HistoryRows, Key

if TYPE_CHECKING:
    from inspector.history.listing import Row
    from inspector.ui.history.rows import Keys
    from inspector.ui.kit.tasks import BackgroundTasks

_SHUT, _OPEN = "▸", "▾"


class PartRows(HistoryRows):
    """Rows of a :class:`VirtualTable`: one per part, below an expanded one its images, and below those their defects.

    A part that is one image expands to the defects at once.

    Attributes:
        defects, images: how many the parts have in all; None until that is known.
    """

    def __init__(
        self,
        tasks: BackgroundTasks,
        query: Query,
        sort: Sort | None,
        on_changed: Callable[[], object],
        *,
        failed: Callable[[BaseException], object] | None = None,
        keys: Sequence[str] = HISTORY,
    ) -> None:
        self.defects: int | None = None
        self.images: int | None = None
        self._counted_query: Query | None = None
        self._refresh = False
        self._shown: dict[Key, int] = {}  # expanded part or image -> number of rows below it
        self._parents: dict[Key, Key] = {}  # image of an expanded part -> the part
        # Requests to the thread; guarded by the condition.
        self._to_open: Key | None = None
        self._to_count: tuple[Query, int] | None = None
        super().__init__(tasks, query, sort, on_changed, failed=failed, keys=keys, parts=True)

    @property
    def parts(self) -> int:
        """Number of rows without those of images and defects below a part."""
        return len(self) - sum(count for key, count in self._shown.items() if key not in self._parents)

    def is_open(self, index: int) -> bool:
        key = self.key(index)
        return key is not None and key in self._shown

    def fetch(self, start: int, stop: int) -> list[tuple[str, ...] | None]:
        rows = super().fetch(start, stop)
        place = self._columns.index("defects")
        for at, texts in enumerate(rows):
            key = self._key(start + at)
            if texts is None or (texts[place] == "—" and key[1] >= 0):
                continue
            if key[1] > 0:
                rows[at] = (*texts[:place], "", *texts[place + 1 :])
            else:
                sign = _OPEN if key in self._shown else _SHUT
                rows[at] = (*texts[:place], f"{sign} {texts[place]}", *texts[place + 1 :])
        return rows

    def append_newer(self) -> None:
        """Add rows stored since; read rows of parts again, to which images may have come."""
        for key in [key for key in self._rows if key[1] < 0][-BLOCK:]:
            row = self._rows[key][1]
            if row is not None and row.state == "running":
                del self._rows[key]
                self._refresh = True
        super().append_newer()
        if self._refresh:
            self._refresh = False
            self._on_changed()

    def toggle(self, index: int) -> int | None:
        """Expand or collapse the part or image of a row.

        Returns:
            Index of its row; None if there is nothing below it.
        """
        key = self.key(index)
        if key is None:
            return None
        if key[1] > 0:  # a defect: its image, or the part that is this image
            key = key[0], 0
        first = self._place(key)
        if first is None:
            return None
        if key in self._shown:
            self._collapse(key, first)
            return first
        row = self.row(first)
        if row is None or not (row.defects or row.part):
            return None
        with self._changed:
            self._to_open = key
            self._changed.notify()
        return first

    def _collapse(self, key: Key, first: int) -> None:
        count = self._shown.pop(key)
        below = {self._key(index) for index in range(first + 1, first + 1 + count)}
        for other in [other for other, parent in self._parents.items() if parent == key]:
            del self._parents[other]
            if other in below:
                self._shown.pop(other, None)
        if key in self._parents:
            self._shown[self._parents[key]] -= count
        self._keys = np.delete(self._keys, slice(first + 1, first + 1 + count), axis=0)
        self._on_changed()

    def _place(self, key: Key) -> int | None:
        """Index of the row with this key."""
        places = np.flatnonzero((self._keys[:, 0] == key[0]) & (self._keys[:, 1] == key[1]))
        return int(places[0]) if len(places) else None

    # on the thread

    def _has_more(self) -> bool:
        return self._to_open is not None or self._to_count is not None

    def _more(self) -> Callable[[Listing], None] | None:
        if self._to_open is not None:
            opened, self._to_open = self._to_open, None
            return partial(self._open, key=opened)
        return self._count if self._to_count is not None else None

    def _open(self, listing: Listing, key: Key) -> None:
        query = self.query
        keys = listing.views(-key[1]) if key[1] < 0 else listing.defects(query, key[0])
        self._post(self._opened, query, key, keys, self._read(listing, keys))

    def _count(self, listing: Listing) -> None:
        asked = self._to_count
        if asked is None:
            return
        query, after = asked
        try:
            defects = listing.count_defects(query, self._disturbed, after)
            images = listing.count_images(query, self._disturbed)
        except Stopped:
            return  # retried when idle
        with self._changed:
            if self._to_count == asked:
                self._to_count = None
        self._post(self._counted, query, after, defects, images)

    def _disturbed(self) -> bool:
        return self._outdated() or self._wanted is not None or self._newer is not None or self._to_open is not None

    # back on the Tk thread

    def _found(
        self, query: Query, sort: Sort | None, keys: Keys, rows: dict[Key, tuple[tuple[str, ...], Row | None]]
    ) -> None:
        if self._closed or (query, sort) != (self.query, self.order):
            return
        self._shown.clear()
        self._parents.clear()
        if query != self._counted_query:
            self.defects = self.images = None
        super()._found(query, sort, keys, rows)
        self._counted_query = query
        if len(keys):
            self._ask_count(query, 0)
        else:
            self.defects = self.images = 0
            self._on_changed()

    def _appended(
        self, query: Query, after: int, keys: Keys, rows: dict[Key, tuple[tuple[str, ...], Row | None]]
    ) -> None:
        current = not self.loading and (query, after) == (self.query, self._last)
        super()._appended(query, after, keys, rows)
        if current and not self._closed:
            self._ask_count(query, after if self.defects is not None else 0)

    def _ask_count(self, query: Query, after: int) -> None:
        with self._changed:
            if self._to_count is not None and self._to_count[0] == query:
                after = min(after, self._to_count[1])
            self._to_count = query, after
            self._changed.notify()

    def _counted(self, query: Query, after: int, defects: int, images: int) -> None:
        if self._closed or query != self.query:
            return
        self.images = images
        self.defects = defects if not after else (self.defects or 0) + defects
        self._on_changed()

    def _opened(self, query: Query, key: Key, keys: Keys, rows: dict[Key, tuple[tuple[str, ...], Row | None]]) -> None:
        place = self._place(key)
        if self._closed or self.loading or query != self.query or place is None or key in self._shown:
            return
        self._shown[key] = len(keys)
        if key[1] < 0:
            self._parents |= {(int(inspection), 0): key for inspection, _ in keys}
        elif key in self._parents:
            self._shown[self._parents[key]] += len(keys)
        self._keys = np.insert(self._keys, place + 1, keys, axis=0)
        self._came(rows)
