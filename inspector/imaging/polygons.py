"""Masks as polygons, for formats without masks, without losing holes or pieces.

The vertices are on the pixels' outer corners, drawn in by INSET. So a program that fills the polygon by truncating
coordinates to whole pixels and painting the border too (ultralytics, labelme) gets exactly the pixels of the mask, and
a line one pixel wide keeps a width. A hole, or a further piece, is connected by a bridge of no width, walked twice.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.domain import Mask

INSET = 0.1  # px
Polygon = NDArray[np.float64]


def mask_rings(mask: Mask) -> list[list[Polygon]]:
    """For each connected piece, the largest first: its outline, then the outlines of its holes, each (n, 2) as x, y in
    px of the whole image."""
    # Doubled, a pixel has a left and a right half, so that its two edges can be distinguished.
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
    return [[rings[ring], *(rings[hole] for hole in np.flatnonzero(parents == ring))] for ring in outer]


def mask_polygons(mask: Mask) -> list[Polygon]:
    """One polygon for each connected piece, its holes bridged: (n, 2) as x, y in px of the whole image; the
    largest first."""
    return [joined(rings) for rings in mask_rings(mask)]


def joined(rings: Sequence[Polygon]) -> Polygon:
    """Join rings into one polygon; each is connected at a vertex near it of those before it."""
    whole = rings[0]
    for ring in rings[1:]:
        there = 0
        for _ in range(2):  # not the very nearest pair, which would take a search over all pairs
            here = _nearest(whole, ring[there])
            there = _nearest(ring, whole[here])
        loop = np.concatenate([ring[there:], ring[: there + 1]])
        whole = np.concatenate([whole[: here + 1], loop, whole[here:]])
    return whole


def _nearest(points: Polygon, to: Polygon) -> int:
    return int(((points - to) ** 2).sum(1).argmin())
