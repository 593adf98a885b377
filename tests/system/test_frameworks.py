"""torch with a torchvision that may not match it, and the replacement of its non-maximum suppression."""

import os
import subprocess
import sys

import numpy as np
import pytest

from inspector.system.frameworks import nms, prepare_torch

torch = pytest.importorskip("torch")


def brute_force(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> list[int]:
    """Word by word: the best one stays, what overlaps one that stays by more than the threshold goes."""
    kept: list[int] = []
    for candidate in sorted(range(len(scores)), key=lambda i: (-scores[i], i)):
        if all(overlap(boxes[candidate], boxes[other]) <= threshold for other in kept):
            kept.append(candidate)
    return kept


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    w, h = (max(0.0, min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in (0, 1))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h
    return w * h / union if union else 0.0


def random_boxes(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    corners = generator.integers(0, 40, (count, 2))
    boxes = np.concatenate([corners, corners + generator.integers(0, 20, (count, 2))], 1).astype(np.float32)
    return boxes, generator.integers(0, 10, count).astype(np.float32) / 10  # with many ties


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 1.0])
def test_nms_as_a_brute_force(seed, threshold):
    boxes, scores = random_boxes(60, seed)
    kept = nms(torch.from_numpy(boxes), torch.from_numpy(scores), threshold)
    assert kept.dtype == torch.int64 and kept.tolist() == brute_force(boxes, scores, threshold)


def test_of_equal_scores_the_first_stays():
    boxes = torch.tensor([[0, 0, 10, 10], [0, 0, 10, 11], [50, 50, 60, 60], [0, 0, 11, 10]], dtype=torch.float32)
    assert nms(boxes, torch.ones(4), 0.5).tolist() == [0, 2]


def test_nms_of_nothing_and_of_nonsense():
    assert nms(torch.zeros(0, 4), torch.zeros(0), 0.5).shape == (0,)
    with pytest.raises(ValueError, match="expected boxes"):
        nms(torch.zeros(3, 5), torch.zeros(3), 0.5)


def test_an_overlap_equal_to_the_threshold_stays():
    boxes = torch.tensor([[0, 0, 4, 4], [0, 2, 4, 6]], dtype=torch.float32)  # IoU 8 / 24
    assert nms(boxes, torch.tensor([0.9, 0.8]), 0.5).tolist() == [0, 1]
    assert nms(boxes[[0, 0]], torch.tensor([0.9, 0.8]), 1.0).tolist() == [0, 1]


def test_torchvision_suppresses_with_it():
    assert prepare_torch() == prepare_torch() != "absent"
    from torchvision.ops import batched_nms
    from torchvision.ops import nms as theirs

    boxes, scores = random_boxes(60, 9)
    b, s = torch.from_numpy(boxes), torch.from_numpy(scores) + torch.arange(60) / 1e4  # theirs may break ties otherwise
    assert theirs(b, s, 0.4).tolist() == nms(b, s, 0.4).tolist()
    classes = torch.arange(60) % 3
    expected = sorted((i for c in range(3) for i in _of_class(b, s, classes, c)), key=lambda i: -s[i])
    assert batched_nms(b, s, classes, 0.4).tolist() == expected


def _of_class(boxes, scores, classes, wanted: int) -> list[int]:
    places = torch.nonzero(classes == wanted)[:, 0]
    return places[nms(boxes[places], scores[places], 0.4)].tolist()


FRESH = """
import os, sys
os.environ["ULTRALYTICS_API_KEY"] = "secret"
from inspector.system.frameworks import prepare_torch
assert "torch" not in sys.modules
state = prepare_torch()
import torch, torchvision, torchvision.transforms, ultralytics
from ultralytics.utils import ONLINE
assert not ONLINE
assert torch.get_num_threads() == int(os.environ["OMP_NUM_THREADS"])
print(state, prepare_torch())
"""


@pytest.mark.slow
def test_a_fresh_program_is_offline_and_quiet(home):
    done = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    first, again = done.stdout.split()
    assert first == again in ("native", "repaired")
    assert (home / "ultralytics").is_dir()


def test_the_switches_are_set(monkeypatch):
    from inspector.system import frameworks

    monkeypatch.setenv("ULTRALYTICS_API_KEY", "secret")
    monkeypatch.setenv("YOLO_OFFLINE", "false")
    monkeypatch.setenv("YOLO_CONFIG_DIR", "elsewhere")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    frameworks.go_offline()
    assert "ULTRALYTICS_API_KEY" not in os.environ
    assert os.environ["YOLO_OFFLINE"] == "true" and os.environ["YOLO_AUTOINSTALL"] == "false"
    assert os.environ["HF_HUB_OFFLINE"] == "1" and os.environ["WANDB_MODE"] == "disabled"
    assert os.environ["YOLO_CONFIG_DIR"].endswith("ultralytics")
