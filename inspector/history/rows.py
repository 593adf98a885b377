"""Conversion between the history's rows and inspections, runs and records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from inspector.domain import (
    Calibration,
    InputError,
    Inspection,
    Job,
    Measures,
    Message,
    ModelInfo,
    Part,
    PartView,
    Reason,
    Skipped,
    Verdict,
    from_json,
    rules_sha256,
    to_json,
    to_millimetres,
)
from inspector.domain.clock import local_time
from inspector.history.database import to_utf8
from inspector.history.query import Entry, RunEntry, milliseconds

SELECT_ENTRY = """SELECT inspection.id, inspection.run, number, inspection.time, name,
    folder.path || ifnull(inspection.file, name), frame, seconds, width, height, verdict, skipped,
    ifnull(labels, '[]'), ifnull(codes, '[]'), defects, largest_px, total_ms, title, model_file, inspection.at
    FROM inspection INDEXED BY by_time LEFT JOIN folder ON folder.id = inspection.folder
    LEFT JOIN finding ON finding.id = inspection.finding LEFT JOIN run ON run.id = inspection.run"""
SELECT_RECORD = """SELECT inspection.id, inspection.run, number, inspection.time, inspection.name,
    folder.path || ifnull(inspection.file, inspection.name) AS path, frame, seconds, width, height, inspection.verdict,
    skipped, inspection.reasons, confidence, iou, read_ms, infer_ms, total_ms, title, model_file, model_sha256,
    architecture, notes, messages, part.name AS part_name, inspection.view, part.expected AS part_expected,
    json_array_length(part.views) AS part_views, part.serial, part.lot
    FROM inspection LEFT JOIN folder ON folder.id = inspection.folder LEFT JOIN run ON run.id = inspection.run
    LEFT JOIN part ON part.id = inspection.part"""
MEASURES = tuple(each.name for each in fields(Measures))
DETECTION = ("inspection", "label", "score", "x1", "y1", "x2", "y2", *MEASURES, "region", "rle")
SELECT_DETECTION = f"SELECT {', '.join(DETECTION)} FROM detection"
SELECT_PART = "SELECT name, serial, lot, verdict, reasons, reason_views, views, images FROM part"
SELECT_RUN = """SELECT id, title, started, ended, output, state, version, job, counts, model_file, model_sha256,
    architecture, names, plugin, runtime, device, imgsz FROM run"""


@dataclass(frozen=True)
class NewInspection:
    """An inspection to be inserted: the columns of its row except folder, finding and part, which become ids.

    Attributes:
        part: its id in the run; None: the image is a part of its own.
    """

    row: tuple[Any, ...]
    folder: str | None
    finding: tuple[str, str] | None
    detections: tuple[tuple[Any, ...], ...] = ()
    part: str | None = None


def inspection_row(run: int, inspection: Inspection) -> NewInspection:
    """Convert an inspection of ``run``; if it has no time, it gets the current one."""
    record = inspection.record()
    time = inspection.time or local_time()
    detections = record["detections"]
    areas = [d["area_px"] for d in detections if d["area_px"] is not None]
    folder, file = _split_path(inspection.frame.path, record["name"])
    row = (
        run,
        inspection.number,
        milliseconds(datetime.fromisoformat(time)),
        time,
        to_utf8(record["name"]),
        file,
        *(record[key] for key in ("index", "seconds", "width", "height", "verdict")),
        compact_json(record["reasons"]),
        None,
        inspection.confidence,
        inspection.iou,
        *(record["ms"][key] for key in ("read", "infer", "total")),
        len(detections),
        max(areas, default=None),
        compact_json(record["notes"]) if record["notes"] else None,
        messages_column(record["notes"]),
        None if inspection.part is None else to_utf8(inspection.part.view),
    )
    labels = sorted({d["label"] for d in detections})
    codes = sorted({reason["code"] for reason in record["reasons"]})
    return NewInspection(
        row,
        folder,
        (compact_json(labels), compact_json(codes)),
        tuple(map(_detection_row, detections)),
        None if inspection.part is None else to_utf8(inspection.part.id),
    )


def skipped_row(run: int, skipped: Skipped, part: PartView | None = None) -> NewInspection:
    """Convert an image that could not be read; its time is the current one."""
    time = local_time()
    folder, file = _split_path(skipped.path, skipped.name)
    at = milliseconds(datetime.fromisoformat(time))
    row = (run, None, at, time, to_utf8(skipped.name), file, *[None] * 5, "[]", to_utf8(skipped.reason))
    view = None if part is None else to_utf8(part.view)
    return NewInspection(
        (*row, *[None] * 5, 0, None, None, messages_column([skipped.reason]), view),
        folder,
        None,
        part=None if part is None else to_utf8(part.id),
    )


def part_row(run: int, part: Part, expected: int | None) -> tuple[Any, ...]:
    """Convert a part: run, name, serial, lot, at, verdict, reasons, reason_views, views, expected, images."""
    return (
        run,
        to_utf8(part.id),
        to_utf8(part.serial),
        to_utf8(part.lot),
        milliseconds(datetime.now()),
        part.verdict.status,
        compact_json([reason.record() for reason in part.verdict.reasons]),
        compact_json(part.reason_views),
        compact_json(part.views),
        expected,
        part.images,
    )


def to_part(row: tuple[Any, ...]) -> Part:
    """Convert a row of :data:`SELECT_PART`, inverse of :func:`part_row`."""
    name, serial, lot, verdict, reasons, reason_views, views, images = row
    return Part(
        name,
        Verdict(verdict, tuple(Reason(**reason) for reason in json.loads(reasons))),
        tuple(json.loads(reason_views)),
        tuple(json.loads(views)),
        serial,
        lot,
        images,
    )


def _split_path(path: str | None, name: str) -> tuple[str | None, str | None]:
    """The folder of ``path`` with its last separator, and the file name if it differs from ``name``."""
    if path is None:
        return None, None
    cut = max(path.rfind("/"), path.rfind("\\")) + 1
    return to_utf8(path[:cut]), None if path[cut:] == name else to_utf8(path[cut:])


def compact_json(value: object) -> str:
    """Return compact JSON that SQLite can store."""
    return to_utf8(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def messages_column(texts: Sequence[str]) -> str | None:
    """Return the value of the column ``messages`` for these texts; None if none has a template with parameters."""
    if any(isinstance(text, Message) and text.parameters for text in texts):
        return compact_json(to_json(list(texts)))
    return None


def with_templates(texts: Sequence[str], messages: str | None) -> list[str]:
    """Return the texts of a row, as messages if its column ``messages`` has their templates.

    Raises:
        ValueError: the column is damaged.
    """
    if messages is None:
        return list(texts)
    parts = from_json(json.loads(messages))
    if len(parts) != len(texts) or not all(isinstance(part, str) for part in parts):
        raise ValueError("the messages are not those of the texts")
    return list(parts)


def _detection_row(d: Mapping[str, Any]) -> tuple[Any, ...]:
    measures = (d[name] for name in MEASURES)
    rle = None if d["rle"] is None else d["rle"]["counts"]
    region = None if d["region"] is None else to_utf8(d["region"])
    return (to_utf8(d["label"]), d["score"], *d["box"], *measures, region, rle)


def to_entry(row: tuple[Any, ...]) -> Entry:
    """Convert a row of :data:`SELECT_ENTRY`."""
    datetime.fromisoformat(row[3])
    values: list[Any] = [*row[:12], tuple(json.loads(row[12])), tuple(json.loads(row[13])), *row[14:19]]
    return Entry(*values)


def to_record(
    row: Mapping[str, Any], detections: Iterable[tuple[Any, ...]], calibration: Calibration | None
) -> dict[str, Any]:
    """Convert a row of :data:`SELECT_RECORD` with its rows of :data:`SELECT_DETECTION`.

    Args:
        calibration: of its run.
    """
    columns = ("id", "run", "title", "number", "time", "path", "confidence", "iou", "name")
    datetime.fromisoformat(row["time"])
    size = [row["height"], row["width"]]
    skipped, notes = row["skipped"], json.loads(row["notes"] or "[]")
    if skipped is not None:
        skipped = with_templates([skipped], row["messages"])[0]
    else:
        notes = with_templates(notes, row["messages"])
    return {key: row[key] for key in columns} | {
        "part": _part_record(row),
        "grouped": row["part_name"] is not None,
        "serial": row["serial"] or None,
        "lot": row["lot"] or None,
        "skipped": skipped,
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
                **dict(zip(MEASURES, measures, strict=True)),
                **to_millimetres(Measures(*measures), calibration),
                "region": region,
                "rle": None if rle is None else {"size": size, "counts": rle},
            }
            for _, label, score, x1, y1, x2, y2, *measures, region, rle in detections
            for box in [[x1, y1, x2, y2]]
        ],
        "model": {"file": row["model_file"], "sha256": row["model_sha256"], "architecture": row["architecture"]},
        "notes": notes,
        "ms": {"read": row["read_ms"], "infer": row["infer_ms"], "total": row["total_ms"]},
    }


def _part_record(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """``part`` as in ``results.jsonl``; None for an image that could not be read and is no view of a part."""
    if row["part_name"] is not None:
        return {"id": row["part_name"], "view": row["view"], "views": row["part_expected"] or row["part_views"]}
    if row["verdict"] is None:
        return None
    stream = row["seconds"] is not None
    return {"id": str(row["number"]), "view": f"{row['name']} #{row['frame']}" if stream else row["name"], "views": 1}


def method_of(text: str | None) -> dict[str, Any]:
    """Return what a job (JSON) records with each result, as in ``results.jsonl``: rules, recipe, operator, station.

    ``run_lot`` is the lot of parts without one of their own; ``calibration`` is a :class:`Calibration` or None.
    """
    try:
        job = None if text is None else Job.from_json(json.loads(text))
    except (InputError, ValueError):  # of another version of the program
        job = None
    recipe = None if job is None or job.recipe is None else dict(vars(job.recipe))
    facts: dict[str, str | None] = {"run_lot": None, "operator": None, "station": None}
    if job is not None:
        facts = {"run_lot": job.lot or None, "operator": job.operator or None, "station": job.station or None}
    fixed = {"rules_sha256": None if job is None else rules_sha256(job.rules), "recipe": recipe}
    return fixed | facts | {"calibration": None if job is None else job.calibration}


def to_run_entry(row: tuple[Any, ...]) -> RunEntry:
    """Convert a row of :data:`SELECT_RUN`."""
    id, title, started, ended, output, state, version, job, counts, *model = row
    file, sha256, architecture, names, *rest = model
    info = ModelInfo(file, sha256, architecture, tuple(json.loads(names)), *rest)
    numbers = json.loads(counts)
    if "parts" not in numbers and "inspected" in numbers:  # of an earlier version: each image is a part
        numbers |= {"parts": numbers["inspected"], "parts_open": 0}
        numbers |= {f"parts_{name}": numbers.get(name, 0) for name in ("ok", "warn", "ng")}
    return RunEntry(id, title, started, ended, output, state, version, json.loads(job), info, numbers)
