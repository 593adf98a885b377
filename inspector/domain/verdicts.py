"""Verdicts and their reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["OK", "WARN", "NG"]
ALL = "*"
"""Label of a reason that concerns the defects of all classes together."""
SCALED_BELOW = "scaled_below"
"""Code of the reason for an image that is scaled down too far."""


@dataclass(frozen=True)
class Reason:
    """The reason for a verdict: a code (translated for display), the measured value and the limit.

    Attributes:
        label: class name; ``*`` for all classes together.
        region: name of the region whose limit it is; None for a limit of the whole image.
        uncertainty: expanded uncertainty (k = 2) of ``value``, in ``unit``; None if unknown.
        within_uncertainty: the distance of the value from the limit is at most the uncertainty.
    """

    code: str
    label: str
    value: float
    limit: float
    unit: str | None = None
    region: str | None = None
    uncertainty: float | None = None
    within_uncertainty: bool = False

    def record(self) -> dict[str, Any]:
        """Return the reason as in results.jsonl: five keys, and the others only where they apply."""
        record = dict(vars(self))
        for key in ("region", "uncertainty"):
            if record[key] is None:
                del record[key]
        if not self.within_uncertainty:
            del record["within_uncertainty"]
        return record

    @property
    def subject(self) -> tuple[object, ...]:
        """Everything but the measured value: equal for reasons of one limit."""
        return self.code, self.label, self.limit, self.unit, self.region

    def worse_than(self, other: Reason) -> bool:
        """Whether its value is further beyond the limit than that of a reason with the same subject."""
        return self.value < other.value if self.code.startswith("nearest_") else self.value > other.value


@dataclass(frozen=True)
class Verdict:
    status: Status
    reasons: tuple[Reason, ...] = ()
