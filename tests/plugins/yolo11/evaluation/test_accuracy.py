"""mAP by pycocotools."""

from itertools import count

import numpy as np
import pytest

from inspector.api import Detection, LabelledImage, Mask, write_image
from inspector_plugins.yolo11.evaluation import accuracy


@pytest.fixture
def picture(tmp_path):
    numbers = count()
    return lambda *rectangles: labelled(tmp_path / f"{next(numbers)}.png", *rectangles)


def labelled(file, *rectangles):
    """An image of 100 x 80 with defects x1, y1, x2, y2 in pixels."""
    corners = [[(x1, y1), (x2, y1), (x2, y2), (x1, y2)] for x1, y1, x2, y2 in rectangles]
    polygons = tuple((np.array(points) / (100, 80)).astype(np.float32) for points in corners)
    return LabelledImage(file, 80, 100, (0,) * len(rectangles), polygons)


def detection(x1, y1, x2, y2, score=0.9, number=0):
    return Detection("Defect", score, (x1, y1, x2, y2), Mask(x1, y1, np.ones((y2 - y1, x2 - x1), bool)), number)


def figures(images, detections):
    """Measured on images whose first pixel identifies their detections."""
    for number, one in enumerate(images):
        write_image(one.file, np.full((one.height, one.width, 3), number, np.uint8))
    return accuracy.measure({"it": lambda image: detections[image[0, 0, 0]]}, images, 2)["it"]


@pytest.mark.parametrize(
    "found, expected",
    [
        ([[detection(10, 10, 30, 40)], [detection(50, 20, 90, 60)]], 1),
        ([[detection(10, 10, 30, 40)], []], 0.505),  # 51 of pycocotools' 101 recalls
        ([[detection(10, 10, 30, 40, number=1)], [detection(0, 0, 5, 5)]], 0),
        ([[], []], 0),
    ],
)
def test_known_figures(picture, found, expected):
    told = figures([picture((10, 10, 30, 40)), picture((50, 20, 90, 60))], found)
    for kind in ("mask", "box"):
        assert told[kind]["mAP50"] == told[kind]["mAP50-95"] == pytest.approx(expected, abs=1e-3)


def test_boxes_and_masks_are_told_apart(picture):
    half = Detection("Defect", 0.9, (10, 10, 30, 40), Mask(10, 10, np.ones((30, 10), bool)), 0)
    told = figures([picture((10, 10, 30, 40))], [[half]])
    assert told["box"] == {"mAP50-95": 1, "mAP50": 1} and told["mask"]["mAP50-95"] < 0.2
