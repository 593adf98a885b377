"""Escapes and false alarms counted image by image, and the worst images drawn."""

from pathlib import Path

import numpy as np
import pytest

from inspector.imaging import read_image, write_image
from inspector_plugins.yolo11.evaluation.per_image import ImageResult, draw_worst, summarise, wilson


def result(file="a.png", labelled=(), scores=(), missed=0, false=0):
    boxes = np.array([[10, 10, 30, 30]] * len(scores), float).reshape(-1, 4)
    return ImageResult(Path(file), np.array(labelled, float).reshape(-1, 4), boxes, np.array(scores), missed, false)


BOX = (10, 10, 30, 30)


def test_images_are_counted_as_an_inspection_judges_them():
    results = [result(), result(scores=[0.3, 0.6]), result(labelled=[BOX], scores=[0.8]), result(labelled=[BOX])]
    found = summarise(results, 0.25)
    assert (found["good"], found["defective"]) == (2, 2)
    assert found["false_alarms"]["count"] == 1 and found["false_alarms"]["rate"] == 0.5
    assert found["escapes"]["count"] == 1
    rows = {row["confidence"]: row for row in found["thresholds"]}
    assert rows[0.05] == {"confidence": 0.05, "false_alarms": 1, "escapes": 1}
    assert rows[0.7]["false_alarms"] == 0 and rows[0.7]["escapes"] == 1
    assert rows[0.9]["escapes"] == 2
    assert 0.6 <= found["best_confidence"] < 0.8


def test_without_good_images_there_is_no_rate_of_false_alarms():
    found = summarise([result(labelled=[BOX], scores=[0.9])], 0.25)
    assert found["false_alarms"] is None and found["escapes"]["count"] == 0


@pytest.mark.parametrize(("count", "of", "low", "high"), [(0, 10, 0.0, 0.27753), (5, 10, 0.23659, 0.76341)])
def test_wilsons_interval(count, of, low, high):
    assert wilson(count, of) == pytest.approx([low, high], abs=1e-4)


def test_the_worst_images_are_drawn_first(tmp_path):
    for name in "abc":
        write_image(tmp_path / f"{name}.png", np.full((60, 80, 3), 100, np.uint8))
    results = [
        result(tmp_path / "a.png", [BOX], missed=1),
        result(tmp_path / "b.png"),
        result(tmp_path / "c.png", [BOX], [0.9, 0.1], missed=1, false=1),
    ]
    (tmp_path / "out").mkdir()
    listed = draw_worst(results, 0.25, tmp_path / "out")
    assert [Path(one["file"]).name for one in listed] == ["c.png", "a.png"]
    assert listed[0] | {"file": ""} == {"file": "", "missed": 1, "false": 1, "drawing": "worst_01.jpg"}
    drawn = read_image(tmp_path / "out" / "worst_01.jpg")[0]
    assert drawn.shape == (60, 80, 3) and np.abs(drawn.astype(int) - 100).max() > 60
