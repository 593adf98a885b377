"""Rows of the result tables: one per part, which expands to its images and their defects, or one per defect (or per
inspection without defects).

A table of a million rows is an array of keys, sorted and filtered by SQLite on a worker thread; the contents of rows
are fetched by key, one screen at a time.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from inspector.domain import Box
from inspector.history.database import row_errors, to_utf8
from inspector.history.query import Query, conditions
from inspector.history.reader import Cancelled, Reader

if TYPE_CHECKING:
    from numpy.typing import NDArray

Column = Literal["number", "time", "file", "label", "score", "area", "verdict", "ms", "defects"]

_ORDERS: dict[str, str] = {
    "number": "inspection.number",
    "file": "inspection.name COLLATE NOCASE",
    "label": "detection.label COLLATE NOCASE",
    "score": "detection.score",
    "area": "detection.area_px",
    "verdict": "CASE inspection.verdict WHEN 'OK' THEN 0 WHEN 'WARN' THEN 1 WHEN 'NG' THEN 2 END",
    "ms": "inspection.total_ms",
    "defects": "inspection.defects",
}
_INSPECTION_ORDERS: dict[str, str] = _ORDERS | {  # one row per inspection: all its classes, its largest defect
    "label": "nullif((SELECT labels FROM finding WHERE id = inspection.finding), '[]') COLLATE NOCASE",
    "score": "(SELECT max(score) FROM detection WHERE detection.inspection = inspection.id)",
    "area": "inspection.largest_px",
}
_OF_PART = "(SELECT {} FROM inspection AS view WHERE view.part = inspection.part)"
_PART_ORDERS: dict[str, str] = _INSPECTION_ORDERS | {  # one row per part, represented by its first image
    "file": "ifnull((SELECT name FROM part WHERE id = inspection.part), inspection.name) COLLATE NOCASE",
    "area": f"CASE WHEN part IS NULL THEN inspection.largest_px ELSE {_OF_PART.format('max(largest_px)')} END",
    "defects": f"CASE WHEN part IS NULL THEN inspection.defects ELSE {_OF_PART.format('sum(defects)')} END",
    "verdict": "CASE ifnull((SELECT verdict FROM part WHERE id = inspection.part), inspection.verdict)"
    " WHEN 'OK' THEN 0 WHEN 'WARN' THEN 1 WHEN 'NG' THEN 2 END",
}
_KEY = np.dtype((np.int64, 2))
_KEYS = "SELECT inspection.id, ifnull(detection.id, 0) FROM inspection"
_DEFECTS = "LEFT JOIN detection ON detection.inspection = inspection.id"
_INSPECTION = """SELECT inspection.id, inspection.run, number, inspection.time, name,
    folder.path || ifnull(inspection.file, name), frame, seconds, verdict, skipped, ifnull(codes, '[]'), total_ms,
    ifnull(model_file, ''), ifnull(labels, '[]'), inspection.defects, largest_px,
    (SELECT max(score) FROM detection WHERE detection.inspection = inspection.id), ifnull(run.state, ''),
    ifnull(inspection.view, '')
    FROM inspection LEFT JOIN folder ON folder.id = inspection.folder
    LEFT JOIN finding ON finding.id = inspection.finding LEFT JOIN run ON run.id = inspection.run"""
_PART = """SELECT part.id, part.name, part.verdict, part.reasons, json_array_length(part.views), sum(view.defects),
    max(view.largest_px), max((SELECT max(score) FROM detection WHERE detection.inspection = view.id)),
    json_group_array(DISTINCT json(ifnull(labels, '[]'))), count(view.verdict)
    FROM part JOIN inspection AS view ON view.part = part.id LEFT JOIN finding ON finding.id = view.finding"""
_DETECTION = "SELECT id, label, score, x1, y1, x2, y2, area_px, length_px FROM detection"
_CHUNK = 500  # rows fetched by one statement


@dataclass(frozen=True)
class Sort:
    """Sort order; rows without a value come last, and equal rows in the order in which they were saved."""

    column: Column
    descending: bool = False


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        inspection, detection: the key; detection is 0 if there is no defect, and negative for a row of a part, and then
            label, score, box, area_px and length_px are None.
        number: counts from 1 within the run; None for an image that could not be read.
        time: of the verdict, ISO 8601 with offset.
        index, seconds: position within the source.
        verdict: of the inspection; None for an image that could not be read, ``skipped`` is the reason.
        codes: distinct codes of the verdict's reasons, sorted.
        ms: milliseconds from read to verdict.
        model: file name of the weights.
        labels: distinct class names of all defects of the inspection, sorted.
        defects: their number.
        largest_px: area of the largest one, px²; None without masks.
        best: highest score.
        state: of its run.
        view: name of its view; "" if the image is a part of its own.
        part: id of the part in its run, if this is a row of a part; then verdict, codes, labels, defects, largest_px
            and best are those of the part.
        views, images: numbers of views that are there and of images that were inspected, of a part.
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
    labels: tuple[str, ...] = ()
    defects: int = 0
    largest_px: int | None = None
    best: float | None = None
    state: str = "done"
    view: str = ""
    part: str = ""
    views: int = 0
    images: int = 0


class Listing(Reader):
    """The rows that match a query. Its limit, after, offset and order are ignored; with ``label``, other defects of the
    inspections are left out.
    """

    def keys(
        self,
        query: Query,
        sort: Sort | None = None,
        cancelled: Cancelled | None = None,
        whole: bool = False,
        parts: bool = False,
    ) -> NDArray[np.int64]:
        """Return the keys of all rows in order, (N, 2) int64: inspection, and detection or 0.

        Args:
            sort: None: as they were saved.
            whole: one row per inspection; its detection is 0.
            parts: one row per part: the first of its inspections that match, and minus the number of the part, or 0
                for an image that is a part of its own.

        Raises:
            Stopped: it was cancelled.
        """
        whole, grouped = whole or parts, parts and self._has_parts()
        statement, values = _keys(query, "INDEXED BY by_time", whole, grouped)
        if sort is None:
            keys = self._fetch(statement, values, cancelled)
            return keys[np.lexsort((keys[:, 1], keys[:, 0]))]
        way = "DESC" if sort.descending else "ASC"
        if sort.column == "time":
            order = f"inspection.at {way}, inspection.id {way}"  # the order of the index, so nothing is sorted
        else:
            orders = _PART_ORDERS if grouped else _INSPECTION_ORDERS if whole else _ORDERS
            order = f"{orders[sort.column]} {way} NULLS LAST, inspection.id"
        last = "" if whole else ", detection.id"
        return self._fetch(f"{statement} ORDER BY {order}{last}", values, cancelled)

    def newer(
        self,
        query: Query,
        after: int,
        cancelled: Cancelled | None = None,
        whole: bool = False,
        parts: bool = False,
    ) -> NDArray[np.int64]:
        """Return the keys of inspections with an id above ``after``, to be appended to the others; with ``parts``,
        those of parts all of whose images are newer."""
        if parts and self._has_parts():
            condition, values = conditions(replace(query, after=None))
            newer = f"{condition} AND inspection.id > ?"
            begun = "EXISTS (SELECT 1 FROM inspection AS view WHERE view.part = inspection.part AND view.id <= ?)"
            statement = f"""SELECT min(inspection.id), -ifnull(part, 0) FROM inspection NOT INDEXED
                WHERE {newer} AND (part IS NULL OR NOT {begun})
                GROUP BY ifnull(part, -inspection.id) ORDER BY min(inspection.id)"""
            return self._fetch(statement, (*values, after, after), cancelled)
        statement, values = _keys(query, "NOT INDEXED", whole or parts)
        statement += " AND inspection.id > ? ORDER BY inspection.id" + ("" if whole or parts else ", detection.id")
        return self._fetch(statement, (*values, after), cancelled)

    def defects(self, query: Query, inspection: int) -> NDArray[np.int64]:
        """Return the keys of the defects of one inspection, (N, 2) int64; only of the query's label if it has one."""
        term, values = ("", []) if query.label is None else (" AND label = ? COLLATE NOCASE", [to_utf8(query.label)])
        statement = f"SELECT inspection, id FROM detection WHERE inspection = ?{term} ORDER BY id"
        return self._fetch(statement, [inspection, *values], None).reshape(-1, 2)

    def views(self, part: int) -> NDArray[np.int64]:
        """Return the keys of all images of a part, (N, 2) int64, in the order of the run."""
        statement = "SELECT id, 0 FROM inspection WHERE part = ? ORDER BY ifnull(number, 1e18), id"
        return self._fetch(statement, [part], None).reshape(-1, 2)

    def count_images(self, query: Query, cancelled: Cancelled | None = None) -> int:
        """Count the images that match, with those that could not be read.

        Raises:
            Stopped: it was cancelled.
        """
        condition, values = conditions(replace(query, after=None))
        with self._snapshot(cancelled):
            return int(self._all(f"SELECT count(*) FROM inspection INDEXED BY by_time WHERE {condition}", values)[0][0])

    def count_defects(self, query: Query, cancelled: Cancelled | None = None, after: int = 0) -> int:
        """Count the defects of the inspections that match; only of the query's label if it has one.

        Args:
            after: only of inspections with a larger id.

        Raises:
            Stopped: it was cancelled.
        """
        condition, values = conditions(replace(query, after=None))
        tables = "inspection INDEXED BY by_time CROSS JOIN detection ON detection.inspection = inspection.id"
        if condition == "TRUE":
            tables, condition, values = "detection", "inspection > ?", [after]
        elif after:
            tables = tables.replace("INDEXED BY by_time", "NOT INDEXED")
            condition, values = f"{condition} AND inspection.id > ?", [*values, after]
        if query.label is not None:
            condition, values = f"{condition} AND label = ? COLLATE NOCASE", [*values, to_utf8(query.label)]
        with self._snapshot(cancelled):
            return int(self._all(f"SELECT count(*) FROM {tables} WHERE {condition}", values)[0][0])

    def rows(self, keys: NDArray[np.int64] | Sequence[tuple[int, int]]) -> list[Row | None]:
        """Return the rows with these keys, in their order; None for rows that were deleted meanwhile."""
        pairs = [(int(inspection), int(detection)) for inspection, detection in keys]
        with self._snapshot():
            inspections = self._by_id(_INSPECTION, "inspection.id", {pair[0] for pair in pairs})
            detections = self._by_id(_DETECTION, "id", {pair[1] for pair in pairs if pair[1] > 0})
            parts = self._by_id(_PART, "part.id", {-pair[1] for pair in pairs if pair[1] < 0}, " GROUP BY part.id")
        detections[0] = (0, *[None] * 8)
        with row_errors(self.path):
            return [
                _row(inspections[inspection], detections[max(0, detection)], parts.get(-detection))
                if inspection in inspections and (detection in detections or -detection in parts)
                else None
                for inspection, detection in pairs
            ]

    def _has_parts(self) -> bool:
        """Whether there are other parts than single images."""
        with self._snapshot():
            return bool(self._all("SELECT 1 FROM part LIMIT 1"))

    def _fetch(self, statement: str, values: Sequence[Any], cancelled: Cancelled | None) -> NDArray[np.int64]:
        with self._snapshot(cancelled), self._cursor(statement, values) as cursor:
            return np.fromiter(cursor, _KEY)

    def _by_id(self, statement: str, column: str, ids: set[int], end: str = "") -> dict[int, tuple[Any, ...]]:
        wanted, rows = sorted(ids), {}
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]
            for row in self._all(f"{statement} WHERE {column} IN ({', '.join('?' * len(chunk))}){end}", chunk):
                rows[row[0]] = row
        return rows


def _keys(query: Query, index: str, whole: bool, grouped: bool = False) -> tuple[str, list[Any]]:
    """The SELECT statement with its conditions, and the values of its placeholders."""
    condition, values = conditions(replace(query, after=None))
    if grouped:
        first = (
            f"SELECT min(id) FROM inspection INDEXED BY by_time WHERE {condition} AND part IS NOT NULL GROUP BY part"
        )
        return (
            f"SELECT inspection.id, -ifnull(part, 0) FROM inspection {index} WHERE {condition}"
            f" AND (part IS NULL OR inspection.id IN ({first}))",
            [*values, *values],
        )
    if whole:
        return f"SELECT inspection.id, 0 FROM inspection {index} WHERE {condition}", values
    if query.label is None:
        return f"{_KEYS} {index} {_DEFECTS} WHERE {condition}", values
    only = f"{_DEFECTS} AND detection.label = ? COLLATE NOCASE"
    return f"{_KEYS} {index} {only} WHERE {condition}", [to_utf8(query.label), *values]


def _row(inspection: tuple[Any, ...], detection: tuple[Any, ...], part: tuple[Any, ...] | None = None) -> Row:
    id, run, number, time, name, path, index, seconds, verdict, skipped, codes, ms, model, *whole = inspection
    labels, *rest = whole
    key, label, score, *box, area, length = detection
    defect = (label, score, tuple(box) if key else None, area, length)
    row = Row(
        *(id, key, run, number, time, name, path, index, seconds, *defect),
        verdict,
        skipped,
        tuple(json.loads(codes)),
        ms,
        model,
        tuple(json.loads(labels)),
        *rest,
    )
    if part is None:
        return row
    number, name, verdict, reasons, views, defects, largest, best, labels, images = part
    return replace(
        row,
        detection=-number,
        part=name,
        verdict=verdict,
        skipped=None,
        codes=tuple(sorted({reason["code"] for reason in json.loads(reasons)})),
        labels=tuple(sorted({label for of_view in json.loads(labels) for label in of_view})),
        defects=defects,
        largest_px=largest,
        best=best,
        views=views,
        images=images,
    )
