"""Measures of a defect in pixels, and in millimetres with their standard uncertainty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

DIGITS = 3
"""Decimal places of measures in files and in the history."""


@dataclass(frozen=True)
class Measures:
    """Measures of a defect, px; area in px². None: unknown, e.g. because the defect has a box but no mask.

    Attributes:
        area_px: number of mask pixels.
        length_px: along the skeleton, from end to end of the mask.
        feret_px: Feret diameter, the largest distance between two parallel tangents.
        width_px: largest width: diameter of the largest inscribed circle.
        width_mean_px: mean width along the skeleton.
        perimeter_px: length of all outlines, those of holes included.
        nearest_px: distance to the nearest other defect of the image; None if there is no other.
        rect_length_px: long side of the smallest rotated rectangle.
    """

    area_px: int | None = None
    length_px: float | None = None
    feret_px: float | None = None
    width_px: float | None = None
    width_mean_px: float | None = None
    perimeter_px: float | None = None
    nearest_px: float | None = None
    rect_length_px: float | None = None

    def rounded(self) -> Measures:
        """Return the measures with :data:`DIGITS` decimal places."""
        return Measures(**{key: None if value is None else round(value, DIGITS) for key, value in vars(self).items()})

    def to_json(self) -> dict[str, float | None]:
        """Return the measures for JSON, rounded."""
        return dict(vars(self.rounded()))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Measures:
        """Return the measures of a record (inverse of :meth:`to_json`); other keys are ignored."""
        return cls(**{each.name: data.get(each.name) for each in fields(cls)})


LENGTHS = ("length", "feret", "width", "width_mean", "perimeter", "nearest", "rect_length")
"""Names of the measures of length, without their unit."""
EDGE_PX = 0.5 / 3**0.5
"""Standard uncertainty of the position of an edge, px: it is anywhere within half a pixel (rectangular distribution,
JCGM 100:2008, 4.3.7)."""
