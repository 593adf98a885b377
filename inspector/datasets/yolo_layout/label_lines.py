"""Read the lines of a YOLO label file, and fit their polygons to an image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inspector.datasets.yolo_layout import polygons
from inspector.datasets.yolo_layout.report import FARTHEST, Polygon
from inspector.datasets.yolo_layout.text_files import LARGEST_LABEL, read_text
from inspector.domain import InputError

_TOLERANCE = 0.01  # share of a side by which a polygon may exceed the image; as in ultralytics


@dataclass(frozen=True, eq=False)
class LabelLine:
    """A line of a label file.

    Attributes:
        number: of the line, from 1.
        place: index of its class among the names; -1 if there is none.
        polygon: (points, 2), x and y as shares of width and height; None if it cannot be used.
        problem: the reason, of :data:`inspector.datasets.yolo_layout.report.KINDS`; else empty.
    """

    number: int
    place: int = -1
    polygon: Polygon | None = None
    problem: str = ""


def read_label(file: Path, indices: Mapping[int, int]) -> list[LabelLine] | None:
    """Read the non-blank lines of a label file; None if it cannot be read.

    Args:
        indices: class number -> index of its name.
    """
    try:
        text = read_text(file, LARGEST_LABEL)
    except (InputError, OSError):
        return None
    return [_line(number, line, indices) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def _line(number: int, line: str, indices: Mapping[int, int]) -> LabelLine:
    try:
        numbers = np.array(line.split(), np.float64)
    except ValueError:
        return LabelLine(number, problem="malformed_line")
    if len(numbers) < 3 or len(numbers) % 2 == 0 or not np.isfinite(numbers).all():
        return LabelLine(number, problem="malformed_line")
    kind = float(numbers[0])
    if kind % 1 or int(kind) not in indices:
        return LabelLine(number, problem="wrong_class")
    place = indices[int(kind)]
    if len(numbers) == 5:
        return LabelLine(number, place, problem="box_only")
    polygon = numbers[1:].reshape(-1, 2)
    if polygon.min() < -_TOLERANCE or polygon.max() > 1 + _TOLERANCE or np.abs(polygon).max() > FARTHEST:
        return LabelLine(number, place, problem="outside")
    if len(polygon) < 3:
        return LabelLine(number, place, problem="degenerate")
    return LabelLine(number, place, polygon)


def fit_polygon(rings: Iterable[Polygon], width: int, height: int) -> tuple[Polygon | None, float, str]:
    """Merge rings in pixels into one polygon as it is written and learned.

    Returns:
        Its points as shares of the sides, rounded to six digits, or None if nothing can be used; by how many pixels it
        exceeded the image before it was clipped; and why it cannot be used.
    """
    thick = [ring for ring in rings if not polygons.is_flat(ring)]
    if not thick:
        return None, 0.0, "degenerate"
    cut = [polygons.clipped(ring, width, height) for ring in thick]
    if any(map(polygons.is_mostly_outside, thick, cut)):
        return None, 0.0, "off_image"
    inside = [ring for ring in cut if not polygons.is_flat(ring)]
    size = (width, height)
    whole = (polygons.union(inside) / size).clip(0, 1).round(6) if inside else None
    if whole is None or polygons.is_flat(whole * size):
        return None, 0.0, "degenerate"
    return whole, max(float(max(-ring.min(), (ring - size).max())) for ring in thick), ""


def are_tilted_boxes(outlines: Iterable[Polygon]) -> bool:
    """Whether all outlines, at least two, are rotated boxes as in YOLO OBB."""
    count = 0
    for outline in outlines:
        if not polygons.is_tilted_box(outline):
            return False
        count += 1
    return count > 1
