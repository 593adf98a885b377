import csv
import json
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from inspector.api import (
    Choice,
    Detection,
    Frame,
    Inspection,
    Job,
    Mask,
    ModelInfo,
    Reason,
    RunInfo,
    Timings,
    Verdict,
    check_options,
)
from inspector_plugins import tables

MODEL = ModelInfo("best.pt", "ab" * 32, "yolo11n-seg", ("Defect", "裂纹"))
RUN = RunInfo(Job((Choice("images"),), Choice("yolo11")), MODEL, "run", "2026-01-02T03:04:05+08:00")
SPECS = {spec.id: spec for spec in tables.inspector_exporters()}


def inspection(number: int = 1, name: str = "a.jpg", found: tuple[Detection, ...] = (), **more) -> Inspection:
    frame = Frame(np.zeros((50, 80, 3), np.uint8), 0, name, path=f"/data/{name}", read_ms=1.5)
    reasons = (Reason("area_above", "Defect", 812.0, 400.0, "px2"),) if found else ()
    verdict = Verdict("NG" if found else "OK", reasons)
    more = {"time": "2026-01-02T03:04:05.678+08:00", "timings": Timings(1.5, 20.25, 22.0)} | more
    return Inspection(frame, found, verdict, MODEL, number=number, **more)


def defect(label: str = "Defect", score: float = 0.875) -> Detection:
    return Detection(label, score, (10.0, 20.0, 14.0, 23.0), Mask(10, 20, np.ones((3, 4), bool)))


def export(folder: Path, id: str, *inspections: Inspection) -> list[Path]:
    spec = SPECS[id]
    exporter = spec.open(folder, RUN, **check_options(spec.options, {}, id))
    for item in inspections:
        exporter.write(item)
    files = list(exporter.close())
    assert not list(folder.glob(".tmp-*"))
    return files


def read(path: Path) -> list[list[str]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_only_json_lines_is_written_unasked():
    assert {id: spec.default for id, spec in SPECS.items()} == {"jsonl": True, "csv": False}


def test_json_lines_are_the_records(tmp_path):
    items = [inspection(1, "中文 件.jpg", (defect("裂纹"),)), inspection(2)]
    path, parts = export(tmp_path, "jsonl", *items)
    assert parts == tmp_path / "parts.jsonl"
    assert path == tmp_path / "results.jsonl"
    text = path.read_bytes().decode("utf-8")
    assert "裂纹" in text and text.endswith("\n") and "\r" not in text
    assert [json.loads(line) for line in text.splitlines()] == [item.record() for item in items]


def test_json_lines_stay_valid_json(tmp_path):
    lone = "a\udce4.jpg"  # a file name that is not UTF-8, as Linux returns it
    path, _ = export(tmp_path, "jsonl", inspection(1, lone, (defect(score=float("nan")),)))

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    record = json.loads(path.read_text("utf-8"), parse_constant=refuse)
    assert record["name"] == lone and record["detections"][0]["score"] is None


def test_nothing_is_seen_before_the_end(tmp_path):
    exporter = SPECS["jsonl"].open(tmp_path, RUN)
    (tmp_path / "results.jsonl").write_text("old")
    exporter.write(inspection())
    assert (tmp_path / "results.jsonl").read_text() == "old"
    exporter.close()
    assert json.loads((tmp_path / "results.jsonl").read_text("utf-8"))["name"] == "a.jpg"


def test_csv_tables(tmp_path):
    files = export(tmp_path, "csv", inspection(1, "中文.jpg", (defect(), defect("裂纹", 0.5))), inspection(2))
    assert [file.name for file in files] == ["inspections.csv", "defects.csv"]
    for file in files:
        data = file.read_bytes()
        assert data.startswith(b"\xef\xbb\xbf") and data.count(b"\n") == data.count(b"\r\n") > 0
    head, first, second = read(files[0])
    row = dict(zip(head, first, strict=True))
    assert row["File"] == "中文.jpg" and row["Verdict"] == "NG" and row["Time"] == "2026-01-02 03:04:05"
    assert row["Reasons"] == "Defect: area 812 px² above 400 px²"
    assert (row["Largest area (px²)"], row["Total area (px²)"], row["Greatest length (px)"]) == ("12", "24", "4.0")
    assert (row["Highest score"], row["Inference (ms)"], row["Position (s)"]) == ("0.875", "20.25", "")
    assert dict(zip(head, second, strict=True))["Largest area (px²)"] == ""
    head, *rows = read(files[1])
    assert [row[head.index("Class")] for row in rows] == ["Defect", "裂纹"]
    assert rows[0][head.index("x1 (px)") : head.index("y2 (px)") + 1] == ["10.0", "20.0", "14.0", "23.0"]
    assert datetime.fromisoformat(row["Time"])


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0.jpg", "+x", "-x", "@SUM(A1)", "\tx", "\rx"])
def test_csv_texts_are_no_formulas(tmp_path, name):
    files = export(tmp_path, "csv", inspection(1, name, (defect(name),)))
    for file in files:
        head, row = read(file)
        assert row[head.index("File")] == f"'{name}"
    assert row[head.index("Class")] == f"'{name}"


@pytest.mark.parametrize("name", ['a "b", c\nd;e.jpg', "'quoted'.jpg", "😀.jpg"])
def test_csv_keeps_other_texts(tmp_path, name):
    head, row = read(export(tmp_path, "csv", inspection(1, name))[0])
    assert row[head.index("File")] == name


def test_csv_numbers_are_no_texts(tmp_path):
    found = Detection("Defect", 0.5, (-3.25, 1.0, 4.0, 5.0))
    head, row = read(export(tmp_path, "csv", inspection(1, found=(found,)))[1])
    assert row[head.index("x1 (px)")] == "-3.25" and row[head.index("Area (px²)")] == ""


def test_csv_takes_any_character(tmp_path):
    head, row = read(export(tmp_path, "csv", inspection(1, "a\0b\udce4c\x0b.jpg"))[0])
    assert row[head.index("File")] == "a\ufffdb?c\x0b.jpg"


@pytest.mark.parametrize("id", SPECS)
def test_no_inspections_make_valid_files(tmp_path, id):
    for file in export(tmp_path, id):
        assert len(file.read_text("utf-8-sig").splitlines()) == (0 if id == "jsonl" else 1)


@pytest.mark.parametrize("id", SPECS)
def test_a_folder_that_is_gone_is_an_os_error(tmp_path, id):
    with pytest.raises(OSError):
        SPECS[id].open(tmp_path / "gone", RUN)


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files")
@pytest.mark.parametrize("id", SPECS)
def test_a_full_disk_leaves_no_half_file(tmp_path, id):
    import resource
    import signal

    def limit(size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    exporter = SPECS[id].open(tmp_path, RUN)
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        limit(20_000)
        with pytest.raises(OSError):
            for number in range(1, 2000):
                exporter.write(inspection(number))
        with pytest.raises(OSError, match=r"results.jsonl|inspections.csv"):
            exporter.close()
    finally:
        limit(before[0])
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in tmp_path.iterdir()] == (["defects.csv"] if id == "csv" else [])
