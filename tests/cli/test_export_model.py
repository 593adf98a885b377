"""Writing a model for other runtimes from the command line."""

import json
import shutil

import pytest

from inspector.api import assets

BUNDLED = assets() / "models" / "bearing-yolo11n-seg.pt"


pytestmark = pytest.mark.torch


@pytest.fixture
def weights(tmp_path):
    (tmp_path / "模型").mkdir()
    return shutil.copy(BUNDLED, tmp_path / "模型" / "best.pt")


@pytest.mark.parametrize(
    "format, name", [("onnx", "best.onnx"), ("torchscript", "best.torchscript"), ("openvino", "best_openvino_model")]
)
def test_it_is_written_beside_the_model(program, weights, format, name):
    code, out, err = program("export-model", weights, "--format", format, "--imgsz", 64)
    saved, described = out.splitlines()
    assert (code, saved, err) == (0, f"Saved as {weights.with_name(name)}", "")
    assert described.startswith("Input 1 x 3 x 64 x 64")
    assert {file.name for file in weights.parent.iterdir()} == {"best.pt", name}
    code, out, err = program("export-model", weights, "--format", format, "--imgsz", 64)
    assert (code, out, err.count("\n")) == (2, "", 1) and f"{name} already exists" in err


def test_elsewhere_and_as_json(program, tmp_path):
    output = tmp_path / "a.onnx"
    words = ("--format", "onnx", "--output", output, "--imgsz", 64, "--json")
    code, out, err = program("export-model", "bearing-yolo11n-seg", *words)
    assert code == 0, err
    document = json.loads(out)
    (described,) = document.pop("report")
    assert document == {"output": str(output), "format": "onnx"} and "outputs 1 x 37 x" in described
    assert output.stat().st_size > 1e6


@pytest.mark.parametrize("json_flag", [[], ["--json"]])
def test_what_was_measured_is_part_of_the_result(program, weights, monkeypatch, json_flag):
    from inspector_plugins.yolo11.export import export

    def write(file, format, output, layers, report, **options):
        assert options == {"precision": "int8", "calibrate": weights.parent, "data": weights}
        report("mask mAP50-95 is 0.2980 in f32")
        return file

    monkeypatch.setattr(export, "export", write)
    words = ("--format", "openvino", "--precision", "int8", "--calibrate", weights.parent, "--data", weights)
    code, out, err = program("export-model", weights, *words, *json_flag)
    assert (code, err) == (0, "")
    if json_flag:
        assert json.loads(out)["report"] == ["mask mAP50-95 is 0.2980 in f32"]
    else:
        assert out == f"Saved as {weights}\nmask mAP50-95 is 0.2980 in f32\n"


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["--format", "tensorrt"], "--format 'tensorrt' is not one of openvino, onnx, torchscript"),
        ([], "--format"),
        (["--format", "onnx", "--imgsz", "31"], "--imgsz: '31' is outside the range"),
        (["--format", "onnx", "--half"], "half is for the format openvino"),
        (["--format", "openvino", "--precision", "int8"], "precision int8 needs calibrate"),
        (["--format", "openvino", "--precision", "int4"], "--precision: 'int4' is not one of f32, int8"),
        (["--format", "onnx", "--output", "missing/a.onnx"], "missing does not exist"),
        (["--format", "onnx", "--output", "a.txt"], "a.txt must end in .onnx"),
    ],
)
def test_bad_input_is_one_sentence(program, weights, monkeypatch, words, complaint):
    monkeypatch.chdir(weights.parent)
    code, out, err = program("export-model", weights, *words)
    assert (code, out, err.count("\n")) == (2, "", 1) and complaint in err, err
    assert [file.name for file in weights.parent.iterdir()] == ["best.pt"]


def test_models_that_cannot_be_used(program, spots, weights):
    cases = {
        "nix.pt": "'nix.pt' does not exist",
        "bearing-yolo11n-seg": "bearing-yolo11n-seg ships with the program; choose where its copy goes",
        weights.parent.parent: "not a supported model file",
        "spots": "The model spots has no weights file",
    }
    for model, complaint in cases.items():
        code, out, err = program("export-model", model, "--format", "onnx")
        assert (code, out, err.count("\n")) == (2, "", 1) and complaint in err, err
