"""Layers that several plugins use. Each plugin subclasses them, so that checkpoints name the plugin's own class."""

from __future__ import annotations

from inspector.api import prepare_torch

prepare_torch()

from torch import Tensor, nn


class DropPath(nn.Module):
    """Stochastic depth (Huang et al. 2016, arXiv 1603.09382): zero a branch for whole samples while training.

    Args:
        drop_prob: probability of dropping a sample's branch, in [0, 1); the others are divided by 1 - drop_prob.
    """

    def __init__(self, drop_prob: float = 0.0) -> None:
        super().__init__()
        if not 0 <= drop_prob < 1:
            raise ValueError(f"drop_prob: expected at least 0 and less than 1, got {drop_prob}")
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.drop_prob == 0:
            return x
        keep = 1 - self.drop_prob
        return x * x.new_empty(x.shape[0], *[1] * (x.ndim - 1)).bernoulli_(keep).div_(keep)
