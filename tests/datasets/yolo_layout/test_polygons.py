"""Polygons cut, joined and united, compared with their pixels."""

import numpy as np
import pytest
from pycocotools import mask as coco

from inspector.datasets.yolo_layout import polygons


def filled(ring: np.ndarray, height: int, width: int, offset: int = 0) -> np.ndarray:
    """By the even-odd rule at the centres of small cells, without a library: (height, width) * 4 bool."""
    rows, columns = (np.mgrid[: height * 4, : width * 4] + 0.5) / 4 - offset
    inside = np.zeros(rows.shape, bool)
    for (x1, y1), (x2, y2) in zip(ring, np.roll(ring, -1, 0), strict=True):
        if y1 != y2:
            crosses = (y1 > rows) != (y2 > rows)
            inside ^= crosses & (columns < (x2 - x1) * (rows - y1) / (y2 - y1) + x1)
    return inside


@pytest.mark.parametrize("seed", range(12))
def test_a_cut_polygon_fills_what_lies_in_the_image(seed):
    chance = np.random.default_rng(seed)
    ring = chance.uniform(-15, 35, (int(chance.integers(3, 9)), 2))  # crosses itself, too
    cut = polygons.clipped(ring, 20, 16)
    whole = filled(ring, 16, 20)
    if len(cut) == 0:
        assert not whole.any()
    else:
        assert cut.min() >= 0 and (cut <= (20, 16)).all()
        assert (filled(cut, 16, 20) != whole).mean() < 0.01
        assert filled(cut, 60, 60, 20).sum() == filled(cut, 16, 20).sum()  # nothing outside


def test_what_lies_inside_is_left_as_it_is_and_what_lies_outside_vanishes():
    ring = np.array([[0.0, 0.0], [20.0, 0.0], [20.0, 16.0]])
    assert (polygons.clipped(ring, 20, 16) == ring).all()
    assert polygons.is_flat(polygons.clipped(ring + 30, 20, 16))


@pytest.mark.parametrize("seed", range(6))
def test_a_mask_and_its_polygon_are_the_same(seed):
    mask = np.random.default_rng(seed).random((12, 15)) < (0.2, 0.5, 0.8)[seed % 3]
    ring, bridged = polygons.of_mask(mask, 3, 2)
    assert bridged
    whole = np.zeros((20, 24), bool)
    whole[2:14, 3:18] = mask
    cells = filled(ring, 20, 24).reshape(20, 4, 24, 4)
    assert (cells[:, 1:3, :, 1:3].mean((1, 3)) == whole).all()  # away from the pixels' edges


def test_an_empty_mask_has_no_polygon():
    assert polygons.of_mask(np.zeros((3, 4), bool)) == (None, False)


def test_a_circle_is_close_to_one():
    for radius in (0.3, 5.0, 200.0, 3000.0):
        ring = polygons.circle(np.array([7.0, 8.0]), np.array([7.0, 8.0 + radius]))
        middles = (ring + np.roll(ring, -1, 0)) / 2
        assert np.allclose(np.hypot(*(ring - (7, 8)).T), radius)
        assert radius - np.hypot(*(middles - (7, 8)).T).min() < 0.1 and len(ring) >= 16


def test_united_polygons_are_the_union():
    squares = [
        np.array([[x, y], [x + 10, y], [x + 10, y + 10], [x, y + 10]], float) for x, y in ((2, 2), (8, 6), (30, 3))
    ]
    apart = polygons.union(squares[::2])
    assert {tuple(point) for point in apart} == {tuple(point) for ring in squares[::2] for point in ring}
    assert filled(apart, 30, 50).sum() == 200 * 16
    both = polygons.union(squares)
    expected = coco.decode(coco.merge(coco.frPyObjects([ring.ravel().tolist() for ring in squares], 30, 50)))
    cells = filled(both, 30, 50).reshape(30, 4, 50, 4)[:, 1:3, :, 1:3].mean((1, 3))
    assert (cells == expected).all()


@pytest.mark.parametrize(
    "points, flat",
    [
        ([], True),
        ([[1, 1], [5, 5]], True),
        ([[1, 1], [5, 5], [3, 3], [9, 9]], True),
        ([[1, 1], [1, 1], [1, 1]], True),
        ([[1, 1], [90, 1], [90, 1.2]], False),
        ([[0, 0], [4, 4], [4, 0], [0, 4]], False),  # a bow tie: no signed area, but something to see
    ],
)
def test_what_encloses_nothing(points, flat):
    assert polygons.is_flat(np.array(points, float).reshape(-1, 2)) is flat
