"""Masks as polygons for formats that know nothing else, without losing holes or pieces.

The vertices lie on the pixels' outer corners, drawn in by INSET. So whoever fills the polygon by cutting coordinates
to whole pixels and painting the border too (ultralytics, labelme) gets the very pixels of the mask, and a line one
pixel wide keeps a width. A hole, or a further piece, hangs on by a bridge of no width that is walked there and back.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.api import Mask

INSET = 0.1  # px
Polygon = NDArray[np.float64]


def pieces(mask: Mask) -> list[Polygon]:
    """One polygon for each connected piece, its holes bridged in: (n, 2) as x, y in full-image px; largest first."""
    # Doubled, a pixel has a left and a right half, so that its two edges can be told apart.
    big = cv2.resize(mask.pixels.astype(np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    contours, family = cv2.findContours(big, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return []
    parents = family[0, :, 3]
    offset = np.array([mask.x, mask.y])
    rings = [
        points // 2 + np.where(points % 2, 1 - INSET, INSET) + offset for points in (ring[:, 0] for ring in contours)
    ]
    outer = sorted(np.flatnonzero(parents < 0).tolist(), key=lambda ring: -cv2.contourArea(contours[ring]))
    return [joined([rings[ring], *(rings[hole] for hole in np.flatnonzero(parents == ring))]) for ring in outer]


def joined(rings: Sequence[Polygon]) -> Polygon:
    """All rings as one polygon; each hangs on a vertex near it of those before it."""
    whole = rings[0]
    for ring in rings[1:]:
        there = 0
        for _ in range(2):  # not the very nearest pair, which takes a search over all pairs
            here = _nearest(whole, ring[there])
            there = _nearest(ring, whole[here])
        loop = np.concatenate([ring[there:], ring[: there + 1]])
        whole = np.concatenate([whole[: here + 1], loop, whole[here:]])
    return whole


def _nearest(points: Polygon, to: Polygon) -> int:
    return int(((points - to) ** 2).sum(1).argmin())


def simplified(polygon: Polygon, tolerance: float) -> Polygon:
    """With fewer vertices, at most ``tolerance`` px beside the line; as it was where that would change the shape."""
    simple = cv2.approxPolyDP(polygon.astype(np.float32), tolerance, True)[:, 0].astype(np.float64)
    if len(simple) < 3:
        return polygon
    corner = np.floor(polygon.min(0)).astype(int)
    size = np.floor(polygon.max(0)).astype(int) - corner + 1
    before, after = (_filled(points, corner, size) for points in (polygon, simple))
    return simple if (before & after).sum() >= 0.95 * (before | after).sum() else polygon


def _filled(polygon: Polygon, corner: NDArray[np.int_], size: NDArray[np.int_]) -> NDArray[np.bool_]:
    canvas = np.zeros((size[1], size[0]), np.uint8)
    return cv2.fillPoly(canvas, [np.floor(polygon - corner).astype(np.int32)], 1).astype(bool)
