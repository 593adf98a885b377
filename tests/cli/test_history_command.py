import argparse
import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from inspector.cli import history as command
from inspector.domain import (
    Choice,
    Detection,
    Frame,
    InputError,
    Inspection,
    Job,
    Mask,
    ModelInfo,
    Skipped,
    Timings,
    judge,
)
from inspector.history import History, Query
from inspector.measure import measure

MODEL = ModelInfo("best.pt", "ab12" * 16, "yolo11n-seg", ("Crack",))


@pytest.fixture
def filled():
    """An OK image, one with a defect and a formula for a name, and a skipped one."""
    with History.open() as history:
        run = history.begin(Job((Choice("f"),), Choice("m")), MODEL, "早班", None, "2020-11-22T08:00:00+00:00")
        found = (Detection("Crack", 0.9, (1, 2, 4, 6), Mask(1, 2, np.ones((4, 3), bool))),)
        found = measure(found)
        for number, (name, detections) in enumerate((("a.png", ()), ("=1+1 轴承.png", found)), 1):
            frame = Frame(np.zeros((20, 30, 3), np.uint8), 0, name, path=f"/数据/{name}")
            moment = (datetime(2020, 11, 22, 8, tzinfo=UTC) + timedelta(days=number)).isoformat()
            inspection = Inspection(frame, detections, judge(detections), MODEL, Timings(1, 2, 3), number, time=moment)
            history.add(run, inspection)
        history.add_skipped(run, Skipped("broken\x1b[31m.png", "the file is empty"))
        history.finish(run, "done", {})


def call(capsys, *words: str) -> tuple[str, str]:
    parser = argparse.ArgumentParser()
    command.configure(parser)
    assert command.run(parser.parse_args(words)) == 0
    return capsys.readouterr()


def test_search_lists_for_people(filled, capsys):
    out, err = call(capsys, "search", "--text", "png", "--verdict", "ng")
    header, row = out.splitlines()
    assert header.split() == ["ID", "Time", "Verdict", "Name", "Index", "Defects", "Labels", "Model", "Run"]
    assert row.split()[0] == "2" and "NG" in row and "=1+1 轴承.png" in row and "Crack" in row and err == ""


def test_search_says_when_there_is_more_and_when_there_is_nothing(filled, capsys):
    out, err = call(capsys, "search", "--limit", "1")
    assert len(out.splitlines()) == 2 and "1 of 3 are listed" in err
    out, _ = call(capsys, "search", "--label", "Rust")
    assert out == "Nothing in the history matches.\n"


def test_a_terminal_is_safe_from_names(filled, capsys):
    out, _ = call(capsys, "search", "--verdict", "SKIPPED")
    assert "\x1b" not in out and "the file is empty" in out


def test_search_as_json(filled, capsys):
    out, _ = call(capsys, "search", "--json", "--model", "ab12ab")
    document = json.loads(out)
    assert document["found"] == 3 and len(document["inspections"]) == 3
    assert {entry["verdict"] for entry in document["inspections"]} == {"OK", "NG", None}


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("--until", "2020-11-23"), {"a.png"}),
        (("--until", "2020-11-23T00:00+00:00"), set()),
        (("--since", "2020-11-23", "--until", "2020-11-24"), {"a.png", "=1+1 轴承.png"}),
        (("--since", "2020-11-24", "--until", "2020-11-24"), {"=1+1 轴承.png"}),
        (("--since", "2020-11-24T08:00:00+00:00", "--until", "2020-11-30"), {"=1+1 轴承.png"}),
    ],
)
def test_days_are_whole_and_local(filled, capsys, words, names):
    # The images lie at 08:00 UTC: the same day in every zone from -08:00 to +15:59.
    document = json.loads(call(capsys, "search", "--json", "--text", "数据", *words)[0])
    assert {entry["name"] for entry in document["inspections"]} == names


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "22.11.2026", "", "2020-11-22T25:00", "0001-01-01x"])
@pytest.mark.parametrize(
    "words", [("search", "--since"), ("export", "--to", "x.csv", "--until"), ("purge", "--before")]
)
def test_a_wrong_date_is_told(capsys, words, text):
    with pytest.raises(InputError, match=f"{words[-1]}: .* is not a date; write it as 2026-11-22"):
        call(capsys, *words, text)


def test_a_wrong_limit_is_told(capsys):
    with pytest.raises(InputError, match="--limit must be a whole number from 1, not 0"):
        call(capsys, "search", "--limit", "0")


def test_show(filled, capsys):
    out, _ = call(capsys, "show", "2")
    for part in ("NG", "count_above Crack: 1 > 0", "30 x 20 px", "best.pt ab12ab12ab12", "confidence 0.25, IoU 0.45"):
        assert part in out
    assert out.splitlines()[-1].split() == ["Crack", "0.900", "1.0", "2.0", "4.0", "6.0", "12", "4.0"]
    record = json.loads(call(capsys, "show", "2", "--json")[0])
    assert record["name"] == "=1+1 轴承.png" and record["detections"][0]["rle"]["size"] == [20, 30]
    out, _ = call(capsys, "show", "3")
    assert "skipped: the file is empty" in out and "None" not in out
    with pytest.raises(InputError, match="no inspection 77"):
        call(capsys, "show", "77")


def test_export_jsonl_holds_whole_records_oldest_first(filled, capsys, tmp_path):
    target = tmp_path / "导出 1.jsonl"
    out, _ = call(capsys, "export", "--to", str(target), "--text", "数据")
    said = "They are 2 of 2 inspections of 1 run: keyword “数据”"
    assert out == f"Inspections written to {target}: 2\n{said}\n"
    records = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
    with History.open() as history:
        assert records == [history.get(1), history.get(2)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [target.name, f"{target.name}.scope.json"]
    scope = json.loads((tmp_path / f"{target.name}.scope.json").read_text("utf-8"))
    assert scope["query"] == {"text": "数据", "selection": False} and scope["complete"] and scope["by"] and scope["at"]
    assert (scope["inspections"], scope["total"], [run["id"] for run in scope["runs"]]) == (2, 2, [1])


def test_export_csv_opens_in_a_spreadsheet(filled, capsys, tmp_path):
    target = tmp_path / "x.CSV"
    document = json.loads(call(capsys, "export", "--to", str(target), "--json")[0])
    scope = document.pop("scope")
    assert document == {"exported": 3, "file": str(target)} and scope["filter"] == "everything in the history"
    assert target.read_bytes().startswith(b"\xef\xbb\xbf")
    with open(target, encoding="utf-8-sig", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert rows["2"]["name"] == "'=1+1 轴承.png" and rows["2"]["largest_px2"] == "12"
    assert rows["2"]["reasons"] == "count_above Crack 1 > 0" and rows["2"]["total_ms"] == "3.0"
    assert rows["3"]["verdict"] == "" and rows["3"]["skipped"] == "the file is empty"


def test_export_of_more_than_a_page(capsys, tmp_path):
    with History.open() as history:
        run = history.begin(Job((Choice("f"),), Choice("m")), MODEL, "t", None, "2020-11-22T08:00:00+00:00")
        for number in range(1201):
            history.add_skipped(run, Skipped(f"{number}.png", "empty"))
    call(capsys, "export", "--to", str(tmp_path / "x.jsonl"))
    lines = (tmp_path / "x.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["name"] for line in lines] == [f"{number}.png" for number in range(1201)]


def test_export_refuses_what_it_cannot_do_and_leaves_nothing(filled, capsys, tmp_path):
    existing = tmp_path / "x.csv"
    existing.write_text("mine")
    for target, message in (
        (tmp_path / "x.pdf", "must end in .jsonl or .csv"),
        (existing, "already exists"),
        (tmp_path / "missing" / "x.csv", "cannot be written"),
    ):
        with pytest.raises(InputError, match=message):
            call(capsys, "export", "--to", str(target))
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"] and existing.read_text() == "mine"


def test_purge_tells_first_and_removes_with_yes(filled, capsys):
    out, _ = call(capsys, "purge", "--before", "2020-11-24")
    assert out == "Inspections older than 2020-11-24 00:00:00: 1. To delete them permanently, add --yes.\n"
    with History.open() as history:
        assert history.count(Query(text="数据")) == 2
    document = json.loads(call(capsys, "purge", "--before", "2020-11-24", "--yes", "--json")[0])
    assert document["count"] == 1 and document["removed"] is True
    with History.open() as history:
        assert [entry.name for entry in history.search(Query(text="数据")).entries] == ["=1+1 轴承.png"]
    assert call(capsys, "purge", "--before", "2020-11-24", "--yes")[0] == "Inspections deleted: 0\n"


@pytest.fixture
def inspected(spots, program, pictures):
    """Five real images in the history, two of them not good."""
    assert program("inspect", pictures, "--model", "spots", "--export", "jsonl,csv")[0] == 0
    return pictures


def test_export_writes_with_exporters_again(inspected, program, home, tmp_path):
    output = tmp_path / "导出 1"
    code, out, err = program("history", "export", "--export", "jsonl, csv,images", "--output", output)
    assert (code, out, err) == (
        0,
        f"Inspections written to {output}: 5\nThey are 5 of 5 inspections of 1 run: everything in the history\n",
        "",
    )
    (original,) = (home / "results").iterdir()
    for name in ("results.jsonl", "defects.csv"):
        assert (output / name).read_bytes() == (original / name).read_bytes()
    assert len(list((output / "images").iterdir())) == 5
    code, out, _ = program("history", "export", "--export", "csv", "--verdict", "NG", "--output", output, "--json")
    document = json.loads(out)
    assert code == 0 and document["exported"] == 2 and document["folder"] == f"{output}-2"
    files = [Path(file).name for file in document["files"]]
    assert files == ["inspections.csv", "defects.csv", "scope.json"]
    scope = document["scope"]
    assert (scope["filter"], scope["inspections"], scope["total"]) == ("verdict NG", 2, 5)
    kept = json.loads((tmp_path / "导出 1-2" / "scope.json").read_text("utf-8"))
    assert kept["filter"] == "verdict NG" and kept["complete"] is False
    with open(document["files"][0], encoding="utf-8-sig", newline="") as file:
        assert [row["Number"] for row in csv.DictReader(file)] == ["2", "4"]


def test_export_names_images_that_are_gone(inspected, program, tmp_path):
    (inspected / "零件 1.png").unlink()
    code, out, err = program("history", "export", "--export", "csv,images", "--output", tmp_path / "out", "--json")
    document = json.loads(out)
    assert code == 1 and document["exported"] == 5 and document["problems"] == []
    (sentence,) = document["missing"]
    assert "零件 1.png no longer exists" in sentence and sentence in err
    assert len(list((tmp_path / "out" / "images").iterdir())) == 4


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--export", "pdf"), "no exporter 'pdf'"),
        (("--export", ""), "no exporter ''"),
        (("--export", "csv", "--label", "Rust"), "Nothing in the history matches"),
        (("--export", "csv", "--to", "x.csv"), "not allowed with"),
        ((), "one of the arguments --to --export is required"),
        (("--to", "x.csv", "--output", "out"), "--output belongs to --export"),
    ],
)
def test_export_refuses_what_makes_no_sense(inspected, program, tmp_path, monkeypatch, words, complaint):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    code, out, err = program("history", "export", *words)
    assert (code, out) == (2, "") and complaint in err
    assert sorted(tmp_path.iterdir()) == before


def test_show_lists_the_events_of_the_run(filled, capsys):
    with History.open() as history:
        run = history.get(1)["run"]
        since, until = "2026-11-30T08:00:00.000+00:00", "2026-11-30T08:00:48.000+00:00"
        history.add_event(run, "source", "cam: the connection was lost; reconnecting", since, until)
    shown = json.loads(call(capsys, "show", "1", "--json")[0])
    assert shown["events"] == [
        {"time": since, "kind": "source", "message": "cam: the connection was lost; reconnecting", "until": until}
    ]
    assert "the connection was lost" in call(capsys, "show", "1")[0]
