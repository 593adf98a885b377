"""``inspect --parts``: images that belong to one part."""

import json
import re

import numpy as np
import pytest
from media import video

from inspector.history import History, Query
from inspector.imaging import write_image


@pytest.fixture
def views(tmp_path):
    """Two views of each part; a defect, a missing view, a surplus one, an unreadable one, a name that does not fit."""
    folder = tmp_path / "views"
    folder.mkdir()
    names = (
        "A1_front",
        "A1_back",
        "A2_front",
        "A3_front",
        "A3_back",
        "A3_side",
        "A4_front",
        "A5_front",
        "A5_back",
        "x",
    )
    for name in names:
        image = np.full((60, 80, 3), 200, np.uint8)
        if name == "A1_back":
            image[20:30, 20:30] = 10
        write_image(folder / f"{name}.png", image)
    (folder / "A4_back.png").write_bytes(b"no image")
    return folder


def lines(folder, name):
    return [json.loads(line) for line in (folder / name).read_text("utf-8").splitlines()]


def test_the_worst_view_decides_and_what_is_missing_is_named(program, spots, views, tmp_path):
    out = tmp_path / "out"
    words = (
        "--parts",
        "{serial}_{view}",
        "--views",
        "front,back",
        "--lot",
        "L7",
        "--operator",
        "Li",
        "--station",
        "S2",
    )
    code, said, err = program("inspect", views, "--model", "spots", *words, "--output", out)
    assert code == 1 and "A4_back.png" in err and "do not fit the pattern" in err
    assert "WARN Part A2, views: front  view back is missing" in said
    assert "Parts: 6. OK: 1, WARN: 4, NG: 1. Images: 10" in said
    parts = {part["id"]: part for part in lines(out, "parts.jsonl")}
    assert {id: part["verdict"] for id, part in parts.items()} == {
        "A1": "NG", "A2": "WARN", "A3": "WARN", "A4": "WARN", "A5": "OK", "x.png": "WARN",
    }  # fmt: skip
    assert list(parts["A5"]) == ["id", "verdict", "reasons", "views", "serial", "lot"]
    assert parts["A5"]["serial"] == "A5" and parts["A5"]["lot"] == "L7" and parts["A5"]["views"] == ["back", "front"]
    assert [reason["code"] for reason in parts["A4"]["reasons"]] == ["view_unreadable"]
    results = lines(out, "results.jsonl")
    assert len(results) == 10
    first = results[0]
    assert first["part"] == {"id": "A1", "view": "back", "views": 2} and first["serial"] == "A1"
    assert (first["lot"], first["operator"], first["station"]) == ("L7", "Li", "S2")
    for line in results:
        assert line["part"]["view"] in parts[line["part"]["id"]]["views"]
    counts = json.loads((out / "run.json").read_text("utf-8"))["counts"]
    assert (counts["parts"], counts["inspected"], counts["skipped"]) == (6, 10, 1)


def test_without_grouping_each_image_is_a_part(program, spots, views, tmp_path):
    program("inspect", views, "--model", "spots", "--output", tmp_path / "out")
    results, parts = lines(tmp_path / "out", "results.jsonl"), lines(tmp_path / "out", "parts.jsonl")
    assert [part["id"] for part in parts] == [line["part"]["id"] for line in results]
    assert [part["views"] for part in parts] == [[line["name"]] for line in results]
    assert [part["verdict"] for part in parts] == [line["verdict"] for line in results]
    assert all(line["part"]["views"] == 1 and line["serial"] is None for line in results)


def test_views_that_were_not_stated_are_counted_in_the_end(program, spots, views, tmp_path):
    program("inspect", views, "--model", "spots", "--parts", "{serial}_{view}", "--output", tmp_path / "out")
    number = {part["id"]: len(part["views"]) for part in lines(tmp_path / "out", "parts.jsonl")}
    assert number["A3"] == 3 and number["A2"] == 1
    for line in lines(tmp_path / "out", "results.jsonl"):
        assert line["part"]["views"] == number[line["part"]["id"]]


def test_an_export_from_the_history_writes_the_same_parts(program, spots, views, tmp_path):
    words = ("--parts", "{serial}_{view}", "--views", "front,back", "--lot", "L7")
    program("inspect", views, "--model", "spots", *words, "--output", tmp_path / "out")
    code, *_ = program("history", "export", "--export", "jsonl", "--output", tmp_path / "again")
    assert code == 0
    assert lines(tmp_path / "again", "parts.jsonl") == lines(tmp_path / "out", "parts.jsonl")
    keys = ("name", "part", "serial", "lot", "operator")
    both = (lines(tmp_path / folder, "results.jsonl") for folder in ("again", "out"))
    again, first = ([{key: line[key] for key in keys} for line in each] for each in both)
    assert again == first


def test_a_recipe_keeps_the_parts(program, spots, views, tmp_path):
    program("inspect", views, "--model", "spots", "--parts", "2", "--output", tmp_path / "out")
    recipe = tmp_path / "out" / "run.json"
    program("inspect", views, "--recipe", recipe, "--output", tmp_path / "again")
    assert lines(tmp_path / "again", "parts.jsonl") == lines(tmp_path / "out", "parts.jsonl")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--parts", "(?P<serial>.+"), r"The pattern '\(\?P<serial>\.\+' cannot be used"),
        (("--parts", "{view}"), "does not say what tells parts apart"),
        (("--parts", "0"), "1 to 100000 images"),
        (("--views", "front"), "need a pattern"),
        (("--parts", "stretch"), "needs a trigger"),
        (("--trigger", "knob"), "is not a trigger"),
        (("--trigger", "key"), "A key triggers a camera only"),
        (("--trigger", "timer:1"), "is a still image"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_and_code_2(program, spots, views, tmp_path, words, said):
    code, out, err = program("inspect", views, "--model", "spots", *words, "--output", tmp_path / "out")
    assert code == 2 and re.search(said, err) and err.count("\n") == 1 and not out
    with History.open() as history:
        assert all(run.counts["inspected"] == 0 for run in history.runs())


def test_a_resumed_run_keeps_its_parts(program, spots, views, tmp_path):
    code, _, err = program("inspect", "--resume", tmp_path, "--parts", "2")
    assert code == 2 and "leave out --parts" in err


def test_show_names_the_part(program, spots, views, tmp_path):
    words = ("--parts", "{serial}_{view}", "--views", "front,back", "--lot", "L7", "--export", "none")
    program("inspect", views, "--model", "spots", *words, "--output", tmp_path / "out")
    with History.open() as history:
        entry = next(entry for entry in history.search(Query()).entries if entry.name == "A2_front.png")
    _, said, _ = program("history", "show", entry.id)
    assert "A2, view front" in said and "WARN; view back is missing" in said and "L7" in said
    _, said, _ = program("history", "show", entry.id, "--json")
    assert json.loads(said)["part_record"]["verdict"] == "WARN"


def test_stretches_of_a_video_are_parts(program, spots, tmp_path):
    clip = video(tmp_path / "line.avi", 30)  # 3 s; the first frames are dark
    code, *_ = program(
        "inspect", clip, "--model", "spots", "--parts", "stretch", "--trigger", "timer:1", "--output", tmp_path / "out"
    )
    parts, results = lines(tmp_path / "out", "parts.jsonl"), lines(tmp_path / "out", "results.jsonl")
    assert code == 0 and [part["id"] for part in parts] == ["1", "2", "3"]
    assert [len(part["views"]) for part in parts] == [10, 10, 10] and parts[1]["views"][0] == "line.avi #10"
    assert [line["part"]["id"] for line in results] == [part["id"] for part in parts for _ in range(10)]
    assert all(line["part"]["views"] == 10 for line in results)
    for part in parts:
        verdicts = {line["verdict"] for line in results if line["part"]["id"] == part["id"]}
        assert part["verdict"] == ("NG" if "NG" in verdicts else "OK")


def test_a_timer_takes_single_frames_of_a_video(program, spots, tmp_path):
    clip = video(tmp_path / "line.avi", 30)
    program("inspect", clip, "--model", "spots", "--trigger", "timer:1", "--output", tmp_path / "out")
    assert [line["index"] for line in lines(tmp_path / "out", "results.jsonl")] == [0, 10, 20]
    assert len(lines(tmp_path / "out", "parts.jsonl")) == 3


def test_all_frames_of_a_video_are_one_view_of_a_pattern(program, spots, tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    for name in ("A_front", "A_back", "B_front"):
        video(folder / f"{name}.avi", 3)
    words = ("--parts", "{serial}_{view}", "--views", "front,back")
    program("inspect", folder, "--model", "spots", *words, "--output", tmp_path / "out")
    parts = {part["id"]: part for part in lines(tmp_path / "out", "parts.jsonl")}
    assert sorted(parts["A"]["views"]) == ["back", "front"] and parts["B"]["views"] == ["front"]
    assert "view_missing" in [reason["code"] for reason in parts["B"]["reasons"]]


def test_the_json_document_has_the_parts(program, spots, views, tmp_path):
    _, said, _ = program(
        "inspect", views, "--model", "spots", "--parts", "{serial}_*", "--json", "--output", tmp_path / "out"
    )
    document = json.loads(said)
    assert document["parts"] == lines(tmp_path / "out", "parts.jsonl") and document["counts"]["parts"] == 6
