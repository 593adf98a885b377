"""The two tables that the workbook and the CSV files have in common: one row an inspection, one row a defect."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from inspector.api import Inspection, Text, reason_text

Value: TypeAlias = str | int | float | datetime | None


@dataclass(frozen=True)
class Column:
    """A column: heading with unit, Excel number format ("" for text and plain numbers), width in characters."""

    title: Text
    format: str = ""
    width: int = 12


VERDICT = Column(Text("Verdict", "判定"), width=10)
INSPECTIONS = (
    Column(Text("Number", "序号"), width=9),
    Column(Text("Time", "时间"), "yyyy-mm-dd hh:mm:ss", 19),
    Column(Text("File", "文件"), width=30),
    Column(Text("Frame", "帧"), width=9),
    Column(Text("Position (s)", "位置 (s)"), "0.000"),
    Column(Text("Width (px)", "宽 (px)"), width=10),
    Column(Text("Height (px)", "高 (px)"), width=10),
    VERDICT,
    Column(Text("Reasons", "原因"), width=44),
    Column(Text("Defects", "缺陷数"), width=10),
    Column(Text("Largest area (px²)", "最大面积 (px²)"), "#,##0"),
    Column(Text("Total area (px²)", "总面积 (px²)"), "#,##0"),
    Column(Text("Greatest length (px)", "最大长度 (px)"), "0.0"),
    Column(Text("Highest score", "最高置信度"), "0.000"),
    Column(Text("Read (ms)", "读取 (ms)"), "0.0"),
    Column(Text("Inference (ms)", "推理 (ms)"), "0.0"),
    Column(Text("Total (ms)", "总计 (ms)"), "0.0"),
    Column(Text("Path", "路径"), width=60),
)
DEFECTS = (
    Column(Text("Inspection", "检测序号"), width=11),
    Column(Text("File", "文件"), width=30),
    Column(Text("Frame", "帧"), width=9),
    Column(Text("Class", "类别"), width=16),
    Column(Text("Score", "置信度"), "0.000", 10),
    Column(Text("x1 (px)", "x1 (px)"), "0.0", 10),
    Column(Text("y1 (px)", "y1 (px)"), "0.0", 10),
    Column(Text("x2 (px)", "x2 (px)"), "0.0", 10),
    Column(Text("y2 (px)", "y2 (px)"), "0.0", 10),
    Column(Text("Area (px²)", "面积 (px²)"), "#,##0"),
    Column(Text("Length (px)", "长度 (px)"), "0.0"),
)


def rows(inspection: Inspection, language: str) -> tuple[list[Value], list[list[Value]]]:
    """The row of INSPECTIONS and the rows of DEFECTS of one inspection. What is unknown or not finite is None."""
    frame, timings = inspection.frame, inspection.timings
    areas = [found.area for found in inspection.detections]
    lengths = [_number(found.length, 2) for found in inspection.detections]
    scores = [_number(found.score, 4) for found in inspection.detections]
    defects: list[list[Value]] = []
    for found, score, area, length in zip(inspection.detections, scores, areas, lengths, strict=True):
        box = (_number(edge, 2) for edge in found.box)
        defects.append([inspection.number, frame.name, frame.index, found.label, score, *box, area, length])
    row: list[Value] = [
        inspection.number,
        datetime.fromisoformat(inspection.time).replace(tzinfo=None, microsecond=0) if inspection.time else None,
        frame.name,
        frame.index,
        _number(frame.seconds, 3),
        frame.width,
        frame.height,
        inspection.verdict.status,
        "; ".join(reason_text(reason, language) for reason in inspection.verdict.reasons),
        len(defects),
        _greatest(areas),
        sum(area for area in areas if area is not None) if _greatest(areas) is not None else None,
        _greatest(lengths),
        _greatest(scores),
        *(_number(value, 2) for value in (timings.read, timings.infer, timings.total)),
        frame.path,
    ]
    return row, defects


def _number(value: float | None, digits: int) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), digits)


def _greatest(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
