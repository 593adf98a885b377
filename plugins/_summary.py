"""The workbook's first sheet: what was inspected with what, and how it came out, for a quality engineer to sign."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import count
from typing import Any

from openpyxl.cell.cell import Cell
from openpyxl.styles import Alignment, Border, Font, Side

from inspector.api import Inspection, Rules, RunInfo, Text, __version__

from ._rows import Value
from ._sheet import clean, fit_to_width, looks_like_formula, style_header, style_verdict

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
    """Fill the sheet; ``note`` is a remark for its end."""
    language, model = run.job.language, run.model
    for letter, width in (("A", 34), ("B", 72), ("C", 24)):
        sheet.column_dimensions[letter].width = width
    fit_to_width(sheet, landscape=False)
    rows = count(1)

    def put(en: str, zh: str, value: Value, form: str = "General") -> None:
        row = next(rows)
        _fill(sheet.cell(row, 1), Text(en, zh).read(language)).font = Font(bold=True)
        _fill(sheet.cell(row, 2), value).number_format = form

    _fill(sheet.cell(next(rows), 1), Text("Inspection report", "检测报告").read(language)).font = Font(
        bold=True, size=16
    )
    next(rows)
    put("Run", "运行", run.title)
    put("Started", "开始", datetime.fromisoformat(run.started).replace(tzinfo=None, microsecond=0), _TIME)
    put("Ended", "结束", datetime.now().replace(microsecond=0), _TIME)
    put("Program", "程序", f"Bearing Inspector {__version__}")
    next(rows)
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
    next(rows)
    if run.total is not None:
        put("Pictures in the sources", "来源图片数", run.total)
    put("Inspected", "已检", totals.inspected)
    for status in ("OK", "WARN", "NG"):
        row = next(rows)
        style_verdict(_fill(sheet.cell(row, 1), status), status)
        _fill(sheet.cell(row, 2), totals.verdicts[status])
    inspected, good = totals.inspected, totals.verdicts["OK"]
    passed = good + totals.verdicts["WARN"]
    put("Yield (OK ÷ inspected)", "良率（OK ÷ 已检）", good / inspected if inspected else None, "0.0%")
    put("OK and WARN ÷ inspected", "OK 与 WARN ÷ 已检", passed / inspected if inspected else None, "0.0%")
    next(rows)
    heads = (Text("Class", "类别"), Text("Defects", "缺陷数"), Text("Inspections with it", "涉及的检测数"))
    _line(sheet, next(rows), [head.read(language) for head in heads])
    for cell in sheet[sheet.max_row]:
        style_header(cell)
    for label, found in totals.defects.most_common():
        _line(sheet, next(rows), [label, found, totals.with_class[label]])
    put("All classes", "全部类别", totals.defects.total())
    if note:
        next(rows)
        sheet.cell(next(rows), 1, note)
    next(rows)
    for en, zh in (("Checked by", "检验员"), ("Date", "日期"), ("Signature", "签名")):
        row = next(rows)
        sheet.row_dimensions[row].height = 28  # points: room to write
        sheet.cell(row, 1, Text(en, zh).read(language)).alignment = Alignment(vertical="bottom")
        sheet.cell(row, 2).border = Border(bottom=Side("thin"))


def _line(sheet: Any, row: int, values: Sequence[Value]) -> None:
    for column, value in enumerate(values, 1):
        _fill(sheet.cell(row, column), value)


def _fill(cell: Cell, value: Value) -> Cell:
    """Put a value into a cell, on the left, texts wrapped and never taken for formulas."""
    cell.value = clean(value) if isinstance(value, str) else value
    cell.alignment = Alignment(horizontal="left", vertical="top", wrap_text=isinstance(value, str))
    if isinstance(value, str):
        cell.data_type = "s"
        cell.quotePrefix = looks_like_formula(value)
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
