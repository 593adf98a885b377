import gc
import io
import sys
import time
import types
import zipfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import openpyxl
import pytest
from openpyxl import Workbook
from openpyxl.worksheet._write_only import WriteOnlyWorksheet
from PIL import Image

from inspector.api import (
    Choice,
    Detection,
    Frame,
    InputError,
    Inspection,
    Job,
    Mask,
    ModelInfo,
    Part,
    PartView,
    Reason,
    RecipeInfo,
    Rules,
    RunInfo,
    Scope,
    Timings,
    Verdict,
    check_options,
    rules_sha256,
)
from inspector.domain import Grouping
from inspector.engine.part_tracker import part_of_its_own
from inspector_plugins import spreadsheet
from inspector_plugins.spreadsheet import table

TIME = "2026-01-02T03:04:05.678+08:00"
MODEL = ModelInfo("最佳.pt", "ab" * 32, "yolo11n-seg", ("Defect", "裂纹"), "yolo11", "torch", "cpu", 640)
JOB = Job((Choice("images"),), Choice("yolo11"))
RUN = RunInfo(JOB, MODEL, "第一批", "2026-01-02T03:04:05+08:00")
(SPEC,) = spreadsheet.inspector_exporters()


def inspection(
    number: int = 1, name: str = "a.jpg", found: tuple[Detection, ...] = (), status: str = "OK", **more
) -> Inspection:
    image = np.full((150, 400, 3), 90, np.uint8)
    frame = Frame(image, number - 1, name, seconds=1.25, rate=25.0, path=f"/data/{name}")
    reasons = (Reason("length_above", "Defect", 44.5, 40.0, "px"),) if status != "OK" else ()
    more = {"time": TIME, "timings": Timings(1.5, 20.25, 22.0)} | more
    return Inspection(frame, found, Verdict(status, reasons), MODEL, number=number, **more)


def defect(label: str = "Defect", score: float = 0.875) -> Detection:
    return Detection(label, score, (100.0, 20.0, 140.0, 50.0), Mask(100, 20, np.ones((30, 40), bool)))


def export(folder: Path, *inspections: Inspection, run: RunInfo = RUN, parts: tuple[Part, ...] = (), **options) -> Path:
    exporter = SPEC.open(folder, run, **check_options(SPEC.options, options, "xlsx"))
    for item in inspections:
        exporter.write(item)
        if item.part is None:
            exporter.write_part(part_of_its_own(item))
    for part in parts:
        exporter.write_part(part)
    (path,) = exporter.close()
    assert path == folder / "results.xlsx" and not list(folder.glob(".tmp-*"))
    check_parts(path)
    return path


def check_parts(path: Path) -> None:
    """Every part of the file is declared and well-formed, every target exists, every row and cell is in order."""
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        assert archive.testzip() is None and len(names) == len(archive.namelist())
        for name in names:
            if name.endswith((".xml", ".rels")):
                root = ElementTree.fromstring(archive.read(name))
            if name.endswith(".rels"):
                for link in root:
                    target = link.get("Target")
                    assert target.lstrip("/") in names or (Path(name).parent.parent / target).as_posix() in names
            if name.startswith("xl/worksheets/sheet"):
                space = root.tag.removesuffix("worksheet")
                numbers = [int(row.get("r")) for row in root.iter(f"{space}row")]
                assert numbers == sorted(set(numbers))
                order = ["sheetPr", "sheetViews", "cols", "sheetData", "autoFilter", "pageMargins", "drawing"]
                found = [child.tag.removeprefix(space) for child in root]
                assert [tag for tag in found if tag in order] == [tag for tag in order if tag in found]


def rows(path: Path, sheet: str) -> list[dict[str, object]]:
    head, *lines = openpyxl.load_workbook(path)[sheet].iter_rows(values_only=True)
    return [dict(zip(head, line, strict=True)) for line in lines]


def summary(path: Path, sheet: str = "Summary") -> dict[str, object]:
    lines = openpyxl.load_workbook(path)[sheet].iter_rows(values_only=True, max_col=2)
    return {str(label): value for label, value in lines if label is not None}


def test_rows_of_inspections_and_defects(tmp_path):
    items = [inspection(1, "中文.jpg", (defect(), defect("裂纹", 0.5)), "NG"), inspection(2)]
    path = export(tmp_path, *items)
    assert openpyxl.load_workbook(path).sheetnames == ["Summary", "Scope", "Inspections", "Defects"]
    first, second = rows(path, "Inspections")
    assert first == {
        "Number": 1,
        "Time": datetime(2026, 1, 2, 3, 4, 5),
        "File": "中文.jpg",
        "Frame": 0,
        "Position (s)": 1.25,
        "Width (px)": 400,
        "Height (px)": 150,
        "Verdict": "NG",
        "Reasons": "Defect: length 44.5 px above 40 px",
        "Defects": 2,
        "Largest area (px²)": 1200,
        "Total area (px²)": 2400,
        "Greatest length (px)": 40,
        "Highest confidence": 0.875,
        "Read (ms)": 1.5,
        "Inference (ms)": 20.25,
        "Total (ms)": 22,
        "Path": "/data/中文.jpg",
        "Annotated image": None,
        "Remarks": None,
        "Part": "1",
        "View": "中文.jpg #0",
        "Serial number": None,
        "Lot": None,
        "Operator": None,
        "Station": None,
        "Recipe": None,
    }
    streamed = openpyxl.load_workbook(path, read_only=True)["Inspections"]
    assert [row[0] for row in streamed.iter_rows(values_only=True)] == ["Number", 1, 2]
    assert (
        second["Reasons"] is None
        and second["Verdict"] == "OK"
        and second["Defects"] == 0
        and second["Largest area (px²)"] is None
    )
    table = rows(path, "Defects")
    assert [row["Class"] for row in table] == ["Defect", "裂纹"]
    assert [table[0][name] for name in ("x1 (px)", "y1 (px)", "x2 (px)", "y2 (px)")] == [100, 20, 140, 50]
    assert table[0]["Inspection"] == 1 and table[0]["Area (px²)"] == 1200


def test_looks(tmp_path):
    path = export(tmp_path, *(inspection(n, status=s) for n, s in enumerate(("OK", "WARN", "NG"), 1)))
    sheet = openpyxl.load_workbook(path)["Inspections"]
    assert (
        sheet.dimensions == "A1:AA4"
        and sheet.freeze_panes == "A2"
        and sheet.auto_filter.ref == "A1:AA4"
        and sheet["A1"].font.bold
    )
    assert sheet.print_title_rows == "$1:$1" and sheet.column_dimensions["C"].width == 30
    assert sheet["B2"].number_format == "yyyy-mm-dd hh:mm:ss" and sheet["B2"].is_date
    assert sheet["P2"].number_format == "0.0"
    assert [sheet[f"H{row}"].fill.fgColor.rgb[2:] for row in (2, 3, 4)] == ["C6EFCE", "FFEB9C", "FFC7CE"]


def test_summary(tmp_path):
    rules = Rules.from_json({"classes": {"Defect": {"area_px": {"warn": 200, "ng": 400}, "count": {"ng": 3}}}})
    run = replace(RUN, job=replace(JOB, rules=rules), total=5)
    items = [
        inspection(1, found=(defect(), defect()), status="NG"),
        inspection(2, found=(defect("裂纹"),), status="WARN", confidence=0.4),
        inspection(3),
        inspection(4),
    ]
    path = export(tmp_path, *items, run=run)
    table = summary(path)
    assert table["Run"] == "第一批" and table["Model file"] == "最佳.pt" and table["Model SHA-256"] == "ab" * 32
    assert table["Architecture"] == "yolo11n-seg" and table["Runtime"] == "torch" and table["Device"] == "cpu"
    assert table["Confidence threshold"] == "0.25 – 0.4" and table["IoU threshold"] == 0.45
    assert table["Rules"] == "Defect: area (px²): WARN > 200, NG > 400; count: NG > 3"
    assert table["Started"] == datetime(2026, 1, 2, 3, 4, 5) and table["Ended"] > table["Started"]
    assert (table["Parts"], table["OK"], table["WARN"], table["NG"]) == (4, 2, 1, 1)
    assert table["Yield (OK ÷ parts)"] == 0.5 and table["OK and WARN ÷ parts"] == 0.75
    assert table["Images in the sources"] == 5 and table["All classes"] == 3
    assert "Bearing Inspector" in str(table["Program"]) and "Signature" in table
    lines = list(openpyxl.load_workbook(path)["Summary"].iter_rows(values_only=True))
    assert ("Defect", 2, 1) in lines and ("裂纹", 1, 1) in lines
    assert (None, "every other class: any defect is NG", None) in lines


SELECTION = Scope("verdict WARN", {"verdict": "WARN"}, 1, 100, 2, "li", "2026-01-03T08:00:00+08:00", "1.2.3")


def test_a_selection_says_what_it_covers_and_reports_no_yield(tmp_path):
    path = export(tmp_path, inspection(1, status="WARN"), run=replace(RUN, scope=SELECTION))
    table, scope = summary(path), summary(path, "Scope")
    title = openpyxl.load_workbook(path)["Summary"]["A1"].value
    assert title == "Selected inspections" and table["Covers"] == "verdict WARN"
    assert table["Inspections"] == "1 of 100" and (table["Parts"], table["WARN"]) == (1, 1)
    assert not any("ield" in str(key) or "÷" in str(key) for key in table)
    assert scope["Covers"] == "verdict WARN" and scope["Yield"] == "not reported: this is a selection"
    assert (scope["Inspections in this workbook"], scope["Inspections in these runs"], scope["Runs"]) == (1, 100, 2)
    assert scope["Exported by"] == "li" and scope["Exported at"] == datetime(2026, 1, 3, 8)
    assert scope["Program"] == "Bearing Inspector 1.2.3"


def test_an_export_of_whole_runs_reports_the_yield(tmp_path):
    path = export(tmp_path, inspection(1), run=replace(RUN, scope=replace(SELECTION, inspections=100)))
    assert summary(path)["Yield (OK ÷ parts)"] == 1 and "Yield" not in summary(path, "Scope")
    assert openpyxl.load_workbook(path)["Summary"]["A1"].value == "Inspection report"


def test_the_workbook_of_a_run_covers_the_whole_run(tmp_path):
    scope = summary(export(tmp_path, inspection(1), inspection(2)), "Scope")
    assert scope["Covers"] == "entire run" and scope["Inspections"] == 2 and scope["Run"] == "第一批"


def test_recipe_and_rule_set_stand_in_the_summary(tmp_path):
    rules = Rules.from_json({"name": "strict", "classes": {"*": {"count": {"ng": 2}}}})
    recipe = RecipeInfo("6205 outer ring", 4, "cd" * 32)
    table = summary(export(tmp_path, inspection(), run=replace(RUN, job=replace(JOB, rules=rules, recipe=recipe))))
    assert table["Recipe"] == "6205 outer ring (v4, cdcdcdcdcdcd)" and table["Rule set"] == "strict"
    assert table["Fingerprint of the rules (SHA-256)"] == rules_sha256(rules)


def test_chinese(tmp_path):
    run = replace(RUN, job=replace(JOB, language="zh"))
    path = export(tmp_path, inspection(1, found=(defect(),), status="NG"), run=run)
    assert openpyxl.load_workbook(path).sheetnames == ["汇总", "范围", "检测", "缺陷"]
    (row,) = rows(path, "检测")
    assert row["判定"] == "NG" and row["最大面积 (px²)"] == 1200
    table = summary(path, "汇总")
    assert (
        table["零件数"] == table["检测图片数"] == 1
        and table["合格率（OK ÷ 零件数）"] == 0
        and table["规则"] == "任何缺陷均为 NG"
    )


@pytest.mark.parametrize(
    "name",
    ["=1+1.jpg", "=cmd|' /C calc'!A0.jpg", "+x", "-x", "@x", "#N/A", "#REF!", "<&>\"'.jpg", " a ", "😀.jpg", "1"],
)
def test_texts_stay_texts(tmp_path, name):
    run = replace(RUN, title=name, model=replace(MODEL, file=name, names=(name,)))
    path = export(tmp_path, inspection(1, name, (defect(name),), "NG"), run=run)
    book = openpyxl.load_workbook(path)
    cells = [book["Inspections"]["C2"], book["Defects"]["D2"], book["Summary"]["B3"]]
    cells += [row[0] for row in book["Summary"].iter_rows() if row[1].value == 1 and row[2].value == 1]
    assert len(cells) == 4
    for cell in cells:
        assert cell.value == name and cell.data_type == "s"
        assert bool(cell.quotePrefix) == (name[0] in "=+-@#")


def test_no_row_leaves_anything_in_the_next_and_openpyxls_own_way_writes_the_same(tmp_path, monkeypatch):
    names = ("=1.jpg", "a.jpg", "", "#N/A", " b ", "-", "字")
    items = [
        inspection(n, name, (defect(name, n / 8),) * (n % 3), ("OK", "NG", "WARN")[n % 3], time="" if n % 2 else TIME)
        for n, name in enumerate(names * 2, 1)
    ]
    (tmp_path / "own").mkdir()
    path = export(tmp_path, *items)
    theirs = WriteOnlyWorksheet._values_to_row
    made = Workbook.create_sheet

    def create_sheet(book, *rest):
        sheet = made(book, *rest)
        monkeypatch.setattr(table, "placed", types.MethodType(theirs, sheet))
        return sheet

    monkeypatch.setattr(Workbook, "create_sheet", create_sheet)
    other = export(tmp_path / "own", *items)
    with zipfile.ZipFile(path) as ours, zipfile.ZipFile(other) as openpyxls:
        for name in ours.namelist():
            if name.startswith("xl/worksheets/") and name not in (
                "xl/worksheets/sheet1.xml",
                "xl/worksheets/sheet2.xml",
            ):
                assert ours.read(name) == openpyxls.read(name)
    sheet = openpyxl.load_workbook(path)["Inspections"]
    for row, item in zip(sheet.iter_rows(min_row=2), items, strict=True):
        assert row[2].value == (item.frame.name or None) and row[7].value == item.verdict.status
        assert bool(row[2].quotePrefix) == item.frame.name.startswith(("=", "#", "-"))
        assert (row[1].value is None) == (item.time == "")
        assert (row[10].number_format, row[7].font.b, row[2].font.b) == ("#,##0", True, False) or row[10].value is None


def test_unprintable_characters_are_replaced(tmp_path):
    path = export(tmp_path, inspection(1, "a\x0bb\0c\udce4d\ufffee\rf_x0041_.jpg"))
    (row,) = rows(path, "Inspections")
    assert row["File"] == "a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf_x005F_x0041_.jpg"  # what Excel shows as _x0041_


@pytest.mark.parametrize("letter", ["a", "字", "😀"])
def test_long_texts_are_cut_with_a_mark(tmp_path, letter):
    (row,) = rows(export(tmp_path, inspection(1, letter * 40_000)), "Inspections")
    name = str(row["File"])
    assert name.endswith(" … (cut)") and 32_760 <= len(name.encode("utf-16-le")) // 2 <= 32_767


def test_what_is_not_finite_stays_blank(tmp_path):
    found = Detection("Defect", float("nan"), (float("inf"), 1.0, 2.0, 3.0))
    path = export(tmp_path, inspection(1, found=(found,), timings=Timings(float("nan"), 1.0, float("inf")), time=""))
    (row,) = rows(path, "Inspections")
    assert [row[name] for name in ("Highest confidence", "Read (ms)", "Total (ms)", "Time")] == [None] * 4
    (row,) = rows(path, "Defects")
    assert (row["Confidence"], row["x1 (px)"], row["y1 (px)"], row["Area (px²)"]) == (None, None, 1, None)


def test_a_full_sheet_is_followed_by_another(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "ROW_LIMIT", 10)
    path = export(tmp_path, *(inspection(n, found=(defect(), defect())) for n in range(1, 11)))
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["Summary", "Scope", "Inspections", "Inspections 2", "Defects", "Defects 2", "Defects 3"]
    assert [book[name].max_row for name in book.sheetnames[2:]] == [10, 2, 10, 10, 3]
    assert book["Defects 2"].auto_filter.ref == "A1:AH10" and book["Defects 3"].auto_filter.ref == "A1:AH3"
    assert [row["Inspection"] for row in rows(path, "Defects 3")] == [10, 10]
    assert book["Defects 3"]["A1"].value == "Inspection" and book["Defects 3"].freeze_panes == "A2"


def test_thumbnails(tmp_path):
    items = [inspection(n, found=(defect(),) if n == 1 else ()) for n in range(1, 6)]
    path = export(tmp_path, *items, thumbnails=True, thumbnail_limit=3)
    sheet = openpyxl.load_workbook(path)["Inspections"]
    assert [cell.value for cell in sheet[1]][:3] == ["Number", "Image", "Time"]
    assert [(image.anchor._from.col, image.anchor._from.row) for image in sheet._images] == [(1, 1), (1, 2), (1, 3)]
    images = [Image.open(io.BytesIO(image._data())).convert("RGB") for image in sheet._images]
    assert all(picture.size == (160, 60) for picture in images)
    assert all(sheet.row_dimensions[row].height == 60 * 0.75 + 3 for row in (2, 3, 4))
    marked, clean = (np.asarray(picture).astype(int) for picture in images[:2])
    changed = np.abs(marked - clean).sum(2) > 60
    assert changed[8:20, 40:56].mean() > 0.9 and not changed[30:].any() and not changed[:, :30].any()
    words = "Only the first 3 inspections have a thumbnail (option thumbnail_limit)"
    assert [sheet[f"B{row}"].value for row in (4, 5, 6)] == [None, words, None]
    assert words in summary(path)


def test_no_inspections_make_a_valid_workbook(tmp_path):
    path = export(tmp_path)
    assert rows(path, "Inspections") == rows(path, "Defects") == []
    table = summary(path)
    assert (
        table["Images inspected"] == table["Parts"] == table["All classes"] == 0 and table["Yield (OK ÷ parts)"] is None
    )


def test_an_old_workbook_is_replaced_only_at_the_end(tmp_path):
    (tmp_path / "results.xlsx").write_bytes(b"old")
    exporter = SPEC.open(tmp_path, RUN)
    exporter.write(inspection())
    assert (tmp_path / "results.xlsx").read_bytes() == b"old"
    exporter.close()
    assert len(rows(tmp_path / "results.xlsx", "Inspections")) == 1


def test_options_are_checked():
    assert SPEC.default and check_options(SPEC.options, {}, "xlsx") == {"thumbnails": False, "thumbnail_limit": 1000}
    with pytest.raises(InputError):
        check_options(SPEC.options, {"thumbnail_limit": -1}, "xlsx")


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files")
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("when", ["writing", "saving"])
def test_a_full_disk_leaves_no_half_workbook(tmp_path, when):
    import resource
    import signal

    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    exporter = SPEC.open(tmp_path, RUN)
    try:
        if when == "writing":
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
            with pytest.raises(OSError):
                for number in range(1, 2000):
                    exporter.write(inspection(number))
            resource.setrlimit(resource.RLIMIT_FSIZE, before)  # there is space again, but rows are missing
        else:
            exporter.write(inspection())
            resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, before[1]))
        with pytest.raises(OSError, match="could not be written completely" if when == "writing" else "File too large"):
            exporter.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list(tmp_path.iterdir())
    del exporter
    gc.collect()  # nothing is left to complain


@pytest.mark.parametrize("year", [1970, 2038, 2150])
def test_a_wrong_clock_does_not_cost_the_workbook(tmp_path, monkeypatch, year):
    moment = time.struct_time((year, 1, 1, 0, 0, 0, 3, 1, 0))
    monkeypatch.setattr(time, "localtime", lambda *seconds: moment)
    with zipfile.ZipFile(export(tmp_path, inspection())) as archive:
        assert archive.testzip() is None
        years = {entry.date_time[0] for entry in archive.infolist()}
    assert years == {min(max(year, 1980), 2107)}


@pytest.mark.parametrize("name", ["＝1+1.jpg", "x;=1+1.jpg", "\t=1.jpg", "@a.jpg", "-rf"])
def test_what_could_be_a_formula_stays_a_text_when_it_is_edited(tmp_path, name):
    cell = openpyxl.load_workbook(export(tmp_path, inspection(name=name)))["Inspections"]
    (cell,) = (cell for cell in cell[2] if cell.value == name)
    assert cell.data_type == "s" and cell.quotePrefix


def test_parts_of_several_images_have_a_sheet_and_are_counted(tmp_path):
    front, back = (PartView("A1", view, 2, "A1", "L7") for view in ("front", "back"))
    items = (
        inspection(1, "A1_front.jpg", part=front),
        inspection(2, "A1_back.jpg", (defect(), defect()), "NG", part=back),
    )
    part = Part("A1", items[1].verdict, ("back",), ("front", "back"), "A1", "L7", 2)
    lacks = Part("A2", Verdict("WARN", (Reason("view_missing", "back", 0.0, 1.0),)), ("",), ("front",), "A2", "L7", 1)
    third = inspection(3, "A2_front.jpg", part=replace(front, id="A2"))
    job = replace(JOB, parts=Grouping("{serial}_{view}", ("front", "back")), operator="Li", station="S2")
    path = export(tmp_path, *items, third, run=replace(RUN, job=job), parts=(part, lacks))
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["Summary", "Scope", "Parts", "Inspections", "Defects"]
    head, *rows = book["Parts"].iter_rows(values_only=True)
    assert head[:2] == ("Part", "Verdict") and [row[:2] for row in rows] == [("A1", "NG"), ("A2", "WARN")]
    assert rows[0][2:] == ("back: Defect: length 44.5 px above 40 px", "front, back", 2, "A1", "L7")
    assert rows[1][2] == "view back is missing"
    table = summary(path)
    assert (table["Parts"], table["Images inspected"], table["OK"], table["WARN"], table["NG"]) == (2, 3, 0, 1, 1)
    assert table["Yield (OK ÷ parts)"] == 0 and table["Operator"] == "Li" and table["Station"] == "S2"
    defects = [row for row in book["Summary"].iter_rows(values_only=True) if row[0] == "Defect"]
    assert defects[0][1:3] == (2, 1)  # two defects on one part
