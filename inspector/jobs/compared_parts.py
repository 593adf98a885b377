"""A part as A and B judge it, and how verdicts agree with labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from inspector.domain import Detection, Status

SAME_DEFECT = 0.5
"""Least IoU of the boxes of two detections of one class that count as the same defect."""


@dataclass
class ComparedPart:
    """A part with the verdicts of A and B, and the numbers of their detections over all of its images.

    Attributes:
        images: names of its images.
        only: detections of A and of B without a counterpart.
        defective: whether the labels say so; None: it has no labels.
        files: side-by-side images.
    """

    id: str
    images: list[str] = field(default_factory=list)
    verdicts: list[Status] = field(default_factory=lambda: ["OK", "OK"])
    detections: list[int] = field(default_factory=lambda: [0, 0])
    only: list[int] = field(default_factory=lambda: [0, 0])
    defective: bool | None = None
    files: list[str] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        return self.verdicts[0] != self.verdicts[1] or any(self.only)

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        a, b = ({"verdict": self.verdicts[i], "detections": self.detections[i], "only": self.only[i]} for i in (0, 1))
        return {
            "id": self.id,
            "images": self.images,
            "a": a,
            "b": b,
            "differs": self.differs,
            "defective": self.defective,
            "files": self.files,
        }


@dataclass(frozen=True)
class Quality:
    """Agreement of the verdicts of parts with labels; a part is rejected if it is NG.

    Attributes:
        false_alarms: good parts that are rejected (pseudo-errors).
        escapes: defective parts that are not rejected (slip), OK or WARN.
    """

    found: int
    passed: int
    false_alarms: int
    escapes: int

    @classmethod
    def of(cls, judged: Sequence[tuple[bool, bool]]) -> Quality:
        """Count pairs of ``defective`` and ``rejected``."""
        return cls(*(judged.count(pair) for pair in ((True, True), (False, False), (False, True), (True, False))))

    @property
    def precision(self) -> float | None:
        """Share of the rejected parts that are defective; None if none is rejected."""
        return _share(self.found, self.false_alarms)

    @property
    def recall(self) -> float | None:
        """Share of the defective parts that are rejected; None if none is defective."""
        return _share(self.found, self.escapes)

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        counts = {"parts": self.found + self.passed + self.false_alarms + self.escapes}
        shares = {"precision": self.precision, "recall": self.recall}
        return counts | shares | {"false_alarms": self.false_alarms, "escapes": self.escapes}


def _share(found: int, others: int) -> float | None:
    return found / (found + others) if found + others else None


def unmatched(a: Sequence[Detection], b: Sequence[Detection]) -> tuple[int, int]:
    """Numbers of detections of ``a`` and ``b`` without a counterpart of the same class and a box IoU of 0.5 or more."""
    pairs = sorted(
        (
            (_iou(one.box, other.box), i, j)
            for i, one in enumerate(a)
            for j, other in enumerate(b)
            if one.label == other.label
        ),
        reverse=True,
    )
    left, right = set(range(len(a))), set(range(len(b)))
    for overlap, i, j in pairs:
        if overlap >= SAME_DEFECT and i in left and j in right:
            left.remove(i)
            right.remove(j)
    return len(left), len(right)


def _iou(a: Sequence[float], b: Sequence[float]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return float(shared / (areas - shared)) if areas > shared else 0.0
