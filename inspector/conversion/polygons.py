"""Masks and several polygons as the one polygon that a line of a YOLO label holds, without losing holes or pieces.

See :mod:`inspector.imaging.polygons` for how a hole or a further piece hangs on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inspector.conversion.labels import Polygon
from inspector.domain import Mask
from inspector.imaging.polygons import joined, mask_rings

_THINNEST = 0.02  # px


def of_mask(pixels: NDArray[np.bool_], x: int = 0, y: int = 0) -> tuple[Polygon | None, bool]:
    """One polygon of a mask (h, w) at column x and row y, None of an empty one; and whether it has bridges."""
    pieces = mask_rings(Mask(x, y, pixels.astype(bool)))
    if not pieces:
        return None, False
    return joined([joined(rings) for rings in pieces]), sum(map(len, pieces)) > 1


def union(rings: Sequence[Polygon]) -> Polygon:
    """One polygon of several: joined as they are where they lie apart, else by way of their pixels."""
    if len(rings) == 1:
        return rings[0]
    from pycocotools import mask as coco

    lows, highs = np.array([ring.min(0) for ring in rings]), np.array([ring.max(0) for ring in rings])
    apart = np.any((lows[:, None] > highs) | (highs[:, None] < lows), axis=2)
    if apart[~np.eye(len(rings), dtype=bool)].all():
        return joined(rings)
    corner = np.floor(lows.min(0)).astype(int)
    width, height = (int(side) for side in np.ceil(highs.max(0)).astype(int) - corner + 1)
    encoded = coco.frPyObjects([(ring - corner).ravel().tolist() for ring in rings], height, width)
    whole, _ = of_mask(coco.decode(coco.merge(encoded)).astype(bool), int(corner[0]), int(corner[1]))
    return max(rings, key=len) if whole is None else whole


def circle(centre: Polygon, edge: Polygon) -> Polygon:
    """A circle (2,), (2,) as a polygon that leaves it by less than a tenth of a pixel."""
    radius = math.hypot(*(edge - centre))
    count = math.ceil(min(max(16.0, math.pi * math.sqrt(5 * radius)), 1000.0))  # r - r cos(pi / count) < 0.1
    angles = np.arange(count) * (2 * math.pi / count)
    return centre + radius * np.stack([np.cos(angles), np.sin(angles)], 1)


def clipped(polygon: Polygon, width: float, height: float) -> Polygon:
    """The part within 0…width, 0…height, by Sutherland and Hodgman; (0, 2) where there is none."""
    for axis, limit, sign in ((0, 0.0, 1), (0, width, -1), (1, 0.0, 1), (1, height, -1)):
        if len(polygon) == 0:
            break
        inside = (polygon[:, axis] - limit) * sign >= 0
        if inside.all():
            continue
        kept = []
        for here, there, within, next_within in zip(
            polygon, np.roll(polygon, -1, 0), inside, np.roll(inside, -1), strict=True
        ):
            if within:
                kept.append(here)
            if within != next_within:
                crossing = here + (there - here) * ((limit - here[axis]) / (there[axis] - here[axis]))
                crossing[axis] = limit
                kept.append(crossing)
        polygon = np.array(kept).reshape(-1, 2)
    return polygon


def is_flat(polygon: Polygon) -> bool:
    """It encloses nothing: less than three points, or all on one line."""
    if len(polygon) < 3:
        return True
    return bool(np.linalg.svd(polygon - polygon.mean(0), compute_uv=False)[1] < _THINNEST)
