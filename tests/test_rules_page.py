"""docs/rules.md: its walk is run, its example read, and its definition of a verdict followed by another program."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from inspector import cli
from inspector.domain import MEASURES, TEMPLATES, Detection, Frame, Inspection, Mask, ModelInfo, Rules, judge
from inspector.domain.calibration import Calibration
from inspector.measure import measure

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "rules.md").read_text("utf-8")
SCRIPT = Path(__file__).with_name("judge_again.py")
CALIBRATION = Calibration(0.05, 0.01)


def judged_elsewhere(rules: Path, results: Path) -> list[dict]:
    """Verdicts and reasons by the script, which runs where the program cannot be imported."""
    command = [sys.executable, "-I", "-S", str(SCRIPT), str(rules), str(results)]
    ended = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    return [json.loads(line) for line in ended.stdout.splitlines()]


def reduced(record: dict) -> dict:
    """A line of results.jsonl in the form of the script's output."""
    reasons = [
        [r["code"], r["label"], r.get("region"), r["value"], r["limit"], r.get("within_uncertainty", False)]
        for r in record["reasons"]
    ]
    return {"verdict": record["verdict"], "reasons": sorted(reasons, key=lambda r: str(tuple(r)))}


def test_the_example_is_read_and_every_measure_and_template_is_listed():
    (example, *_) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert Rules.from_json(json.loads(example)).measures()
    listed = set(re.findall(r"`([a-z0-9_]+)`", TEXT.split("## Measures")[1].split("\n\n[")[0]))
    assert set(MEASURES) <= listed and all(f"| `{id}` |" in TEXT for id in TEMPLATES)


def test_the_script_uses_none_of_the_program():
    assert re.findall(r"^(?:import|from) (\w+)", SCRIPT.read_text("utf-8"), re.MULTILINE) == ["json", "sys"]


@pytest.mark.slow
def test_the_walk_runs_as_it_is_printed(home, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data", target_is_directory=True)
    walk = TEXT.split("## A walk")[1]
    names = iter(("line.json", "customer.json"))
    printed = []
    for kind, block in re.findall(r"```(json|sh|text)\n(.*?)```", walk, re.DOTALL):
        if kind == "json":
            (tmp_path / next(names)).write_text(block, encoding="utf-8")
        elif kind == "sh":
            printed = []
            for line in block.splitlines():
                program, *arguments = shlex.split(line)
                assert program == "bearing-inspector" and cli.main(arguments) == 0, line
                printed += capsys.readouterr().out.splitlines()
        else:
            assert [line for line in block.splitlines() if line not in printed] == []
    assert any("Li Wei" in line for line in printed)
    lines = (tmp_path / "results" / "results.jsonl").read_text("utf-8").splitlines()
    expected = judged_elsewhere(tmp_path / "line.json", tmp_path / "results" / "results.jsonl")
    assert len(lines) == 10 and [reduced(json.loads(line)) for line in lines] == expected


def test_many_results_are_judged_alike_by_the_script(tmp_path):
    """Random masks in and outside of two regions, by random rules over every measure."""
    dice = np.random.default_rng(18)
    model = ModelInfo("m", "", "", ("a", "b", "c"))
    images = [_image(dice) for _ in range(60)]
    statuses = []
    for turn in range(12):
        document = _rules(dice)
        rules = Rules.from_json(document)
        records = []
        for frame, found in images:
            verdict = judge(found, rules, CALIBRATION)
            records.append(Inspection(frame, found, verdict, model, calibration=CALIBRATION).record())
        rule_file, results = tmp_path / f"{turn}.json", tmp_path / f"{turn}.jsonl"
        rule_file.write_text(json.dumps(document), encoding="utf-8")
        results.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        for mine, theirs in zip(map(reduced, records), judged_elsewhere(rule_file, results), strict=True):
            assert mine["verdict"] == theirs["verdict"]
            for one, other in zip(mine["reasons"], theirs["reasons"], strict=True):
                assert one[:3] + one[4:] == other[:3] + other[4:] and one[3] == pytest.approx(other[3])
            statuses.append(mine["verdict"])
    assert all(statuses.count(status) > 20 for status in ("OK", "WARN", "NG"))


def _image(dice):
    found = []
    for _ in range(dice.integers(0, 5)):
        height, width = dice.integers(3, 40, 2)
        x, y = dice.integers(0, 150, 2)
        pixels = np.ones((height, width), bool)
        region = (None, "raceway", "rib")[dice.integers(3)]
        box = (float(x), float(y), float(x + width), float(y + height))
        score = float(np.round(dice.uniform(0.2, 1), 3))
        label = "abc"[dice.integers(3)]
        found.append(Detection(label, score, box, Mask(int(x), int(y), pixels), region=region))
    return Frame(np.zeros((200, 200, 3), np.uint8), 0, "a.png"), measure(found)


def _rules(dice):
    typical = {"count": 2, "score": 0.8, "area": 800, "nearest": 30, "perimeter": 80}

    def row():
        limits = {}
        for name in dice.choice(list(MEASURES), dice.integers(0, 4), replace=False):
            each = MEASURES[name]
            middle = typical.get(each.quantity, 30) * {"mm": 0.05, "mm2": 0.0025}.get(each.unit, 1)
            low, high = sorted(float(middle * share) for share in dice.uniform(0.4, 1.2, 2))
            limits[str(name)] = {"warn": high, "ng": low} if each.minimum else {"warn": low, "ng": high}
        return limits

    rows = {label: row() for label in ("a", "b", "*") if dice.random() < 0.8}
    document = {"version": 2, "classes": rows, "all": row(), "unnamed": ("ok", "warn", "ng")[dice.integers(3)]}
    document["regions"] = {"raceway": {"classes": {"a": row(), "*": row()}, "all": row()}}
    document["confidence"] = {"a": 0.5, "*": 0.3}
    return document
