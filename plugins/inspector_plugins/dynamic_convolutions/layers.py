"""Convolutions whose kernel depends on the image: ODConv and the dynamic convolution of ParameterNet."""
# ruff: noqa: N812 - torch's own abbreviation

from __future__ import annotations

import math

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inspector_plugins._shared.size_checks import divides


def convolve(
    x: Tensor, kernels: Tensor, stride: int = 1, padding: int = 0, dilation: int = 1, groups: int = 1
) -> Tensor:
    """Convolve each image with a kernel of its own, as a product of matrices, which every runtime has.

    Args:
        x: images, (N, c1, H, W).
        kernels: (N, c2, c1 / groups, k, k).

    Returns:
        (N, c2, H', W').
    """
    n, c2, width, k = kernels.shape[0], kernels.shape[1], kernels.shape[2], int(kernels.shape[3])
    height, wide = ((int(side) + 2 * padding - dilation * (k - 1) - 1) // stride + 1 for side in x.shape[2:])
    columns = x.reshape(n, groups, width, -1) if k == 1 and stride == 1 and not padding else F.unfold(
        x, k, dilation, padding, stride
    )  # fmt: skip
    columns = columns.reshape(n, groups, width * k * k, height * wide)
    made = kernels.reshape(n, groups, c2 // groups, width * k * k) @ columns
    return made.reshape(n, c2, height, wide)


class Attention(nn.Module):
    """The four weights of ODConv from the channels' means: input channel, output channel, place and kernel.

    Args:
        temperature: divides all logits.
    """

    def __init__(
        self, c1: int, c2: int, kernel: int, groups: int, reduction: float, count: int, temperature: float
    ) -> None:
        super().__init__()
        hidden = max(int(c1 * reduction), 16)
        self.temperature, self.kernel, self.count = temperature, kernel, count
        self.fc = nn.Conv2d(c1, hidden, 1, bias=False)
        self.bn = nn.BatchNorm2d(hidden)
        self.channel_fc = nn.Conv2d(hidden, c1, 1)
        self.filter_fc = None if groups == c1 == c2 else nn.Conv2d(hidden, c2, 1)
        self.spatial_fc = None if kernel == 1 else nn.Conv2d(hidden, kernel**2, 1)
        self.kernel_fc = None if count == 1 else nn.Conv2d(hidden, count, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:
        hidden = F.relu(self._normalised(self.fc(x.mean((2, 3), keepdim=True))))
        scale = 1 / self.temperature
        channel = (self.channel_fc(hidden) * scale).sigmoid()
        filters = None if self.filter_fc is None else (self.filter_fc(hidden) * scale).sigmoid()
        place = None if self.spatial_fc is None else (self.spatial_fc(hidden) * scale).sigmoid()
        which = None if self.kernel_fc is None else (self.kernel_fc(hidden) * scale).softmax(1)
        return channel, filters, place, which

    def _normalised(self, x: Tensor) -> Tensor:
        """In a training step of one image there is no variance; then the running statistics are used."""
        if self.training and len(x) == 1:
            return F.batch_norm(
                x, self.bn.running_mean, self.bn.running_var, self.bn.weight, self.bn.bias, False, 0.0, self.bn.eps
            )
        return self.bn(x)  # type: ignore[no-any-return]


class ODConv2d(nn.Module):
    """Omni-dimensional dynamic convolution (Li et al., 2022, arXiv 2209.07947): (N, c1, H, W) -> (N, c2, H', W').

    filter * conv(channel * x, sum over n of which_n place W_n), weights from :class:`Attention`.

    Args:
        kernel_num: number of kernels.
        reduction: hidden channels of the attention in units of c1, at least 16.
    """

    def __init__(
        self,
        c1: int,
        c2: int,
        kernel: int = 3,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
        reduction: float = 1 / 16,
        kernel_num: int = 4,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        divides("ODConv", c1, groups, "groups")
        divides("ODConv", c2, groups, "groups")
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        self.attention = Attention(c1, c2, kernel, groups, reduction, kernel_num, temperature)
        self.weight = nn.Parameter(torch.empty(kernel_num, c2, c1 // groups, kernel, kernel))
        for one in self.weight.data:
            nn.init.kaiming_normal_(one, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        channel, filters, place, which = self.attention(x)
        n, kernel = x.shape[0], self.weight[None]
        if place is not None:
            kernel = kernel * place.reshape(n, 1, 1, 1, *self.weight.shape[3:])
        if which is not None:
            kernel = kernel * which.reshape(n, -1, 1, 1, 1, 1)
        kernels = kernel.sum(1)
        if len(kernels) != n:
            kernels = kernels.expand(n, -1, -1, -1, -1)
        y = convolve(x * channel, kernels, self.stride, self.padding, self.dilation, self.groups)
        return y if filters is None else y * filters

    def flops(self, x: Tensor) -> int:
        """Floating-point operations of the weighting for this input; attention and product are counted by torch."""
        return 2 * x.numel() + 3 * x.shape[0] * self.weight.numel()


class Experts(nn.Module):
    """Kernels as rows, (count, size), and biases, (count, c2)."""

    def __init__(self, count: int, shape: tuple[int, ...], bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(count, math.prod(shape)))
        for one in self.weight.data:
            nn.init.kaiming_uniform_(one.view(shape), a=math.sqrt(5))
        self.bias = nn.Parameter(torch.zeros(count, shape[0])) if bias else None


class DynamicConv(nn.Module):
    """Dynamic convolution as in ParameterNet (Han et al., 2023, arXiv 2306.14525): the kernel is the sum of
    ``num_experts`` ones weighted by sigmoid(linear(mean x)): (N, c1, H, W) -> (N, c2, H', W').

    Keys: routing, cond_conv.weight (num_experts, c2 c1 / groups k k) and cond_conv.bias.
    """

    def __init__(
        self,
        c1: int,
        c2: int,
        kernel: int = 1,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
        num_experts: int = 4,
    ) -> None:
        super().__init__()
        divides("DynamicConv", c1, groups, "groups")
        divides("DynamicConv", c2, groups, "groups")
        self.stride, self.dilation, self.groups = stride, dilation, groups
        self.shape = (c2, c1 // groups, kernel, kernel)
        self.padding = ((stride - 1) + dilation * (kernel - 1)) // 2
        self.routing = nn.Linear(c1, num_experts)
        self.cond_conv = Experts(num_experts, self.shape, bias)

    def forward(self, x: Tensor) -> Tensor:
        share = self.routing(x.mean((2, 3))).sigmoid()
        kernels = (share @ self.cond_conv.weight).reshape(-1, *self.shape)
        y = convolve(x, kernels, self.stride, self.padding, self.dilation, self.groups)
        if self.cond_conv.bias is not None:
            y = y + (share @ self.cond_conv.bias)[:, :, None, None]
        return y


class Activated(nn.Module):
    """A convolution, batch normalisation and SiLU."""

    def __init__(self, conv: nn.Module, channels: int) -> None:
        super().__init__()
        self.conv, self.bn, self.act = conv, nn.BatchNorm2d(channels), nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))  # type: ignore[no-any-return]


def od_conv(c1: int, c2: int, stride: int) -> nn.Module:
    return Activated(ODConv2d(c1, c2, 3, padding=1, kernel_num=1), c2)


def dynamic_conv(c1: int, c2: int, stride: int) -> nn.Module:
    return Activated(DynamicConv(c1, c2, 3), c2)


CLASSES: tuple[type, ...] = (Attention, ODConv2d, Experts, DynamicConv, Activated)
