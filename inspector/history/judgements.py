"""Later judgements of runs by other rules, kept beside the verdicts of the run, and runs left out of statistics."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from inspector.domain import Detection, InputError, Measures, Reason, Rules, Verdict, rules_sha256
from inspector.domain.clock import local_time
from inspector.history.database import connect, file_errors, row_errors, to_utf8, transaction
from inspector.history.rows import MEASURES, compact_json
from inspector.system.paths import history_file

_IMAGES = f"""SELECT inspection.id, inspection.number, inspection.name, frame, seconds, width, height, part, verdict,
    reasons, label, score, x1, y1, x2, y2, {", ".join(MEASURES)}, region
    FROM inspection LEFT JOIN detection ON detection.inspection = inspection.id
    WHERE inspection.run = ? AND verdict IS NOT NULL ORDER BY inspection.id, detection.id"""
_IMAGE_COLUMNS = 10


@dataclass(frozen=True)
class StoredImage:
    """An inspection as it is judged again.

    Attributes:
        part: id of the row of its part; None: the image is a part of its own.
        verdict: of the run.
        detections: without masks; their measures are as they were recorded.
    """

    id: int
    number: int
    name: str
    width: int
    height: int
    part: int | None
    verdict: Verdict
    detections: tuple[Detection, ...]


@dataclass(frozen=True)
class StoredPart:
    """A part other than a single image, with the verdict of the run."""

    id: int
    name: str
    verdict: Verdict


@dataclass(frozen=True)
class Judgement:
    """A later judgement of a run.

    Attributes:
        time: ISO 8601 with offset.
        person: who judged, "" if unknown.
        rules: name of the rule set.
        counts: numbers of parts by verdict: ``OK``, ``WARN``, ``NG``.
    """

    id: int
    run: int
    time: str
    person: str
    rules: str
    rules_sha256: str
    counts: dict[str, int]


class Judgements:
    """Judgements in the history. Opened, used and closed on one thread."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or history_file()
        self._connection = connect(self.path)

    def __enter__(self) -> Judgements:
        return self

    def __exit__(self, *exception: object) -> None:
        self._connection.close()

    def images(self, run: int) -> Iterator[StoredImage]:
        """Yield the inspections of a run that have a verdict, in their order."""
        with file_errors(self.path), row_errors(self.path):
            for _, rows in groupby(self._connection.execute(_IMAGES, (run,)), key=lambda row: row[0]):
                yield _image(list(rows))

    def parts(self, run: int) -> list[StoredPart]:
        """Return the parts of a run other than single images, in their order."""
        with file_errors(self.path), row_errors(self.path):
            rows = self._connection.execute(
                "SELECT id, name, verdict, reasons FROM part WHERE run = ? ORDER BY id", (run,)
            )
            return [StoredPart(id, name, _verdict(verdict, reasons)) for id, name, verdict, reasons in rows]

    def keep(
        self,
        run: int,
        rules: Rules,
        person: str,
        images: Iterable[tuple[int, Verdict]],
        parts: Iterable[tuple[int, Verdict]],
        counts: dict[str, int],
    ) -> int:
        """Write a judgement whole or not at all; return its id.

        Args:
            images: id and verdict of each inspection.
            parts: row id and verdict of each part other than a single image.
            counts: numbers of parts by verdict.
        """
        with file_errors(self.path), transaction(self._connection):
            insert = """INSERT INTO judgement (run, time, person, rules, rules_sha256, counts)
                VALUES (?, ?, ?, ?, ?, ?) RETURNING id"""
            texts = (to_utf8(person), compact_json(rules.to_json()), rules_sha256(rules), compact_json(counts))
            id = int(self._connection.execute(insert, (run, local_time(), *texts)).fetchone()[0])
            self._connection.executemany(
                "INSERT INTO judged (inspection, judgement, verdict, reasons) VALUES (?, ?, ?, ?)",
                (
                    (image, id, verdict.status, compact_json([reason.record() for reason in verdict.reasons]))
                    for image, verdict in images
                ),
            )
            self._connection.executemany(
                "INSERT INTO judged_part (part, judgement, verdict) VALUES (?, ?, ?)",
                ((part, id, verdict.status) for part, verdict in parts),
            )
        return id

    def of_run(self, run: int) -> list[Judgement]:
        """Return the judgements of a run, the oldest first."""
        choose = "SELECT id, run, time, person, rules, rules_sha256, counts FROM judgement WHERE run = ? ORDER BY id"
        with file_errors(self.path), row_errors(self.path):
            return [_judgement(row) for row in self._connection.execute(choose, (run,))]

    def of_inspection(self, id: int) -> list[dict[str, Any]]:
        """Return the later judgements of an inspection, the oldest first.

        Returns:
            For each ``judgement`` (its id), ``time``, ``by``, ``rules``, ``rules_sha256``, ``verdict``, ``reasons`` and
            ``part_verdict``.
        """
        choose = """SELECT judgement.id, judgement.time, person, rules, rules_sha256, judged.verdict, judged.reasons,
            ifnull(judged_part.verdict, judged.verdict)
            FROM judged JOIN judgement ON judgement.id = judged.judgement
            JOIN inspection ON inspection.id = judged.inspection
            LEFT JOIN judged_part ON judged_part.part = inspection.part AND judged_part.judgement = judgement.id
            WHERE judged.inspection = ? ORDER BY judgement.id"""
        with file_errors(self.path), row_errors(self.path):
            return [
                {
                    "judgement": judgement,
                    "time": time,
                    "by": person or None,
                    "rules": json.loads(rules).get("name", ""),
                    "rules_sha256": sha256,
                    "verdict": verdict,
                    "reasons": json.loads(reasons),
                    "part_verdict": of_part,
                }
                for judgement, time, person, rules, sha256, verdict, reasons, of_part in self._connection.execute(
                    choose, (id,)
                )
            ]

    def exclude(self, run: int, person: str = "", reason: str = "") -> None:
        """Leave a run out of statistics.

        Raises:
            InputError: there is no such run.
        """
        self._set_excluded(run, compact_json({"time": local_time(), "by": person, "reason": reason}))

    def include(self, run: int) -> None:
        """Count a run in statistics again.

        Raises:
            InputError: there is no such run.
        """
        self._set_excluded(run, None)

    def excluded(self, run: int) -> dict[str, str] | None:
        """Return ``time``, ``by`` and ``reason`` of a run that is left out of statistics; None if it counts."""
        with file_errors(self.path), row_errors(self.path):
            row = self._connection.execute("SELECT excluded FROM run WHERE id = ?", (run,)).fetchone()
            found: dict[str, str] | None = None if row is None or row[0] is None else json.loads(row[0])
            return found

    def _set_excluded(self, run: int, value: str | None) -> None:
        with file_errors(self.path), transaction(self._connection):
            if not self._connection.execute("UPDATE run SET excluded = ? WHERE id = ?", (value, run)).rowcount:
                raise InputError("The history has no run {run}", run=run, cli_hint="history search")


def _image(rows: Sequence[tuple[Any, ...]]) -> StoredImage:
    id, number, name, frame, seconds, width, height, part, verdict, reasons = rows[0][:_IMAGE_COLUMNS]
    shown = name if seconds is None else f"{name} #{frame}"
    found = tuple(_detection(row[_IMAGE_COLUMNS:]) for row in rows if row[_IMAGE_COLUMNS] is not None)
    return StoredImage(id, number, shown, width, height, part, _verdict(verdict, reasons), found)


def _detection(row: tuple[Any, ...]) -> Detection:
    label, score, x1, y1, x2, y2, *measures, region = row
    return Detection(label, score, (x1, y1, x2, y2), measures=Measures(*measures), region=region)


def _verdict(status: Any, reasons: str) -> Verdict:
    return Verdict(status, tuple(Reason(**reason) for reason in json.loads(reasons)))


def _judgement(row: tuple[Any, ...]) -> Judgement:
    id, run, time, person, rules, sha256, counts = row
    return Judgement(id, run, time, person, json.loads(rules).get("name", ""), sha256, json.loads(counts))
