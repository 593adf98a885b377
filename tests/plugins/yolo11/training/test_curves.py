import math

import numpy as np
import pytest
from PIL import Image

from inspector_plugins.yolo11.training import curves, fonts


@pytest.fixture
def results(tmp_path):
    """A ``results.csv`` as ultralytics writes it; the last line is truncated."""
    file = tmp_path / "results 1.csv"
    lines = ["epoch,time,train/box_loss,metrics/mAP50(B)", "1,3.25,1.5,0.25", "2,6.5,nan,0.5", "3,9.1,0.5"]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


def test_columns_by_name(results):
    found = curves.read(results)
    assert list(found) == ["epoch", "time", "train/box_loss", "metrics/mAP50(B)"]
    assert found["epoch"] == [1, 2] and isinstance(found["epoch"][0], int) and found["time"] == [3.25, 6.5]
    assert found["train/box_loss"][0] == 1.5 and math.isnan(found["train/box_loss"][1])


def test_what_polars_would_read(results):
    polars = pytest.importorskip("polars")
    results.write_text("epoch,time,a\n1,3.25,0.5\n2,6.5,1e-05\n", "utf-8")
    assert curves.read(results) == polars.read_csv(results.read_bytes(), infer_schema_length=None).to_dict(
        as_series=False
    )


def test_nothing_yet(tmp_path):
    assert curves.read(tmp_path / "results.csv") == {}
    (tmp_path / "results.csv").touch()
    assert curves.read(tmp_path / "results.csv") == {}


def test_the_results_are_drawn(results, tmp_path):
    curves.draw_results(curves.read(results), tmp_path / "曲线.png")
    with Image.open(tmp_path / "曲线.png") as picture:
        assert picture.size == (800, 1200) and len(set(picture.convert("L").tobytes())) > 20


@pytest.mark.parametrize("count", [1, 700])
@pytest.mark.filterwarnings("error")  # such as that a character is in no font
def test_the_labels_are_drawn(count, tmp_path):
    fonts.provide()
    chance = np.random.default_rng(0)
    boxes, classes = chance.random((count, 4), np.float32) / 2 + 0.1, chance.integers(0, 2, count).astype(np.float32)
    curves.draw_labels(boxes, classes, {0: "划痕", 1: "$1", 2: "never"}, tmp_path / "labels.jpg")
    with Image.open(tmp_path / "labels.jpg") as picture:
        assert picture.size == (1600, 1600) and len(set(picture.convert("L").tobytes())) > 20
