"""Near-duplicates are found among images that all look alike, as those of parts under a fixed camera do."""

import cv2
import numpy as np
import pytest

from inspector.datasets.yolo_layout import duplicates
from inspector.datasets.yolo_layout.duplicates import near_duplicates, thumbnail


def part(seed: int) -> np.ndarray:
    """(240, 320, 3) uint8: the same ring in each, with dirt of its own."""
    image = np.full((240, 320, 3), 60, np.uint8)
    cv2.circle(image, (160, 120), 80, (190, 190, 190), 30)
    chance = np.random.default_rng(seed)
    for _ in range(60):
        x, y = chance.integers(0, 320), chance.integers(0, 240)
        cv2.circle(image, (int(x), int(y)), int(chance.integers(2, 7)), (int(chance.integers(0, 255)),) * 3, -1)
    return image


def changed(image: np.ndarray) -> np.ndarray:
    """The same view a moment later: brighter, noisy, coded."""
    noise = np.random.default_rng(1).normal(8, 5, image.shape)
    coded = cv2.imencode(".jpg", np.clip(image + noise, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
    return cv2.imdecode(coded, 1)


@pytest.fixture(scope="module")
def parts():
    return [part(seed) for seed in range(60)]


def test_other_parts_under_one_camera_are_no_duplicates(parts):
    small = [thumbnail(image) for image in parts]
    assert list(near_duplicates({"train": small[:40], "val": small[40:]})) == []


def test_a_view_that_is_taken_twice_is_found(parts):
    train = [thumbnail(image) for image in parts[:40]]
    val = [thumbnail(image) for image in parts[40:]]
    val[3:3] = [thumbnail(changed(parts[7]))]
    assert list(near_duplicates({"train": train, "val": val})) == [("train", "val", [(7, 3)], False)]
    assert list(near_duplicates({"train": train, "val": val}, frozenset({("val", 3)}))) == []


def test_of_very_many_only_some_are_compared_and_this_is_said(parts, monkeypatch):
    monkeypatch.setattr(duplicates, "MOST_COMPARED", 10)
    small = [thumbnail(image) for image in parts]
    ((_, _, pairs, sampled),) = near_duplicates({"train": small, "val": [thumbnail(changed(parts[0]))]})
    assert pairs == [(0, 0)] and sampled


def test_flat_images_and_empty_splits_are_like_none():
    flat = [np.full((32, 32), 90, np.uint8)] * 3
    assert list(near_duplicates({"train": flat, "val": flat, "test": []})) == []
    assert list(near_duplicates({"train": [], "val": []})) == []
