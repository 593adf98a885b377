"""Measures of drawn shapes against their mathematics."""

import numpy as np
import pytest
from shapes import bar, detection, disc, ellipse, ring, segment

from inspector.domain import Detection
from inspector.domain.measures import Measures
from inspector.measure import measure


def measured(pixels) -> Measures:
    return measure([detection(pixels)])[0].measures


@pytest.mark.parametrize("scale", [0.5, 1, 2])
@pytest.mark.parametrize("angle", [0, 17, 30, 45, 80])
def test_a_piece_of_a_ring(scale, angle):
    found = measured(segment(100 * scale, 90, 5 * scale, angle))
    assert found.length_px == pytest.approx(157.08 * scale, abs=2)
    assert found.feret_px == pytest.approx(2**0.5 * 102.5 * scale, abs=1.5)  # from corner to corner
    assert found.width_px == pytest.approx(5 * scale, abs=0.75)
    assert found.width_mean_px == pytest.approx(5 * scale, abs=0.75)
    assert found.perimeter_px == pytest.approx((2 * 157.08 + 10) * scale, rel=0.02)
    assert found.area_px == pytest.approx(157.08 * 5 * scale**2, rel=0.08)  # as many pixels as were drawn


@pytest.mark.parametrize(
    ("pixels", "length", "width", "perimeter"),
    [
        (ring(60, 10), 377.0, 10, 754.0),
        (ring(20, 4), 125.7, 4, 251.3),
        (segment(60, 270, 6, 10), 282.7, 6, 577.5),
        (np.ones((4, 100), bool), 100, 4, 208),
        (bar(100, 5, 22.5), 100, 5, 210),
        (bar(200, 20, 35), 200, 20, 440),
        (bar(60, 1.2, 45), 60.5, 1.2, 123.4),
        (disc(50), 100, 100, 314.2),
        (disc(10), 20, 20, 62.8),
        (ellipse(60, 20, 25), 120, 40, 267.3),
        (np.ones((1, 50), bool), 50, 1, 102),
        (np.ones((40, 40), bool), 40, 40, 160),
        (np.ones((1, 1), bool), 1, 1, 4),
    ],
)
def test_shapes(pixels, length, width, perimeter):
    found = measured(pixels)
    assert found.length_px == pytest.approx(length, rel=0.015, abs=1)
    assert found.width_px == pytest.approx(width, rel=0.03, abs=1)
    assert found.perimeter_px == pytest.approx(perimeter, rel=0.03, abs=1)
    assert found.area_px == pixels.sum()


def test_two_pieces_are_added_and_spurs_do_not_count():
    pixels = np.zeros((40, 120), bool)
    pixels[20:25, 5:45] = pixels[20:25, 60:110] = True
    assert measured(pixels).length_px == pytest.approx(90, abs=2)
    pixels[25:28, 80:83] = True
    assert measured(pixels).length_px == pytest.approx(90, abs=2)


def test_the_margin_of_a_crop_changes_nothing():
    pixels = segment(40, 120, 6, 15)
    rows, columns = np.flatnonzero(pixels.any(1)), np.flatnonzero(pixels.any(0))
    cropped = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert measured(cropped) == measured(np.pad(pixels, 30))


def test_a_mask_at_the_border_of_the_image_ends_there():
    assert measured(np.ones((6, 50), bool)).length_px == pytest.approx(50, abs=1)
    quarter = ring(40, 6)[:47, :47]
    assert measured(quarter).length_px == pytest.approx(40 * np.pi / 2, abs=2)


def test_the_distance_to_the_nearest_other_defect():
    square = np.ones((10, 10), bool)
    alone = measure([detection(square)])
    assert alone[0].measures.nearest_px is None
    found = measure([detection(square), detection(square, 17), detection(square, 17, 40), detection(square, 100, 100)])
    assert [one.measures.nearest_px for one in found] == pytest.approx([7, 7, 30, 88.6], abs=0.5)
    touching = measure([detection(square), detection(square, 10)])
    assert touching[0].measures.nearest_px == 0
    boxes = measure([Detection("a", 0.5, (0, 0, 10, 10)), Detection("a", 0.5, (13, 0, 20, 10))])
    assert [one.measures.nearest_px for one in boxes] == [3, 3]


def test_what_cannot_be_measured_is_unknown():
    assert measure([]) == ()
    (bare,) = measure([Detection("a", 0.5, (0, 0, 10, 10))])
    assert bare.measures == Measures()
    (empty,) = measure([detection(np.zeros((4, 4), bool))])
    assert empty.measures == Measures(area_px=0)


def test_a_skeleton_with_several_rings_has_a_length():
    pixels = np.ones((60, 90), bool)
    for column in (10, 40, 70):
        pixels[20:40, column : column + 12] = False
    found = measured(pixels)
    assert 90 < found.length_px < 300 and found.width_px > 10
