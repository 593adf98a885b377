"""Drawn masks through a model plugin: the measures that ``results.jsonl`` then holds."""

import json

import numpy as np
import pytest

from inspector.imaging import write_image


@pytest.mark.parametrize(("scale", "angle"), [(0.5, 20), (1, 0), (1, 33), (2, 71)])
def test_a_ring_segment_is_measured_as_drawn(home, spots, tmp_path, program, scale, angle):
    """90 degrees of a ring of radius 100 px, 5 px wide, at three scales."""
    y, x = np.mgrid[:520, :520] + 0.5
    around = (np.degrees(np.arctan2(y - 260, x - 260)) - angle) % 360
    shape = (np.abs(np.hypot(x - 260, y - 260) - 100 * scale) <= 2.5 * scale) & (around <= 90)
    image = np.full((520, 520, 3), 200, np.uint8)
    image[shape] = 10
    file, output = write_image(tmp_path / "弧.png", image), tmp_path / "out"
    flags = ("--model", "spots", "--mm-per-pixel", "0.1", "--export", "jsonl", "--quiet")
    code, _, err = program("inspect", str(file), *flags, "--output", str(output))
    assert code == 0, err
    (found,) = json.loads((output / "results.jsonl").read_text("utf-8"))["detections"]
    assert found["area_px"] == shape.sum()
    assert found["length_px"] == pytest.approx(157.08 * scale, abs=2)
    assert found["feret_px"] == pytest.approx(141.42 * scale, abs=5 * scale)  # of the middle line; corners are farther
    assert found["width_px"] == pytest.approx(5 * scale, abs=0.75)
    assert found["nearest_px"] is None and found["nearest_mm"] is None and found["region"] is None
    for name in ("length", "feret", "width", "width_mean", "perimeter", "rect_length"):
        assert found[f"{name}_mm"] == pytest.approx(found[f"{name}_px"] * 0.1, abs=1e-3)
        assert 0 < found[f"{name}_mm_u"] < 0.05
    assert found["area_mm2"] == pytest.approx(found["area_px"] * 0.01, rel=1e-3) and found["area_mm2_u"] > 0


def test_without_a_calibration_millimetres_are_null(home, spots, pictures, tmp_path, program):
    output = tmp_path / "out"
    program("inspect", str(pictures), "--model", "spots", "--export", "jsonl", "--quiet", "--output", str(output))
    lines = [json.loads(line) for line in (output / "results.jsonl").read_text("utf-8").splitlines()]
    (spot,) = lines[1]["detections"]
    assert spot["area_px"] == 100 and spot["width_px"] == pytest.approx(10, abs=0.5)
    assert {value for key, value in spot.items() if "_mm" in key} == {None}
