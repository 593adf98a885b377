"""Downsampling that loses nothing (SPD-Conv, Haar wavelets), ADown, and cheap learned upsampling (EUCB)."""
# ruff: noqa: N812 - torch's own abbreviation

from __future__ import annotations

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from ultralytics.nn.modules.block import ADown
from ultralytics.nn.modules.conv import Conv

from inspector_plugins._shared.size_checks import same_channels


def space_to_depth(x: Tensor) -> Tensor:
    """The four sub-grids of (N, C, H, W) side by side: (N, 4 C, H/2, W/2), in the order (even row, even column),
    (odd, even), (even, odd), (odd, odd).

    Raises:
        ValueError: a side is odd.
    """
    if int(x.shape[2]) % 2 or int(x.shape[3]) % 2:
        raise ValueError(f"space_to_depth needs even sides, not {int(x.shape[2])} x {int(x.shape[3])}")
    return torch.cat([x[..., row::2, column::2] for column in (0, 1) for row in (0, 1)], 1)


def to_even(x: Tensor) -> Tensor:
    """Zeros added to the right and at the bottom, so that both sides are even."""
    return F.pad(x, (0, int(x.shape[3]) % 2, 0, int(x.shape[2]) % 2))


class SPDConv(nn.Module):
    """SPD-Conv (Sunkara & Luo, 2022, arXiv 2208.03641): (N, c1, H, W) -> (N, c2, ceil(H/2), ceil(W/2)).

    The four sub-grids side by side, then a convolution of stride 1, so that no pixel is skipped. Odd sides are padded
    with zeros.

    Args:
        kernel: side of the convolution.
    """

    def __init__(self, c1: int, c2: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = Conv(4 * c1, c2, kernel)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(space_to_depth(to_even(x)))  # type: ignore[no-any-return]


def haar(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The Haar wavelet of (N, C, H, W), odd sides padded with zeros: four maps (N, C, ceil(H/2), ceil(W/2)).

    Of the pixels a b / c d: (a+b+c+d)/2, then (a+b-c-d)/2, (a-b+c-d)/2 and (a-b-c+d)/2.
    """
    x = to_even(x)
    a, b, c, d = x[..., ::2, ::2], x[..., ::2, 1::2], x[..., 1::2, ::2], x[..., 1::2, 1::2]
    return (a + b + c + d) / 2, (a + b - c - d) / 2, (a - b + c - d) / 2, (a - b - c + d) / 2


class HWD(nn.Module):
    """Haar wavelet downsampling (Xu et al., 2023, doi 10.1016/j.patcog.2023.109819): (N, c1, H, W) -> (N, c2,
    ceil(H/2), ceil(W/2)): the four maps of :func:`haar` side by side, convolution 1x1 with bias, BN, ReLU.
    """

    def __init__(self, c1: int, c2: int) -> None:
        super().__init__()
        self.conv_bn_relu = nn.Sequential(nn.Conv2d(4 * c1, c2, 1), nn.BatchNorm2d(c2), nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_bn_relu(torch.cat(haar(x), 1))  # type: ignore[no-any-return]

    def flops(self, x: Tensor) -> int:
        """Floating-point operations of the wavelet for this input."""
        return 4 * x.numel()


class PaddedADown(nn.Module):
    """ADown of YOLOv9 (Wang et al., 2024, arXiv 2402.13616), ultralytics', for sides that are odd too:
    (N, c1, H, W) -> (N, c2, ceil(H/2), ceil(W/2)).

    ADown alone makes (H - 1) / 2 of an odd side; here the last row and column are repeated.
    """

    def __init__(self, c1: int, c2: int) -> None:
        super().__init__()
        if c1 % 2 or c2 % 2:
            raise ValueError(f"ADown halves the channels; both must be even and are {c1} and {c2}")
        self.down = ADown(c1, c2)

    def forward(self, x: Tensor) -> Tensor:
        right, bottom = int(x.shape[3]) % 2, int(x.shape[2]) % 2
        if right or bottom:
            x = F.pad(x, (0, right, 0, bottom), mode="replicate")
        return self.down(x)  # type: ignore[no-any-return]


class EUCB(nn.Module):
    """Efficient up-convolution of EMCAD (Rahman et al., 2024, arXiv 2405.06880): (N, c1, H, W) -> (N, c2, 2H, 2W).

    Nearest neighbours, DW kxk, BN, activation, convolution 1x1 with bias. The channel shuffle of the paper has as many
    groups as channels, which changes nothing.

    Args:
        kernel_size: of the depth-wise convolution.
        slope: of a leaky ReLU; 0: ReLU.
    """

    def __init__(self, c1: int, c2: int, kernel_size: int = 3, slope: float = 0.0) -> None:
        super().__init__()
        act = nn.LeakyReLU(slope, inplace=True) if slope else nn.ReLU(inplace=True)
        depthwise = nn.Conv2d(c1, c1, kernel_size, padding=kernel_size // 2, groups=c1, bias=False)
        self.up_dwc = nn.Sequential(nn.Upsample(scale_factor=2), depthwise, nn.BatchNorm2d(c1), act)
        self.pwc = nn.Sequential(nn.Conv2d(c1, c2, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.pwc(self.up_dwc(x))  # type: ignore[no-any-return]


def spd_conv(c1: int, c2: int, stride: int) -> nn.Module:
    return SPDConv(c1, c2)


def hwd(c1: int, c2: int, stride: int) -> nn.Module:
    return HWD(c1, c2)


def adown(c1: int, c2: int, stride: int) -> nn.Module:
    return PaddedADown(c1, c2)


def eucb(c1: int, c2: int, stride: int) -> nn.Module:
    same_channels("EUCB", c1, c2)
    return EUCB(c1, c2)


CLASSES: tuple[type, ...] = (SPDConv, HWD, PaddedADown, EUCB)
