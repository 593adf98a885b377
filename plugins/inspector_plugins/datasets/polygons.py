"""Polygons with fewer vertices, for formats that are edited by hand."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Polygon = NDArray[np.float64]


def simplified(polygon: Polygon, tolerance: float) -> Polygon:
    """Simplify with at most ``tolerance`` px deviation; unchanged if the shape would change."""
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
