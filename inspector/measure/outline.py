"""Outlines of a mask: perimeter, Feret diameter, smallest rectangle, and the distance to other masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot
from typing import TYPE_CHECKING

import cv2
import numpy as np

from inspector.measure.paths import path_length

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inspector.domain import Box

    Points = NDArray[np.float32]

_SMOOTHED = 5  # points of an outline that are averaged
_COARSE = 8  # every so many points of two outlines are compared first


@dataclass(frozen=True)
class Outline:
    """Corners of the pixels around a mask, in image coordinates, and what follows from them, px.

    Attributes:
        rings: (n, 2) float32 each, x and y, in order; outer outlines and those of holes.
        low, high: corners of the box around all of them.
    """

    rings: tuple[Points, ...]
    low: tuple[float, float]
    high: tuple[float, float]
    perimeter: float = 0.0
    feret: float = 0.0
    rect_length: float = 0.0

    def box_distance(self, other: Outline) -> float:
        """Return the distance between the boxes; the outlines are at least as far apart."""
        across, down = (
            max(0.0, self.low[axis] - other.high[axis], other.low[axis] - self.high[axis]) for axis in (0, 1)
        )
        return hypot(across, down)

    def distance(self, other: Outline) -> float:
        """Return the smallest distance between the two outlines."""
        return min(_distance(one, two) for one in self.rings for two in other.rings)


def trace(pixels: NDArray[np.bool_], x: int, y: int) -> Outline:
    """Trace and measure the outlines of a mask.

    The perimeter is slightly smoothed, because the steps of pixels are no length. Smoothing shortens sharp ends, but no
    outline is shorter than that of its convex hull. The Feret diameter runs from the middle of a pixel's edge to that
    of another.

    Args:
        pixels: (h, w) bool, not empty.
        x, y: image coordinates of its first pixel.
    """
    height, width = pixels.shape
    # Doubling puts the pixels' corners on the integer grid that findContours walks.
    double = np.zeros((2 * height + 4, 2 * width + 4), np.uint8)
    double[2:-2, 2:-2] = cv2.resize(pixels.view(np.uint8), (2 * width, 2 * height), interpolation=cv2.INTER_NEAREST)
    contours, hierarchy = cv2.findContours(double, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    rings, outer, perimeter = [], [], 0.0
    for contour, (_, _, _, parent) in zip(contours, hierarchy[0], strict=True):
        corners = ((contour[:, 0] + 1) // 2).astype(np.float32)
        corners = corners[(corners != np.concatenate([corners[-1:], corners[:-1]])).any(1)]
        length = path_length(corners, _SMOOTHED, closed=True)
        if parent < 0:  # not a hole
            hull = cv2.convexHull((corners + np.concatenate([corners[-1:], corners[:-1]])) / 2)
            length = max(length, cv2.arcLength(hull, True))
            outer.append(hull[:, 0])
        rings.append(corners + np.array([x - 1, y - 1], np.float32))
        perimeter += length
    hull = outer[0] if len(outer) == 1 else cv2.convexHull(np.concatenate(outer))[:, 0]
    apart = hull[:, None] - hull[None]
    every = rings[0] if len(rings) == 1 else np.concatenate(rings)
    low, high = every.min(0), every.max(0)
    _, sides, _ = cv2.minAreaRect(every)
    return Outline(
        tuple(rings),
        (float(low[0]), float(low[1])),
        (float(high[0]), float(high[1])),
        perimeter,
        float(np.sqrt((apart * apart).sum(2).max())),
        float(max(sides)),
    )


def box_outline(box: Box) -> Outline:
    """Return the outline of a box."""
    x1, y1, x2, y2 = box
    across, down = (np.linspace(low, high, max(2, round(high - low) + 1)) for low, high in ((x1, x2), (y1, y2)))
    sides = [np.stack([across, np.full_like(across, y1)], 1), np.stack([np.full_like(down, x2), down], 1)]
    sides += [np.stack([across[::-1], np.full_like(across, y2)], 1), np.stack([np.full_like(down, x1), down[::-1]], 1)]
    return Outline((np.concatenate(sides).astype(np.float32),), (x1, y1), (x2, y2))


def nearest_distances(outlines: Sequence[Outline]) -> list[float | None]:
    """Return the distance of each outline to the nearest other, px; 0 if they touch. None if there is no other."""
    found: dict[tuple[int, int], float] = {}
    nearest: list[float | None] = []
    for number, one in enumerate(outlines):
        best: float | None = None
        others = [(one.box_distance(other), place) for place, other in enumerate(outlines) if place != number]
        for at_least, place in sorted(others):
            if best is not None and at_least >= best:
                break
            pair = (min(number, place), max(number, place))
            if pair not in found:
                found[pair] = outlines[pair[0]].distance(outlines[pair[1]])
            best = found[pair] if best is None else min(best, found[pair])
        nearest.append(best)
    return nearest


def _distance(one: Points, two: Points) -> float:
    """Return the smallest distance between two rings of points: first between every eighth, then around the nearest."""
    coarse = _between(one[::_COARSE], two[::_COARSE])
    # Two points that are _COARSE steps of one pixel along their rings can be so much nearer.
    rows, columns = np.nonzero(coarse <= coarse.min() + 2 * _COARSE)
    near_one, near_two = _around(np.unique(rows), len(one)), _around(np.unique(columns), len(two))
    return float(_between(one[near_one], two[near_two]).min())


def _between(one: Points, two: Points) -> Points:
    """Return the distances between all points of two sets, (n, m)."""
    across, down = (one[:, axis, None] - two[None, :, axis] for axis in (0, 1))
    return np.asarray(np.hypot(across, down), np.float32)


def _around(coarse: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Return the indices of a ring of ``count`` points that are next to these of every eighth."""
    half = _COARSE // 2
    return np.unique((coarse[:, None] * _COARSE + np.arange(-half, half + 1)) % count)
