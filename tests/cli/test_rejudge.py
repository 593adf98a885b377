"""``rejudge`` and ``history exclude``: other rules for a finished run, beside the verdicts that it had."""

import json
import sqlite3

import numpy as np
import pytest

from inspector.history import Query
from inspector.history.statistics import Analysis
from inspector.imaging import write_image
from inspector.system.paths import history_file


@pytest.fixture
def finished(home, spots, tmp_path, program):
    """A run by "any defect is NG" of parts with spots of 0, 100 and 400 px²; its results folder."""
    images = tmp_path / "images"
    images.mkdir()
    for name, side in (("clean", 0), ("small", 10), ("large", 20)):
        image = np.full((120, 120, 3), 200, np.uint8)
        image[40 : 40 + side, 40 : 40 + side] = 10
        write_image(images / f"{name}.png", image)
    output = tmp_path / "out"
    flags = ("--model", "spots", "--mm-per-pixel", "0.1", "--export", "jsonl", "--quiet")
    code, _, err = program("inspect", str(images), *flags, "--output", str(output))
    assert code == 0, err
    return output


@pytest.fixture
def rules(tmp_path):
    def write(**document):
        file = tmp_path / "other.json"
        file.write_text(json.dumps({"version": 2, **document}), encoding="utf-8")
        return str(file)

    return write


def judgements():
    with sqlite3.connect(history_file()) as connection:
        return connection.execute("SELECT count(*) FROM judgement").fetchone()[0]


LARGE = {"classes": {"Dark": {"area_mm2": {"warn": 2, "ng": 3}}}}


def test_a_preview_names_exactly_the_images_that_change(finished, rules, program):
    code, out, err = program("rejudge", str(finished), "--rules", rules(**LARGE), "--dry-run", "--json")
    assert code == 0, err
    preview = json.loads(out)
    assert preview["changes"] == [{"from": "NG", "to": "OK", "parts": 1}] and preview["judgement"] is None
    assert [(part["images"], part["from"], part["to"]) for part in preview["changed"]] == [(["small.png"], "NG", "OK")]
    assert preview["counts"] == {"OK": 2, "WARN": 0, "NG": 1} and preview["parts"] == 3
    assert judgements() == 0
    code, out, _ = program("rejudge", str(finished), "--rules", rules(**LARGE), "--dry-run")
    assert out.splitlines()[:2] == ["1 part NG -> OK (of 3 parts)", "NG -> OK  small.png"]


def test_a_judgement_is_kept_beside_the_earlier_verdict(finished, rules, program):
    before = (finished / "results.jsonl").read_bytes()
    code, out, _ = program("rejudge", "1", "--rules", rules(**LARGE), "--operator", "Li Wei", "--json")
    kept = json.loads(out)
    assert code == 0 and kept["judgement"] == 1 and kept["by"] == "Li Wei" and judgements() == 1
    assert (finished / "results.jsonl").read_bytes() == before
    found = json.loads(program("history", "search", "--file", "small.png", "--json")[1])["inspections"]
    shown = json.loads(program("history", "show", str(found[0]["id"]), "--json")[1])
    assert shown["verdict"] == "NG" and shown["rules_sha256"] != kept["rules"]["sha256"]
    (judged,) = shown["judgements"]
    assert (judged["verdict"], judged["part_verdict"], judged["by"]) == ("OK", "OK", "Li Wei")
    assert judged["rules"] == "other" and judged["rules_sha256"] == kept["rules"]["sha256"] and judged["time"]
    text = program("history", "show", str(found[0]["id"]))[1]
    assert "Judged again" in text and "Li Wei" in text


def test_the_worst_view_of_a_part_decides_again(home, spots, rules, tmp_path, program):
    images = tmp_path / "images"
    images.mkdir()
    for name, side in (("a_1", 0), ("a_2", 10), ("b_1", 0), ("b_2", 20), ("c_1", 10)):
        image = np.full((120, 120, 3), 200, np.uint8)
        image[40 : 40 + side, 40 : 40 + side] = 10
        write_image(images / f"{name}.png", image)
    flags = ("--model", "spots", "--parts", "{part}_{view}", "--views", "1,2", "--export", "jsonl", "--quiet")
    assert program("inspect", str(images), *flags, "--output", str(tmp_path / "out"))[0] == 0
    file = rules(classes={"Dark": {"area_px": {"ng": 200}}})
    preview = json.loads(program("rejudge", str(tmp_path / "out"), "--rules", file, "--json")[1])
    changed = [(part["part"], part["images"], part["from"], part["to"]) for part in preview["changed"]]
    assert changed == [("a", ["a_1.png", "a_2.png"], "NG", "OK"), ("c", ["c_1.png"], "NG", "WARN")]
    assert [reason["code"] for reason in preview["changed"][1]["reasons"]] == ["view_missing"]
    found = json.loads(program("history", "search", "--file", "b_1.png", "--json")[1])["inspections"]
    (judged,) = json.loads(program("history", "show", str(found[0]["id"]), "--json")[1])["judgements"]
    assert (judged["verdict"], judged["part_verdict"]) == ("OK", "NG")


@pytest.mark.parametrize(
    ("run", "document", "named"),
    [
        ("7", LARGE, "no run 7"),
        ("nowhere", LARGE, "nowhere"),
        ("1", {"classes": {"Light": {}}}, "'Light'"),
        ("1", {"classes": {"Dark": {"size": {"ng": 1}}}}, "'size'"),
        ("1", {"regions": {"raceway": {"all": {"count": {"ng": 0}}}}}, "'raceway'"),
    ],
)
def test_bad_input_writes_nothing(finished, rules, program, run, document, named):
    code, _, err = program("rejudge", run, "--rules", rules(**document))
    assert code == 2 and named in err and err.count("\n") == 1
    assert judgements() == 0


def test_millimetres_need_the_calibration_of_the_run(home, spots, pictures, rules, tmp_path, program):
    assert program("inspect", str(pictures), "--model", "spots", "--quiet", "--output", str(tmp_path / "out"))[0] == 0
    code, _, err = program("rejudge", "1", "--rules", rules(**LARGE))
    assert code == 2 and "millimetres" in err


def test_measures_that_were_not_recorded_are_not_taken_as_met(finished, rules, program):
    with sqlite3.connect(history_file()) as connection:
        connection.execute("UPDATE detection SET width_px = NULL")
    code, _, err = program("rejudge", "1", "--rules", rules(classes={"Dark": {"width_px": {"ng": 1}}}))
    assert code == 2 and "did not measure width_px" in err and judgements() == 0


def test_a_run_that_is_left_out_counts_in_no_statistics(finished, program):
    with Analysis() as analysis:
        assert (analysis.tally(Query()).inspected, analysis.statistics(Query()).defects) == (3, 2)
    code, out, _ = program("history", "exclude", "1", "--reason", "trial", "--operator", "Li Wei", "--json")
    assert code == 0 and json.loads(out)["excluded"]["reason"] == "trial"
    with Analysis() as analysis:
        assert (analysis.tally(Query()).inspected, analysis.statistics(Query()).defects) == (0, 0)
        assert analysis.tally(Query(run=1)).inspected == 3  # asked for by its number
    assert json.loads(program("history", "search", "--json")[1])["found"] == 3
    assert "left out on" in program("history", "show", "1")[1]
    assert program("history", "include", "1")[0] == 0
    with Analysis() as analysis:
        assert analysis.tally(Query()).inspected == 3
    code, _, err = program("history", "exclude", "9")
    assert code == 2 and "no run 9" in err
