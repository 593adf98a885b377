"""Merge batch normalisation into the convolution before it, and stack what merging makes of a block."""

from __future__ import annotations

from typing import Any

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import Tensor, nn


def affine(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Scale and shift of ``norm`` in evaluation, one of each per channel, in at least 32 bit."""
    assert norm.running_mean is not None and norm.running_var is not None
    variance = exact(norm.running_var)
    scale = exact(norm.weight) / torch.sqrt(variance + norm.eps)
    return scale, exact(norm.bias) - scale * exact(norm.running_mean)


def exact(values: Tensor) -> Tensor:
    """The values in at least 32 bit."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Kernel and bias of ``norm(conv(x))``."""
    scale, shift = affine(norm)
    bias = shift if conv.bias is None else shift + scale * exact(conv.bias)
    return exact(conv.weight) * scale[:, None, None, None], bias


def convolution(like: nn.Conv2d, kernel: Tensor, bias: Tensor) -> nn.Conv2d:
    """A convolution with that kernel and bias and the geometry and type of ``like``."""
    geometry: list[Any] = [kernel.shape[2:], like.stride, like.padding, like.dilation, like.groups]
    made = nn.Conv2d(like.in_channels, like.out_channels, *geometry)
    made = made.to(like.weight.device, like.weight.dtype)
    learns = like.weight.requires_grad
    made.weight = nn.Parameter(kernel.detach().to(like.weight.dtype), requires_grad=learns)
    made.bias = nn.Parameter(bias.detach().to(like.weight.dtype), requires_grad=learns)
    return made.train(like.training)
