"""Exported networks compute the network's own outputs, and standard tools can read them."""

import ast
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import yaml

from inspector import registry
from inspector.api import InputError, InspectorError, assets, read_image
from inspector.datasets.synthetic import synthesize

pytestmark = pytest.mark.xdist_group("export")  # each network is traced once
BUNDLED = assets() / "models" / "bearing-yolo11n-seg.pt"
NAMES = {0: "裂纹", 1: "磨损", 2: "corrosion"}
PRESETS = ("cgnet", "unireplknet", "rmt", "vmamba", "freqfusion")
SIZE = 128


@pytest.fixture(scope="module")
def layers():
    return tuple(registry.load().layers.values())


@pytest.fixture(scope="module")
def checkpoint_of(checkpoints, layers, picture, tmp_path_factory):
    """``checkpoint_of("yolo11n-seg-cgnet")``: a checkpoint of random weights, whose outputs are not trivial."""
    folder, made = tmp_path_factory.mktemp("变体"), {}

    def make(architecture):
        import torch

        from inspector_plugins.yolo11.architecture import build

        torch.manual_seed(0)
        model = build.segmentation_model(architecture, len(NAMES), layers)
        model.names = dict(NAMES)
        images = np.stack([picture(SIZE, SIZE, seed=seed) for seed in range(4, 8)])
        batch = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # take the statistics of this one batch
        with torch.no_grad():
            model.train()(batch)
            for parameter in model.model[-1].cv3.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        content = {"model": model.eval().half(), "train_args": {"task": "segment", "imgsz": SIZE}}
        file = folder / f"{architecture}.pt"
        torch.save(content, file)
        return file

    def find(architecture):
        if architecture == "yolo11n-seg":
            return checkpoints(architecture)
        if architecture not in made:
            made[architecture] = make(architecture)
        return made[architecture]

    return find


@pytest.fixture(scope="module", autouse=True)
def traced_once():
    """OpenVINO reads the ONNX form, so each network needs to be traced for one of the two only; those that were."""
    from inspector_plugins.yolo11.export import export as module

    trace, made = module._onnx, {}

    def remember(network, picture, metadata):
        key = str({name: value for name, value in metadata.items() if name != "date"})
        if key not in made:
            made[key] = trace(network, picture, metadata)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_onnx", remember)
        yield made


@pytest.fixture
def export(checkpoint_of, layers):
    from inspector_plugins.yolo11.export.export import export as function

    return lambda architecture, format, output, **options: function(
        checkpoint_of(architecture), format, output, layers, **{"imgsz": SIZE} | options
    )


def outputs(file, images: np.ndarray) -> list[np.ndarray]:
    """Run (1, 3, H, W) float32 with the runtime of ``file``."""
    if file.suffix == ".torchscript":
        import torch

        return [value.numpy() for value in torch.jit.load(file)(torch.from_numpy(images))]
    if file.suffix == ".onnx":
        import onnxruntime

        return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(None, {"images": images})
    import openvino

    found = next(file.glob("*.xml"))
    compiled = openvino.Core().compile_model(found, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    results = compiled([images])
    return [results[port].copy() for port in compiled.outputs]


ENDINGS = {"openvino": "_openvino_model", "onnx": ".onnx", "torchscript": ".torchscript"}


@pytest.mark.parametrize("format", ENDINGS)
@pytest.mark.parametrize("architecture", ["yolo11n-seg", *(f"yolo11n-seg-{preset}" for preset in PRESETS)])
def test_the_outputs_are_the_networks_own(export, checkpoint_of, layers, picture, tmp_path, architecture, format):
    import torch

    from inspector_plugins.yolo11.checkpoint import checkpoint

    written = export(architecture, format, tmp_path / f"a{ENDINGS[format]}")
    pixels = picture(SIZE, SIZE, seed=5).transpose(2, 0, 1)[None].astype(np.float32) / 255
    network = checkpoint.load(checkpoint_of(architecture), layers).model  # neither merged nor fused
    with torch.no_grad():
        (predictions, prototypes), _ = network(torch.from_numpy(pixels))
    found = outputs(written, pixels)
    assert [value.shape for value in found] == [(1, 4 + 3 + 32, 336), (1, 32, SIZE // 4, SIZE // 4)]
    strides = np.repeat([8, 16, 32], [256, 64, 16])  # boxes are computed in their unit
    np.testing.assert_allclose(found[0][:, :4] / strides, predictions[:, :4] / strides, rtol=0, atol=1e-3)
    np.testing.assert_allclose(found[0][:, 4:], predictions[:, 4:], rtol=0, atol=1e-3)
    np.testing.assert_allclose(found[1], prototypes, rtol=0, atol=1e-3)
    assert found[0][0, 4:7].std() > 1e-3 and found[0][0, 7:].std() > 0.1 and found[1].std() > 0.1  # not trivial


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    """An image of a bearing with defects, (416, 416, 3) uint8 BGR, for the bundled model."""
    folder = tmp_path_factory.mktemp("part") / "set"
    synthesize(folder, count=3, seed=2, size=416)
    return read_image(max((folder / "images").rglob("*.jpg"), key=lambda file: file.stat().st_size))[0]


@pytest.mark.parametrize("format", ENDINGS)
def test_the_bundled_model_gives_the_same_to_a_thousandth_of_a_pixel(part, tmp_path, format):
    import torch

    from inspector_plugins.yolo11.checkpoint import checkpoint
    from inspector_plugins.yolo11.export.export import export

    written = export(BUNDLED, format, tmp_path / f"b{ENDINGS[format]}")
    pixels = part[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32) / 255
    with torch.no_grad():
        expected, _ = checkpoint.load(BUNDLED).model(torch.from_numpy(pixels))
    for found, value in zip(outputs(written, pixels), expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=0, atol=1e-3)


@pytest.mark.parametrize("format", ["onnx", "torchscript"])
def test_stock_ultralytics_finds_the_same_with_it(part, tmp_path, format):
    from ultralytics import YOLO

    from inspector_plugins.yolo11.export.export import export

    written = export(BUNDLED, format, tmp_path / f"模型{ENDINGS[format]}")
    options = {"imgsz": 416, "conf": 0.1, "verbose": False, "device": "cpu", "retina_masks": True}
    (expected,) = YOLO(BUNDLED).predict(part, **options)
    (found,) = YOLO(written, task="segment").predict(part, **options)
    assert found.names == expected.names == {0: "Defect"} and len(found) == len(expected) > 0
    np.testing.assert_allclose(found.boxes.data, expected.boxes.data, atol=1e-2)
    assert float((found.masks.data != expected.masks.data).float().mean()) < 1e-4


def metadata(file) -> dict:
    if file.suffix == ".torchscript":
        with zipfile.ZipFile(file) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith("extra/config.txt"))
            return json.loads(archive.read(name)) | {"names": NAMES}  # JSON has no numbers for keys
    if file.suffix == ".onnx":
        import onnx

        found = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
        structured = ("imgsz", "names", "args", "stride", "batch", "channels", "end2end")
        return {key: ast.literal_eval(value) if key in structured else value for key, value in found.items()}
    return yaml.safe_load((file / "metadata.yaml").read_text("utf-8"))


@pytest.mark.parametrize("format", ENDINGS)
def test_it_tells_what_it_is(export, checkpoint_of, tmp_path, format):
    import hashlib

    from ultralytics.nn.backends.base import BaseBackend

    written = export("yolo11n-seg", format, tmp_path / f"b{ENDINGS[format]}", imgsz=100)
    told = metadata(written)
    expected = {"task": "segment", "stride": 32, "batch": 1, "imgsz": [128, 128], "names": NAMES, "channels": 3}
    expected |= {"end2end": False, "head": "Segment", "architecture": "yolo11n-seg"}
    expected |= {"checkpoint_sha256": hashlib.sha256(checkpoint_of("yolo11n-seg").read_bytes()).hexdigest()}
    assert {key: told[key] for key in expected} == expected
    assert told["args"] == {"batch": 1, "dynamic": False, "nms": False} and "Bearing Inspector" in told["author"]
    assert {"description", "date", "version", "license"} <= told.keys()
    read = BaseBackend.read_metadata(written)  # as stock ultralytics does
    assert read["task"] == "segment" and "corrosion" in str(read["names"])


@pytest.mark.parametrize("format", ["openvino", "onnx"])
def test_one_file_for_any_shape(export, checkpoint_of, picture, tmp_path, format):
    import torch

    from inspector_plugins.yolo11.checkpoint import checkpoint

    written = export("yolo11n-seg", format, tmp_path / f"any{ENDINGS[format]}", shape="any")
    network = checkpoint.load(checkpoint_of("yolo11n-seg")).model
    for height, width in ((96, 320), (288, 160)):
        pixels = picture(height, width).transpose(2, 0, 1)[None].astype(np.float32) / 255
        with torch.no_grad():
            expected, _ = network(torch.from_numpy(pixels))
        for found, value in zip(outputs(written, pixels), expected, strict=True):
            np.testing.assert_allclose(found, value, rtol=0, atol=0.01)
    told = metadata(written)
    assert told["args"]["dynamic"] is True and str(told["trained_imgsz"]) == "320"


def test_one_shape_that_is_no_square(export, tmp_path):
    import openvino

    written = export("yolo11n-seg", "openvino", tmp_path / "c_openvino_model", shape="96x160")
    assert list(openvino.Core().read_model(next(written.glob("*.xml"))).input().shape) == [1, 3, 96, 160]
    assert metadata(written)["imgsz"] == [96, 160] and metadata(written)["layers"] == []


def test_what_fits_one_shape_only_is_not_written_for_any(export, tmp_path, monkeypatch):
    import torch

    def doubled(_, x):
        return torch.nn.functional.interpolate(x, size=(2 * int(x.shape[2]), 2 * int(x.shape[3])))

    monkeypatch.setattr(torch.nn.Upsample, "forward", doubled)
    with pytest.raises(
        InspectorError, match=r"yolo11n-seg.pt cannot be written as openvino \(.*\); try another format"
    ):
        export("yolo11n-seg", "openvino", tmp_path / "d_openvino_model", shape="any", imgsz=96)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", ["", "640", "96x100", "0x96", "96x8192", "96x", "all"])
def test_shapes_that_cannot_be(export, tmp_path, shape):
    with pytest.raises(InputError, match=f"shape '{shape}' is neither any nor HEIGHTxWIDTH with multiples of 32"):
        export("yolo11n-seg", "onnx", tmp_path / "e.onnx", shape=shape)


def test_half_rounds_nothing_of_a_checkpoint_in_16_bit(tmp_path):
    from inspector_plugins.yolo11.export.export import export

    pixels = np.random.default_rng(0).random((1, 3, 128, 128), np.float32)
    found = [
        outputs(export(BUNDLED, "openvino", tmp_path / f"{half}_openvino_model", imgsz=128, half=half), pixels)
        for half in (False, True)
    ]
    for whole, half in zip(*found, strict=True):
        np.testing.assert_allclose(half, whole, rtol=0, atol=1e-3)


def test_layers_of_plugins_are_named(export, tmp_path):
    written = export("yolo11n-seg-cgnet", "openvino", tmp_path / "f_openvino_model")
    assert "context_guided" in metadata(written)["layers"] and "vss" not in metadata(written)["layers"]


def test_onnx_is_valid_and_of_a_common_version(export, tmp_path):
    import onnx

    model = onnx.load(export("yolo11n-seg", "onnx", tmp_path / "c.onnx"))
    onnx.checker.check_model(model, full_check=True)
    assert [entry.version for entry in model.opset_import if not entry.domain] == [17]
    assert [value.name for value in model.graph.input] == ["images"]
    assert [value.name for value in model.graph.output] == ["output0", "output1"]


def test_half_the_size_with_openvino(export, tmp_path):
    whole = export("yolo11n-seg", "openvino", tmp_path / "whole_openvino_model")
    half = export("yolo11n-seg", "openvino", tmp_path / "half_openvino_model", half=True)
    sizes = [next(folder.glob("*.bin")).stat().st_size for folder in (whole, half)]
    assert sizes[1] < 0.6 * sizes[0] and metadata(half)["args"]["quantize"] == 16
    with pytest.raises(InputError, match="half is for the format openvino, not onnx"):
        export("yolo11n-seg", "onnx", tmp_path / "half.onnx", half=True)


@pytest.mark.parametrize("format", ENDINGS)
def test_it_lies_beside_the_checkpoint_and_nothing_else_does(model, tmp_path, format):
    import torch

    from inspector_plugins.yolo11.export.export import export

    folder = tmp_path / "权重 weights"
    folder.mkdir()
    torch.save({"model": model().half()}, folder / "best.pt")
    written = export(folder / "best.pt", format, imgsz=64)
    assert written == folder / f"best{ENDINGS[format]}"
    assert {file.name for file in folder.iterdir()} == {"best.pt", written.name}
    if format == "openvino":
        assert {file.name for file in written.iterdir()} == {"best.xml", "best.bin", "metadata.yaml"}
    with pytest.raises(InputError, match=f"best{ENDINGS[format]} already exists"):
        export(folder / "best.pt", format, imgsz=64)


@pytest.mark.parametrize(
    "format, name, complaint",
    [
        ("tensorrt", "a.engine", "Unknown format 'tensorrt'; use one of openvino, onnx, torchscript"),
        ("onnx", "a.bin", "a.bin must end in .onnx"),
        ("torchscript", "a.pt", "a.pt must end in .torchscript"),
        ("openvino", "a.xml", "written as a folder; give a name such as a_openvino_model"),
        ("onnx", "missing/a.onnx", "missing does not exist"),
        ("onnx", "there.onnx", "there.onnx already exists"),
    ],
)
def test_refusals(export, tmp_path, format, name, complaint):
    (tmp_path / "there.onnx").write_text("mine", "utf-8")
    with pytest.raises(InputError, match=complaint):
        export("yolo11n-seg", format, tmp_path / name)
    assert (tmp_path / "there.onnx").read_text("utf-8") == "mine" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_a_disk_that_refuses_leaves_nothing(export, tmp_path, monkeypatch, format):
    from inspector_plugins._shared import atomic_files
    from inspector_plugins.yolo11.export import export as module

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_files, "publish", full)
    monkeypatch.setattr(module.Path, "write_text", full)
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\); choose another folder"):
        export("yolo11n-seg", format, tmp_path / f"d{ENDINGS[format]}")
    assert list(tmp_path.iterdir()) == []


def test_what_a_format_cannot_express_is_one_sentence(export, traced_once, tmp_path, monkeypatch):
    import torch
    from ultralytics.nn.modules import SPPF

    traced_once.clear()
    forward = SPPF.forward  # which works when the checkpoint is tried, and cannot be traced
    monkeypatch.setattr(
        SPPF, "forward", lambda self, x: x.histc() if torch.onnx.is_in_onnx_export() else forward(self, x)
    )
    with pytest.raises(InspectorError, match=r"yolo11n-seg.pt cannot be written as onnx \(.*\); try another format"):
        export("yolo11n-seg", "onnx", tmp_path / "e.onnx")
    assert list(tmp_path.iterdir()) == []


def test_openvino_sends_no_telemetry(checkpoint_of, tmp_path):
    """Importing it alone would do so, from version 2024 on."""
    program = (
        "import sys; from pathlib import Path; from inspector_plugins.yolo11.export.export import export;"
        "export(Path(sys.argv[1]), 'openvino', Path(sys.argv[2]), imgsz=64);"
        "from openvino.tools import ovc; print(type(ovc.telemetry).__module__, sys.modules['openvino_telemetry'])"
    )
    command = [sys.executable, "-c", program, str(checkpoint_of("yolo11n-seg")), str(tmp_path / "f_openvino_model")]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "openvino.tools.ovc.telemetry_stub None"
    assert "Warning" not in done.stderr
