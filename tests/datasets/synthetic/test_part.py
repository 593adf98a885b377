"""Single rendered parts: shape, repeatability, and masks that can be seen and learnt."""

import cv2
import numpy as np
import pytest

from inspector.datasets.synthetic import KINDS, Part, render_part


@pytest.fixture(scope="module")
def parts() -> list[Part]:
    return [render_part(np.random.default_rng([5, number]), size=320) for number in range(24)]


def test_image_has_the_size_asked_for() -> None:
    part = render_part(np.random.default_rng(1), size=200)
    assert part.image.shape == (200, 200, 3)
    assert part.image.dtype == np.uint8
    assert all(defect.mask.shape == (200, 200) and defect.mask.dtype == np.bool_ for defect in part.defects)


def test_same_generator_state_gives_the_same_part() -> None:
    first, again = (render_part(np.random.default_rng(3), size=256) for _ in range(2))
    assert np.array_equal(first.image, again.image)
    assert [d.kind for d in first.defects] == [d.kind for d in again.defects]
    assert all(np.array_equal(a.mask, b.mask) for a, b in zip(first.defects, again.defects, strict=True))
    assert not np.array_equal(first.image, render_part(np.random.default_rng(4), size=256).image)


def test_good_part_has_no_defect() -> None:
    assert all(not render_part(np.random.default_rng(n), size=200, good=True).defects for n in range(4))


def test_bad_part_has_one_to_four_defects(parts: list[Part]) -> None:
    assert all(1 <= len(part.defects) <= 4 for part in parts)


def test_every_kind_of_defect_occurs(parts: list[Part]) -> None:
    assert {defect.kind for part in parts for defect in part.defects} == set(KINDS)


def test_masks_are_in_one_piece_and_do_not_overlap(parts: list[Part]) -> None:
    for part in parts:
        for defect in part.defects:
            pieces, _ = cv2.connectedComponents(defect.mask.astype(np.uint8), connectivity=8)
            assert pieces == 2
        assert np.sum([defect.mask for defect in part.defects], axis=0).max() == 1


def test_masks_are_wide_enough_to_learn(parts: list[Part]) -> None:
    """At 320 pixels every mask holds a pixel; most hold a disc of at least 3 pixels across (6 at 640)."""
    widths = []
    for part in parts:
        for defect in part.defects:
            padded = cv2.copyMakeBorder(defect.mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
            widths.append(cv2.distanceTransform(padded, cv2.DIST_L2, 5).max())
    assert min(widths) >= 0.9
    assert np.mean([width >= 1.5 for width in widths]) > 0.6


def test_some_defects_are_small(parts: list[Part]) -> None:
    """The smallest of many have an extent of a few pixels."""
    extents = [max(np.ptp(np.nonzero(d.mask), axis=1)) + 1 for part in parts for d in part.defects]
    assert min(extents) <= 10
    assert max(extents) > 30


def test_defects_differ_from_the_steel_around_them(parts: list[Part]) -> None:
    """The pixels of most masks differ plainly, in brightness or in unrest, from a rim around them."""
    plain = []
    for part in parts:
        grey = cv2.cvtColor(part.image, cv2.COLOR_BGR2GRAY).astype(np.float32)
        for defect in part.defects:
            near = cv2.dilate(defect.mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
            rim = near & (cv2.dilate(defect.mask.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0)
            inside, outside = grey[defect.mask], grey[rim]
            plain.append(np.abs(np.median(outside) - inside).mean() > 1.3 * np.abs(np.median(outside) - outside).mean())
    assert np.mean(plain) > 0.6
