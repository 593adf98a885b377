"""ONNX files and OpenVINO folders open and give their checkpoint's detections; others are refused."""

import shutil

import numpy as np
import onnx
import pytest

from inspector.api import InputError, assets, read_image
from inspector.system.paths import sample_data
from inspector_plugins.yolo11.export.export import export
from inspector_plugins.yolo11.inference import runtimes
from inspector_plugins.yolo11.inference.exported_models import read

WEIGHTS = assets() / "models" / "bearing-yolo11n-seg.pt"


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory):
    return export(WEIGHTS, "onnx", tmp_path_factory.mktemp("导出") / "模型.onnx", imgsz=320)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return export(WEIGHTS, "openvino", tmp_path_factory.mktemp("ov") / "m_openvino_model", shape="any")


@pytest.fixture(scope="module")
def image():
    return read_image(sample_data() / "defect-10.jpg")[0]


def found(model, image):
    try:
        (detections,) = model.predict([image], 0.25, 0.45)
        return [(d.label, round(d.score, 3), [round(v, 1) for v in d.box], d.area) for d in detections]
    finally:
        model.close()


def test_an_openvino_folder_finds_what_its_checkpoint_finds(folder, image, home):
    exported = runtimes.open_model(next(folder.glob("*.xml")), "auto", ())
    assert exported.info.names == ("Defect",) and exported.info.architecture == "yolo11n-seg"
    assert exported.info.imgsz == 416 and exported.info.runtime == "openvino"
    there = found(exported, image)
    assert there and there == found(runtimes.open_model(WEIGHTS, "cpu", ()), image)


def test_an_onnx_file_of_fixed_size_inspects_images_of_any_shape(onnx_file, image, home):
    model = runtimes.open_model(onnx_file, "auto", ())
    assert model.info.imgsz == 320 and model.info.file == "模型.onnx" and len(model.info.sha256) == 64
    square = found(model, image)  # 640 x 640: fits without padding, as the checkpoint does at 320
    assert square == found(runtimes.open_model(WEIGHTS, "cpu", (), imgsz=320), image)
    wide = np.hstack([image, np.full((640, 320, 3), 114, np.uint8)])
    boxes = [box for _, _, box, _ in found(runtimes.open_model(onnx_file, "auto", ()), wide)]
    assert boxes and all(0 <= x1 < x2 <= 960 and 0 <= y1 < y2 <= 640 for x1, y1, x2, y2 in boxes)


def test_many_threads_may_ask(folder, image, home):
    model = runtimes.open_model(next(folder.glob("*.xml")), "auto", ())
    many = model.many()
    assert many.predict([image], 0.25, 0.45)[0]
    model.close()


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"device": "cuda"}, "runs with OpenVINO on the CPU"),
        ({"runtime": "torch"}, "runs with OpenVINO on the CPU"),
        ({"imgsz": 640}, "was exported for images of 320x320 pixels, not 640"),
        ({"precision": "int8"}, "precision int8 is not for an exported model"),
    ],
)
def test_options_that_do_not_fit_are_refused(onnx_file, options, part):
    with pytest.raises(InputError, match=part):
        runtimes.open_model(onnx_file, **{"device": "auto", "layers": (), **options})


def spoiled(onnx_file, place, change):
    model = onnx.load(onnx_file)
    change(model)
    place.write_bytes(model.SerializeToString())
    return place


def set_metadata(**values):
    def change(model):
        for entry in model.metadata_props:
            if entry.key in values:
                entry.value = values[entry.key]

    return change


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (set_metadata(task="detect"), "a segmentation model"),
        (set_metadata(names="{}"), "does not name its classes"),
        (set_metadata(names="{0: 'a', 1: 'b'}"), "other inputs and outputs"),
        (set_metadata(names="__import__('os').abort()"), "does not name its classes"),
        (lambda model: model.graph.output.pop(), "other inputs and outputs"),
    ],
)
def test_networks_of_another_kind_are_refused(onnx_file, tmp_path, change, part):
    with pytest.raises(InputError, match=part):
        read(spoiled(onnx_file, tmp_path / "x.onnx", change))


def test_weights_in_other_files_are_not_followed(onnx_file, tmp_path):
    def change(model):
        tensor = model.graph.initializer[0]
        tensor.data_location = onnx.TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", "/etc/passwd"

    with pytest.raises(InputError, match="keeps its weights in other files"):
        read(spoiled(onnx_file, tmp_path / "x.onnx", change))


def test_damaged_files_are_refused(onnx_file, folder, tmp_path):
    broken = tmp_path / "x.onnx"
    for content in (b"", onnx_file.read_bytes()[:100_000], b"\x00" * 100):
        broken.write_bytes(content)
        with pytest.raises(InputError):
            read(broken)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "metadata.yaml").unlink()
    with pytest.raises(InputError, match="copy the whole folder"):
        read(next(copy.glob("*.xml")))
    (copy / "metadata.yaml").write_text("a: &a [x]\nnames: *a\n")
    with pytest.raises(InputError, match="damaged"):
        read(next(copy.glob("*.xml")))
