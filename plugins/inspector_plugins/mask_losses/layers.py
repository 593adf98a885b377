"""Losses of masks: the cross entropy inside the box with a term for regions, edges or thin lines added.

Logits and masks of 0 and 1 are (n, H, W), one object each; boxes (n, 4) are x1, y1, x2, y2 in pixels of the mask.
"""
# ruff: noqa: N812 - torch's own abbreviation

from __future__ import annotations

import math

from inspector.api import prepare_torch

prepare_torch()

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

_EPS = 1e-10


def inside(masks: Tensor, boxes: Tensor) -> Tensor:
    """1 inside the boxes, 0 outside: (n, H, W), as ultralytics crops masks."""
    x1, y1, x2, y2 = boxes[:, :, None, None].unbind(1)
    columns = torch.arange(masks.shape[2], device=masks.device, dtype=boxes.dtype)[None, None]
    rows = torch.arange(masks.shape[1], device=masks.device, dtype=boxes.dtype)[None, :, None]
    return ((columns >= x1) * (columns < x2) * (rows >= y1) * (rows < y2)).to(masks.dtype)


def dice(probabilities: Tensor, target: Tensor) -> Tensor:
    """Dice loss (Milletari et al., 2016, arXiv 1606.04797) of maps (..., H, W): 1 - 2 |P G| / (|P| + |G|)."""
    common = (probabilities * target).sum((-2, -1))
    return 1 - (2 * common + _EPS) / (probabilities.sum((-2, -1)) + target.sum((-2, -1)) + _EPS)


def generalized_dice(probabilities: Tensor, target: Tensor) -> Tensor:
    """Generalised Dice loss (Sudre et al., 2017, arXiv 1707.03237) of maps (B, K, H, W), classes weighted by their
    inverse squared area -> (B,)."""
    weight = 1 / (target.sum((-2, -1)) + _EPS) ** 2
    common = (weight * (probabilities * target).sum((-2, -1))).sum(1)
    total = (weight * (probabilities.sum((-2, -1)) + target.sum((-2, -1)))).sum(1)
    return 1 - 2 * (common + _EPS) / (total + _EPS)


def signed_distance(mask: np.ndarray) -> np.ndarray:
    """Distance to the edge of a mask (H, W) in pixels: positive outside, 0 on its innermost ring, negative inside;
    0 everywhere if it is empty or everything."""
    found = mask.astype(np.uint8)
    if not found.any() or found.all():
        return np.zeros(mask.shape, np.float32)
    outside = cv2.distanceTransform(1 - found, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    within = cv2.distanceTransform(found, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(outside * (1 - found) - (within - 1) * found, np.float32)


def boundary(probabilities: Tensor, distance: Tensor) -> Tensor:
    """Boundary loss (Kervadec et al., 2019, arXiv 1812.07032): the mean of P times the signed distance of G."""
    return (probabilities * distance).mean((-2, -1))


def _erode(maps: Tensor) -> Tensor:
    """Minimum over a cross of five pixels; the border does not erode."""
    return torch.minimum(-F.max_pool2d(-maps, (3, 1), 1, (1, 0)), -F.max_pool2d(-maps, (1, 3), 1, (0, 1)))


def soft_skeleton(maps: Tensor, steps: int = 10) -> Tensor:
    """Soft skeleton (Shit et al., 2021, arXiv 2003.07311) of maps (N, C, H, W): what erosion leaves and opening loses,
    collected over ``steps`` erosions."""

    def edge(x: Tensor) -> Tensor:
        return F.relu(x - F.max_pool2d(_erode(x), 3, 1, 1))

    skeleton = edge(maps)
    for _ in range(steps):
        maps = _erode(maps)
        delta = edge(maps)
        skeleton = skeleton + F.relu(delta - skeleton * delta)
    return skeleton


def soft_cldice(
    target: Tensor, probabilities: Tensor, steps: int = 10, smooth: float = 1.0, dims: tuple[int, ...] = (0, 1, 2, 3)
) -> Tensor:
    """clDice loss (Shit et al., 2021, arXiv 2003.07311) of maps (N, C, H, W), summed over ``dims``.

    1 - the harmonic mean of how much of P's skeleton is in G and how much of G's skeleton is in P.
    """
    own, wanted = soft_skeleton(probabilities, steps), soft_skeleton(target, steps)
    precision = ((own * target).sum(dims) + smooth) / (own.sum(dims) + smooth)
    recall = ((wanted * probabilities).sum(dims) + smooth) / (wanted.sum(dims) + smooth)
    return 1 - 2 * precision * recall / (precision + recall)


def soft_dice(
    target: Tensor, probabilities: Tensor, smooth: float = 1.0, dims: tuple[int, ...] = (0, 1, 2, 3)
) -> Tensor:
    """Dice loss with ``smooth`` added to both sums over ``dims``."""
    common = (target * probabilities).sum(dims)
    return 1 - (2 * common + smooth) / (target.sum(dims) + probabilities.sum(dims) + smooth)


class _Location(nn.Module):
    """Position of the mean of a map in polar coordinates: (N, H, W) -> length and angle (N,).

    As in the official code the mean is over all pixels and not divided by the map's own sum.
    """

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        height, width = maps.shape[-2:]
        x = (maps * torch.arange(width, device=maps.device, dtype=maps.dtype) / width).mean((-2, -1))
        y = (maps * torch.arange(height, device=maps.device, dtype=maps.dtype)[:, None] / height).mean((-2, -1))
        return torch.sqrt(x**2 + y**2 + 1e-8), torch.atan(y / (x + 1e-8))


def sls_iou(
    logits: Tensor, target: Tensor, *, distance: bool = True, dynamic: bool = True, delta: float = 0.5
) -> tuple[Tensor, Tensor, Tensor]:
    """Terms of the scale and location sensitive loss (Yang et al., 2024, arXiv 2412.16986) of maps (N, H, W).

    With p = sigmoid(logits), sums S and IoU i = S(pt) / (S p + S t - S(pt))::

        r = ((S p - S t) / 2)^2,  a = (min(S p, S t) + r) / (max(S p, S t) + r)
        location = 1 - min / max of the lengths + 4/pi^2 (difference of the angles)^2
        b = min(S t delta 512^2 / (81 H W), delta)

    Returns:
        a i, location (0 without ``distance``) and b (0 unless ``dynamic``), (N,) each.
    """
    p = logits.sigmoid()
    common, own, wanted = ((value).sum((-2, -1)) for value in (p * target, p, target))
    iou = common / (own + wanted - common).clamp(min=_EPS)
    r = ((own - wanted) / 2) ** 2
    scale = (torch.minimum(own, wanted) + r) / (torch.maximum(own, wanted) + r).clamp(min=_EPS)
    locate = _Location()
    (length, angle), (length_wanted, angle_wanted) = locate(p), locate(target)
    ratio = torch.minimum(length, length_wanted) / (torch.maximum(length, length_wanted) + 1e-8)
    location = 1 - ratio + 4 / math.pi**2 * (angle - angle_wanted) ** 2
    b = (wanted * delta * 512**2 / (81 * p.shape[-2] * p.shape[-1])).clamp(max=delta)
    return scale * iou, location * distance, b * dynamic


class MaskLoss(nn.Module):
    """Cross entropy inside the box plus a term: logits, masks (n, H, W) and boxes (n, 4) -> (n,)."""

    def term(self, logits: Tensor, masks: Tensor, boxes: Tensor, window: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, logits: Tensor, masks: Tensor, boxes: Tensor) -> Tensor:
        if logits.shape != masks.shape or logits.ndim != 3 or boxes.shape != (len(masks), 4):
            raise ValueError(
                f"logits and masks must be (n, H, W) and boxes (n, 4), not {tuple(logits.shape)}, "
                f"{tuple(masks.shape)} and {tuple(boxes.shape)}"
            )
        window = inside(masks, boxes)
        entropy = F.binary_cross_entropy_with_logits(logits, masks, reduction="none") * window
        area = (boxes[:, 2:] - boxes[:, :2]).prod(1).clamp(min=1)
        return entropy.sum((1, 2)) / area + self.term(logits, masks, boxes, window)


class DiceBoundary(MaskLoss):
    """Adds Dice loss and ``weight`` times the boundary loss, both inside the box."""

    def __init__(self, weight: float = 0.01) -> None:
        super().__init__()
        self.weight = weight

    def term(self, logits: Tensor, masks: Tensor, boxes: Tensor, window: Tensor) -> Tensor:
        p, wanted = logits.sigmoid() * window, masks * window
        area = window.sum((1, 2)).clamp(min=1)
        edge = (p * self._distances(masks, boxes)).sum((1, 2)) / area
        return dice(p, wanted) + self.weight * edge

    def _distances(self, masks: Tensor, boxes: Tensor) -> Tensor:
        """Signed distances, computed once for all anchors of an object."""
        _, which = torch.unique(torch.cat([boxes, masks.sum((1, 2))[:, None]], 1), dim=0, return_inverse=True)
        known: dict[int, Tensor] = {}
        for number, one in enumerate(which.tolist()):
            if one not in known:
                known[one] = torch.from_numpy(signed_distance(masks[number].detach().cpu().numpy() > 0.5))
        return torch.stack([known[one] for one in which.tolist()]).to(masks) if known else torch.zeros_like(masks)


class ClDice(MaskLoss):
    """Adds half of Dice loss and half of clDice loss, both inside the box."""

    def __init__(self, alpha: float = 0.5) -> None:
        super().__init__()
        self.alpha = alpha

    def term(self, logits: Tensor, masks: Tensor, boxes: Tensor, window: Tensor) -> Tensor:
        p, wanted = (logits.sigmoid() * window)[:, None], (masks * window)[:, None]
        line, region = soft_cldice(wanted, p, dims=(1, 2, 3)), soft_dice(wanted, p, dims=(1, 2, 3))
        return (1 - self.alpha) * region + self.alpha * line


class SLSIoU(MaskLoss):
    """Adds the scale and location sensitive loss inside the box: (1 + b) (1 - a i) + (1 - b) location."""

    def term(self, logits: Tensor, masks: Tensor, boxes: Tensor, window: Tensor) -> Tensor:
        hidden = torch.finfo(logits.dtype).min / 2
        overlap, location, b = sls_iou(torch.where(window > 0, logits, hidden), masks * window)
        return (1 + b) * (1 - overlap) + (1 - b) * location
