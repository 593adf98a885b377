"""Compare the detections of two settings on the same images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.domain import Detection

if TYPE_CHECKING:
    from inspector.domain import Box

# Tolerances within which the runtimes of this program must agree with ultralytics (docs/benchmarks.md, parity).
_BOX, _SCORE, _MASK = 0.5, 1e-3, 0.99
_SAME = 0.5  # smallest IoU of two boxes taken for the same defect


@dataclass(frozen=True)
class Agreement:
    """Largest differences between the detections that both settings have.

    Attributes:
        same: detections that both have, as a share of all, 0 to 1; 1 if there are none.
        mask_iou: smallest IoU of two masks, 0 to 1; 1 if there are none.
        box_px: largest difference of a box coordinate, px.
        score: largest difference of scores.
    """

    same: float
    mask_iou: float
    box_px: float
    score: float

    @property
    def within_tolerance(self) -> bool:
        """Whether the results are equal within tolerance."""
        return self.same == 1 and self.box_px <= _BOX and self.score <= _SCORE and self.mask_iou >= _MASK

    @classmethod
    def compare(cls, first: Sequence[Sequence[Detection]], second: Sequence[Sequence[Detection]]) -> Agreement:
        """Compare detections image by image."""
        pairs, every = [], 0
        for mine, theirs in zip(first, second, strict=True):
            matched = _matched(mine, theirs)
            pairs += matched
            every += len(mine) + len(theirs) - len(matched)
        return cls(
            same=len(pairs) / every if every else 1.0,
            mask_iou=min((_mask_iou(a, b) for a, b in pairs), default=1.0),
            box_px=max((_distance(a.box, b.box) for a, b in pairs), default=0.0),
            score=max((abs(a.score - b.score) for a, b in pairs), default=0.0),
        )


def _matched(left: Sequence[Detection], right: Sequence[Detection]) -> list[tuple[Detection, Detection]]:
    """Match detections of one class whose boxes overlap by half, greatest overlap first; each detection once."""
    near = [(_box_iou(a.box, b.box), i, j) for i, a in enumerate(left) for j, b in enumerate(right) if _alike(a, b)]
    pairs, taken_mine, taken_theirs = [], set(), set()
    for overlap, i, j in sorted(near, reverse=True):
        if overlap >= _SAME and i not in taken_mine and j not in taken_theirs:
            taken_mine.add(i)
            taken_theirs.add(j)
            pairs.append((left[i], right[j]))
    return pairs


def _alike(first: Detection, second: Detection) -> bool:
    return first.label == second.label and (first.mask is None) == (second.mask is None)


def _distance(first: Box, second: Box) -> float:
    return max(abs(a - b) for a, b in zip(first, second, strict=True))


def _box_iou(first: Box, second: Box) -> float:
    if first == second:
        return 1.0  # also without an area
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return both / (sum(areas) - both)


def _mask_iou(first: Detection, second: Detection) -> float:
    a, b = first.mask, second.mask
    if a is None or b is None:
        return 1.0
    left, top = max(a.x, b.x), max(a.y, b.y)
    right = min(a.x + a.pixels.shape[1], b.x + b.pixels.shape[1])
    bottom = min(a.y + a.pixels.shape[0], b.y + b.pixels.shape[0])
    both = 0
    if right > left and bottom > top:
        mine = a.pixels[top - a.y : bottom - a.y, left - a.x : right - a.x]
        theirs = b.pixels[top - b.y : bottom - b.y, left - b.x : right - b.x]
        both = int((mine & theirs).sum())
    either = a.area + b.area - both
    return both / either if either else 1.0
