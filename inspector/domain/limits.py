"""Limits, and the measures that can have one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

VERSION = 2
"""Of the form of rule files."""
Unnamed = Literal["ok", "warn", "ng"]
"""Verdict on a defect of a class that no rule names."""


@dataclass(frozen=True)
class Limit:
    """The extreme accepted values: beyond ``warn`` is WARN, beyond ``ng`` is NG. None: no limit.

    Beyond is above, for a measure that is a minimum below.
    """

    warn: float | None = None
    ng: float | None = None


@dataclass(frozen=True)
class Measure:
    """A measure that can have a limit.

    Attributes:
        code: of the reason where the limit is not met.
        quantity: name of the measure without its unit, e.g. ``length``.
        unit: ``px``, ``px2``, ``mm`` or ``mm2``; None for a number.
        total: the sum over all defects; else each defect has a value of its own, and the worst counts.
        minimum: values below the limit are beyond it.
    """

    code: str
    quantity: str
    unit: str | None = None
    total: bool = False
    minimum: bool = False

    @property
    def in_mm(self) -> bool:
        """Whether it needs a calibration."""
        return self.unit in ("mm", "mm2")

    @property
    def near_code(self) -> str:
        """Code of the reason for a value that meets the limit by no more than its uncertainty."""
        return f"{self.code.rsplit('_', 1)[0]}_near"


def _measures() -> dict[str, Measure]:
    found = {"count": Measure("count_above", "count", total=True), "score": Measure("score_above", "score")}
    for length, area in (("px", "px2"), ("mm", "mm2")):
        suffix = "px" if length == "px" else "mm2"
        found[f"area_{suffix}"] = Measure("area_above", "area", area)
        found[f"total_area_{suffix}"] = Measure("total_area_above", "area", area, total=True)
        for name in ("length", "feret", "width", "width_mean", "perimeter"):
            found[f"{name}_{length}"] = Measure(f"{name}_above", name, length)
        found[f"nearest_{length}"] = Measure("nearest_below", "nearest", length, minimum=True)
    return found


MEASURES: Mapping[str, Measure] = _measures()
"""Every measure by its name in rule files."""
FIRST_MEASURES = ("count", "area_px", "length_px", "score")
"""The measures of version 1 of rule files."""
CODES = frozenset(code for each in MEASURES.values() for code in (each.code, *([each.near_code] if each.in_mm else [])))
"""Codes of the reasons that rules give."""
Row = Mapping[str, Limit]
"""Limits by measure."""


@dataclass(frozen=True)
class RegionRules:
    """Limits for the defects that count in a region, in addition to those of the whole image.

    Attributes:
        classes: limits by class; ``*`` is every class that is not named here.
        overall: limits for all classes together.
    """

    classes: Mapping[str, Row] = field(default_factory=dict)
    overall: Row = field(default_factory=dict)
