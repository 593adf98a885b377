"""ATSS: adaptive training sample selection (Zhang et al., 2020, arXiv 1912.02424).

For each object the k anchors nearest to its centre are candidates on each level. With m and s the mean and the
(unbiased) standard deviation of their IoU with the object, those with IoU >= m + s whose centre is inside the object
are positive. An anchor claimed by several objects belongs to that of the highest IoU.
"""

from __future__ import annotations

from collections.abc import Sequence

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import Tensor, nn

_INSIDE = 0.01  # px, from a centre to each side of the object
_SIDE = 8.0  # of an anchor box in strides, the paper's


def pairwise_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """IoU of boxes (n, 4) and (m, 4) as x1, y1, x2, y2: (n, m)."""
    first = torch.maximum(boxes[:, None, :2], others[None, :, :2])
    last = torch.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common = (last - first).clamp(min=0).prod(2)
    areas = [(one[:, 2:] - one[:, :2]).prod(1) for one in (boxes, others)]
    return common / (areas[0][:, None] + areas[1][None] - common).clamp(min=1e-6)


def select(anchors: Tensor, counts: Sequence[int], targets: Tensor, topk: int = 9) -> tuple[Tensor, Tensor]:
    """Assign anchors (A, 4), ``counts`` on each level, to objects (G, 4).

    Returns:
        Number of the object of each anchor, -1 for background, and its IoU, -1 for background: (A,) each.

    Raises:
        ValueError: the counts are not those of the anchors.
    """
    if sum(counts) != len(anchors):
        raise ValueError(f"the levels have {sum(counts)} anchors together, but there are {len(anchors)}")
    if not len(targets):
        return torch.full((len(anchors),), -1, device=anchors.device), anchors.new_full((len(anchors),), -1)
    iou = pairwise_iou(anchors, targets)
    centres, wanted = (anchors[:, :2] + anchors[:, 2:]) / 2, (targets[:, :2] + targets[:, 2:]) / 2
    distances = torch.cdist(centres, wanted)
    candidates, first = [], 0
    for count in counts:
        near = distances[first : first + count].topk(min(topk, count), 0, largest=False).indices
        candidates.append(near + first)
        first += count
    chosen = torch.cat(candidates)  # (candidates, G)
    quality = iou.gather(0, chosen)
    threshold = quality.mean(0) + quality.std(0)
    positive = (quality >= threshold) & _inside(centres[chosen], targets)
    claims = torch.full_like(iou, -1).scatter_(0, chosen, torch.where(positive, quality, -1))
    best = claims.max(1)
    return torch.where(best.values >= 0, best.indices, -1), torch.where(best.values >= 0, best.values, -1)


def _inside(centres: Tensor, targets: Tensor) -> Tensor:
    """Whether centres (n, G, 2) are inside the objects (G, 4): (n, G)."""
    room = torch.cat([centres - targets[None, :, :2], targets[None, :, 2:] - centres], 2)
    return room.min(2).values > _INSIDE


class ATSS(nn.Module):
    """Assigner of an architecture, see :class:`inspector.api.LayerSpec`.

    The anchors are squares of eight strides. The target score of a positive is the IoU of its predicted box.

    Args:
        classes: not used.
        topk: candidates on each level.
    """

    def __init__(self, classes: int = 1, topk: int = 9) -> None:
        super().__init__()
        if topk < 1:
            raise ValueError(f"topk must be at least 1 and is {topk}")
        self.topk = topk

    @torch.no_grad()
    def forward(
        self, scores: Tensor, boxes: Tensor, points: Tensor, strides: Tensor, labels: Tensor, targets: Tensor,
        exist: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        half = strides * _SIDE / 2
        anchors = torch.cat([points - half, points + half], 1)
        counts = [int(count) for count in torch.unique_consecutive(strides[:, 0], return_counts=True)[1]]
        index = torch.zeros(boxes.shape[:2], dtype=torch.long, device=boxes.device)
        positive, quality = torch.zeros_like(index, dtype=torch.bool), torch.zeros_like(boxes[..., 0])
        for number in range(len(boxes)):
            present = exist[number, :, 0].bool().nonzero()[:, 0]
            wanted = targets[number, present]
            own, _ = select(anchors, counts, wanted, self.topk)
            found = (own >= 0).nonzero()[:, 0]
            if not len(found):
                continue
            index[number, found] = present[own[found]]
            positive[number, found] = True
            matched = pairwise_iou(boxes[number, found], wanted)
            quality[number, found] = matched.gather(1, own[found, None])[:, 0]
        return index, positive, quality
