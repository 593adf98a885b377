"""Writing to the history, a group of inspections at a time, and reading from it."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from inspector import __version__
from inspector.domain import InputError, Inspection, Job, ModelInfo, Skipped
from inspector.history.database import Claim, claimed, connect, guarded, storable, transaction
from inspector.history.search import Entry, Page, Query, RunEntry, conditions, milliseconds
from inspector.paths import history_file

logger = logging.getLogger(__name__)
INTERVAL = 0.3
"""Seconds that an inspection waits at most before it is on the disk, while the writer is busy or calls ``tick``."""
_GROUP = 1000  # inspections that wait at most
_STEP = 2000  # inspections removed at once, so that a purge never keeps a writer waiting for long
_PART = 500  # inspections read at once

_ENTRY = """SELECT inspection.id, inspection.run, number, inspection.time, name,
    folder.path || ifnull(inspection.file, name), frame, seconds, width, height, verdict, skipped,
    ifnull(labels, '[]'), ifnull(codes, '[]'), defects, largest_px, total_ms, title, model_file, inspection.at
    FROM inspection INDEXED BY by_time LEFT JOIN folder ON folder.id = inspection.folder
    LEFT JOIN finding ON finding.id = inspection.finding LEFT JOIN run ON run.id = inspection.run"""
_RECORD = """SELECT inspection.id, run, number, inspection.time, inspection.name,
    folder.path || ifnull(inspection.file, inspection.name) AS path, frame, seconds, width, height, verdict, skipped,
    reasons, confidence, iou, read_ms, infer_ms, total_ms, title, model_file, model_sha256, architecture
    FROM inspection LEFT JOIN folder ON folder.id = inspection.folder LEFT JOIN run ON run.id = inspection.run"""
_DETECTION = """SELECT inspection, label, score, x1, y1, x2, y2, area_px, length_px, area_mm2, length_mm, rle
    FROM detection"""
_RUN = """SELECT id, title, started, ended, output, state, version, job, counts, model_file, model_sha256,
    architecture, names, plugin, runtime, device, imgsz FROM run"""


@dataclass(frozen=True)
class _Waiting:
    """An inspection ready to be written: the columns of its row but for folder and finding, which get ids."""

    row: tuple[Any, ...]
    folder: str | None
    finding: tuple[str, str] | None
    detections: tuple[tuple[Any, ...], ...] = ()


class History:
    """An open history. Opened, used and closed on one thread; open as many as there are threads and programs.

    What is added is written in groups: a kill or a power cut loses what waited, ``INTERVAL`` seconds of work at most.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: list[_Waiting] = []
        self._claims: dict[int, Claim] = {}
        self._written = 0.0
        self._connection = connect(path)
        try:
            with guarded(path):
                self._close_interrupted()
        except BaseException:
            self._connection.close()
            raise

    @classmethod
    def open(cls, path: Path | None = None) -> History:
        """Open the user's history, or the one at ``path``; it is made if it is missing.

        Runs whose program died are marked ``interrupted``.

        Raises:
            InputError: the file is damaged, newer than this program, or may not be written.
        """
        return cls(path or history_file())

    def close(self) -> None:
        """Write what waits, and close. A run that was not finished is ``interrupted`` from the next opening on."""
        try:
            self.commit()
        finally:
            for claim in self._claims.values():
                claim.drop()
            self._connection.close()

    def __enter__(self) -> History:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # writing

    def begin(self, job: Job, model: ModelInfo, title: str, output: Path | None, started: str) -> int:
        """Keep that a run has begun at ``started`` (ISO 8601 with offset); returns its id."""
        columns = {
            "at": milliseconds(datetime.fromisoformat(started)),
            "started": started,
            "title": storable(title),
            "output": None if output is None else storable(str(output)),
            "state": "running",
            "version": __version__,
            "job": _json(job.to_json()),
            "counts": "{}",
            "model_file": storable(model.file),
            "model_sha256": model.sha256.lower(),
            "architecture": model.architecture,
            "names": _json(model.names),
            "plugin": model.plugin,
            "runtime": model.runtime,
            "device": model.device,
            "imgsz": model.imgsz,
        }
        marks = ", ".join("?" * len(columns))
        with guarded(self.path), transaction(self._connection):
            insert = f"INSERT INTO run ({', '.join(columns)}) VALUES ({marks}) RETURNING id"
            run = int(self._connection.execute(insert, tuple(columns.values())).fetchone()[0])
            self._claims[run] = Claim(self.path, run)  # before anybody can see the run
        return run

    def add(self, run: int, inspection: Inspection) -> None:
        """Keep an inspection; it is on the disk once ``pending`` is 0."""
        record = inspection.record()
        if not inspection.time:
            inspection = replace(inspection, time=_now())
        found = record["detections"]
        areas = [d["area_px"] for d in found if d["area_px"] is not None]
        folder, file = _place(inspection.frame.path, record["name"])
        row = (
            run,
            inspection.number,
            milliseconds(datetime.fromisoformat(inspection.time)),
            inspection.time,
            storable(record["name"]),
            file,
            *(record[key] for key in ("index", "seconds", "width", "height", "verdict")),
            _json(record["reasons"]),
            None,
            inspection.confidence,
            inspection.iou,
            *(record["ms"][key] for key in ("read", "infer", "total")),
            len(found),
            max(areas, default=None),
        )
        labels = sorted({d["label"] for d in found})
        codes = sorted({reason["code"] for reason in record["reasons"]})
        self._put(_Waiting(row, folder, (_json(labels), _json(codes)), tuple(map(_detection_row, found))))

    def add_skipped(self, run: int, skipped: Skipped) -> None:
        """Keep that a picture could not be read."""
        moment = _now()
        folder, file = _place(skipped.path, skipped.name)
        at = milliseconds(datetime.fromisoformat(moment))
        row = (run, None, at, moment, storable(skipped.name), file, *[None] * 5, "[]", storable(skipped.reason))
        self._put(_Waiting((*row, *[None] * 5, 0, None), folder, None))

    @property
    def pending(self) -> int:
        """Number of inspections that are not on the disk yet."""
        return len(self._waiting)

    def tick(self) -> None:
        """Write what has waited for ``INTERVAL``; call it a few times a second while there is nothing to add."""
        if time.monotonic() - self._written >= INTERVAL or len(self._waiting) >= _GROUP:
            self.commit()

    def commit(self) -> None:
        """Write what waits, now.

        Raises:
            InspectorError: the disk is full or fails; what waits is kept for another try.
        """
        if self._waiting:
            with guarded(self.path), transaction(self._connection):
                self._write(self._waiting)
            self._waiting.clear()
        self._written = time.monotonic()

    def finish(self, run: int, state: str, counts: Mapping[str, int]) -> None:
        """Write what waits, and keep how the run ended: ``done``, ``stopped`` or ``failed``."""
        self.commit()
        with guarded(self.path):
            self._connection.execute(
                "UPDATE run SET state = ?, ended = ?, counts = ? WHERE id = ?", (state, _now(), _json(counts), run)
            )
        if run in self._claims:
            self._claims.pop(run).drop()

    def purge(self, before: datetime | None = None, run: int | None = None) -> int:
        """Remove inspections (with their detections) for good, and give the space back to the disk.

        Args:
            before: only those older than this.
            run: only those of this run.

        Returns:
            How many inspections were removed.

        Raises:
            InputError: the run is at work, or nothing says what to remove.
        """
        if before is None and run is None:
            raise InputError("Say what to remove from the history: a date or a run")
        if run is not None and any(entry.state == "running" for entry in self.runs(run)):
            raise InputError(f"Run {run} is still at work; stop it before it is removed")
        removed = 0
        with guarded(self.path):
            condition, values = conditions(Query(until=before, run=run))
            choose = f"SELECT id FROM inspection WHERE {condition} ORDER BY at LIMIT {_STEP}"
            while True:
                with transaction(self._connection):
                    step = self._connection.execute(f"DELETE FROM inspection WHERE id IN ({choose})", values)
                removed += step.rowcount
                if step.rowcount < _STEP:
                    break
            self._remove_empty_runs(before, run)
            self._give_space_back()
        return removed

    # reading

    def search(self, query: Query) -> Page:
        """One page of the inspections that ``query`` asks for. Only what is on the disk is found."""
        if query.limit < 1 or query.offset < 0:
            raise InputError(f"limit must be from 1 and offset from 0, not {query.limit} and {query.offset}")
        condition, values = conditions(query)
        way = "DESC" if query.order == "newest" else "ASC"
        statement = f"{_ENTRY} WHERE {condition} ORDER BY inspection.at {way}, inspection.id {way} LIMIT ? OFFSET ?"
        with guarded(self.path):
            rows = self._connection.execute(statement, (*values, query.limit + 1, query.offset)).fetchall()
        last = (rows[query.limit - 1][-1], rows[query.limit - 1][0]) if len(rows) > query.limit else None
        return Page(tuple(_entry(row) for row in rows[: query.limit]), last)

    def count(self, query: Query) -> int:
        """Number of inspections that ``query`` asks for on all pages."""
        condition, values = conditions(replace(query, after=None))
        with guarded(self.path):
            statement = f"SELECT count(*) FROM inspection INDEXED BY by_time WHERE {condition}"
            return int(self._connection.execute(statement, values).fetchone()[0])

    def get(self, id: int) -> dict[str, Any]:
        """All about one inspection.

        The keys are those of ``results.jsonl``, and ``id``, ``run``, ``title``, ``number``, ``time``, ``path``,
        ``confidence``, ``iou`` and ``skipped``: why a picture was skipped; then most others are None.

        Raises:
            InputError: there is no such inspection.
        """
        if found := self._records([id]):
            return found[0]
        raise InputError(f"The history has no inspection {id}; find its number with: history search")

    def records(self, query: Query) -> Iterator[dict[str, Any]]:
        """All that ``query`` asks for on all pages from its first on, each as :meth:`get` returns it."""
        page = self.search(replace(query, limit=_PART))
        while page.entries:
            yield from self._records([entry.id for entry in page.entries])
            if page.next is None:
                return
            page = self.search(replace(query, limit=_PART, offset=0, after=page.next))

    def records_of(self, ids: Iterable[int]) -> Iterator[dict[str, Any]]:
        """Those with these ids, in their order, each as :meth:`get` returns it; what was purged is left out."""
        for some in _chunks(ids):
            yield from self._records(some)

    def runs_of(self, ids: Iterable[int]) -> list[RunEntry]:
        """The runs that the inspections with these ids belong to, the newest first."""
        found: set[int] = set()
        with guarded(self.path):
            for some in _chunks(ids):
                marks = ", ".join("?" * len(some))
                statement = f"SELECT DISTINCT run FROM inspection WHERE id IN ({marks})"
                found.update(run for (run,) in self._connection.execute(statement, some))
        return [entry for entry in self.runs() if entry.id in found]

    def detections(self, id: int) -> list[dict[str, Any]]:
        """The defects of one inspection as in ``results.jsonl``."""
        return list(self.get(id)["detections"])

    def runs(self, run: int | None = None, state: str | None = None) -> list[RunEntry]:
        """All runs, the newest first; or only the one with the id ``run``, or those in ``state``."""
        wanted = [(column, value) for column, value in (("id", run), ("state", state)) if value is not None]
        chosen = "WHERE " + " AND ".join(f"{column} = ?" for column, _ in wanted) if wanted else ""
        values = [value for _, value in wanted]
        with guarded(self.path):
            rows = self._connection.execute(f"{_RUN} {chosen} ORDER BY at DESC, id DESC", values).fetchall()
        return [_run_entry(row) for row in rows]

    # within

    def _put(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        self.tick()

    def _write(self, group: Sequence[_Waiting]) -> None:
        execute = self._connection.execute
        last = execute("SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'inspection'").fetchone()[0]
        folders = {path: self._folder(path) for path in {w.folder for w in group} if path is not None}
        findings = {key: self._finding(*key) for key in {w.finding for w in group} if key is not None}
        inspections, detections = [], []
        for id, w in enumerate(group, last + 1):
            folder = None if w.folder is None else folders[w.folder]
            inspections.append((id, *w.row, folder, None if w.finding is None else findings[w.finding]))
            detections += [(id, *row) for row in w.detections]
        columns = """id, run, number, at, time, name, file, frame, seconds, width, height, verdict, reasons, skipped,
            confidence, iou, read_ms, infer_ms, total_ms, defects, largest_px, folder, finding"""
        insert = f"INSERT INTO inspection ({columns}) VALUES ({', '.join('?' * 23)})"
        self._connection.executemany(insert, inspections)
        columns = "inspection, label, score, x1, y1, x2, y2, area_px, length_px, area_mm2, length_mm, rle"
        insert = f"INSERT INTO detection ({columns}) VALUES ({', '.join('?' * 12)})"
        self._connection.executemany(insert, detections)

    def _folder(self, path: str) -> int:
        self._connection.execute("INSERT OR IGNORE INTO folder (path) VALUES (?)", (path,))
        return int(self._connection.execute("SELECT id FROM folder WHERE path = ?", (path,)).fetchone()[0])

    def _finding(self, labels: str, codes: str) -> int:
        execute = self._connection.execute
        choose = "SELECT id FROM finding WHERE labels = ? AND codes = ?"
        row = execute(choose, (labels, codes)).fetchone()
        if row is None:
            row = execute("INSERT INTO finding (labels, codes) VALUES (?, ?) RETURNING id", (labels, codes)).fetchone()
            tags = [(kind, text) for kind, texts in (("label", labels), ("code", codes)) for text in json.loads(texts)]
            # OR IGNORE: two labels may differ in upper and lower case only.
            insert = "INSERT OR IGNORE INTO tag (kind, text, finding) VALUES (?, ?, ?)"
            self._connection.executemany(insert, [(*tag, row[0]) for tag in tags])
        return int(row[0])

    def _records(self, ids: Sequence[int]) -> list[dict[str, Any]]:
        """In the order of ``ids``; those that are no more are left out."""
        marks = ", ".join("?" * len(ids))
        with guarded(self.path):
            cursor = self._connection.execute(f"{_RECORD} WHERE inspection.id IN ({marks})", ids)
            keys = [column[0] for column in cursor.description]
            rows = {row[0]: dict(zip(keys, row, strict=True)) for row in cursor}
            found: dict[int, list[tuple[Any, ...]]] = {id: [] for id in ids}
            for row in self._connection.execute(f"{_DETECTION} WHERE inspection IN ({marks}) ORDER BY id", ids):
                found[row[0]].append(row)
        return [_record(rows[id], found[id]) for id in ids if id in rows]

    def _close_interrupted(self) -> None:
        running = self._connection.execute("SELECT id FROM run WHERE state = 'running'").fetchall()
        for (run,) in running:
            if claimed(self.path, run):
                continue
            logger.info("Run %s in the history was interrupted", run)
            self._connection.execute(
                """UPDATE run SET state = 'interrupted', (ended, counts) = (
                    SELECT (SELECT time FROM inspection WHERE run = ?1 ORDER BY at DESC LIMIT 1), json_object(
                        'inspected', count(verdict), 'ok', count(nullif(verdict = 'OK', 0)),
                        'warn', count(nullif(verdict = 'WARN', 0)), 'ng', count(nullif(verdict = 'NG', 0)),
                        'defects', ifnull(sum(defects), 0), 'skipped', count(*) - count(verdict))
                    FROM inspection WHERE run = ?1)
                WHERE id = ?1 AND state = 'running'""",
                (run,),
            )

    def _remove_empty_runs(self, before: datetime | None, run: int | None) -> None:
        self._connection.execute(
            """DELETE FROM run WHERE state != 'running' AND (?1 IS NULL OR at < ?1) AND (?2 IS NULL OR id = ?2)
            AND NOT EXISTS (SELECT 1 FROM inspection WHERE inspection.run = run.id)""",
            (None if before is None else milliseconds(before), run),
        )

    def _give_space_back(self) -> None:
        free = self._connection.execute("PRAGMA freelist_count").fetchone()[0]
        for _ in range(0, free, 1000):
            self._connection.executescript("PRAGMA incremental_vacuum(1000)")  # execute() would free one page only
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _chunks(ids: Iterable[int]) -> Iterator[list[int]]:
    waiting = iter(ids)
    while some := [int(id) for id in islice(waiting, _PART)]:
        yield some


def _place(path: str | None, name: str) -> tuple[str | None, str | None]:
    """The folder of ``path`` with its last separator, and the rest where it is not ``name``."""
    if path is None:
        return None, None
    cut = max(path.rfind("/"), path.rfind("\\")) + 1
    return storable(path[:cut]), None if path[cut:] == name else storable(path[cut:])


def _json(value: object) -> str:
    return storable(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


def _detection_row(d: Mapping[str, Any]) -> tuple[Any, ...]:
    measures = (d["area_px"], d["length_px"], d["area_mm2"], d["length_mm"])
    return (storable(d["label"]), d["score"], *d["box"], *measures, None if d["rle"] is None else d["rle"]["counts"])


def _entry(row: tuple[Any, ...]) -> Entry:
    values: list[Any] = [*row[:12], tuple(json.loads(row[12])), tuple(json.loads(row[13])), *row[14:19]]
    return Entry(*values)


def _record(row: Mapping[str, Any], found: Iterable[tuple[Any, ...]]) -> dict[str, Any]:
    kept = ("id", "run", "title", "number", "time", "path", "confidence", "iou", "skipped", "name")
    size = [row["height"], row["width"]]
    return {key: row[key] for key in kept} | {
        "index": row["frame"],
        "seconds": row["seconds"],
        "width": row["width"],
        "height": row["height"],
        "verdict": row["verdict"],
        "reasons": json.loads(row["reasons"]),
        "detections": [
            {
                "label": label,
                "score": score,
                "box": box,
                **dict(zip(("area_px", "length_px", "area_mm2", "length_mm"), measures, strict=True)),
                "rle": None if rle is None else {"size": size, "counts": rle},
            }
            for _, label, score, *box, a, b, c, d, rle in found
            for measures in [(a, b, c, d)]
        ],
        "model": {"file": row["model_file"], "sha256": row["model_sha256"], "architecture": row["architecture"]},
        "ms": {"read": row["read_ms"], "infer": row["infer_ms"], "total": row["total_ms"]},
    }


def _run_entry(row: sqlite3.Row | tuple[Any, ...]) -> RunEntry:
    id, title, started, ended, output, state, version, job, counts, *model = row
    file, sha256, architecture, names, *rest = model
    info = ModelInfo(file, sha256, architecture, tuple(json.loads(names)), *rest)
    return RunEntry(id, title, started, ended, output, state, version, json.loads(job), info, json.loads(counts))
