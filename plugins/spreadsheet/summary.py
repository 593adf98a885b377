"""The workbook's first sheet: what was inspected with what, and how it came out, for a quality engineer to sign."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from openpyxl.cell.cell import Cell
from openpyxl.styles import Alignment, Border, Font, Side

from inspector.api import Inspection, Rules, RunInfo, Text, __version__

from .._shared.rows import Value
from .cells import fit_to_width, header_cell, make_cell, verdict_cell

_TIME = "yyyy-mm-dd hh:mm:ss"
_MEASURES = {
    "count": Text("count", "数量"),
    "area_px": Text("area (px²)", "面积 (px²)"),
    "length_px": Text("length (px)", "长度 (px)"),
    "score": Text("score", "置信度"),
}


class Totals:
    """What the rows add up to."""

    def __init__(self) -> None:
        self.verdicts: Counter[str] = Counter()
        self.defects: Counter[str] = Counter()  # of each class
        self.with_class: Counter[str] = Counter()  # inspections in which the class occurs
        self.thresholds: dict[str, tuple[float, float]] = {}  # smallest and largest: they may change while running

    @property
    def inspected(self) -> int:
        return self.verdicts.total()

    def add(self, inspection: Inspection) -> int:
        """Count in; returns how many there are now."""
        labels = [detection.label for detection in inspection.detections]
        self.verdicts[inspection.verdict.status] += 1
        self.defects.update(labels)
        self.with_class.update(set(labels))
        for name, value in (("confidence", inspection.confidence), ("iou", inspection.iou)):
            low, high = self.thresholds.get(name, (value, value))
            self.thresholds[name] = (min(low, value), max(high, value))
        return self.inspected


def write_summary(sheet: Any, run: RunInfo, totals: Totals, note: str | None = None) -> None:
    """Fill the streamed sheet; ``note`` is a remark for its end."""
    language, model = run.job.language, run.model
    for letter, width in (("A", 34), ("B", 72), ("C", 24)):
        sheet.column_dimensions[letter].width = width
    fit_to_width(sheet, landscape=False)
    lines: list[list[Cell]] = []

    def put(en: str, zh: str, value: Value, number_format: str = "") -> None:
        label = _cell(sheet, Text(en, zh).read(language))
        label.font = Font(bold=True)
        lines.append([label, _cell(sheet, value, number_format)])

    title = _cell(sheet, Text("Inspection report", "检测报告").read(language))
    title.font = Font(bold=True, size=16)
    lines.append([title])
    lines.append([])
    put("Run", "运行", run.title)
    ended = datetime.fromisoformat(run.ended) if run.ended else datetime.now()
    put("Started", "开始", datetime.fromisoformat(run.started).replace(tzinfo=None, microsecond=0), _TIME)
    put("Ended", "结束", ended.replace(tzinfo=None, microsecond=0), _TIME)
    put("Program", "程序", f"Bearing Inspector {__version__}")
    lines.append([])
    put("Model file", "模型文件", model.file or "-")
    put("Model SHA-256", "模型 SHA-256", model.sha256 or "-")
    put("Architecture", "网络结构", model.architecture or "-")
    put("Classes", "类别", ", ".join(model.names))
    put("Runtime", "推理引擎", model.runtime or "-")
    put("Device", "设备", model.device)
    if model.imgsz:
        put("Input size of the model (px)", "模型输入尺寸 (px)", model.imgsz)
    put("Confidence threshold", "置信度阈值", _span(totals, "confidence", run.job.confidence))
    put("IoU threshold", "IoU 阈值", _span(totals, "iou", run.job.iou))
    for number, line in enumerate(_rule_lines(run.job.rules, language)):
        put("" if number else "Rules", "" if number else "规则", line)
    lines.append([])
    if run.total is not None:
        put("Pictures in the sources", "来源图片数", run.total)
    put("Inspected", "已检", totals.inspected)
    for status in ("OK", "WARN", "NG"):
        lines.append([verdict_cell(sheet, status), _cell(sheet, totals.verdicts[status])])
    inspected, good = totals.inspected, totals.verdicts["OK"]
    passed = good + totals.verdicts["WARN"]
    put("Yield (OK ÷ inspected)", "良率（OK ÷ 已检）", good / inspected if inspected else None, "0.0%")
    put("OK and WARN ÷ inspected", "OK 与 WARN ÷ 已检", passed / inspected if inspected else None, "0.0%")
    lines.append([])
    heads = (Text("Class", "类别"), Text("Defects", "缺陷数"), Text("Inspections with it", "涉及的检测数"))
    lines.append([header_cell(sheet, head.read(language)) for head in heads])
    for label, found in totals.defects.most_common():
        lines.append([_cell(sheet, value) for value in (label, found, totals.with_class[label])])
    put("All classes", "全部类别", totals.defects.total())
    if note:
        lines.append([])
        lines.append([make_cell(sheet, note)])
    lines.append([])
    for en, zh in (("Checked by", "检验员"), ("Date", "日期"), ("Signature", "签名")):
        label, blank = make_cell(sheet, Text(en, zh).read(language)), make_cell(sheet, None)
        label.alignment, blank.border = Alignment(vertical="bottom"), Border(bottom=Side("thin"))
        lines.append([label, blank])
        sheet.row_dimensions[len(lines)].height = 28  # points: room to write
    for row in lines:
        sheet.append(row)


def _cell(sheet: Any, value: Value, number_format: str = "") -> Cell:
    """On the left, texts wrapped."""
    cell = make_cell(sheet, value, number_format)
    cell.alignment = Alignment("left", "top", wrap_text=isinstance(value, str))
    return cell


def _span(totals: Totals, name: str, ordered: float) -> float | str:
    low, high = totals.thresholds.get(name, (ordered, ordered))
    return low if low == high else f"{low:g} – {high:g}"


def _rule_lines(rules: Rules | None, language: str) -> Iterator[str]:
    """The limits in words, one line a class."""
    any_defect = Text("any defect is NG", "任何缺陷均为 NG")
    if rules is None or not rules.classes:
        yield any_defect.read(language)
        return
    for label, row in rules.classes.items():
        limits = []
        for name, limit in row.items():
            parts = [
                f"{word} > {value:g}" for word, value in (("WARN", limit.warn), ("NG", limit.ng)) if value is not None
            ]
            limits.append(f"{_MEASURES[name].read(language)}: {', '.join(parts)}")
        name = Text("every other class", "其他所有类别").read(language) if label == "*" else label
        yield f"{name}: {'; '.join(limits) or Text('no limit', '无限制').read(language)}"
    if "*" not in rules.classes:
        yield f"{Text('every other class', '其他所有类别').read(language)}: {any_defect.read(language)}"
