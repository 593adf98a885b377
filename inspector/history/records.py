"""Records of inspections, parts, runs and alarms, read from the history."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from inspector.domain import InputError, Part
from inspector.history.database import connect, file_errors, row_errors
from inspector.history.query import Event, Page, Query, RunEntry, conditions
from inspector.history.rows import (
    SELECT_DETECTION,
    SELECT_ENTRY,
    SELECT_PART,
    SELECT_RECORD,
    SELECT_RUN,
    method_of,
    to_entry,
    to_part,
    to_record,
    to_run_entry,
    with_templates,
)

_LARGEST = 2**63 - 1  # largest integer of SQLite
_CHUNK = 500  # inspections read by one statement


class Records:
    """The reading half of :class:`inspector.history.History`, on the connection that it opens."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._methods: dict[int, dict[str, Any]] = {}  # by run; the rules of a run never change
        self._connection: sqlite3.Connection = connect(path)

    def search(self, query: Query) -> Page:
        """Return a page of the inspections that match; those that are still pending are not found.

        Raises:
            InputError: limit or offset is out of range.
        """
        if query.limit < 1 or query.offset < 0:
            raise InputError(
                "limit must be at least 1 and offset at least 0, not {limit} and {offset}",
                limit=query.limit,
                offset=query.offset,
            )
        condition, values = conditions(query)
        direction = "DESC" if query.order == "newest" else "ASC"
        order = f"inspection.at {direction}, inspection.id {direction}"
        statement = f"{SELECT_ENTRY} WHERE {condition} ORDER BY {order} LIMIT ? OFFSET ?"
        with file_errors(self.path):
            one_more = min(query.limit, _LARGEST - 1) + 1
            rows = self._connection.execute(statement, (*values, one_more, min(query.offset, _LARGEST))).fetchall()
        last = (rows[query.limit - 1][-1], rows[query.limit - 1][0]) if len(rows) > query.limit else None
        with row_errors(self.path):
            return Page(tuple(to_entry(row) for row in rows[: query.limit]), last)

    def count(self, query: Query) -> int:
        """Count the inspections that match on all pages."""
        condition, values = conditions(replace(query, after=None))
        with file_errors(self.path):
            statement = f"SELECT count(*) FROM inspection INDEXED BY by_time WHERE {condition}"
            return int(self._connection.execute(statement, values).fetchone()[0])

    def get(self, id: int) -> dict[str, Any]:
        """Return the record of an inspection.

        The keys are those of ``results.jsonl`` (with the rules and recipe of its run), and ``id``, ``run``, ``title``,
        ``number``, ``time``, ``path``, ``confidence``, ``iou``, ``grouped`` (its part may have several images) and
        ``skipped``: the reason if the image could not be
        read; most others are None then.

        Raises:
            InputError: there is no such inspection.
        """
        if abs(id) <= _LARGEST and (records := self._records([id])):
            return records[0]
        raise InputError("The history has no inspection {id}", id=id, cli_hint="history search")

    def position(self, id: int) -> int:
        """Return the position of an inspection in its run, from 0, counting images that could not be read."""
        statement = """SELECT count(*) FROM inspection AS other, inspection AS this
            WHERE this.id = ? AND other.run = this.run AND other.id < this.id"""
        with file_errors(self.path):
            return int(self._connection.execute(statement, (id,)).fetchone()[0])

    def records(self, query: Query) -> Iterator[dict[str, Any]]:
        """Yield the records of all pages from the query's first on; see :meth:`get`."""
        page = self.search(replace(query, limit=_CHUNK))
        while page.entries:
            yield from self._records([entry.id for entry in page.entries])
            if page.next is None:
                return
            page = self.search(replace(query, limit=_CHUNK, offset=0, after=page.next))

    def records_of(self, ids: Iterable[int]) -> Iterator[dict[str, Any]]:
        """Yield the records with these ids, in their order, without deleted ones; see :meth:`get`."""
        for chunk in _chunks(ids):
            yield from self._records(chunk)

    def runs_of(self, ids: Iterable[int]) -> list[RunEntry]:
        """Return the runs of the inspections with these ids, the newest first."""
        runs: set[int] = set()
        with file_errors(self.path):
            for chunk in _chunks(ids):
                marks = ", ".join("?" * len(chunk))
                statement = f"SELECT DISTINCT run FROM inspection WHERE id IN ({marks})"
                runs.update(run for (run,) in self._connection.execute(statement, chunk))
        return [entry for entry in self.runs() if entry.id in runs]

    def part_of(self, id: int) -> Part | None:
        """Return the part of an inspection; None if the image is a part of its own."""
        with file_errors(self.path):
            statement = f"{SELECT_PART} WHERE id = (SELECT part FROM inspection WHERE id = ?)"
            row = self._connection.execute(statement, (id,)).fetchone()
        with row_errors(self.path):
            return None if row is None else to_part(row)

    def parts(self, run: int) -> Iterator[Part]:
        """Yield the parts of a run that have several images or a name of their own, in the order of their images."""
        with file_errors(self.path):
            rows = self._connection.execute(f"{SELECT_PART} WHERE run = ? ORDER BY id", (run,)).fetchall()
        with row_errors(self.path):
            yield from map(to_part, rows)

    def inspected(self, run: int) -> Iterator[tuple[int, str | None, str, int | None, float | None]]:
        """Yield id, path, name, index and seconds of each inspection of ``run`` that has a verdict, by number."""
        statement = """SELECT inspection.id, folder.path || ifnull(inspection.file, name), name, frame, seconds
            FROM inspection LEFT JOIN folder ON folder.id = inspection.folder
            WHERE run = ? AND verdict IS NOT NULL ORDER BY number, inspection.id"""
        with file_errors(self.path):
            yield from self._connection.execute(statement, (run,))

    def detections(self, id: int) -> list[dict[str, Any]]:
        """Return the defects of an inspection as in ``results.jsonl``."""
        return list(self.get(id)["detections"])

    def runs(self, run: int | None = None, state: str | None = None) -> list[RunEntry]:
        """Return all runs, the newest first; or only that with the id ``run``, or those in ``state``."""
        wanted = [(column, value) for column, value in (("id", run), ("state", state)) if value is not None]
        chosen = "WHERE " + " AND ".join(f"{column} = ?" for column, _ in wanted) if wanted else ""
        values = [value for _, value in wanted]
        with file_errors(self.path):
            rows = self._connection.execute(f"{SELECT_RUN} {chosen} ORDER BY at DESC, id DESC", values).fetchall()
        with row_errors(self.path):
            return [to_run_entry(row) for row in rows]

    def count_inspected(self, ids: Iterable[int]) -> int:
        """Count the inspections with these ids that have a verdict, that is, whose images could be read."""
        return sum(self._count_verdicts("id", chunk) for chunk in _chunks(ids))

    def count_parts(self, ids: Iterable[int]) -> int:
        """Count the parts of the inspections with these ids; an image that could not be read alone is none."""
        alone, parts = 0, set()
        with file_errors(self.path):
            for chunk in _chunks(ids):
                marks = ", ".join("?" * len(chunk))
                statement = f"SELECT part, count(verdict) FROM inspection WHERE id IN ({marks}) GROUP BY part"
                for part, count in self._connection.execute(statement, chunk):
                    if part is None:
                        alone += count
                    else:
                        parts.add(part)
        return alone + len(parts)

    def count_inspected_in(self, runs: Iterable[int]) -> int:
        """Count the inspections of these runs that have a verdict."""
        return sum(self._count_verdicts("run", chunk) for chunk in _chunks(runs))

    def _count_verdicts(self, column: str, values: Sequence[int]) -> int:
        marks = ", ".join("?" * len(values))
        with file_errors(self.path):
            statement = f"SELECT count(verdict) FROM inspection WHERE {column} IN ({marks})"
            return int(self._connection.execute(statement, values).fetchone()[0])

    def outputs(self) -> list[str]:
        """Return the results folders of all runs that wrote files."""
        with file_errors(self.path):
            rows = self._connection.execute("SELECT DISTINCT output FROM run WHERE output IS NOT NULL").fetchall()
        return [output for (output,) in rows]

    def events(self, run: int) -> list[Event]:
        """Return the alarms of a run, the oldest first."""
        with file_errors(self.path):
            choose = "SELECT time, kind, message, until, messages FROM event WHERE run = ? ORDER BY at, id"
            rows = self._connection.execute(choose, (run,)).fetchall()
        with row_errors(self.path):
            return [
                Event(time, kind, with_templates([text], parts)[0], until) for time, kind, text, until, parts in rows
            ]

    def _records(self, ids: Sequence[int]) -> list[dict[str, Any]]:
        """Records in the order of ``ids``, without deleted ones."""
        marks = ", ".join("?" * len(ids))
        with file_errors(self.path):
            cursor = self._connection.execute(f"{SELECT_RECORD} WHERE inspection.id IN ({marks})", ids)
            keys = [column[0] for column in cursor.description]
            rows = {row[0]: dict(zip(keys, row, strict=True)) for row in cursor}
            detections: dict[int, list[tuple[Any, ...]]] = {id: [] for id in ids}
            for row in self._connection.execute(f"{SELECT_DETECTION} WHERE inspection IN ({marks}) ORDER BY id", ids):
                detections[row[0]].append(row)
            methods = self._methods_of({row["run"] for row in rows.values()})
        with row_errors(self.path):
            records = []
            for row in (rows[id] for id in ids if id in rows):
                method = dict(methods[row["run"]])
                calibration = method["calibration"]
                record = to_record(row, detections[row["id"]], calibration) | method
                record["calibration"] = None if calibration is None else calibration.to_json()
                lot = record.pop("run_lot")
                record["lot"] = record["lot"] or lot
                records.append(record)
            return records

    def _methods_of(self, runs: Iterable[int]) -> dict[int, dict[str, Any]]:
        """Rules and recipes of these runs, as in ``results.jsonl``."""
        for run in set(runs) - self._methods.keys():
            row = self._connection.execute("SELECT job FROM run WHERE id = ?", (run,)).fetchone()
            with row_errors(self.path):
                self._methods[run] = method_of(None if row is None else row[0])
        return self._methods


def _chunks(ids: Iterable[int]) -> Iterator[list[int]]:
    remaining = iter(ids)
    while chunk := [int(id) for id in islice(remaining, _CHUNK)]:
        yield chunk
