"""CGNet (Wu et al., 2018, arXiv 1811.08201) as parts of an architecture: block, downsampling, backbone.

Differences from the paper: the paper has two stages of context guided blocks, of stride 4 (64 channels,
dilation 2, reduction 8) and of stride 8 (128 channels, dilation 4, reduction 16); both judge the whole image with 8
hidden channels. A YOLO goes to stride 32 with fewer channels: here dilation and reduction are those of the first stage
up to stride 8 and those of the second beyond, and the reduction is lowered until 4 hidden channels are left.
"""

from __future__ import annotations

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import Tensor, nn

from inspector_plugins.cgnet.layers import (
    BNPReLU,
    CGNetEncoder,
    ContextGuidedBlock,
    ContextGuidedBlock_Down,
    guided_blocks,
    initialize,
    run_through,
)

_HIDDEN = 4  # fewest hidden channels of the global context


def context_guided(c1: int, c2: int, stride: int) -> nn.Module:
    """A block: (N, c1, H, W) -> (N, c2, H, W), c1 == c2; the input is added.

    Raises:
        ValueError: where c1 != c2.
    """
    if c1 != c2:
        raise ValueError(f"a context guided block keeps the channels; c1 is {c1}, c2 is {c2}")
    if c1 % 2:
        return WidenedContextGuidedBlock(c1, *_rates(c1 + 1, stride))
    return ContextGuidedBlock(c1, c2, *_rates(c2, stride))


def context_guided_down(c1: int, c2: int, stride: int) -> nn.Module:
    """A downsampling: (N, c1, H, W) -> (N, c2, ceil(H/2), ceil(W/2)); stride of the output."""
    return ContextGuidedBlock_Down(c1, c2, *_rates(c2, stride))


def _rates(channels: int, stride: int) -> tuple[int, int]:
    """Dilation and reduction for a number of channels."""
    dilation, reduction = (2, 8) if stride <= 8 else (4, 16)
    return dilation, max(1, min(reduction, channels // _HIDDEN))


class WidenedContextGuidedBlock(nn.Module):
    """A context guided block for an odd number of channels: it computes one more, which is left out of the result.

    (N, channels, H, W) -> (N, channels, H, W); x + the first channels of y is returned.
    """

    def __init__(self, channels: int, dilation_rate: int = 2, reduction: int = 16) -> None:
        super().__init__()
        self.channels = channels
        self.block = ContextGuidedBlock(channels, channels + channels % 2, dilation_rate, reduction, add=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x)[:, : self.channels]  # type: ignore[no-any-return]


class CGNetBackbone(CGNetEncoder):
    """CGNet as the backbone of a YOLO: (N, 3, H, W) -> maps of stride 8, 16 and 32, of 256 channels each.

    Stages 1 to 3 are the paper's, with the official keys. The paper's depth is M=3, N=21; here stage 3 has 17 blocks
    fewer, which at 640 pixels saves 2 of 12 GFLOPs and a fifth of the time. Stages 4 and 5 are added, built like the
    paper's stage 3: a downsampling block to 128 channels, further blocks of dilation 4 and reduction 16, its first and
    its last map joined under BN and PReLU.

    Args:
        M: context guided blocks of stage 2, the downsampling one included.
        N: those of stage 3.
        K: those of stages 4 and 5 each.

    Attributes:
        channels: of the three maps.
    """

    def __init__(self, M: int = 3, N: int = 4, K: int = 3) -> None:  # noqa: N803 - as the network's own
        super().__init__(M, N)
        if K < 1:
            raise ValueError(f"a stage needs at least its downsampling block; K is {K}")
        self.level4_0 = ContextGuidedBlock_Down(256, 128, 4, 16)
        self.level4 = guided_blocks(128, K - 1, 4, 16)
        self.bn_prelu_4 = BNPReLU(256)
        self.level5_0 = ContextGuidedBlock_Down(256, 128, 4, 16)
        self.level5 = guided_blocks(128, K - 1, 4, 16)
        self.bn_prelu_5 = BNPReLU(256)
        self.channels = [256, 256, 256]
        initialize(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        map8 = self.forward_features(x)[-1]
        first = self.level4_0(map8)
        map16 = self.bn_prelu_4(torch.cat([first, run_through(self.level4, first)], 1))
        first = self.level5_0(map16)
        map32 = self.bn_prelu_5(torch.cat([first, run_through(self.level5, first)], 1))
        return [map8, map16, map32]


CLASSES: tuple[type, ...] = (CGNetBackbone, WidenedContextGuidedBlock)
