import subprocess
import sys

import numpy as np
import pytest

from inspector.api import InputError, check_options, prepare_torch
from inspector_plugins.yolo11 import inspector_models

prepare_torch()

import torch

from inspector_plugins.yolo11.inference.torch_runner import TorchModel

SPEC = inspector_models()[0]


def same(first, second) -> bool:
    """Whether two lists of detections agree up to rounding."""
    if [d.label for d in first] != [d.label for d in second]:
        return False
    return all(
        np.allclose(a.box, b.box, atol=0.05) and abs(a.score - b.score) < 1e-4 and abs(a.area - b.area) <= 0.01 * a.area
        for a, b in zip(first, second, strict=True)
    )


@pytest.fixture(scope="module")
def opened(checkpoints):
    return TorchModel(checkpoints("yolo11n-seg"), "cpu")


def test_the_spec_imports_nothing_heavy():
    code = (
        "import sys; from inspector_plugins.yolo11 import inspector_models; inspector_models();"
        "sys.exit(', '.join({'torch', 'numpy', 'cv2', 'ultralytics'} & set(sys.modules)) or 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_opens_through_the_spec(checkpoints):
    options = check_options(SPEC.options, {"imgsz": "250", "batch": 4, "runtime": "torch"}, "yolo11")
    model = SPEC.open(checkpoints("yolo11n-seg"), "cpu", [], **options)
    assert model.info.imgsz == 256 and model.batch == 4
    assert (model.info.file, model.info.architecture) == ("yolo11n-seg.pt", "yolo11n-seg")
    assert (model.info.plugin, model.info.runtime, model.info.device) == ("yolo11", "torch", "cpu")
    assert model.info.names == ("裂纹", "磨损", "corrosion") and len(model.info.sha256) == 64
    model.close()


def test_needs_weights():
    with pytest.raises(InputError, match="needs a weights file"):
        SPEC.open(None, "cpu", [], **check_options(SPEC.options, {}, "yolo11"))


def test_images_of_any_size_together_are_as_one_by_one(opened, picture, checkpoints):
    images = [picture(240, 320), picture(320, 200), picture(240, 320)[::-1], picture(33, 470), picture(241, 320)]
    alone = [opened.predict([image], 0.2, 0.45)[0] for image in images]
    assert sum(map(len, alone)) > 20
    together = TorchModel(checkpoints("yolo11n-seg"), "cpu", batch=8).predict(images, 0.2, 0.45)
    assert all(same(*pair) for pair in zip(alone, together, strict=True))
    assert opened.predict([], 0.2, 0.45) == []


def test_thresholds_come_with_each_call(opened, picture):
    image = picture(320, 320)
    many, few = (opened.predict([image], confidence, 0.45)[0] for confidence in (0.05, 0.5))
    assert len(many) > len(few) > 0
    assert all(d.score > 0.5 for d in few)
    assert [d.score for d in many] == sorted((d.score for d in many), reverse=True)
    assert len(opened.predict([image], 0.05, 0.1)[0]) < len(opened.predict([image], 0.05, 0.9)[0])
    assert opened.predict([image], 1.0, 0.45)[0] == []


def test_detections_are_limited(checkpoints, picture):
    model = TorchModel(checkpoints("yolo11n-seg"), "cpu", max_detections=3)
    assert 0 < len(model.predict([picture(320, 320)], 0.05, 0.7)[0]) <= 3


def test_a_image_of_100_megapixels(opened):
    image = np.zeros((10_000, 10_000, 3), np.uint8)
    image[4000:6000, 4000:6000] = np.random.default_rng(0).integers(0, 256, (2000, 2000, 3), np.uint8)
    found = opened.predict([image], 0.6, 0.3)[0]
    assert all(0 <= d.box[0] <= d.box[2] <= 10_000 and d.mask.pixels.size <= 10**8 for d in found)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_devices_that_are_not_there(checkpoints):
    with pytest.raises(InputError, match="no CUDA device"):
        TorchModel(checkpoints("yolo11n-seg"), "cuda")
    assert TorchModel(checkpoints("yolo11n-seg"), "auto").info.device == "cpu"


def test_f16_is_not_for_the_cpu(checkpoints):
    with pytest.raises(InputError, match="precision f16 needs a CUDA device"):
        TorchModel(checkpoints("yolo11n-seg"), "cpu", precision="f16")


def test_memory_that_does_not_suffice_is_said(opened, picture, monkeypatch):
    def exhausted(batch):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(opened, "_network", exhausted)
    with pytest.raises(InputError, match="Not enough memory on cpu for 1 images of 320x320"):
        opened.predict([picture(50, 50)], 0.2, 0.45)


def test_a_network_that_does_not_run_is_refused_when_it_is_opened(model, tmp_path):
    broken = model()
    del broken.model[4].cv1.__dict__["_modules"]["conv"]
    torch.save({"model": broken, "train_args": {}}, tmp_path / "broken.pt")
    with pytest.raises(InputError, match=r"broken\.pt contains a model that cannot be used"):
        TorchModel(tmp_path / "broken.pt", "cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
@pytest.mark.parametrize("precision", ["f32", "f16"])
def test_cuda_agrees_with_the_cpu(checkpoints, opened, picture, precision):
    images = [picture(240, 320), picture(320, 200), picture(240, 320)[::-1]]
    model = TorchModel(checkpoints("yolo11n-seg"), "cuda", precision=precision)
    assert model.info.device == "cuda:0" and model.batch > 1
    pairs = [
        pair
        for _ in range(3)  # recorded at the second call, replayed at the third
        for pair in zip(model.predict(images, 0.3, 0.45), opened.predict(images, 0.3, 0.45), strict=True)
    ]
    assert model._computed._graphs
    for ours, theirs in pairs:
        assert abs(len(ours) - len(theirs)) <= (0.1 * len(theirs) if precision == "f16" else 1)
    model.close()
