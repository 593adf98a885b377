"""Measures of the defects of an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from inspector.domain import Detection, Mask
from inspector.domain.measures import Measures
from inspector.measure.outline import Outline, box_outline, nearest_distances, trace
from inspector.measure.skeleton import extent

if TYPE_CHECKING:
    from numpy.typing import NDArray


def measure(detections: Sequence[Detection]) -> tuple[Detection, ...]:
    """Return the detections of one image with their measures, rounded as they are stored.

    Detections without a mask get the distance to the nearest other only, from box to box.
    """
    found = [_measures(d.mask, d) for d in detections]
    nearest = nearest_distances([outline for _, outline in found])
    return tuple(
        replace(d, measures=replace(measures, nearest_px=near).rounded())
        for d, (measures, _), near in zip(detections, found, nearest, strict=True)
    )


def _measures(mask: Mask | None, detection: Detection) -> tuple[Measures, Outline]:
    if mask is None or not mask.area:
        return Measures(None if mask is None else 0), box_outline(detection.box)
    pixels, x, y = _cropped(mask)
    outline = trace(pixels, x, y)
    along = extent(pixels, mask.area, outline.rect_length)
    measures = Measures(
        area_px=mask.area,
        length_px=along.length,
        feret_px=outline.feret,
        width_px=along.width,
        width_mean_px=along.width_mean,
        perimeter_px=outline.perimeter,
        rect_length_px=outline.rect_length,
    )
    return measures, outline


def _cropped(mask: Mask) -> tuple[NDArray[np.bool_], int, int]:
    """Return the pixels of a mask without empty margins, and where they begin in the image."""
    rows, columns = (np.flatnonzero(mask.pixels.any(axis)) for axis in (1, 0))
    top, left = int(rows[0]), int(columns[0])
    pixels = mask.pixels[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]
    return np.ascontiguousarray(pixels), mask.x + left, mask.y + top
