"""Our detections are those of ultralytics' own ``predict(retina_masks=True)``."""

import copy
import runpy
from pathlib import Path

import pytest

_parity = runpy.run_path(str(Path(__file__).parents[3] / "benchmarks" / "parity.py"))
THRESHOLDS, reference, difference = _parity["THRESHOLDS"], _parity["reference"], _parity["difference"]


@pytest.fixture(scope="module")
def both():
    """``both(path)``: our model and ultralytics' of one checkpoint."""
    opened = {}

    def open_both(path: Path):
        if path not in opened:
            from ultralytics import YOLO

            from inspector_plugins.yolo11.inference.torch_runner import TorchModel

            opened[path] = TorchModel(path, "cpu"), YOLO(path)
        return opened[path]

    return open_both


def check(models, image, confidence, iou, imgsz=None) -> int:
    """Compare one image; returns the number of detections."""
    ours, theirs = models
    found = difference(
        ours.predict([image], confidence, iou)[0], reference(theirs, image, confidence, iou, imgsz or ours.info.imgsz)
    )
    assert found.acceptable, found
    return found.theirs


@pytest.mark.parametrize(("confidence", "iou"), THRESHOLDS)
@pytest.mark.parametrize(("height", "width"), [(260, 630), (333, 517), (1, 1), (31, 900), (4000, 37)])
def test_agrees_on_any_size_at_three_thresholds(checkpoints, both, picture, height, width, confidence, iou):
    count = check(both(checkpoints("yolo11n-seg")), picture(height, width), confidence, iou)
    assert count >= (5 if min(height, width) > 100 else 0)


@pytest.mark.parametrize("architecture", ["yolov8n-seg", "yolo12n-seg", "yolo26n-seg"])
def test_agrees_on_other_families(checkpoints, both, picture, architecture):
    assert check(both(checkpoints(architecture)), picture(333, 517), 0.1, 0.5) >= 5


def test_agrees_on_a_fused_head_that_needs_no_suppression(checkpoints, tmp_path, picture):
    import torch
    from ultralytics import YOLO

    from inspector_plugins.yolo11.inference.torch_runner import TorchModel

    content = torch.load(checkpoints("yolo26n-seg"), weights_only=False)
    model = copy.deepcopy(content["ema"]).float()
    model.end2end = True
    model.fuse(verbose=False)
    torch.save(content | {"ema": model}, tmp_path / "fused.pt")
    ours = TorchModel(tmp_path / "fused.pt", "cpu")
    assert ours._end_to_end
    assert check((ours, YOLO(tmp_path / "fused.pt")), picture(333, 517), 0.1, 0.5) >= 5


def test_a_batch_agrees(checkpoints, both, picture):
    ours, theirs = both(checkpoints("yolo11n-seg"))
    images = [picture(240, 300), picture(240, 300)[::-1].copy(), picture(240, 300)[:, ::-1].copy()]
    batched = theirs.predict(
        images, retina_masks=True, conf=0.25, iou=0.45, imgsz=320, batch=3, device="cpu", verbose=False, save=False
    )
    ours.batch = 3
    for mine, theirs_one in zip(ours.predict(images, 0.25, 0.45), batched, strict=True):
        assert difference(mine, theirs_one).acceptable, difference(mine, theirs_one)


@pytest.mark.parametrize("number", [0, 20, 50])
def test_strangers_weights_agree_on_real_images(shared, both, number):
    from inspector.api import read_image

    models = both(shared / "data/weights/third-party-yolo11s-seg-nc1.pt")
    paths = sorted((shared / "data/bsdata-raceway/images/val").iterdir())
    image = read_image(paths[number])[0]
    check(models, image, 0.01, 0.6)


@pytest.mark.parametrize(("number", "confidence", "iou"), [(5, 0.3, 0.45), (30, 0.5, 0.3), (45, 0.7, 0.7)])
def test_agrees_on_real_images(shared, checkpoints, both, number, confidence, iou):
    from inspector.api import read_image

    paths = sorted((shared / "data/bsdata-raceway/images/val").iterdir())
    assert check(both(checkpoints("yolo11n-seg")), read_image(paths[number])[0], confidence, iou) >= 5


@pytest.fixture(scope="module")
def bundled(both):
    from inspector.api import assets

    return both(assets() / "models" / "bearing-yolo11n-seg.pt")


@pytest.mark.parametrize(("confidence", "iou"), THRESHOLDS)
def test_the_bundled_model_agrees_on_the_sample_images(bundled, confidence, iou):
    from inspector.api import read_image

    paths = sorted((Path(__file__).parents[4] / "sample_data").glob("*.jpg"))
    found = sum(check(bundled, read_image(path)[0], confidence, iou) for path in paths)
    assert found >= 6


@pytest.mark.parametrize(("confidence", "iou"), THRESHOLDS)
def test_the_bundled_model_agrees_on_real_images(shared, bundled, confidence, iou):
    from inspector.api import read_image

    paths = sorted((shared / "data/bsdata-raceway/images/val").iterdir())[::9]
    found = sum(check(bundled, read_image(path)[0], confidence, iou) for path in paths)
    assert found >= 1
