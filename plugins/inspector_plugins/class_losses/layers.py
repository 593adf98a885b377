"""Losses of classes in place of the binary cross entropy, each written from its paper.

Logits x and targets q from 0 to 1 have the same shape; p = sigmoid(x), BCE(x, q) = -q log p - (1-q) log(1-p).
"""
# ruff: noqa: N812 - torch's own abbreviation

from __future__ import annotations

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _bce(logits: Tensor, targets: Tensor) -> Tensor:
    if logits.shape != targets.shape:
        raise ValueError(f"logits {tuple(logits.shape)} and targets {tuple(targets.shape)} must have the same shape")
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none")


class Varifocal(nn.Module):
    """Varifocal loss (Zhang et al., 2021, arXiv 2008.13367): q BCE(x, q) where q > 0, alpha |p-q|^gamma BCE elsewhere.

    Args:
        alpha, gamma: of the negatives; see above.
        iou_weighted: weight the positives by q.
    """

    def __init__(self, alpha: float = 0.75, gamma: float = 2.0, iou_weighted: bool = True) -> None:
        super().__init__()
        self.alpha, self.gamma, self.iou_weighted = alpha, gamma, iou_weighted

    def forward(self, logits: Tensor, targets: Tensor, overlap: Tensor | None = None) -> Tensor:
        negative = self.alpha * (logits.sigmoid() - targets).abs() ** self.gamma
        positive = targets if self.iou_weighted else torch.ones_like(targets)
        return torch.where(targets > 0, positive, negative) * _bce(logits, targets)


class QualityFocal(nn.Module):
    """Quality focal loss (Li et al., 2020, arXiv 2006.04388): |q - p|^beta BCE(x, q).

    Args:
        beta: see above.
    """

    def __init__(self, beta: float = 2.0) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, logits: Tensor, targets: Tensor, overlap: Tensor | None = None) -> Tensor:
        return (targets - logits.sigmoid()).abs() ** self.beta * _bce(logits, targets)


class Slide(nn.Module):
    """Slide loss (Yu et al., 2022, arXiv 2208.02019): BCE with more weight on samples about the mean IoU mu.

    The weight is 1 for q <= mu - 0.1, exp(1 - mu) between, exp(1 - q) for q >= mu. The official code has exp(mu)
    between, which makes a step at mu.

    Args:
        official: weight the middle by exp(mu) as the official code does.
    """

    def __init__(self, official: bool = False) -> None:
        super().__init__()
        self.official = official

    def forward(self, logits: Tensor, targets: Tensor, overlap: Tensor) -> Tensor:
        mean = torch.as_tensor(overlap, dtype=targets.dtype, device=targets.device).clamp(min=0.2)
        middle = torch.exp(mean if self.official else 1 - mean).expand_as(targets)
        weight = torch.where(targets >= mean, torch.exp(1 - targets), middle)
        return torch.where(targets <= mean - 0.1, torch.ones_like(targets), weight) * _bce(logits, targets)


class MovingSlide(Slide):
    """:class:`Slide` whose mu is a moving average over the batches, as a small batch's mean is noisy.

    A training call with positives first does mu <- d mu + (1 - d) overlap, d = decay (1 - exp(-calls / tau)), from 1.

    Args:
        decay, tau: see above.
    """

    def __init__(self, decay: float = 0.999, tau: float = 2000) -> None:
        super().__init__()
        self.decay, self.tau = decay, tau
        self.register_buffer("mean", torch.ones(()))
        self.register_buffer("calls", torch.zeros(()))
        self.mean: Tensor
        self.calls: Tensor

    def forward(self, logits: Tensor, targets: Tensor, overlap: Tensor) -> Tensor:
        overlap = torch.as_tensor(overlap, dtype=self.mean.dtype, device=self.mean.device).detach()
        if self.training and bool((targets > 0).any()):
            self.calls += 1
            share = self.decay * (1 - torch.exp(-self.calls / self.tau))
            self.mean.mul_(share).add_((1 - share) * overlap)
        return super().forward(logits, targets, self.mean)


def distribution_focal(logits: Tensor, target: Tensor) -> Tensor:
    """Distribution focal loss (Li et al., 2020, arXiv 2006.04388): logits (n, k), target (n,) from 0 to k - 1 -> (n,).

    With l = floor(y): CE(l) (l + 1 - y) + CE(l + 1) (y - l).
    """
    left = target.floor().clamp(max=logits.shape[1] - 2)
    index = left.long()
    return F.cross_entropy(logits, index, reduction="none") * (left + 1 - target) + F.cross_entropy(
        logits, index + 1, reduction="none"
    ) * (target - left)
