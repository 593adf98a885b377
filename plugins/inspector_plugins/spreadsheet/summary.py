"""The workbook's first sheets: inspection settings and results for a quality engineer to sign; and the scope of
the workbook."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from openpyxl.cell.cell import Cell
from openpyxl.styles import Alignment, Border, Font, Side

from inspector.api import Inspection, Part, RunInfo, Text, __version__, pass_rate, rule_lines, rules_sha256, yield_of

from .._shared.result_rows import Value
from .cells import fit_to_width, header_cell, make_cell, verdict_cell

_TIME = "yyyy-mm-dd hh:mm:ss"


class Totals:
    """Totals of all rows.

    Attributes:
        inspected: number of images.
        verdicts: of the parts.
    """

    def __init__(self) -> None:
        self.inspected = 0
        self.verdicts: Counter[str] = Counter()
        self.defects: Counter[str] = Counter()  # per class
        self.with_class: Counter[str] = Counter()  # number of parts with the class
        self._labels: dict[str, set[str]] = {}  # of parts that are not complete, by their ids
        self.thresholds: dict[str, tuple[float, float]] = {}  # smallest and largest: they may change during the run

    @property
    def parts(self) -> int:
        return self.verdicts.total()

    def add(self, inspection: Inspection) -> int:
        """Add an image; return the number of images."""
        labels = [detection.label for detection in inspection.detections]
        self.inspected += 1
        self.defects.update(labels)
        if labels:
            self._labels.setdefault(inspection.part_view.id, set()).update(labels)
        for name, value in (("confidence", inspection.confidence), ("iou", inspection.iou)):
            low, high = self.thresholds.get(name, (value, value))
            self.thresholds[name] = (min(low, value), max(high, value))
        return self.inspected

    def add_part(self, part: Part) -> None:
        """Add a part whose images were added."""
        self.verdicts[part.verdict.status] += 1
        self.with_class.update(self._labels.pop(part.id, ()))


def write_summary(sheet: Any, run: RunInfo, totals: Totals, note: str | None = None) -> None:
    """Fill the streamed sheet; ``note`` is a remark at its end."""
    language, model = run.job.language, run.model
    for letter, width in (("A", 34), ("B", 72), ("C", 24)):
        sheet.column_dimensions[letter].width = width
    fit_to_width(sheet, landscape=False)
    lines: list[list[Cell]] = []

    def put(en: str, zh: str, value: Value, number_format: str = "") -> None:
        label = _cell(sheet, Text(en, zh).read(language))
        label.font = Font(bold=True)
        lines.append([label, _cell(sheet, value, number_format)])

    scope = run.scope
    whole = scope is None or scope.complete
    heading = Text("Inspection report", "检测报告") if whole else Text("Selected inspections", "部分检测结果")
    title = _cell(sheet, heading.read(language))
    title.font = Font(bold=True, size=16)
    lines.append([title])
    lines.append([])
    if scope is not None:
        put("Covers", "范围", scope.filter)
        put("Inspections", "检测数", _share(scope.inspections, scope.total, language))
    for en, zh, value in (
        ("Lot", "批次", run.job.lot),
        ("Operator", "操作员", run.job.operator),
        ("Station", "工位", run.job.station),
    ):
        if value:
            put(en, zh, value)
    put("Run", "检测任务", run.title)
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
    if run.job.recipe is not None:
        put("Recipe", "配方", f"{run.job.recipe.name} (v{run.job.recipe.version}, {run.job.recipe.sha256[:12]})")
    if run.job.rules is not None and run.job.rules.name:
        put("Rule set", "规则集", run.job.rules.name)
    put("Fingerprint of the rules (SHA-256)", "规则指纹 (SHA-256)", rules_sha256(run.job.rules))
    for number, line in enumerate(rule_lines(run.job.rules, language)):
        put("" if number else "Rules", "" if number else "规则", line)
    lines.append([])
    if run.total is not None:
        put("Images in the sources", "来源图片数", run.total)
    put("Parts", "零件数", totals.parts)
    put("Images inspected", "检测图片数", totals.inspected)
    for status in ("OK", "WARN", "NG"):
        lines.append([verdict_cell(sheet, status), _cell(sheet, totals.verdicts[status])])
    if whole:  # a selection has no yield
        parts, good, warned = totals.parts, totals.verdicts["OK"], totals.verdicts["WARN"]
        put("Yield (OK ÷ parts)", "合格率（OK ÷ 零件数）", yield_of(good, parts), "0.0%")
        put("OK and WARN ÷ parts", "OK 与 WARN ÷ 零件数（含待复判）", pass_rate(good, warned, parts), "0.0%")
    lines.append([])
    heads = (Text("Class", "类别"), Text("Defects", "缺陷数"), Text("Parts with class", "涉及的零件数"))
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


def write_scope(sheet: Any, run: RunInfo, totals: Totals) -> None:
    """Fill the sheet on the scope of the workbook: which inspections, of how many, by whom and when."""
    language, scope = run.job.language, run.scope
    for letter, width in (("A", 34), ("B", 72)):
        sheet.column_dimensions[letter].width = width
    fit_to_width(sheet, landscape=False)

    def put(en: str, zh: str, value: Value, number_format: str = "") -> None:
        label = _cell(sheet, Text(en, zh).read(language))
        label.font = Font(bold=True)
        sheet.append([label, _cell(sheet, value, number_format)])

    if scope is None:
        put("Covers", "范围", Text("entire run", "整个检测任务").read(language))
        put("Parts", "零件数", totals.parts)
        put("Inspections", "检测数", totals.inspected)
        put("Run", "检测任务", run.title)
        put("Started", "开始", _moment(run.started), _TIME)
        put("Program", "程序", f"Bearing Inspector {__version__}")
        return
    put("Covers", "范围", scope.filter)
    put("Parts in this workbook", "本工作簿中的零件数", totals.parts)
    put("Inspections in this workbook", "本工作簿中的检测数", scope.inspections)
    put("Inspections in these runs", "所属检测任务的检测数", scope.total)
    put("Runs", "检测任务数", scope.runs)
    if not scope.complete:
        text = Text("not reported: this is a selection", "不计算：这里只是部分结果")
        put("Yield", "合格率", text.read(language))
    put("Exported by", "导出人", scope.by or "-")
    put("Exported at", "导出时间", _moment(scope.at), _TIME)
    put("Program", "程序", f"Bearing Inspector {scope.version}")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None, microsecond=0)


def _share(part: int, total: int, language: str) -> str:
    return Text(f"{part:,} of {total:,}", f"{part:,} / {total:,}").read(language)


def _cell(sheet: Any, value: Value, number_format: str = "") -> Cell:
    """Make a left-aligned cell; texts are wrapped."""
    cell = make_cell(sheet, value, number_format)
    cell.alignment = Alignment("left", "top", wrap_text=isinstance(value, str))
    return cell


def _span(totals: Totals, name: str, ordered: float) -> float | str:
    low, high = totals.thresholds.get(name, (ordered, ordered))
    return low if low == high else f"{low:g} – {high:g}"
