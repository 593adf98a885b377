"""Convolutions of other shapes than a square: wavelet bands, receptive-field weights and pinwheels; the sampled ones
are in :mod:`.sampling`."""
# ruff: noqa: N812 - torch's own abbreviation

from __future__ import annotations

from collections.abc import Sequence

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from ultralytics.nn.modules.conv import Conv

from inspector_plugins._shared.size_checks import divides, groups_of
from inspector_plugins.shaped_convolutions.sampling import (
    DeformAggregation,
    DeformConv2d,
    DSConv,
    DSConvOriginal,
    LDConv,
    ModulatedDeformConvPack,
)


class WTConv2d(nn.Module):
    """Wavelet convolution (Finder et al., 2024, arXiv 2407.05848): (N, channels, H, W) -> (N, channels, H / s, W / s).

    On each level the low band of the last is cut into four bands by the Haar wavelet, and each is convolved depth-wise
    and scaled; the inverse transform adds them up. So a small kernel reaches 2^levels times as far. The base is a
    depth-wise convolution of the map itself, scaled.

    Args:
        kernel_size: of all depth-wise convolutions.
        stride: pixels from one result to the next; the others are left out.
        bias: of the base.
        wt_levels: how often the low band is cut.
        filters: the decomposition and the reconstruction filters, (4, 1, l, l) each; None: Haar.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int = 5,
        stride: int = 1,
        bias: bool = True,
        wt_levels: int = 1,
        filters: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        super().__init__()
        if wt_levels < 1:
            raise ValueError(f"WTConv needs at least one level, not {wt_levels}")
        self.channels, self.stride = channels, stride
        for name, one in zip(("wt_filter", "iwt_filter"), filters or (_haar(), _haar()), strict=True):
            self.register_buffer(name, one.repeat(channels, 1, 1, 1))
        self.wt_filter: Tensor
        self.iwt_filter: Tensor
        padding = kernel_size // 2
        self.base_conv = nn.Conv2d(channels, channels, kernel_size, padding=padding, groups=channels, bias=bias)
        self.base_scale = Scale(channels, 1.0)
        wide = 4 * channels
        self.wavelet_convs = nn.ModuleList(
            nn.Conv2d(wide, wide, kernel_size, padding=padding, groups=wide, bias=False) for _ in range(wt_levels)
        )
        self.wavelet_scale = nn.ModuleList(Scale(wide, 0.1) for _ in range(wt_levels))

    def forward(self, x: Tensor) -> Tensor:
        low, sizes, bands = x, [], []
        for conv, scale in zip(self.wavelet_convs, self.wavelet_scale, strict=True):
            height, width = int(low.shape[2]), int(low.shape[3])
            sizes.append((height, width))
            padded = F.pad(low, (0, width % 2, 0, height % 2))
            padding = self.wt_filter.shape[2] // 2 - 1
            cut = F.conv2d(padded, self.wt_filter.to(padded.dtype), None, 2, padding, groups=self.channels)
            low = cut[:, ::4]
            bands.append(scale(conv(cut)))
        below: Tensor | None = None
        for (height, width), band in zip(reversed(sizes), reversed(bands), strict=True):
            if below is not None:
                spread = torch.stack([below, *[torch.zeros_like(below)] * 3], 2).flatten(1, 2)
                band = band + spread
            padding = self.iwt_filter.shape[2] // 2 - 1
            joined = F.conv_transpose2d(band, self.iwt_filter.to(band.dtype), None, 2, padding, groups=self.channels)
            below = joined[:, :, :height, :width]
        y = self.base_scale(self.base_conv(x)) + below
        return y if self.stride == 1 else y[:, :, :: self.stride, :: self.stride]  # type: ignore[no-any-return]


class Scale(nn.Module):
    """x times a learned number for each channel."""

    def __init__(self, channels: int, initial: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((1, channels, 1, 1), initial))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


def _haar() -> Tensor:
    """The four Haar filters, (4, 1, 2, 2): low, then the differences of rows, of columns and of both."""
    low, high = torch.tensor([1.0, 1.0]), torch.tensor([1.0, -1.0])
    return torch.stack([torch.outer(a, b) / 2 for a, b in ((low, low), (high, low), (low, high), (high, high))])[
        :, None
    ]


class RFAConv(nn.Module):
    """Receptive-field attention convolution (Zhang et al., 2023, arXiv 2304.03198): (N, c1, H, W) -> (N, c2, H/s, W/s).

    Each of the k x k places around a pixel gets a feature (grouped convolution, BN, ReLU) and a weight (softmax over
    the places of a grouped 1x1 convolution of the mean); their products, laid out k times as large, are read by a
    convolution of stride k, BN and ReLU.

    Args:
        kernel_size, stride: of the receptive field.
    """

    def __init__(self, c1: int, c2: int, kernel_size: int = 3, stride: int = 1) -> None:
        super().__init__()
        k = self.kernel_size = kernel_size
        wide = c1 * k * k
        self.get_weight = nn.Sequential(nn.AvgPool2d(k, stride, k // 2), nn.Conv2d(c1, wide, 1, groups=c1, bias=False))
        self.generate_feature = nn.Sequential(
            nn.Conv2d(c1, wide, k, stride, k // 2, groups=c1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()
        )
        self.conv = nn.Sequential(nn.Conv2d(c1, c2, k, k), nn.BatchNorm2d(c2), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        n, channels, places = x.shape[0], int(x.shape[1]), self.kernel_size**2
        weight, feature = self.get_weight(x), self.generate_feature(x)
        height, width = int(weight.shape[2]), int(weight.shape[3])
        weight = weight.reshape(n, channels, places, height, width).softmax(2)
        product = (weight * feature.reshape(n, channels, places, height, width)).flatten(1, 2)
        return self.conv(F.pixel_shuffle(product, self.kernel_size))  # type: ignore[no-any-return]


class RFAConvUnfold(nn.Module):
    """:class:`RFAConv` whose features are the neighbours themselves, and whose weights come from these; stride 1."""

    def __init__(self, c1: int, c2: int, kernel_size: int = 3) -> None:
        super().__init__()
        self.kernel_size, wide = kernel_size, c1 * kernel_size**2
        self.get_weights = nn.Sequential(nn.Conv2d(wide, wide, 1, groups=c1), nn.BatchNorm2d(wide))
        self.conv = nn.Conv2d(c1, c2, kernel_size, kernel_size)
        self.bn = nn.BatchNorm2d(c2)

    def forward(self, x: Tensor) -> Tensor:
        n, channels, height, width = x.shape[0], int(x.shape[1]), int(x.shape[2]), int(x.shape[3])
        found = F.unfold(x, self.kernel_size, padding=self.kernel_size // 2).reshape(n, -1, height, width)
        shape = (n, channels, self.kernel_size**2, height, width)
        product = (found.reshape(shape) * self.get_weights(found).reshape(shape).softmax(2)).flatten(1, 2)
        return F.relu(self.bn(self.conv(F.pixel_shuffle(product, self.kernel_size))))


class PinwheelConv(nn.Module):
    """Pinwheel convolution (Yang et al., 2024, arXiv 2412.16986): (N, c1, H, W) -> (N, c2, ceil(H/s), ceil(W/s)).

    Strips that reach from a pixel to the right, left, down and up, by padding; the horizontal two share their weights,
    and so do the vertical two. Side by side they pass a 2x2 convolution.

    Args:
        k: length of the strips.
        s: stride.
    """

    def __init__(self, c1: int, c2: int, k: int = 3, s: int = 1) -> None:
        super().__init__()
        divides("PinwheelConv", c2, 4, "4")
        self.pads = [[k, 0, 1, 0], [0, k, 0, 1], [0, 1, k, 0], [1, 0, 0, k]]
        self.cw = Conv(c1, c2 // 4, (1, k), s, 0)
        self.ch = Conv(c1, c2 // 4, (k, 1), s, 0)
        self.cat = Conv(c2, c2, 2, 1, 0)

    def forward(self, x: Tensor) -> Tensor:
        strips = [(self.cw, self.cw, self.ch, self.ch)[number](F.pad(x, pad)) for number, pad in enumerate(self.pads)]
        return self.cat(torch.cat(strips, 1))  # type: ignore[no-any-return]


class APBottleneck(nn.Module):
    """The bottleneck of pinwheel convolutions (Yang et al., 2024, arXiv 2412.16986): 3x3 convolutions that see the four
    corners of a pixel, by padding and with shared weights, then 3x3, plus the input."""

    def __init__(self, c1: int, c2: int, shortcut: bool = True, e: float = 1.0) -> None:
        super().__init__()
        hidden = int(c2 * e)
        divides("APBottleneck", hidden, 4, "4")
        self.pads = [[2, 0, 2, 0], [0, 2, 0, 2], [0, 2, 2, 0], [2, 0, 0, 2]]
        self.cv1 = Conv(c1, hidden // 4, 3, 1, 0)
        self.cv2 = Conv(hidden, c2, 3, 1)
        self.add = shortcut and c1 == c2

    def forward(self, x: Tensor) -> Tensor:
        y = self.cv2(torch.cat([self.cv1(F.pad(x, pad)) for pad in self.pads], 1))
        return x + y if self.add else y  # type: ignore[no-any-return]


class Activated(nn.Module):
    """A layer, batch normalisation and SiLU."""

    def __init__(self, conv: nn.Module, channels: int) -> None:
        super().__init__()
        self.conv, self.bn, self.act = conv, nn.BatchNorm2d(channels), nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))  # type: ignore[no-any-return]


class DySnakeConv(nn.Module):
    """A plain convolution, a snake along x and one along y side by side, joined by 1x1 as in DSCNet."""

    def __init__(self, c1: int, c2: int, kernel_size: int = 9) -> None:
        super().__init__()
        width = max(c2 // 2 // 4 * 4, 4)
        self.plain = Conv(c1, width, 3)
        self.along_x = DSConv(c1, width, kernel_size, morph=0)
        self.along_y = DSConv(c1, width, kernel_size, morph=1)
        self.join = Conv(3 * width, c2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.join(torch.cat([self.plain(x), self.along_x(x), self.along_y(x)], 1))  # type: ignore[no-any-return]


def wt_conv(c1: int, c2: int, stride: int) -> nn.Module:
    return nn.Sequential(WTConv2d(c1, 5, wt_levels=2 if stride <= 16 else 1), Conv(c1, c2, 1))


def rfa_conv(c1: int, c2: int, stride: int) -> nn.Module:
    return RFAConv(c1, c2)


def pinwheel(c1: int, c2: int, stride: int) -> nn.Module:
    return PinwheelConv(c1, c2)


def dy_snake(c1: int, c2: int, stride: int) -> nn.Module:
    return DySnakeConv(c1, c2)


def ld_conv(c1: int, c2: int, stride: int) -> nn.Module:
    return LDConv(c1, c2, 5)


def dcn_v2(c1: int, c2: int, stride: int) -> nn.Module:
    return Activated(ModulatedDeformConvPack(c1, c2), c2)


def dcn_v3(c1: int, c2: int, stride: int) -> nn.Module:
    return Activated(DeformAggregation(c1, c2, groups_of(c2, 4)), c2)


def dcn_v4(c1: int, c2: int, stride: int) -> nn.Module:
    return Activated(DeformAggregation(c1, c2, groups_of(c2, 4), version=4), c2)


CLASSES: Sequence[type] = (
    WTConv2d, Scale, RFAConv, RFAConvUnfold, PinwheelConv, APBottleneck, Activated, DySnakeConv, DSConv, DSConvOriginal,
    LDConv, DeformConv2d, ModulatedDeformConvPack, DeformAggregation,
)  # fmt: skip
