"""The result table: one row a defect, and one for an inspection without defects or a skipped picture.

A table of a million rows is an array of keys, sorted and filtered by SQLite on a worker's thread; what stands in the
rows is fetched by their keys, a screenful at a time.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from inspector.domain import Box
from inspector.history.database import storable
from inspector.history.reading import Cancelled, Reader
from inspector.history.search import Query, conditions

if TYPE_CHECKING:
    from numpy.typing import NDArray

Column = Literal["number", "time", "file", "label", "score", "area", "verdict", "ms"]

_ORDERS: dict[str, str] = {
    "number": "inspection.number",
    "file": "inspection.name COLLATE NOCASE",
    "label": "detection.label COLLATE NOCASE",
    "score": "detection.score",
    "area": "detection.area_px",
    "verdict": "CASE inspection.verdict WHEN 'OK' THEN 0 WHEN 'WARN' THEN 1 WHEN 'NG' THEN 2 END",
    "ms": "inspection.total_ms",
}
_KEY = np.dtype((np.int64, 2))
_KEYS = "SELECT inspection.id, ifnull(detection.id, 0) FROM inspection"
_DEFECTS = "LEFT JOIN detection ON detection.inspection = inspection.id"
_INSPECTION = """SELECT inspection.id, inspection.run, number, inspection.time, name,
    folder.path || ifnull(inspection.file, name), frame, seconds, verdict, skipped, ifnull(codes, '[]'), total_ms,
    ifnull(model_file, '')
    FROM inspection LEFT JOIN folder ON folder.id = inspection.folder
    LEFT JOIN finding ON finding.id = inspection.finding LEFT JOIN run ON run.id = inspection.run"""
_DETECTION = "SELECT id, label, score, x1, y1, x2, y2, area_px, length_px FROM detection"
_MOST = 500  # rows fetched by one statement


@dataclass(frozen=True)
class Sort:
    """By which column; rows that have nothing there stand last, and equal ones in the order in which they were kept."""

    column: Column
    descending: bool = False


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        inspection, detection: the key; detection is 0 where there is no defect, and then label, score, box, area_px
            and length_px are None.
        number: counts from 1 within the run; None for a skipped picture.
        time: of the verdict, ISO 8601 with offset.
        index, seconds: position within the source.
        verdict: of the whole inspection; None for a skipped picture, and ``skipped`` says why.
        codes: of the verdict's reasons, each once, sorted.
        ms: milliseconds from read to verdict.
        model: file name of the weights.
    """

    inspection: int
    detection: int
    run: int
    number: int | None
    time: str
    name: str
    path: str | None
    index: int | None
    seconds: float | None
    label: str | None
    score: float | None
    box: Box | None
    area_px: int | None
    length_px: float | None
    verdict: str | None
    skipped: str | None
    codes: tuple[str, ...]
    ms: float | None
    model: str


class Listing(Reader):
    """The rows that a query finds. Of ``Query``, limit, after, offset and order mean nothing here; ``label`` leaves
    out the other defects of the inspections that it finds.
    """

    def keys(self, query: Query, sort: Sort | None = None, cancelled: Cancelled | None = None) -> NDArray[np.int64]:
        """All rows' keys in order, (N, 2) int64: inspection, and detection or 0. Without ``sort``: as they were kept.

        Raises:
            Stopped: ``cancelled`` said so.
        """
        statement, values = _keys(query, "INDEXED BY by_time")
        if sort is None:
            found = self._fetch(statement, values, cancelled)
            return found[np.lexsort((found[:, 1], found[:, 0]))]
        way = "DESC" if sort.descending else "ASC"
        if sort.column == "time":
            order = f"inspection.at {way}, inspection.id {way}"  # of the index: nothing is sorted
        else:
            order = f"{_ORDERS[sort.column]} {way} NULLS LAST, inspection.id"
        return self._fetch(f"{statement} ORDER BY {order}, detection.id", values, cancelled)

    def newer(self, query: Query, after: int, cancelled: Cancelled | None = None) -> NDArray[np.int64]:
        """Keys of the inspections kept since the one with the id ``after``, to be put behind the others."""
        statement, values = _keys(query, "NOT INDEXED")
        statement += " AND inspection.id > ? ORDER BY inspection.id, detection.id"
        return self._fetch(statement, (*values, after), cancelled)

    def rows(self, keys: NDArray[np.int64] | Sequence[tuple[int, int]]) -> list[Row | None]:
        """What stands in the rows with these keys, in their order; None for one that was purged meanwhile."""
        pairs = [(int(inspection), int(detection)) for inspection, detection in keys]
        with self._snapshot():
            inspections = self._by_id(_INSPECTION, "inspection.id", {pair[0] for pair in pairs})
            detections = self._by_id(_DETECTION, "id", {pair[1] for pair in pairs} - {0})
        detections[0] = (0, *[None] * 8)
        return [
            _row(inspections[inspection], detections[detection])
            if inspection in inspections and detection in detections
            else None
            for inspection, detection in pairs
        ]

    def _fetch(self, statement: str, values: Sequence[Any], cancelled: Cancelled | None) -> NDArray[np.int64]:
        with self._snapshot(cancelled), self._cursor(statement, values) as cursor:
            return np.fromiter(cursor, _KEY)

    def _by_id(self, statement: str, column: str, ids: set[int]) -> dict[int, tuple[Any, ...]]:
        wanted, found = sorted(ids), {}
        for start in range(0, len(wanted), _MOST):
            some = wanted[start : start + _MOST]
            for row in self._all(f"{statement} WHERE {column} IN ({', '.join('?' * len(some))})", some):
                found[row[0]] = row
        return found


def _keys(query: Query, index: str) -> tuple[str, list[Any]]:
    """The statement up to its conditions, and the values of its marks."""
    condition, values = conditions(replace(query, after=None))
    if query.label is None:
        return f"{_KEYS} {index} {_DEFECTS} WHERE {condition}", values
    only = f"{_DEFECTS} AND detection.label = ? COLLATE NOCASE"
    return f"{_KEYS} {index} {only} WHERE {condition}", [storable(query.label), *values]


def _row(inspection: tuple[Any, ...], detection: tuple[Any, ...]) -> Row:
    id, run, number, time, name, path, index, seconds, verdict, skipped, codes, ms, model = inspection
    key, label, score, *box, area, length = detection
    defect = (label, score, tuple(box) if key else None, area, length)
    return Row(
        *(id, key, run, number, time, name, path, index, seconds, *defect),
        verdict,
        skipped,
        tuple(json.loads(codes)),
        ms,
        model,
    )
