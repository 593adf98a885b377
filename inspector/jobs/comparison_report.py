"""Files of a comparison: a table as CSV and workbook, JSON, and side-by-side images of what differs."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from inspector.api import spreadsheet_text
from inspector.domain import Frame
from inspector.imaging import draw_inspection, write_image
from inspector.jobs.compared_parts import ComparedPart
from inspector.jobs.comparison import ComparedImage, Comparison
from inspector.system.paths import publish, result_stem, temporary_beside, unused_path, write_text

_GAP = 8  # pixels between two images
_COLUMNS = (
    *("part", "images", "differs", "verdict A", "verdict B", "detections A", "detections B"),
    *("only A", "only B", "defective", "files"),
)


class SideBySide:
    """Writes the images that differ, A at the left and B at the right, into ``images/`` of ``folder``."""

    def __init__(self, folder: Path, sides: tuple[str, str]) -> None:
        self._folder, self._sides = folder, sides

    def __call__(self, part: ComparedPart, image: ComparedImage) -> str:
        """Write one; returns its path below the folder."""
        assert isinstance(image.content, Frame) and image.sides is not None
        frame, halves = image.content, []
        for name, judged in zip(self._sides, image.sides, strict=True):
            result = judged.inspection
            pixels = np.ascontiguousarray(frame.image.copy())
            halves.append(draw_inspection(pixels, result.detections, result.verdict, caption=name))
        gap = np.full((frame.height, _GAP, 3), 255, np.uint8)
        name = frame.name if frame.seconds is None else f"{frame.name}-{frame.index:06}"
        stem = result_stem(self._folder / "images", name)
        path = unused_path(stem.parent / f"{stem.name}.jpg")
        path.parent.mkdir(parents=True, exist_ok=True)
        return write_image(path, np.hstack([halves[0], gap, halves[1]])).relative_to(self._folder).as_posix()


def document(comparison: Comparison, escape_cost: float) -> dict[str, Any]:
    """Return the comparison for JSON."""
    sides: dict[str, Any] = {}
    for number, letter in enumerate("ab"):
        quality, best = comparison.quality(number), comparison.best_threshold(number, escape_cost)
        sides[letter] = comparison.sides[number].document() | {
            "quality": None if quality is None else quality.document(),
            "best_confidence": None if best is None else {"confidence": best[0], **best[1].document()},
        }
    return {
        **sides,
        "counts": comparison.counts(),
        "criterion": None if comparison.quality(0) is None else f"least {escape_cost:g} x escapes + false alarms",
        "parts": [part.document() for part in comparison.parts],
        "unreadable": [{"name": skipped.name, "reason": str(skipped.reason)} for skipped in comparison.unreadable],
    }


def write(folder: Path, comparison: Comparison, content: Mapping[str, Any]) -> list[Path]:
    """Write ``comparison.json``, ``comparison.csv`` and ``comparison.xlsx``; return their paths.

    Raises:
        OSError: they cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = [_row(part) for part in comparison.parts]
    written = [write_text(folder / "comparison.json", json.dumps(content, ensure_ascii=False, indent=2) + "\n")]
    for name, write_table in (("comparison.csv", _write_csv), ("comparison.xlsx", _write_workbook)):
        temporary = temporary_beside(folder / name)
        try:
            write_table(temporary, rows, content)
            written.append(publish(temporary, folder / name))
        finally:
            temporary.unlink(missing_ok=True)
    return written


def _row(part: ComparedPart) -> list[str | int]:
    truth = "" if part.defective is None else "yes" if part.defective else "no"
    differs = "yes" if part.differs else "no"
    texts = [spreadsheet_text(text) for text in (part.id, "; ".join(part.images))]
    counts = [*part.detections, *part.only]
    return [*texts, differs, *part.verdicts, *counts, truth, spreadsheet_text("; ".join(part.files))]


def _write_csv(path: Path, rows: list[list[str | int]], content: Mapping[str, Any]) -> None:
    with open(path, "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        writer.writerows(rows)


def _write_workbook(path: Path, rows: list[list[str | int]], content: Mapping[str, Any]) -> None:
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    summary = book.create_sheet("Summary")
    summary.append(["", "A", "B"])
    a, b = content["a"], content["b"]
    for key in ("name", "kind", "model", "confidence", "iou"):
        summary.append([key, *(_plain(side[key]) for side in (a, b))])
    for key in ("quality", "best_confidence"):
        if a[key] is not None:
            for figure in a[key]:
                name = figure if key == "quality" else f"best confidence: {figure}"
                summary.append([name, a[key][figure], b[key][figure]])
    if content["criterion"]:
        summary.append(["criterion", content["criterion"]])
    for key, value in content["counts"].items():
        pairs = value.items() if isinstance(value, dict) else ((key, value),)
        for name, number in pairs:
            summary.append([name, number])
    sheet = book.create_sheet("Parts")
    sheet.append(list(_COLUMNS))
    for row in rows:
        sheet.append(row)
    book.save(path)


def _plain(value: object) -> object:
    return spreadsheet_text(value) if isinstance(value, str) else value
