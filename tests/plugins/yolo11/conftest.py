"""Checkpoints for tests: small networks with seeded weights, scaled so that they detect something."""

import numpy as np
import pytest

from inspector.api import prepare_torch

NAMES = {0: "裂纹", 1: "磨损", 2: "corrosion"}


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Small networks gain nothing from threads, and lose much on a busy machine."""
    prepare_torch()
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def blobs(height: int, width: int, seed: int = 7):
    """An image of some twenty blobs along the longer side, (height, width, 3) uint8, always the same."""
    import cv2

    cell = max(height, width) / 20
    small = np.random.default_rng(seed).integers(
        0, 256, (max(2, round(height / cell)), max(2, round(width / cell)), 3), np.uint8
    )
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def build(architecture: str, seed: int = 0):
    """A segmentation model of three classes whose scores spread between 0 and 1, and whose boxes overlap."""
    prepare_torch()
    import torch
    from ultralytics.nn.tasks import SegmentationModel

    torch.manual_seed(seed)
    model = SegmentationModel(f"{architecture}.yaml", nc=len(NAMES), verbose=False)
    model.names = dict(NAMES)
    images = torch.from_numpy(np.stack([blobs(288, 320), blobs(288, 320, seed=1)])).permute(0, 3, 1, 2) / 255
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # take the statistics of this one batch
    with torch.no_grad():
        model.train()._predict_once(images)
        head = model.eval().model[-1]
        (_, found) = model(images)
        for name, end in (("one2many", ""), ("one2one", "one2one_")):
            scores = found.get(name, found)["scores"]
            for layers in getattr(head, f"{end}cv3", ()):
                layers[-1].weight.mul_(1.5 / scores.std())
                layers[-1].bias.fill_(-3)
            if head.reg_max == 1:  # distances come without a softmax: keep them positive
                for layers in getattr(head, f"{end}cv2", ()):
                    layers[-1].weight.mul_(0.3)
    return model


def save(model, path, **more):
    """As ultralytics saves at the end of training: the averaged model, in 16 bit."""
    import copy

    import torch

    content = {
        "epoch": -1,
        "model": None,
        "ema": copy.deepcopy(model).half(),
        "train_args": {"task": "segment", "imgsz": 320},
    }
    torch.save(content | more, path)
    return path


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """``checkpoints("yolo11n-seg")``: path of a checkpoint of that architecture."""
    folder, made = tmp_path_factory.mktemp("重量"), {}

    def checkpoint(architecture: str):
        if architecture not in made:
            made[architecture] = save(build(architecture), folder / f"{architecture}.pt")
        return made[architecture]

    return checkpoint


@pytest.fixture(scope="session")
def model(checkpoints):
    """``model()``: a fresh yolo11n-seg that a test may change and save."""
    import copy

    from inspector_plugins.yolo11.checkpoint import checkpoint

    opened = checkpoint.load(checkpoints("yolo11n-seg")).model
    return lambda: copy.deepcopy(opened)


SMALL = {
    "yaml_file": "yolo11n-seg.yaml",
    "scales": {"n": [1.0, 1.0, 1024]},
    "scale": "n",
    "nc": len(NAMES),
    "backbone": [
        *([-1, 1, "Conv", [width, 3, 2]] for width in (8, 8, 16, 16, 128)),
        [-1, 1, "SPPF", [128, 5]],
        [-1, 1, "C2PSA", [128]],
    ],
    "head": [
        [-1, 1, "nn.Upsample", [None, 2, "nearest"]],
        [[-1, 3], 1, "Concat", [1]],
        [-1, 1, "Conv", [16, 1, 1]],
        [[2, 9, 6], 1, "Segment", ["nc", 32, 16]],
    ],
}


@pytest.fixture(scope="session")
def small():
    """``small()``: a fresh network with every kind of part that yolo11n-seg has and fewer of them, opened sooner."""
    import copy

    prepare_torch()
    import torch
    from ultralytics.nn.tasks import SegmentationModel

    torch.manual_seed(0)
    built = SegmentationModel(copy.deepcopy(SMALL), verbose=False).eval()
    built.names = dict(NAMES)
    return lambda: copy.deepcopy(built)


@pytest.fixture(scope="session")
def picture():
    """``image(height, width)``, see :func:`blobs`."""
    return blobs
