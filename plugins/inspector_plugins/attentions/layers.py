"""Attentions that weight channels or pixels: (N, C, H, W) -> the same.

SE, ECA, CBAM and coordinate attention are those of PyTorch Image Models (timm); the others are written from the papers.
"""

from __future__ import annotations

import math

from inspector.api import prepare_torch

prepare_torch()

import torch
from timm.layers.cbam import CbamModule, ChannelAttn, SpatialAttn
from timm.layers.conv_bn_act import ConvNormAct
from timm.layers.coord_attn import CoordAttn
from timm.layers.eca import EcaModule
from timm.layers.norm_act import BatchNormAct2d
from timm.layers.squeeze_excite import SEModule
from torch import Tensor, nn

from inspector_plugins._shared.size_checks import divides, groups_of, same_channels


class SE(SEModule):  # type: ignore[misc]
    """Squeeze and excitation (Hu et al., 2018, arXiv 1709.01507), timm's: x sigmoid(W2 relu(W1 mean x))."""


class ECA(EcaModule):  # type: ignore[misc]
    """Efficient channel attention (Wang et al., 2020, arXiv 1910.03151), timm's: x sigmoid(conv1d(mean x))."""


class CBAM(CbamModule):  # type: ignore[misc]
    """Convolutional block attention (Woo et al., 2018, arXiv 1807.06521), timm's: first channels, then pixels."""


class CoordAtt(CoordAttn):  # type: ignore[misc]
    """Coordinate attention (Hou et al., 2021, arXiv 2103.02907), timm's: x g_h(row means) g_w(column means)."""


class EMA(nn.Module):
    """Efficient multi-scale attention (Ouyang et al., 2023, arXiv 2305.13563).

    In each of ``factor`` groups of channels: z = x sigmoid(row) sigmoid(column) from a shared 1x1 convolution of the
    row and the column means, x1 = GroupNorm(z), x2 = conv3x3(x), and the pixels are weighted by
    sigmoid(softmax(mean x1) . x2 + softmax(mean x2) . x1), products over the channels.

    Args:
        channels: of the map.
        factor: number of groups; must divide the channels.
    """

    def __init__(self, channels: int, factor: int = 32) -> None:
        super().__init__()
        divides("EMA", channels, factor, "factor")
        self.groups = factor
        width = channels // factor
        self.gn = nn.GroupNorm(width, width)
        self.conv1x1 = nn.Conv2d(width, width, 1)
        self.conv3x3 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        grouped = x.reshape(n * self.groups, channels // self.groups, height, width)
        means = torch.cat([grouped.mean(3), grouped.mean(2)], 2)[..., None]
        rows, columns = self.conv1x1(means).sigmoid().split([height, width], 2)
        one = self.gn(grouped * rows * columns.transpose(2, 3))
        other = self.conv3x3(grouped)
        weight = _weigh(one, other) + _weigh(other, one)
        return (grouped * weight.sigmoid()).reshape(n, channels, height, width)


def _weigh(one: Tensor, other: Tensor) -> Tensor:
    """softmax over channels of the mean of ``one``, times ``other``, summed over the channels: (N, 1, H, W)."""
    return (one.mean((2, 3), keepdim=True).softmax(1) * other).sum(1, keepdim=True)


class SimAM(nn.Module):
    """SimAM (Yang et al., 2021, ICML 139), without weights: x sigmoid(d / (4 (S d / (HW - 1) + lambda)) + 0.5) with
    d = (x - mean)^2 in each channel.

    Args:
        e_lambda: see above.
    """

    def __init__(self, e_lambda: float = 1e-4) -> None:
        super().__init__()
        self.e_lambda = e_lambda

    def forward(self, x: Tensor) -> Tensor:
        d = (x - x.mean((2, 3), keepdim=True)) ** 2
        pixels = max(int(x.shape[2]) * int(x.shape[3]) - 1, 1)
        energy = d / (4 * (d.sum((2, 3), keepdim=True) / pixels + self.e_lambda)) + 0.5
        return x * energy.sigmoid()

    def flops(self, x: Tensor) -> int:
        """Floating-point operations for this input."""
        return 8 * x.numel()


class MLCA(nn.Module):
    """Mixed local channel attention (Wan et al., 2023, doi 10.1016/j.engappai.2023.106442).

    The map is averaged over ``local_size`` squared regions, and these over all. A convolution over the channels weighs
    the means of the map; another runs over the regions' channels, one region after the other. The gate is
    (1 - local_weight) global + local_weight local at the size of the map, and multiplies it.

    Args:
        in_size: channels of the map, from which the width of the convolutions follows.
        local_size: regions in a row and in a column.
        gamma, b: of the width, the odd number at (log2 C + b) / gamma.
        local_weight: see above.
    """

    def __init__(
        self, in_size: int, local_size: int = 5, gamma: float = 2, b: float = 1, local_weight: float = 0.5
    ) -> None:
        super().__init__()
        if in_size < 1 or local_size < 1:
            raise ValueError(f"MLCA needs channels and regions; there are {in_size} and {local_size}")
        width = int(abs(math.log2(in_size) + b) / gamma)
        width += 1 - width % 2
        self.local_size, self.local_weight = local_size, local_weight
        self.conv = nn.Conv1d(1, 1, width, padding=width // 2, bias=False)
        self.conv_local = nn.Conv1d(1, 1, width, padding=width // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        n, channels, size = x.shape[0], int(x.shape[1]), self.local_size
        height, width = int(x.shape[2]), int(x.shape[3])
        local = adaptive_average(x, size, size)
        whole = local.mean((2, 3))
        regions = local.reshape(n, channels, size * size).transpose(1, 2).reshape(n, 1, size * size * channels)
        own = self.conv_local(regions).sigmoid().reshape(n, size * size, channels).transpose(1, 2)
        own = own.reshape(n, channels, size, size)
        gate = self.conv(whole[:, None]).sigmoid()[:, 0, :, None, None]
        mixed = (1 - self.local_weight) * gate + self.local_weight * own
        return x * adaptive_average(mixed, height, width)


def adaptive_average(x: Tensor, height: int, width: int) -> Tensor:
    """Adaptive average pooling of (N, C, H, W) to (N, C, height, width), also to more pixels; as two matrix products,
    since ONNX has no such pooling for sizes that do not divide."""
    rows, columns = _averaging(int(x.shape[2]), height, x), _averaging(int(x.shape[3]), width, x)
    return rows @ x @ columns.T


def _averaging(given: int, wanted: int, like: Tensor) -> Tensor:
    """The matrix (wanted, given) of the means from floor(i given / wanted) to ceil((i + 1) given / wanted)."""
    matrix = torch.zeros(wanted, given)
    for index in range(wanted):
        first, last = index * given // wanted, -(-(index + 1) * given // wanted)
        matrix[index, first:last] = 1 / (last - first)
    return matrix.to(like)


def se(c1: int, c2: int, stride: int) -> nn.Module:
    same_channels("SE", c1, c2)
    return SE(c1, gate_layer=nn.Sigmoid)


def eca(c1: int, c2: int, stride: int) -> nn.Module:
    same_channels("ECA", c1, c2)
    return ECA(c1, gate_layer=nn.Sigmoid)


def cbam(c1: int, c2: int, stride: int) -> nn.Module:
    same_channels("CBAM", c1, c2)
    return CBAM(c1, rd_channels=max(c1 // 16, 4), gate_layer=nn.Sigmoid)


def coord_att(c1: int, c2: int, stride: int) -> nn.Module:
    same_channels("coordinate attention", c1, c2)
    return CoordAtt(c1, rd_channels=max(c1 // 32, 8), bias=True, gate_layer=nn.Sigmoid)


def ema(c1: int, c2: int, stride: int) -> nn.Module:
    same_channels("EMA", c1, c2)
    return EMA(c1, groups_of(c1, 32, 2))


def simam(c1: int, c2: int, stride: int) -> nn.Module:
    same_channels("SimAM", c1, c2)
    return SimAM()


def mlca(c1: int, c2: int, stride: int) -> nn.Module:
    same_channels("MLCA", c1, c2)
    return MLCA(c1)


TIMM: tuple[type, ...] = (ChannelAttn, SpatialAttn, ConvNormAct, BatchNormAct2d)  # parts of CBAM
CLASSES: tuple[type, ...] = (
    SE,
    ECA,
    CBAM,
    CoordAtt,
    EMA,
    SimAM,
    MLCA,
    *TIMM,
)
