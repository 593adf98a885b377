"""The history: runs, and inspections written in groups."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from inspector import __version__
from inspector.domain import InputError, Inspection, Job, ModelInfo, OpenPart, PartView, Skipped
from inspector.domain.clock import local_time
from inspector.history.database import (
    PATIENCE,
    RunLock,
    busy_timeout,
    file_errors,
    is_run_alive,
    to_utf8,
    transaction,
)
from inspector.history.query import Query, conditions, milliseconds
from inspector.history.records import Records
from inspector.history.rows import (
    DETECTION,
    NewInspection,
    compact_json,
    inspection_row,
    messages_column,
    part_row,
    skipped_row,
)
from inspector.system.paths import history_file

logger = logging.getLogger(__name__)
INTERVAL = 0.3
"""Longest time that an inspection waits to be written, seconds, if ``flush_if_due`` is called often."""
_GROUP = 1000  # most inspections that wait
_RUN_PATIENCE = 1.0  # seconds that a run waits for another program before it is reported
_PURGE_STEP = 2000  # inspections deleted per transaction, so that a purge never delays a writer for long
_PUT_PART = """INSERT INTO part (run, name, serial, lot, at, verdict, reasons, reason_views, views, expected, images)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run, name) DO UPDATE SET serial = excluded.serial,
    lot = excluded.lot, at = excluded.at, verdict = excluded.verdict, reasons = excluded.reasons,
    reason_views = excluded.reason_views, views = excluded.views, expected = excluded.expected,
    images = excluded.images"""
# Parts that had views, of which none is left; a part without any image stays, since its trigger was missed.
_DELETE_EMPTY_PARTS = """DELETE FROM part WHERE run = ? AND views != '[]'
    AND NOT EXISTS (SELECT 1 FROM inspection WHERE inspection.part = part.id)"""


class History(Records):
    """An open history. Opened, used and closed on one thread; each thread and program opens its own.

    Inspections are written in groups: a crash or a power cut loses those that wait, at most the last ``INTERVAL``
    seconds.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._waiting: list[NewInspection] = []
        self._changes: list[tuple[str, tuple[int | str, ...]]] = []
        self._parts: dict[tuple[int, str], OpenPart] = {}  # to be written
        self._locks: dict[int, RunLock] = {}
        self._written = 0.0
        try:
            with file_errors(path):
                self._close_interrupted()
        except BaseException:
            self._connection.close()
            raise

    @classmethod
    def open(cls, path: Path | None = None) -> History:
        """Open the user's history, or the one at ``path``; create it if it is missing.

        Runs whose program was killed are marked ``interrupted``.

        Raises:
            InputError: the file is damaged, newer than this program, or cannot be written.
        """
        return cls(path or history_file())

    def close(self) -> None:
        """Write waiting inspections and close. Unfinished runs are marked ``interrupted`` when it is opened next."""
        try:
            self.commit()
        finally:
            for lock in self._locks.values():
                lock.release()
            self._connection.close()

    def __enter__(self) -> History:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def begin(self, job: Job, model: ModelInfo, title: str, output: Path | None, started: str) -> int:
        """Record the start of a run at ``started`` (ISO 8601 with offset); return its id."""
        columns = {
            "at": milliseconds(datetime.fromisoformat(started)),
            "started": started,
            "title": to_utf8(title),
            "output": None if output is None else to_utf8(str(output)),
            "state": "running",
            "version": __version__,
            "job": compact_json(job.to_json()),
            "counts": "{}",
            "model_file": to_utf8(model.file),
            "model_sha256": model.sha256.lower(),
            "architecture": model.architecture,
            "names": compact_json(model.names),
            "plugin": model.plugin,
            "runtime": model.runtime,
            "device": model.device,
            "imgsz": model.imgsz,
        }
        marks = ", ".join("?" * len(columns))
        with file_errors(self.path), transaction(self._connection):
            insert = f"INSERT INTO run ({', '.join(columns)}) VALUES ({marks}) RETURNING id"
            run = int(self._connection.execute(insert, tuple(columns.values())).fetchone()[0])
            self._locks[run] = RunLock(self.path, run)  # before other programs can see the run
        return run

    def add(self, run: int, inspection: Inspection) -> None:
        """Add an inspection; it is safe on disk once ``pending`` is 0."""
        self._put(inspection_row(run, inspection))

    def add_skipped(self, run: int, skipped: Skipped, part: PartView | None = None) -> None:
        """Add an image that could not be read; ``part`` is its place among the parts, if it has one."""
        self._put(skipped_row(run, skipped, part))

    def put_part(self, run: int, part: OpenPart) -> None:
        """Write a part with the next group, as it then is; call it before its images are added."""
        self._parts[run, part.id] = part

    def add_event(self, run: int, kind: str, message: str, since: str, until: str = "") -> None:
        """Write the beginning or the end of an alarm at once.

        Args:
            kind: code of the alarm, for example ``source``.
            message: one sentence; identifies the event together with ``kind`` and ``since``.
            since, until: ISO 8601 with offset; ``until`` is empty while the alarm is active.
        """
        values, parts = (run, kind, since, to_utf8(message)), messages_column([message])
        with file_errors(self.path), transaction(self._connection):
            change = "UPDATE event SET until = ? WHERE run = ? AND kind = ? AND time = ? AND message = ?"
            if not self._connection.execute(change, (until or None, *values)).rowcount:
                self._connection.execute(
                    "INSERT INTO event (run, kind, time, message, at, until, messages) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (*values, milliseconds(datetime.fromisoformat(since)), until or None, parts),
                )

    @property
    def pending(self) -> int:
        """Number of changes that are not yet safe on disk."""
        return len(self._waiting) + len(self._changes) + len(self._parts)

    def flush_if_due(self) -> None:
        """Write waiting inspections if ``INTERVAL`` has passed; call it a few times per second while idle."""
        if time.monotonic() - self._written >= INTERVAL or len(self._waiting) >= _GROUP:
            self.commit(_RUN_PATIENCE)

    def commit(self, patience: float = PATIENCE) -> None:
        """Write waiting inspections now.

        Args:
            patience: seconds to wait for another program that holds the file.

        Raises:
            TryAgain: the file is held for longer, or the disk is full or fails; the inspections stay pending.
        """
        if self.pending:
            with file_errors(self.path), busy_timeout(self._connection, patience), transaction(self._connection):
                self._connection.executemany(
                    _PUT_PART, [part_row(run, part.part(), part.expected) for (run, _), part in self._parts.items()]
                )
                for statement, values in self._changes:
                    self._connection.execute(statement, values)
                self._write(self._waiting)
            self.discard()
        self._written = time.monotonic()

    def reopen(self, run: int, output: Path | None) -> None:
        """Mark a run that is resumed as ``running``, and delete its entries of images that could not be read.

        Raises:
            InputError: there is no such run, or it is running or complete.
        """
        with file_errors(self.path), transaction(self._connection):
            row = self._connection.execute("SELECT state FROM run WHERE id = ?", (run,)).fetchone()
            if row is None:
                raise InputError("The history has no run {run}", run=run, cli_hint="history search")
            if row[0] == "running":
                raise InputError("Run {run} is still running; it cannot be resumed", run=run)
            if row[0] == "done":
                raise InputError("Run {run} is complete; there is nothing to resume", run=run)
            self._locks[run] = RunLock(self.path, run)
            folder = None if output is None else to_utf8(str(output))
            change = "UPDATE run SET state = 'running', ended = NULL, counts = '{}', output = ? WHERE id = ?"
            self._connection.execute(change, (folder, run))
            self._connection.execute("DELETE FROM inspection WHERE run = ? AND verdict IS NULL", (run,))
            self._connection.execute("UPDATE part SET verdict = 'WARN', images = 0 WHERE run = ?", (run,))

    def renumber(self, id: int, number: int) -> None:
        """Change the number of an inspection of a resumed run, with the next group."""
        self._changes.append(("UPDATE inspection SET number = ? WHERE id = ?", (number, id)))

    def regroup(self, run: int, id: int, part: PartView) -> None:
        """Change the part of an inspection of a resumed run, with the next group."""
        change = "UPDATE inspection SET part = (SELECT id FROM part WHERE run = ? AND name = ?), view = ? WHERE id = ?"
        self._changes.append((change, (run, to_utf8(part.id), to_utf8(part.view), id)))

    def replace(self, id: int) -> None:
        """Delete an inspection of a resumed run whose image has changed, with the next group."""
        self._changes.append(("DELETE FROM inspection WHERE id = ?", (id,)))

    def discard(self) -> None:
        """Discard waiting inspections and changes."""
        self._waiting.clear()
        self._changes.clear()
        self._parts.clear()

    def finish(self, run: int, state: str, counts: Mapping[str, int]) -> None:
        """Write waiting inspections, and record the end of the run: ``done``, ``stopped`` or ``failed``."""
        self.commit()
        with file_errors(self.path):
            self._connection.execute(_DELETE_EMPTY_PARTS, (run,))
            self._connection.execute(
                "UPDATE run SET state = ?, ended = ?, counts = ? WHERE id = ?",
                (state, local_time(), compact_json(counts), run),
            )
        if run in self._locks:
            self._locks.pop(run).release()

    def purge(self, before: datetime | None = None, run: int | None = None) -> int:
        """Delete inspections with their detections for good, and free the disk space.

        Args:
            before: only older ones.
            run: only those of this run.

        Returns:
            Number of deleted inspections.

        Raises:
            InputError: the run is running, or neither argument is given.
        """
        if before is None and run is None:
            raise InputError("Say what to remove from the history: a date or a run")
        if run is not None and any(entry.state == "running" for entry in self.runs(run)):
            raise InputError("Run {run} is still running; stop it before it is removed", run=run)
        removed = 0
        with file_errors(self.path):
            condition, values = conditions(Query(until=before, run=run))
            choose = f"SELECT id FROM inspection WHERE {condition} ORDER BY at LIMIT {_PURGE_STEP}"
            while True:
                with transaction(self._connection):
                    step = self._connection.execute(f"DELETE FROM inspection WHERE id IN ({choose})", values)
                removed += step.rowcount
                if step.rowcount < _PURGE_STEP:
                    break
            self._remove_empty_parts(before, run)
            self._remove_empty_runs(before, run)
            self._free_space()
        return removed

    # internal

    def _put(self, waiting: NewInspection) -> None:
        self._waiting.append(waiting)
        self.flush_if_due()

    def _write(self, group: Sequence[NewInspection]) -> None:
        execute = self._connection.execute
        last = execute("SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'inspection'").fetchone()[0]
        folders = {path: self._folder(path) for path in {w.folder for w in group} if path is not None}
        findings = {key: self._finding(*key) for key in {w.finding for w in group} if key is not None}
        inspections, detections, parts = [], [], []
        for id, w in enumerate(group, last + 1):
            folder = None if w.folder is None else folders[w.folder]
            inspections.append((id, *w.row, folder, None if w.finding is None else findings[w.finding]))
            detections += [(id, *row) for row in w.detections]
            if w.part is not None:
                parts.append((w.row[0], w.part, id))
        columns = """id, run, number, at, time, name, file, frame, seconds, width, height, verdict, reasons, skipped,
            confidence, iou, read_ms, infer_ms, total_ms, defects, largest_px, notes, messages, view, folder, finding"""
        insert = f"INSERT INTO inspection ({columns}) VALUES ({', '.join('?' * 26)})"
        self._connection.executemany(insert, inspections)
        change = "UPDATE inspection SET part = (SELECT id FROM part WHERE run = ? AND name = ?) WHERE id = ?"
        self._connection.executemany(change, parts)
        insert = f"INSERT INTO detection ({', '.join(DETECTION)}) VALUES ({', '.join('?' * len(DETECTION))})"
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

    def _close_interrupted(self) -> None:
        running = self._connection.execute("SELECT id FROM run WHERE state = 'running'").fetchall()
        for (run,) in running:
            if is_run_alive(self.path, run):
                continue
            logger.info("Run %s in the history was interrupted", run)
            self._connection.execute(
                """UPDATE run SET state = 'interrupted', (ended, counts) = (
                    SELECT (SELECT time FROM inspection WHERE run = ?1 ORDER BY at DESC LIMIT 1), json_object(
                        'inspected', count(verdict), 'ok', count(nullif(verdict = 'OK', 0)),
                        'warn', count(nullif(verdict = 'WARN', 0)), 'ng', count(nullif(verdict = 'NG', 0)),
                        'defects', ifnull(sum(defects), 0), 'skipped', count(*) - count(verdict),
                        'parts', count(nullif(verdict IS NOT NULL AND part IS NULL, 0))
                            + (SELECT count(*) FROM part WHERE run = ?1),
                        'parts_ok', count(nullif(verdict = 'OK' AND part IS NULL, 0))
                            + (SELECT count(*) FROM part WHERE run = ?1 AND verdict = 'OK'),
                        'parts_warn', count(nullif(verdict = 'WARN' AND part IS NULL, 0))
                            + (SELECT count(*) FROM part WHERE run = ?1 AND verdict = 'WARN'),
                        'parts_ng', count(nullif(verdict = 'NG' AND part IS NULL, 0))
                            + (SELECT count(*) FROM part WHERE run = ?1 AND verdict = 'NG'))
                    FROM inspection WHERE run = ?1)
                WHERE id = ?1 AND state = 'running'""",
                (run,),
            )

    def _remove_empty_parts(self, before: datetime | None, run: int | None) -> None:
        self._connection.execute(
            """DELETE FROM part WHERE (?1 IS NULL OR at < ?1) AND (?2 IS NULL OR run = ?2)
            AND NOT EXISTS (SELECT 1 FROM inspection WHERE inspection.part = part.id)""",
            (None if before is None else milliseconds(before), run),
        )

    def _remove_empty_runs(self, before: datetime | None, run: int | None) -> None:
        self._connection.execute(
            """DELETE FROM run WHERE state != 'running' AND (?1 IS NULL OR at < ?1) AND (?2 IS NULL OR id = ?2)
            AND NOT EXISTS (SELECT 1 FROM inspection WHERE inspection.run = run.id)""",
            (None if before is None else milliseconds(before), run),
        )

    def _free_space(self) -> None:
        free = self._connection.execute("PRAGMA freelist_count").fetchone()[0]
        for _ in range(0, free, 1000):
            self._connection.executescript("PRAGMA incremental_vacuum(1000)")  # execute() would free a single page
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
