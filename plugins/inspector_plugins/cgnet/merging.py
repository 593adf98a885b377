"""Merge batch normalisation into the convolutions before it.

BN(w x) = s w x + b with s = gamma / sqrt(var + eps) and b = beta - s mean, for each channel.
"""

from __future__ import annotations

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import nn


def merge(norm: nn.Module, *convs: nn.Conv2d) -> nn.Module:
    """Change the convolutions, whose concatenated maps ``norm`` normalises, so that it has no effect any more.

    Computed in at least 32 bit, with the running statistics.

    Returns:
        Its replacement: an identity. A second call changes nothing.
    """
    if not isinstance(norm, nn.BatchNorm2d):
        return norm
    assert norm.running_mean is not None and norm.running_var is not None
    first = 0
    with torch.no_grad():
        variance = _exact(norm.running_var)
        scale = _exact(norm.weight) / torch.sqrt(variance + norm.eps)
        shift = _exact(norm.bias) - scale * _exact(norm.running_mean)
        for conv in convs:
            own = slice(first, first := first + conv.out_channels)
            weight, bias = _exact(conv.weight) * scale[own, None, None, None], shift[own]
            if conv.bias is not None:
                bias = bias + _exact(conv.bias) * scale[own]
            learns = conv.weight.requires_grad
            conv.bias = nn.Parameter(bias.to(conv.weight.dtype), requires_grad=learns)
            conv.weight = nn.Parameter(weight.to(conv.weight.dtype), requires_grad=learns)
    return nn.Identity()


def _exact(values: torch.Tensor) -> torch.Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))
