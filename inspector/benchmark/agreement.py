"""How far what one setting finds is from what another one finds in the same pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inspector.domain import Detection

if TYPE_CHECKING:
    from inspector.domain import Box

# The bounds within which the runtimes of this program have to agree with ultralytics (docs/benchmarks.md, parity).
_BOX, _SCORE, _MASK = 0.5, 1e-3, 0.99
_SAME = 0.5  # overlap of two boxes that are taken for the same defect


@dataclass(frozen=True)
class Agreement:
    """Of detections that both have: the largest differences.

    Attributes:
        same: detections that both have, as a share of all that either has, 0 to 1; 1 where neither has any.
        mask_iou: smallest overlap of two masks, 0 to 1; 1 where there are none.
        box_px: largest difference of a box's side, px.
        score: largest difference of scores.
    """

    same: float
    mask_iou: float
    box_px: float
    score: float

    @property
    def full(self) -> bool:
        """Nobody could tell the one from the other."""
        return self.same == 1 and self.box_px <= _BOX and self.score <= _SCORE and self.mask_iou >= _MASK

    @classmethod
    def of(cls, one: Sequence[Sequence[Detection]], other: Sequence[Sequence[Detection]]) -> Agreement:
        """Compare detections, those of each picture in the same place."""
        pairs, every = [], 0
        for mine, theirs in zip(one, other, strict=True):
            matched = _matched(mine, theirs)
            pairs += matched
            every += len(mine) + len(theirs) - len(matched)
        return cls(
            same=len(pairs) / every if every else 1.0,
            mask_iou=min((_mask_iou(a, b) for a, b in pairs), default=1.0),
            box_px=max((_distance(a.box, b.box) for a, b in pairs), default=0.0),
            score=max((abs(a.score - b.score) for a, b in pairs), default=0.0),
        )


def _matched(mine: Sequence[Detection], theirs: Sequence[Detection]) -> list[tuple[Detection, Detection]]:
    """Pairs of one class whose boxes overlap by half, those that overlap most first; each detection once."""
    near = [(_box_iou(a.box, b.box), i, j) for i, a in enumerate(mine) for j, b in enumerate(theirs) if _alike(a, b)]
    pairs, taken_mine, taken_theirs = [], set(), set()
    for overlap, i, j in sorted(near, reverse=True):
        if overlap >= _SAME and i not in taken_mine and j not in taken_theirs:
            taken_mine.add(i)
            taken_theirs.add(j)
            pairs.append((mine[i], theirs[j]))
    return pairs


def _alike(one: Detection, other: Detection) -> bool:
    return one.label == other.label and (one.mask is None) == (other.mask is None)


def _distance(one: Box, other: Box) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _box_iou(one: Box, other: Box) -> float:
    if one == other:
        return 1.0  # also without an area
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return both / (sum(areas) - both)


def _mask_iou(one: Detection, other: Detection) -> float:
    a, b = one.mask, other.mask
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
