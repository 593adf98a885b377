"""Rules on the command line: versions, templates, millimetres and what a result then says."""

import json

import pytest

from inspector.domain import TEMPLATES


@pytest.fixture
def inspect(spots, pictures, tmp_path, program):
    """Inspect the pictures by rules; returns the code, the lines of results.jsonl and stderr."""
    output = tmp_path / "out"

    def run(rules, *flags):
        file = rules
        if not isinstance(rules, str):
            file = tmp_path / "rules.json"
            file.write_text(json.dumps(rules), encoding="utf-8")
        command = ("inspect", str(pictures), "--model", "spots", "--export", "jsonl", "--quiet", "--rules", str(file))
        code, _, err = program(*command, "--output", str(output), *flags)
        results = output / "results.jsonl"
        lines = [json.loads(line) for line in results.read_text("utf-8").splitlines()] if results.exists() else []
        return code, lines, err

    run.output = output
    return run


def test_limits_in_millimetres_say_how_close_they_were(home, inspect):
    code, lines, err = inspect({"version": 2, "classes": {"Dark": {"area_mm2": {"ng": 0.98}}}}, "--mm-per-pixel", "0.1")
    assert code == 0, err
    (reason,) = lines[1]["reasons"]
    assert lines[1]["verdict"] == "NG" and reason["code"] == "area_above" and reason["unit"] == "mm2"
    (found,) = lines[1]["detections"]
    assert reason["value"] == found["area_mm2"] and reason["within_uncertainty"] is True
    assert reason["uncertainty"] == pytest.approx(2 * found["area_mm2_u"])


def test_limits_in_millimetres_without_calibration_are_refused_before_the_run(home, inspect):
    code, lines, err = inspect({"version": 2, "classes": {"Dark": {"length_mm": {"ng": 1}}}})
    assert code == 2 and not lines and not inspect.output.exists()
    assert "length_mm in millimetres" in err and "--mm-per-pixel" in err and err.count("\n") == 1


def test_a_defect_below_the_threshold_of_its_class_is_kept_and_does_not_count(home, inspect):
    code, lines, _ = inspect({"version": 2, "classes": {"*": {"count": {"ng": 0}}}, "confidence": {"Dark": 1.0}})
    assert code == 0 and lines[1]["verdict"] == "OK" and lines[1]["reasons"] == []
    assert [found["label"] for found in lines[1]["detections"]] == ["Dark"]


def test_a_template_is_named_instead_of_a_file(home, inspect):
    code, lines, err = inspect("iso15243")
    assert code == 0, err
    assert lines[1]["verdict"] == "NG"  # no class of the template
    run = json.loads((inspect.output / "run.json").read_text("utf-8"))
    assert run["job"]["rules"]["template"] == "iso15243" and run["rules_sha256"] == lines[0]["rules_sha256"]


def test_templates_are_listed_explained_and_saved(home, program, tmp_path):
    code, out, _ = program("rules", "--json")
    listed = {each["id"]: each for each in json.loads(out)["templates"]}
    assert code == 0 and set(listed) == set(TEMPLATES) == {"iso15243", "manufacturing"}
    assert {"key": "scratch", "en": "scratch", "zh": "划伤", "found": "ng"} in listed["manufacturing"]["classes"]
    code, out, _ = program("rules")
    assert code == 0 and "划伤" in out and "scratch" in out
    file = tmp_path / "mine.json"
    code, out, _ = program("rules", "manufacturing", "--output", str(file))
    assert code == 0 and "scratch: count: NG > 0" in out
    code, out, _ = program("rules", str(file), "--json")
    saved = json.loads(out)
    assert code == 0 and saved["rules"]["version"] == 2 and saved["rules"]["name"] == "mine"
    assert program("rules", "manufacturing", "--output", str(file))[0] == 2
    code, _, err = program("rules", "din")
    assert code == 2 and "din" in err
    assert program("rules", "--output", str(tmp_path / "x.json"))[0] == 2


def test_the_history_writes_a_minimum_with_its_own_sign(home, inspect, program, tmp_path):
    code, _, err = inspect(
        {"version": 2, "classes": {"Dark": {"area_mm2": {"ng": 1.01}}}},
        "--mm-per-pixel",
        "0.1",
    )
    assert code == 0, err
    file = tmp_path / "all.csv"
    assert program("history", "export", "--to", str(file))[0] == 0
    assert "area_near Dark 1 ≈ 1.01" in file.read_text("utf-8-sig")
