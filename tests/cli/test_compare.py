"""The command ``compare``: rule files, models and recipes on the sample images, whose truth is known."""

import csv
import json
import re
import shlex
import shutil
from pathlib import Path

import cv2
import openpyxl
import pytest

from inspector.api import read_image

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_data"
TRUTH = {
    name: bool(row["painted"])
    for name, row in json.loads((SAMPLES / "expected.json").read_text("utf-8"))["pictures"].items()
}
VERDICTS = {
    name: row["verdict"] for name, row in json.loads((SAMPLES / "expected.json").read_text("utf-8"))["pictures"].items()
}


@pytest.fixture
def folder(home, tmp_path, monkeypatch):
    """A folder with the sample images, labels of what was painted into them, and two rule files; the current one."""
    shutil.copytree(SAMPLES, tmp_path / "here" / "sample_data", ignore=shutil.ignore_patterns("*.mp4", "make.py"))
    here = tmp_path / "here"
    (here / "strict.json").write_text('{"classes": {"*": {"count": {"ng": 0}}}}')
    (here / "loose.json").write_text('{"classes": {"*": {"area_px": {"warn": 200, "ng": 4000}}}}')
    for kind in ("images", "labels"):
        (here / "labels" / kind / "val").mkdir(parents=True)
    for name, defective in TRUTH.items():
        shutil.copy(SAMPLES / name, here / "labels" / "images" / "val" / name)
        line = "0 0.4 0.4 0.6 0.4 0.6 0.6 0.4 0.6\n" if defective else ""
        (here / "labels" / "labels" / "val" / name).with_suffix(".txt").write_text(line)
    (here / "labels" / "data.yaml").write_text("path: .\nval: images/val\nnames: [Defect]\n")
    monkeypatch.chdir(here)
    return here


@pytest.mark.slow
def test_the_commands_of_the_docs(program, folder):
    commands = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "compare.md").read_text("utf-8"), re.DOTALL)[0]
    for command in commands.splitlines():
        code, out, error = program(*shlex.split(command)[1:])
        assert code == 0, error
        assert "parts differ" in out
    assert "escapes" in out


def test_rule_files_need_one_inference(program, folder):
    code, out, error = program(
        "compare", "strict.json", "loose.json", "--source", "sample_data", "--output", "out", "--json"
    )
    assert code == 0, error
    said = json.loads(out)
    assert said["counts"]["inferences"] == said["counts"]["images"] == said["counts"]["parts"] == 10
    assert (said["a"]["kind"], said["b"]["kind"]) == ("rules", "rules") and said["a"]["quality"] is None
    parts = {part["id"]: part for part in said["parts"]}
    assert {name: part["a"]["verdict"] for name, part in parts.items()} == VERDICTS, "strict: any defect is NG"
    assert not any(part["a"]["only"] or part["b"]["only"] for part in said["parts"])
    changed = [part for part in said["parts"] if part["a"]["verdict"] != part["b"]["verdict"]]
    assert changed and said["counts"]["differing"] == len(changed) == sum(said["counts"]["verdicts"].values())
    for part in said["parts"]:
        assert part["differs"] is (part in changed) and len(part["files"]) == part["differs"]
        for file in part["files"]:
            image, _ = read_image(Path("out") / file)
            single, _ = read_image(Path("sample_data") / part["id"])
            assert image.shape == (single.shape[0], 2 * single.shape[1] + 8, 3)
            assert cv2.absdiff(image[:, : single.shape[1]], image[:, single.shape[1] + 8 :]).max() > 100
    with open("out/comparison.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["part"], row["verdict A"], row["verdict B"]) for row in rows] == [
        (part["id"], part["a"]["verdict"], part["b"]["verdict"]) for part in said["parts"]
    ]
    book = openpyxl.load_workbook("out/comparison.xlsx")
    assert book["Parts"].max_row == 11 and book["Summary"]["B2"].value == "strict.json"
    assert json.loads(Path("out/comparison.json").read_text("utf-8")) == {
        key: value for key, value in said.items() if key != "output"
    }


@pytest.mark.slow
def test_labels_give_quality_and_the_best_threshold(program, folder):
    code, out, error = program(
        "compare", "strict.json", "loose.json", "--data", "labels/data.yaml", "--output", "out", "--json"
    )
    assert code == 0, error
    said = json.loads(out)
    for side in "ab":
        judged = {part["id"]: part[side]["verdict"] == "NG" for part in said["parts"]}
        both = [(TRUTH[name], rejected) for name, rejected in judged.items()]
        quality = said[side]["quality"]
        assert quality["parts"] == 10 and quality["escapes"] == both.count((True, False))
        assert quality["false_alarms"] == both.count((False, True))
        assert quality["recall"] == pytest.approx(both.count((True, True)) / 6)
    assert said["a"]["quality"]["false_alarms"] == 1, "good-04 is NG for the bundled model, see expected.json"
    assert {part["id"]: part["defective"] for part in said["parts"]} == TRUTH
    best = said["a"]["best_confidence"]
    costs = {}
    for threshold in (0.05, 0.25, 0.5, 0.75, 0.95, best["confidence"]):
        own = json.loads(
            program("compare", "strict.json", "strict.json", "--data", "labels/data.yaml", "--json", "--conf",
                    threshold, "--output", f"at {threshold}")[1]
        )["a"]["quality"]  # fmt: skip
        costs[threshold] = 10 * own["escapes"] + own["false_alarms"]
        if threshold == best["confidence"]:
            assert own == {key: value for key, value in best.items() if key != "confidence"}
    assert costs[best["confidence"]] == min(costs.values())


@pytest.mark.slow
def test_recipes_and_models_with_other_thresholds(program, folder):
    assert (
        program("inspect", "sample_data/good-04.jpg", "--conf", "0.95", "--output", "run", "--export", "none")[0] == 0
    )
    assert program("recipes", "import", "run/run.json", "--name", "shy")[0] == 0
    source = ("--source", "sample_data/defect-05.jpg", "sample_data/good-01.jpg", "--json")
    code, out, error = program("compare", "bearing-yolo11n-seg", "shy", *source, "--output", "out")
    assert code == 0, error
    said = json.loads(out)
    assert (said["a"]["kind"], said["b"]["kind"], said["b"]["confidence"]) == ("model", "recipe", 0.95)
    part = said["parts"][0]
    assert part["a"]["detections"] >= 1 and part["a"]["only"] == part["a"]["detections"] - part["b"]["detections"]
    assert said["counts"]["inferences"] == 4
    assert program("recipes", "lock", "shy", "--by", "Li")[0] == 0
    code, _, error = program("compare", "bearing-yolo11n-seg", "shy", *source, "--conf", "0.2", "--output", "no")
    assert code == 2 and "locked by Li" in error and not Path("no").exists()


def test_an_unreadable_image_is_one_part_failed(program, folder):
    (folder / "sample_data" / "bad.jpg").write_bytes(b"\xff\xd8no")
    words = ("strict.json", "loose.json", "--source", "sample_data/bad.jpg", "sample_data/good-01.jpg")
    code, out, error = program("compare", *words, "--output", "out", "--json")
    assert code == 1 and "bad.jpg" in error
    said = json.loads(out)
    assert said["counts"]["unreadable"] == 1 and [part["id"] for part in said["parts"]] == ["good-01.jpg"]


@pytest.mark.slow
def test_parts_of_several_images_are_compared_as_parts(program, folder):
    code, _, error = program("inspect", "sample_data/*.jpg", "--parts", "2", "--output", "run", "--export", "none")
    assert code == 0, error
    code, out, error = program("compare", "run/run.json", "loose.json", "--output", "out", "--json")
    assert code == 0, error
    said = json.loads(out)
    assert len(said["parts"]) == 5 and all(len(part["images"]) == 2 for part in said["parts"])
    for part in said["parts"]:
        worst = "NG" if any(VERDICTS[name] == "NG" for name in part["images"]) else "OK"
        assert part["a"]["verdict"] == worst


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["strict.json", "nix.pt", "--source", "sample_data"], "nix.pt"),
        (["strict.json", "loose.json"], "no images to compare on"),
        (["strict.json", "loose.json", "--source", "nowhere"], "nowhere"),
        (["strict.json", "loose.json", "--source", "camera:0"], "needs images or videos"),
        (["strict.json", "loose.json", "--source", "sample_data", "--output", "sample_data"], "exists already"),
        (["strict.json", "loose.json", "--source", "sample_data", "--escape-cost", "0"], "above 0"),
        (["strict.json", "wrong.json", "--source", "sample_data"], "Nix"),
        (["strict.json", "loose.json", "--data", "nix.yaml"], "nix.yaml"),
    ],
)
def test_wrong_input_is_a_sentence_and_writes_nothing(program, folder, words, said):
    (folder / "wrong.json").write_text('{"classes": {"Nix": {"count": {"ng": 0}}}}')
    before = set(folder.rglob("*"))
    code, out, error = program("compare", *words)
    assert code == 2 and said in error and not out and error.count("\n") == 1
    assert set(folder.rglob("*")) == before
