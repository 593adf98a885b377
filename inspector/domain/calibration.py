"""Calibration: the size of a pixel in millimetres, and measures in millimetres with their standard uncertainty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import hypot, isfinite
from typing import Any, Literal, get_args

from inspector.domain.errors import InputError
from inspector.domain.measures import DIGITS, EDGE_PX, LENGTHS, Measures
from inspector.domain.texts import quote

Method = Literal["typed", "points", "circle", "checkerboard", "charuco"]
_VERSION = 1


@dataclass(frozen=True)
class Calibration:
    """Scale of the images of one camera at one distance.

    Attributes:
        mm_per_pixel: side of a pixel on the part, mm; above 0.
        relative_uncertainty: standard uncertainty of ``mm_per_pixel``, as a share of it.
        repeatability_px: standard deviation of repeated measurements of one length, px; 0 if it was not measured.
        method: how the scale was found.
        date: ISO 8601, "" if unknown.
        author: "" if unknown.
        residual_px: root mean square of the distances between measured and computed points, px; None if it was typed.
        width, height: size of the images that it is valid for, px; 0 for any size.
    """

    mm_per_pixel: float
    relative_uncertainty: float = 0.0
    repeatability_px: float = 0.0
    method: Method = "typed"
    date: str = ""
    author: str = ""
    residual_px: float | None = None
    width: int = 0
    height: int = 0

    def fits(self, width: int, height: int) -> bool:
        """Whether it is valid for images of ``width`` x ``height`` pixels."""
        return not self.width or (self.width, self.height) == (width, height)

    def length(self, px: float) -> tuple[float, float]:
        """Return a length and its standard uncertainty, mm.

        Scale, two edges of half a pixel each and repeatability are combined as independent (JCGM 100:2008, 5.1.2).
        """
        scale = self.mm_per_pixel
        parts = (px * self.relative_uncertainty, 2**0.5 * EDGE_PX, self.repeatability_px)
        return px * scale, scale * hypot(*parts)

    def area(self, px: float, perimeter_px: float) -> tuple[float, float]:
        """Return an area and its standard uncertainty, mm²; an edge that is off is off all around."""
        square = self.mm_per_pixel**2
        parts = (2 * px * self.relative_uncertainty, perimeter_px * EDGE_PX, perimeter_px * self.repeatability_px)
        return px * square, square * hypot(*parts)

    def to_json(self) -> dict[str, Any]:
        """Return the calibration for JSON (inverse of :meth:`from_json`)."""
        return {"version": _VERSION, **vars(self)}

    @classmethod
    def from_json(cls, data: object) -> Calibration:
        """Read and check.

        Raises:
            InputError: a key or a value is wrong.
        """
        if not isinstance(data, Mapping):
            raise InputError("A calibration must be a JSON object with mm_per_pixel, not {data}", data=quote(data))
        if data.get("version", _VERSION) != _VERSION:
            raise InputError(
                "The calibration has version {version}, but this program reads version {known}; update the program",
                version=quote(data.get("version")),
                known=_VERSION,
            )
        values = {key: value for key, value in data.items() if key != "version"}
        known = [each.name for each in fields(cls)]
        if unknown := sorted(set(values) - set(known)):
            raise InputError(
                "Unknown key in the calibration: {unknown}; known are {known}",
                unknown=quote(unknown[0]),
                known=", ".join(known),
            )
        for key, value in values.items():
            _check(key, value)
        if "mm_per_pixel" not in values:
            raise InputError("The calibration has no mm_per_pixel; calibrate again")
        if bool(values.get("width")) != bool(values.get("height")):
            raise InputError("Calibration: give both width and height of the images, or neither")
        return cls(**values)


def check_scale(value: object) -> float:
    """Return the size of a pixel in mm.

    Raises:
        InputError: it is not a number above 0.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    if not number or not 0 < value <= 1000:  # type: ignore[operator]
        raise InputError(
            "The size of a pixel must be a number of millimetres above 0 and up to 1000, not {value}",
            value=quote(value),
        )
    return float(value)  # type: ignore[arg-type]


def _check(key: str, value: object) -> None:
    if key == "mm_per_pixel":
        check_scale(value)
        return
    if key in ("relative_uncertainty", "repeatability_px", "residual_px"):
        number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value >= 0
        right = number or (key == "residual_px" and value is None)
    elif key in ("width", "height"):
        right = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    else:
        right = isinstance(value, str) and (key != "method" or value in get_args(Method))
    if not right:
        raise InputError("Calibration: {key} cannot be {value}", key=key, value=quote(value))


def to_millimetres(measures: Measures, calibration: Calibration | None) -> dict[str, float | None]:
    """Return ``length_mm``, ``length_mm_u`` and so on, and ``area_mm2``, ``area_mm2_u``; None without calibration."""
    values: dict[str, float | None] = {}
    for name, unit in [("area", "mm2"), *((name, "mm") for name in LENGTHS)]:
        px = getattr(measures, f"{name}_px")
        found: tuple[float | None, float | None] = (None, None)
        if px is not None and calibration is not None:
            found = in_millimetres(name, px, measures.perimeter_px or 0.0, calibration)
        values[f"{name}_{unit}"], values[f"{name}_{unit}_u"] = found
    return values


def in_millimetres(name: str, px: float, perimeter_px: float, calibration: Calibration) -> tuple[float, float]:
    """Return the measure ``name`` (``area``, ``length`` …) in mm or mm² and its standard uncertainty, as stored.

    Args:
        perimeter_px: of the defect; needed for an area.
    """
    value, uncertainty = calibration.area(px, perimeter_px) if name == "area" else calibration.length(px)
    return _significant(value), _significant(uncertainty)


def _significant(value: float) -> float:
    """Round to a thousandth of a millimetre, or to four digits if it is smaller."""
    return round(value, DIGITS) if value >= 1 else float(f"{value:.4g}")
