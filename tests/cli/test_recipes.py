"""The command ``recipes``, ``inspect --recipe``, and the walk of docs/recipes.md."""

import csv
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from inspector.system.paths import HOME_VARIABLE

ROOT = Path(__file__).parents[2]


@pytest.fixture
def recipe(program, spots, pictures, tmp_path):
    """A run of five images as recipe 6205."""
    code, _, error = program("inspect", pictures, "--export", "jsonl,csv", "--output", tmp_path / "trial", "--quiet",
                             "--model", "spots", "--conf", "0.3")  # fmt: skip
    assert code == 0, error
    assert program("recipes", "import", tmp_path / "trial" / "run.json", "--name", "6205", "--author", "Li")[0] == 0
    return "6205"


@pytest.mark.slow
def test_the_walk_of_the_docs(program, home, tmp_path, monkeypatch):
    folder = tmp_path / "station"
    shutil.copytree(ROOT / "sample_data", folder / "sample_data", ignore=shutil.ignore_patterns("*.mp4", "make.py"))
    monkeypatch.chdir(folder)
    walk = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "recipes.md").read_text("utf-8"), re.DOTALL)
    commands = walk[0].splitlines()
    assert len(commands) == 8
    said = {}
    for command in commands:
        words = shlex.split(command)
        assert words[0] == "bearing-inspector"
        code, out, error = program(*words[1:])
        assert code == 0, f"{command}: {error}"
        said[command] = out
    results = [json.loads(line) for line in (folder / "judged" / "results.jsonl").read_text("utf-8").splitlines()]
    shown = json.loads(program("recipes", "show", "6205", "--json")[1])
    assert len(results) == 4 and shown["locked"]["by"] == "Wang Fang" and shown["author"] == "Li Wei"
    for result in results:
        assert result["recipe"] == {key: shown[key] for key in ("name", "version", "sha256")}
    with open(folder / "judged" / "inspections.csv", encoding="utf-8-sig", newline="") as file:
        assert {row["Recipe"] for row in csv.DictReader(file)} == {"6205 v1"}
    assert "Wang Fang" in said["bearing-inspector recipes list"]
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "other computer"))
    assert program("recipes", "import", "6205.bearing")[0] == 0
    there = json.loads(program("recipes", "list", "--json")[1])
    assert [(row["name"], row["sha256"], row["problem"]) for row in there] == [("6205", shown["sha256"], None)]
    assert Path(there[0]["job"]["weights"]).is_relative_to(tmp_path / "other computer")
    code, _, error = program("inspect", "sample_data/good-01.jpg", "--recipe", "6205", "--conf", "0.5")
    assert code == 2 and "locked by Wang Fang, so confidence cannot be changed" in error and "recipes unlock" in error
    assert error.count("\n") == 1


def test_a_locked_recipe_keeps_its_limits(program, recipe, pictures, tmp_path):
    assert program("recipes", "lock", recipe, "--by", "Wang")[0] == 0
    rules = tmp_path / "loose.json"
    rules.write_text('{"classes": {"*": {"count": {"ng": 99}}}}')
    for flags, changed in (
        (["--conf", "0.9"], "confidence"),
        (["--iou", "0.9"], "iou"),
        (["--rules", rules], "rules"),
        (["--mm-per-pixel", "0.1"], "calibration"),
        (["--parts", "2"], "parts"),
    ):
        code, out, error = program("inspect", "--recipe", recipe, "--output", tmp_path / "out", *flags)
        assert code == 2 and f"so {changed} cannot be changed" in error and not out and not (tmp_path / "out").exists()
    code, _, error = program("inspect", pictures, "--recipe", recipe, "--output", tmp_path / "out", "--lot", "L7")
    assert code == 0, error
    assert program("recipes", "unlock", recipe, "--by", "Li")[0] == 0
    assert program("inspect", "--recipe", recipe, "--output", tmp_path / "free", "--conf", "0.9")[0] == 0


def test_images_of_another_size_are_reported_once(program, recipe, pictures, tmp_path):
    image = next(iter(sorted((ROOT / "sample_data").glob("*.jpg"))))
    run = tmp_path / "trial" / "run.json"
    assert program("recipes", "import", run, "--name", recipe, "--image", image)[0] == 0
    code, _, error = program("inspect", "--recipe", recipe, "--output", tmp_path / "out")
    assert code in (0, 1) and error.count("was made with images of 640x640 pixels") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "nix"], "'nix' does not exist"),
        (["lock", "6205", "--by", " "], "name of who"),
        (["unlock", "6205", "--by", "Li"], "is not locked"),
        (["import", "nix.bearing"], "does not exist"),
        (["import", "x.bearing", "--author", "Li"], "belong to --name"),
        (["export", "6205", "."], "exists already"),
    ],
)
def test_wrong_input_is_a_sentence(program, recipe, words, said):
    code, out, error = program("recipes", *words)
    assert code == 2 and said in error and not out and error.count("\n") == 1


def test_a_missing_model_is_named(program, spots, pictures, tmp_path, home):
    file = tmp_path / "gone.bearing"
    job = {"sources": [], "model": {"id": "yolo11"}, "weights": str(tmp_path / "gone.pt")}
    file.write_text(
        json.dumps({"recipe": {"name": "gone"}, "model": {"file": "gone.pt", "sha256": "ab" * 32}, "job": job})
    )
    assert program("recipes", "import", file)[0] == 0
    assert "put it back" in json.loads(program("recipes", "list", "--json")[1])[0]["problem"]
    for words in (["inspect", "--recipe", "gone", pictures], ["recipes", "export", "gone", tmp_path / "out.bearing"]):
        code, _, error = program(*words)
        assert code == 2 and "put it back" in error and not (tmp_path / "out.bearing").exists()
