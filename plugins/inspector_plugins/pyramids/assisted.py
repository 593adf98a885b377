"""The multi-branch auxiliary neck of MAF-YOLO."""
# ruff: noqa: N812 - torch's own abbreviation

from __future__ import annotations

from typing import Any

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from ultralytics.nn.modules.conv import Conv

from inspector_plugins._shared.batch_norms import convolution, folded
from inspector_plugins.pyramids.parts import enlarge, three_channels


class HeterogeneousConv(nn.Module):
    """Depth-wise convolutions of the sizes 3, 5, … ``kernel`` side by side, each with BN, summed, and SiLU:
    (N, c, H, W) -> the same. :meth:`reparameterize` makes one convolution of it."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        if kernel < 3 or kernel % 2 == 0:
            raise ValueError(f"MAFPN: the kernel must be odd and at least 3, not {kernel}")
        sizes = range(3, kernel + 1, 2)
        self.convs = nn.ModuleList(
            nn.Conv2d(channels, channels, size, padding=size // 2, groups=channels, bias=False) for size in sizes
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in sizes)
        self.merged: nn.Module | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.merged is not None:
            return F.silu(self.merged(x))
        total: Tensor = self.norms[0](self.convs[0](x))
        for conv, norm in zip(list(self.convs)[1:], list(self.norms)[1:], strict=True):
            total = total + norm(conv(x))
        return F.silu(total)

    @torch.no_grad()
    def reparameterize(self) -> None:
        """Merge the branches into the largest; a smaller kernel is the same with zeros around it."""
        if self.merged is not None:
            return
        convs: list[Any] = list(self.convs)
        norms: list[Any] = list(self.norms)
        kernel, bias = folded(convs[-1], norms[-1])
        for conv, norm in zip(convs[:-1], norms[:-1], strict=True):
            weight, shift = folded(conv, norm)
            margin = (kernel.shape[2] - weight.shape[2]) // 2
            kernel, bias = kernel + F.pad(weight, [margin] * 4), bias + shift
        self.merged = convolution(convs[-1], kernel, bias)
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()


class RepHELAN(nn.Module):
    """Re-parameterisable heterogeneous aggregation (Yang et al., 2024, arXiv 2407.04381): (N, c1, H, W) ->
    (N, c2, H, W).

    A 1x1 convolution is split in two; the second half passes blocks of 1x1, :class:`HeterogeneousConv` and 1x1, and
    everything, each block's result included, is joined by 1x1.

    Args:
        kernel: the largest kernel; larger ones on finer maps.
        blocks: number of blocks.
    """

    def __init__(self, c1: int, c2: int, kernel: int, blocks: int = 1) -> None:
        super().__init__()
        half = self.width = max(c2 // 2, 1)
        self.start = Conv(c1, 2 * half, 1)
        self.blocks = nn.ModuleList(
            nn.Sequential(Conv(half, 2 * half, 1), HeterogeneousConv(2 * half, kernel), Conv(2 * half, half, 1))
            for _ in range(blocks)
        )
        self.join = Conv((2 + blocks) * half, c2, 1)

    def forward(self, x: Tensor) -> Tensor:
        parts = list(self.start(x).split(self.width, 1))
        for block in self.blocks:
            parts.append(block(parts[-1]))
        return self.join(torch.cat(parts, 1))  # type: ignore[no-any-return]


class MAFPN(nn.Module):
    """Multi-branch auxiliary pyramid (Yang et al., 2024, arXiv 2407.04381).

    Downwards, superficial assisted fusion: the finer map of the backbone, halved by a convolution, joins the map and
    the enlarged coarser one. Upwards, advanced assisted fusion: the finer results of both ways, halved, join the map of
    the way down and the enlarged coarser one. Each is followed by :class:`RepHELAN` with kernels up to 9, 7 and 5 from
    fine to coarse. The paper reads P2 for P3, which a pyramid here does not get.
    """

    def __init__(self, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> None:
        super().__init__()
        three_channels("MAFPN", inputs, outputs)
        (c3, c4, c5), (o3, o4, o5) = inputs, outputs
        self.shallow4, self.shallow5 = Conv(c3, o3, 3, 2), Conv(c4, o4, 3, 2)
        self.down5 = RepHELAN(o4 + c5, o5, 5)
        self.down4 = RepHELAN(o3 + c4 + o5, o4, 7)
        self.down3 = RepHELAN(c3 + o4, o3, 9)
        self.up3 = RepHELAN(o3 + o4, o3, 9)
        self.inner4, self.outer4 = Conv(o3, o3, 3, 2), Conv(o3, o3, 3, 2)
        self.up4 = RepHELAN(o3 + o3 + o4 + o5, o4, 7)
        self.inner5, self.outer5 = Conv(o4, o4, 3, 2), Conv(o4, o4, 3, 2)
        self.up5 = RepHELAN(o4 + o4 + o5, o5, 5)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        c3, c4, c5 = maps
        d5 = self.down5(torch.cat([self.shallow5(c4), c5], 1))
        d4 = self.down4(torch.cat([self.shallow4(c3), c4, enlarge(d5, c4)], 1))
        d3 = self.down3(torch.cat([c3, enlarge(d4, c3)], 1))
        u3 = self.up3(torch.cat([d3, enlarge(d4, d3)], 1))
        u4 = self.up4(torch.cat([self.inner4(d3), self.outer4(u3), d4, enlarge(d5, d4)], 1))
        u5 = self.up5(torch.cat([self.inner5(d4), self.outer5(u4), d5], 1))
        return [u3, u4, u5]


CLASSES: tuple[type, ...] = (HeterogeneousConv, RepHELAN, MAFPN)
