"""The tables of the workbook and the CSV files: one row per part, one per inspection, one per defect."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from inspector.api import (
    Calibration,
    Detection,
    Inspection,
    Measures,
    Part,
    Text,
    part_reasons,
    reason_text,
    sentence,
    to_millimetres,
)

from .annotated_images import annotated_image

Value: TypeAlias = str | int | float | datetime | None


@dataclass(frozen=True)
class Column:
    """A column: heading with unit, Excel number format ("" for text and plain numbers), width in characters.

    ``csv`` is the heading in CSV files, on which programs rely; "" for the English one.
    """

    title: Text
    format: str = ""
    width: int = 12
    csv: str = ""


LENGTHS = (
    ("Length", "长度"),
    ("Feret diameter", "费雷特直径"),
    ("Width", "宽度"),
    ("Mean width", "平均宽度"),
    ("Perimeter", "周长"),
    ("Distance to the nearest defect", "到最近缺陷的距离"),
    ("Length of the rectangle", "外接矩形长度"),
)
AREAS = (("Area", "面积"),)
UNCERTAIN = (("mm²", "Area", "面积"), *(("mm", en, zh) for en, zh in LENGTHS))
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
    Column(Text("Highest confidence", "最高置信度"), "0.000", csv="Highest score"),
    Column(Text("Read (ms)", "读取 (ms)"), "0.0"),
    Column(Text("Inference (ms)", "推理 (ms)"), "0.0"),
    Column(Text("Total (ms)", "总计 (ms)"), "0.0"),
    Column(Text("Path", "路径"), width=60),
    Column(Text("Annotated image", "标注图片"), width=30, csv="Annotated picture"),
    Column(Text("Remarks", "备注"), width=44),
    Column(Text("Part", "零件"), width=16),
    Column(Text("View", "视图"), width=16),
    Column(Text("Serial number", "序列号"), width=16),
    Column(Text("Lot", "批次"), width=12),
    Column(Text("Operator", "操作员"), width=12),
    Column(Text("Station", "工位"), width=12),
    Column(Text("Recipe", "配方"), width=16),
)
PARTS = (
    Column(Text("Part", "零件"), width=20),
    VERDICT,
    Column(Text("Reasons", "原因"), width=60),
    Column(Text("Views", "视图"), width=44),
    Column(Text("Images inspected", "检测图片数"), width=12),
    Column(Text("Serial number", "序列号"), width=16),
    Column(Text("Lot", "批次"), width=12),
)
DEFECTS = (
    Column(Text("Inspection", "检测序号"), width=11),
    Column(Text("File", "文件"), width=30),
    Column(Text("Frame", "帧"), width=9),
    Column(Text("Class", "类别"), width=16),
    Column(Text("Confidence", "置信度"), "0.000", 10, csv="Score"),
    Column(Text("x1 (px)", "x1 (px)"), "0.0", 10),
    Column(Text("y1 (px)", "y1 (px)"), "0.0", 10),
    Column(Text("x2 (px)", "x2 (px)"), "0.0", 10),
    Column(Text("y2 (px)", "y2 (px)"), "0.0", 10),
    Column(Text("Area (px²)", "面积 (px²)"), "#,##0"),
    Column(Text("Length (px)", "长度 (px)"), "0.0"),
    *(
        Column(Text(f"{en} ({unit})", f"{zh} ({unit})"), "0.0" if unit == "px" else "0.000")
        for unit, names in (("px", LENGTHS[1:]), ("mm²", AREAS), ("mm", LENGTHS))
        for en, zh in names
    ),
    *(Column(Text(f"u({en}) ({unit})", f"u({zh}) ({unit})"), "0.0000") for unit, en, zh in UNCERTAIN),
    Column(Text("Region", "区域"), width=16),
)


def rows(inspection: Inspection, language: str) -> tuple[list[Value], list[list[Value]]]:
    """The row of INSPECTIONS and the rows of DEFECTS of one inspection; None for unknown and non-finite values."""
    frame, timings, part = inspection.frame, inspection.timings, inspection.part_view
    areas = [found.area for found in inspection.detections]
    lengths = [_number(found.length, 2) for found in inspection.detections]
    scores = [_number(found.score, 4) for found in inspection.detections]
    defects: list[list[Value]] = []
    for found, score, area, length in zip(inspection.detections, scores, areas, lengths, strict=True):
        box = (_number(edge, 2) for edge in found.box)
        cells = [inspection.number, frame.name, frame.index, found.label, score, *box, area, length]
        defects.append([*cells, *_measures(found, inspection.calibration), found.region])
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
        annotated_image(inspection),
        "; ".join(sentence(note, language) for note in frame.notes) or None,
        part.id,
        part.view,
        part.serial or None,
        part.lot or None,
        inspection.operator or None,
        inspection.station or None,
        None if inspection.recipe is None else f"{inspection.recipe.name} v{inspection.recipe.version}",
    ]
    return row, defects


def _measures(found: Detection, calibration: Calibration | None) -> list[Value]:
    """The further lengths in px, then all measures in mm, then their standard uncertainties."""
    measures = found.measures or Measures()
    millimetres = to_millimetres(measures, calibration)
    names = [name.removesuffix("_px") for name in vars(measures) if name != "area_px"]
    px: list[Value] = [_number(getattr(measures, f"{name}_px"), 2) for name in names[1:]]
    keys = ["area_mm2", *(f"{name}_mm" for name in names)]
    return px + [millimetres[key] for key in keys] + [millimetres[f"{key}_u"] for key in keys]


def part_row(part: Part, language: str) -> list[Value]:
    """The row of PARTS of a part."""
    reasons = "; ".join(part_reasons(part, language))
    views = ", ".join(part.views)
    return [part.id, part.verdict.status, reasons, views, part.images, part.serial or None, part.lot or None]


def _number(value: float | None, digits: int) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), digits)


def _greatest(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
