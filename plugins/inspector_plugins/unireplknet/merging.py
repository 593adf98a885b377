"""Normalisations and dilated branches folded into the layers before them, in float64, so that nothing changes."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

_Layer = TypeVar("_Layer", nn.Conv2d, nn.Linear)
BatchNorm = nn.BatchNorm2d | nn.SyncBatchNorm


def scale_and_shift(norm: BatchNorm) -> tuple[Tensor, Tensor]:
    """The normalisation of eval mode as ``x * scale + shift``: two float64 vectors of C values.

    ``eps`` is read now: ultralytics changes it after a network was built.
    """
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        raise ValueError("a batch normalisation without running statistics cannot be merged")
    scale = norm.weight.double() / torch.sqrt(variance.double() + norm.eps)
    return scale, norm.bias.double() - mean.double() * scale


def scaled(conv: nn.Conv2d, norm: BatchNorm) -> tuple[Tensor, Tensor]:
    """Weight and bias, float64, of the convolution that computes ``norm(conv(x))``."""
    scale, shift = scale_and_shift(norm)
    bias = shift if conv.bias is None else shift + conv.bias.double() * scale
    return conv.weight.double() * scale.view(-1, 1, 1, 1), bias


def dense(kernel: Tensor, dilation: int, size: int) -> Tensor:
    """The (C, 1, size, size) kernel that computes without dilation what a (C, 1, k, k) one does with it.

    There are dilation - 1 zeros between two neighbours, the others around: size >= (k - 1) * dilation + 1, both odd.
    """
    span = (kernel.shape[-1] - 1) * dilation + 1
    spread = kernel.new_zeros(*kernel.shape[:2], span, span)
    spread[..., ::dilation, ::dilation] = kernel
    return functional.pad(spread, [(size - span) // 2] * 4)


def with_bias(conv: nn.Conv2d, weight: Tensor, bias: Tensor) -> nn.Conv2d:
    """A convolution like the depth-wise ``conv``, of its device and type, with these weights and this bias."""
    size = conv.kernel_size[0]
    merged = nn.Conv2d(conv.in_channels, conv.out_channels, size, padding=size // 2, groups=conv.groups)
    return _filled(merged, conv, weight, bias)


def folded(conv: nn.Conv2d, norm: BatchNorm) -> nn.Conv2d:
    """The depth-wise convolution that computes ``norm(conv(x))``."""
    return with_bias(conv, *scaled(conv, norm))


def projected(linear: nn.Linear, beta: Tensor | None, norm: BatchNorm | None, gamma: Tensor | None) -> nn.Linear:
    """The layer that computes ``gamma * norm(linear(x + beta))``; arguments that are None are left out."""
    weight = linear.weight.double()
    bias = weight.new_zeros(len(weight)) if linear.bias is None else linear.bias.double()
    if beta is not None:
        bias = bias + weight @ beta.double().flatten()
    if norm is not None:
        scale, shift = scale_and_shift(norm)
        weight, bias = weight * scale.view(-1, 1), bias * scale + shift
    if gamma is not None:
        weight, bias = weight * gamma.double().view(-1, 1), bias * gamma.double()
    return _filled(nn.Linear(linear.in_features, linear.out_features), linear, weight, bias)


def _filled(layer: _Layer, before: _Layer, weight: Tensor, bias: Tensor) -> _Layer:
    """``layer`` with these weights, of the device, type and mode of ``before``."""
    layer.to(before.weight).train(before.training)
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer
