"""Small parts of UniRepLKNet: layer normalisation, stochastic depth, and the order of dimensions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from inspector_plugins._shared import torch_layers
from inspector_plugins._shared.foreign_weights import load_foreign
from inspector_plugins.unireplknet.foreign_arguments import shape


class LayerNorm(nn.Module):
    """Layer normalisation over channels (Ba et al. 2016, arXiv 1607.06450): of each pixel, y = w * (x - m) / s + b.

    m is the mean of the pixel's channels, s = sqrt(their variance + eps). ``channels_last`` takes (N, H, W, C),
    ``channels_first`` (N, C, H, W). Types of 16 bits are computed with 32.
    """

    def __init__(self, normalized_shape: int, eps: float = 1e-6, data_format: str = "channels_last") -> None:
        super().__init__()
        if data_format not in ("channels_last", "channels_first"):
            raise ValueError(f"data_format should be channels_last or channels_first, got {data_format!r}")
        self.weight = nn.Parameter(torch.ones(normalized_shape))
        self.bias = nn.Parameter(torch.zeros(normalized_shape))
        self.eps = eps
        self.data_format = data_format
        self.normalized_shape = (normalized_shape,)

    def forward(self, x: Tensor) -> Tensor:
        if self.data_format == "channels_last":
            return nn.functional.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        wide = x if x.dtype == torch.float64 else x.float()
        centred = wide - wide.mean(dim=1, keepdim=True)
        normal = centred / torch.sqrt(centred.square().mean(dim=1, keepdim=True) + self.eps)
        return (self.weight.view(-1, 1, 1) * normal + self.bias.view(-1, 1, 1)).to(x.dtype)

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> LayerNorm:
        """Build the layer from the weights of a module of the same name; ValueError if they do not fit."""
        (channels,) = shape(foreign.state_dict(), "weight", 1)
        data_format = vars(foreign).get("data_format", "channels_last")
        return load_foreign(cls(channels, data_format=data_format), foreign)


class DropPath(torch_layers.DropPath):
    """The shared stochastic depth under the name that checkpoints give it."""


class NCHWtoNHWC(nn.Module):
    """(N, C, H, W) -> (N, H, W, C), a view."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)


class NHWCtoNCHW(nn.Module):
    """(N, H, W, C) -> (N, C, H, W), contiguous: see DilatedReparamBlock.forward."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 3, 1, 2).contiguous()
