"""Measuring a model from the command line."""

import json

import pytest

from inspector.datasets.synthetic import synthesize

MODEL = "bearing-yolo11n-seg"


pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """``data.yaml`` of ten synthetic images, two of them for validation."""
    folder = tmp_path_factory.mktemp("验证 集") / "set"
    synthesize(folder, count=10, seed=3, size=160)
    return folder / "data.yaml"


@pytest.fixture
def no_curves(monkeypatch):
    """They take seconds to draw."""
    from inspector_plugins.yolo11.evaluation import evaluate

    monkeypatch.setattr(evaluate._Validator, "get_stats", evaluate.SegmentationValidator.get_stats)


@pytest.mark.slow
def test_figures_and_curves_lie_in_a_new_folder(program, data, home):
    words = ("--split", "train", "--imgsz", 160, "--device", "cpu", "--batch", 4)
    code, out, err = program("validate", "--model", MODEL, "--data", data, *words, "--json")
    assert code == 0, err
    document = json.loads(out)
    (folder,) = (home / "results").iterdir()
    assert document["output"] == str(folder) and folder.name.endswith("validate bearing-yolo11n-seg")
    assert json.loads((folder / "validation.json").read_text("utf-8")) == document
    assert {file.name for file in folder.iterdir()} == {*document["files"], "validation.json"}
    assert {"MaskPR_curve.png", "confusion_matrix.png"} <= set(document["files"])
    assert (document["split"], document["imgsz"], document["batch"]) == ("train", 160, 4)
    assert document["all"]["pictures"] == 8
    assert list(document["all"]["mask"]) == ["precision", "recall", "mAP50", "mAP50-95"]


def test_a_table_for_people_and_what_was_left_out(program, data, tmp_path, no_curves):
    folder = data.parent / "images" / "val"
    (folder / "坏.jpg").write_bytes(b"no picture")
    try:
        code, out, err = program("validate", "--model", MODEL, "--data", data, "--output", tmp_path / "new")
    finally:
        (folder / "坏.jpg").unlink()
    lines = out.splitlines()
    assert code == 1 and "Left out: unreadable picture: " in err and "坏.jpg" in err
    assert lines[0].split()[:3] == ["Class", "Images", "Defects"] and lines[-1] == f"Saved in {tmp_path / 'new'}"
    assert [line.split()[0] for line in lines[1:3]] == ["all", "Defect"]


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["--model", "nix.pt"], "'nix.pt' does not exist; give a file such as best.pt, or bearing-yolo11n-seg"),
        (["--model", "data.yaml"], "data.yaml is not a supported model file"),
        (["--model", MODEL, "--data", "nix.yaml"], "nix.yaml does not exist"),
        (["--model", MODEL, "--split", "all"], "--split: 'all' is not one of train, val, test"),
        (["--model", MODEL, "--conf", "2"], "--conf: '2' is outside the range"),
        (["--model", MODEL, "--device", "potato"], "'potato'"),
        ([], "--model"),
    ],
)
def test_bad_input_is_one_sentence(program, data, tmp_path, monkeypatch, words, complaint):
    monkeypatch.chdir(data.parent)
    refused(program("validate", "--data", data, "--output", tmp_path / "out", *words), complaint, tmp_path / "out")


def test_a_model_of_other_classes_is_one_sentence(program, data, tmp_path):
    other = data.with_name("other.yaml")
    other.write_text(data.read_text("utf-8").replace("Defect", "划痕"), "utf-8")
    result = program("validate", "--model", MODEL, "--data", other, "--output", tmp_path / "out")
    refused(result, "has the class 'Defect', but", tmp_path / "out")


def test_a_folder_with_something_in_it_is_left_alone(program, data, pictures):
    before = sorted(pictures.iterdir())
    code, out, err = program("validate", "--model", MODEL, "--data", data, "--output", pictures)
    assert (code, out, err.count("\n")) == (2, "", 1) and "name a new folder" in err
    assert sorted(pictures.iterdir()) == before


def test_a_model_that_cannot_be_measured_is_one_sentence(program, spots, data):
    code, out, err = program("validate", "--model", "spots", "--data", data)
    assert (code, out, err.count("\n")) == (2, "", 1) and "has no weights file" in err, err


def refused(result, complaint: str, output) -> None:
    """Bad input: one sentence, exit code 2, nothing on stdout, nothing written."""
    code, out, err = result
    assert (code, out, err.count("\n")) == (2, "", 1), result
    assert complaint in err and not output.exists()
