"""Convert masks and several polygons to the one polygon of a YOLO label line, without losing holes or pieces.

See :mod:`inspector.imaging.polygons` for how holes and further pieces are connected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inspector.datasets.yolo_layout.report import Polygon
from inspector.domain import Mask
from inspector.imaging.polygons import joined, mask_rings

_THINNEST = 0.02  # px


def of_mask(pixels: NDArray[np.bool_], x: int = 0, y: int = 0) -> tuple[Polygon | None, bool]:
    """Outline a mask (h, w) at column x, row y as one polygon, None if empty; and whether it has bridges."""
    pieces = mask_rings(Mask(x, y, pixels.astype(bool)))
    if not pieces:
        return None, False
    return joined([joined(rings) for rings in pieces]), sum(map(len, pieces)) > 1


def union(rings: Sequence[Polygon]) -> Polygon:
    """Unite polygons: joined unchanged if they are apart, else by way of their pixels."""
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
    """Approximate a circle of (2,) centre and edge point by a polygon, with an error below a tenth of a pixel."""
    radius = math.hypot(*(edge - centre))
    count = math.ceil(min(max(16.0, math.pi * math.sqrt(5 * radius)), 1000.0))  # r - r cos(pi / count) < 0.1
    angles = np.arange(count) * (2 * math.pi / count)
    return centre + radius * np.stack([np.cos(angles), np.sin(angles)], 1)


def clipped(polygon: Polygon, width: float, height: float) -> Polygon:
    """Clip to 0…width, 0…height (Sutherland-Hodgman); (0, 2) if nothing is left."""
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
    """Whether it encloses nothing: fewer than three points, or all within 0.02 pixels of one line."""
    if len(polygon) < 3:
        return True
    away = polygon - polygon[0]
    far = away[np.hypot(*away.T).argmax()]
    length = float(np.hypot(*far))
    return length == 0 or float(np.abs(away[:, 0] * far[1] - away[:, 1] * far[0]).max()) / length < _THINNEST


def area(polygon: Polygon) -> float:
    """Enclosed area, px²; loops in the other direction count negative."""
    x, y = (polygon - polygon[:1]).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def is_mostly_outside(polygon: Polygon, inside: Polygon) -> bool:
    """Whether less than half of it is left in ``inside``, its part within the image."""
    whole = area(polygon)
    if whole < _THINNEST:  # a bow tie, whose loops cancel each other out
        (left, top), (right, bottom) = polygon.min(0), polygon.max(0)
        whole = (right - left) * (bottom - top)
        return len(inside) == 0 or float(np.prod(inside.max(0) - inside.min(0))) < whole / 2
    return len(inside) == 0 or area(inside) < whole / 2


def is_tilted_box(polygon: Polygon) -> bool:
    """Whether it is four corners of a box that is not aligned with the axes, in pixels or shares."""
    if len(polygon) != 4:
        return False
    size = float((polygon.max(0) - polygon.min(0)).max())
    if size == 0 or np.abs(polygon[0] - polygon[1] + polygon[2] - polygon[3]).max() > 1e-3 * size:
        return False
    return bool((np.abs(polygon - np.roll(polygon, -1, 0)).min(1) > 0.02 * size).all())
