"""FreqFusion and CARAFE as layers of a YOLO."""

from __future__ import annotations

from collections.abc import Sequence

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from inspector_plugins.freqfusion.layers import FreqFusion
from inspector_plugins.freqfusion.reassembly import carafe, kernels, start


class FreqFusionNeck(nn.Module):
    """FreqFusion (arXiv 2408.12879) in place of upsampling and concatenation, for maps of any size.

    FreqFusion needs maps that differ by exactly 2 in size. Where the shallow one has an odd side, its last row or
    column is repeated, and cut off the result. Features are not resampled, which would nearly double the time.

    Args:
        c1: channels of the deep map.
        c2: channels of the shallow map.
        stride: of the shallow map; without effect.
    """

    def __init__(self, c1: int, c2: int, stride: int) -> None:
        super().__init__()
        self.fusion = FreqFusion(c2, c1, compressed_channels=max((c1 + c2) // 8, 8))

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """[deep (N, c1, ceil(H/2), ceil(W/2)), shallow (N, c2, H, W)] -> (N, c1 + c2, H, W), in that order."""
        deep, shallow = maps
        h, w = shallow.shape[2:]
        if h % 2 or w % 2:
            shallow = F.pad(shallow, [0, w % 2, 0, h % 2], mode="replicate")
        _, high, low = self.fusion(shallow, deep)
        return torch.cat([low, high], 1)[:, :, :h, :w]


class CarafeUpsample(nn.Module):
    """CARAFE (Wang et al. 2019, arXiv 1905.02188, equations 1 to 3): upsampling with kernels made of the content.

    W = softmax(pixel_shuffle(encode(compress(x)))) over the k x k taps, k = 5; the output is the sum of each window of
    x, weighted by W, with zeros beyond the border. Keys as those of mmcv's CARAFEPack.

    Args:
        c1: channels; compressed to a quarter of them, from 8 to 64, for the encoder (the paper: 256 to 64).
        c2: the same.
        stride: of the output; without effect.
    """

    def __init__(self, c1: int, c2: int, stride: int) -> None:
        super().__init__()
        if c1 != c2:
            raise ValueError(f"CARAFE keeps the number of channels: expected c2 = {c1}, not {c2}")
        compressed = min(max(c1 // 4, 8), 64)
        self.scale, self.kernel_size = 2, 5
        self.channel_compressor = nn.Conv2d(c1, compressed, 1)
        self.content_encoder = nn.Conv2d(compressed, self.kernel_size**2 * self.scale**2, 3, padding=1)
        start(self.channel_compressor)
        start(self.content_encoder, 0.001)

    def forward(self, x: Tensor) -> Tensor:
        """(N, c1, H, W) -> (N, c1, 2H, 2W)."""
        logits = F.pixel_shuffle(self.content_encoder(self.channel_compressor(x)), self.scale)
        return carafe(x, kernels(logits, self.kernel_size), self.kernel_size, up=self.scale, padding="zeros")

    def flops(self, x: Tensor) -> int:
        """Of the reassembly: a multiplication and an addition for each tap of each output value."""
        return 2 * self.kernel_size**2 * self.scale**2 * x.numel()
