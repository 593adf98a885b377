"""mAP of OpenVINO networks by pycocotools."""

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest

from inspector.api import Detection, Mask
from inspector_plugins.yolo11 import accuracy
from inspector_plugins.yolo11.data import Picture


def picture(*rectangles, classes=None):
    """A picture of 100 x 80 with defects x1, y1, x2, y2 in pixels."""
    corners = [[(x1, y1), (x2, y1), (x2, y2), (x1, y2)] for x1, y1, x2, y2 in rectangles]
    polygons = tuple((np.array(points) / (100, 80)).astype(np.float32) for points in corners)
    return Picture(Path("a.png"), 80, 100, classes or (0,) * len(rectangles), polygons)


def detection(x1, y1, x2, y2, score=0.9, number=0):
    return Detection("Defect", score, (x1, y1, x2, y2), Mask(x1, y1, np.ones((y2 - y1, x2 - x1), bool)), number)


def figures(pictures, detections):
    rows = [row for number, found in enumerate(detections) for row in accuracy._found(number, found, pictures[number])]
    with contextlib.redirect_stdout(io.StringIO()):
        return accuracy._figures(accuracy._truth(pictures, 2), rows)


@pytest.mark.parametrize(
    "found, expected",
    [
        ([[detection(10, 10, 30, 40)], [detection(50, 20, 90, 60)]], 1),
        ([[detection(10, 10, 30, 40)], []], 0.505),  # 51 of pycocotools' 101 recalls
        ([[detection(10, 10, 30, 40, number=1)], [detection(0, 0, 5, 5)]], 0),
        ([[], []], 0),
    ],
)
def test_known_figures(found, expected):
    told = figures([picture((10, 10, 30, 40)), picture((50, 20, 90, 60))], found)
    for kind in ("mask", "box"):
        assert told[kind]["mAP50"] == told[kind]["mAP50-95"] == pytest.approx(expected, abs=1e-3)


def test_boxes_and_masks_are_told_apart():
    half = Detection("Defect", 0.9, (10, 10, 30, 40), Mask(10, 10, np.ones((30, 10), bool)), 0)
    told = figures([picture((10, 10, 30, 40))], [[half]])
    assert told["box"] == {"mAP50-95": 1, "mAP50": 1} and told["mask"]["mAP50-95"] < 0.2


def test_a_picture_as_the_network_sees_it():
    image = np.zeros((40, 64, 3), np.uint8)
    image[..., 0] = 255  # blue
    values, fit = accuracy.network_input(image, 64, 32)
    assert values.shape == (1, 3, 64, 64) and values.dtype == np.float32 and values.flags.c_contiguous
    inner = values[0, :, fit.top : fit.top + fit.inner_height]
    assert (inner[2] == 1).all() and not inner[:2].any() and values[0, 0, 0, 0] == np.float32(114 / 255)
