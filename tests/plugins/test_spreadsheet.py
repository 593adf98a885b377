import gc
import io
import sys
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
    Reason,
    Rules,
    RunInfo,
    Timings,
    Verdict,
    check_options,
)
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


def export(folder: Path, *inspections: Inspection, run: RunInfo = RUN, **options: object) -> Path:
    exporter = SPEC.open(folder, run, **check_options(SPEC.options, options, "xlsx"))
    for item in inspections:
        exporter.write(item)
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
    assert openpyxl.load_workbook(path).sheetnames == ["Summary", "Inspections", "Defects"]
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
        "Highest score": 0.875,
        "Read (ms)": 1.5,
        "Inference (ms)": 20.25,
        "Total (ms)": 22,
        "Path": "/data/中文.jpg",
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
        sheet.dimensions == "A1:R4"
        and sheet.freeze_panes == "A2"
        and sheet.auto_filter.ref == "A1:R4"
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
    assert (table["Inspected"], table["OK"], table["WARN"], table["NG"]) == (4, 2, 1, 1)
    assert table["Yield (OK ÷ inspected)"] == 0.5 and table["OK and WARN ÷ inspected"] == 0.75
    assert table["Pictures in the sources"] == 5 and table["All classes"] == 3
    assert "Bearing Inspector" in str(table["Program"]) and "Signature" in table
    lines = list(openpyxl.load_workbook(path)["Summary"].iter_rows(values_only=True))
    assert ("Defect", 2, 1) in lines and ("裂纹", 1, 1) in lines
    assert (None, "every other class: any defect is NG", None) in lines


def test_chinese(tmp_path):
    run = replace(RUN, job=replace(JOB, language="zh"))
    path = export(tmp_path, inspection(1, found=(defect(),), status="NG"), run=run)
    assert openpyxl.load_workbook(path).sheetnames == ["汇总", "检测", "缺陷"]
    (row,) = rows(path, "检测")
    assert row["判定"] == "NG" and row["最大面积 (px²)"] == 1200
    table = summary(path, "汇总")
    assert table["已检"] == 1 and table["规则"] == "任何缺陷均为 NG"


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
            if name.startswith("xl/worksheets/") and name != "xl/worksheets/sheet1.xml":
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
    assert [row[name] for name in ("Highest score", "Read (ms)", "Total (ms)", "Time")] == [None] * 4
    (row,) = rows(path, "Defects")
    assert (row["Score"], row["x1 (px)"], row["y1 (px)"], row["Area (px²)"]) == (None, None, 1, None)


def test_a_full_sheet_is_followed_by_another(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "ROW_LIMIT", 10)
    path = export(tmp_path, *(inspection(n, found=(defect(), defect())) for n in range(1, 11)))
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["Summary", "Inspections", "Inspections 2", "Defects", "Defects 2", "Defects 3"]
    assert [book[name].max_row for name in book.sheetnames[1:]] == [10, 2, 10, 10, 3]
    assert book["Defects 2"].auto_filter.ref == "A1:K10" and book["Defects 3"].auto_filter.ref == "A1:K3"
    assert [row["Inspection"] for row in rows(path, "Defects 3")] == [10, 10]
    assert book["Defects 3"]["A1"].value == "Inspection" and book["Defects 3"].freeze_panes == "A2"


def test_thumbnails(tmp_path):
    items = [inspection(n, found=(defect(),) if n == 1 else ()) for n in range(1, 6)]
    path = export(tmp_path, *items, thumbnails=True, thumbnail_limit=3)
    sheet = openpyxl.load_workbook(path)["Inspections"]
    assert [cell.value for cell in sheet[1]][:3] == ["Number", "Picture", "Time"]
    assert [(image.anchor._from.col, image.anchor._from.row) for image in sheet._images] == [(1, 1), (1, 2), (1, 3)]
    pictures = [Image.open(io.BytesIO(image._data())).convert("RGB") for image in sheet._images]
    assert all(picture.size == (160, 60) for picture in pictures)
    assert all(sheet.row_dimensions[row].height == 60 * 0.75 + 3 for row in (2, 3, 4))
    marked, clean = (np.asarray(picture).astype(int) for picture in pictures[:2])
    changed = np.abs(marked - clean).sum(2) > 60
    assert changed[8:20, 40:56].mean() > 0.9 and not changed[30:].any() and not changed[:, :30].any()
    words = "Only the first 3 inspections have a picture (option thumbnail_limit)"
    assert [sheet[f"B{row}"].value for row in (4, 5, 6)] == [None, words, None]
    assert words in summary(path)


def test_no_inspections_make_a_valid_workbook(tmp_path):
    path = export(tmp_path)
    assert rows(path, "Inspections") == rows(path, "Defects") == []
    table = summary(path)
    assert table["Inspected"] == table["All classes"] == 0 and table["Yield (OK ÷ inspected)"] is None


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
