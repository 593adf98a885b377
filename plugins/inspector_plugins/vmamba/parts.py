"""The small modules that VMamba is made of, with the official names and keys.

``channel_first`` means maps (N, C, H, W), otherwise (N, H, W, C).
"""

from __future__ import annotations

from typing import Any, Self

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import Tensor, nn
from torch.nn import functional

from inspector_plugins._shared import torch_layers
from inspector_plugins._shared.foreign_weights import load_foreign, size


class Linear2d(nn.Linear):
    """A linear map of the channels of (N, C, H, W); loads the weights of a 1x1 convolution too."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.weight[:, :, None, None], self.bias)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        weight = state_dict.get(f"{prefix}weight")
        if weight is not None and tuple(weight.shape) == (*self.weight.shape, 1, 1):
            state_dict[f"{prefix}weight"] = weight.view(self.weight.shape)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> Self:
        outputs, inputs = (size(foreign, "weight", axis) for axis in (0, 1))
        return load_foreign(cls(inputs, outputs, "bias" in foreign.state_dict()), foreign)


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation over the channels of (N, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> Self:
        return load_foreign(cls(size(foreign, "weight", 0)), foreign)


class Permute(nn.Module):
    """``x.permute(*args)``."""

    def __init__(self, *args: int) -> None:
        super().__init__()
        self.args = args

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(*self.args)


class SoftmaxSpatial(nn.Softmax):
    """Softmax over all positions; ``dim`` is -1 for (N, C, H, W) and 1 for (N, H, W, C)."""

    def forward(self, x: Tensor) -> Tensor:
        first = 2 if self.dim == -1 else 1
        return super().forward(x.flatten(first, first + 1)).reshape(x.shape)


class DropPath(torch_layers.DropPath):
    """The shared stochastic depth under the name that checkpoints give it."""


class Mlp(nn.Module):
    """Two linear layers with an activation in between."""

    _BRANCHES = 1  # outputs of the first layer for each hidden channel

    def __init__(
        self,
        in_features: int,
        hidden_features: int | None = None,
        out_features: int | None = None,
        act_layer: type[nn.Module] = nn.GELU,
        drop: float = 0.0,
        channels_first: bool = False,
    ) -> None:
        super().__init__()
        self.channel_first = channels_first
        linear = Linear2d if channels_first else nn.Linear
        hidden = hidden_features or in_features
        self.fc1 = linear(in_features, self._BRANCHES * hidden)
        self.act = act_layer()
        self.fc2 = linear(hidden, out_features or in_features)
        self.drop = nn.Dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop(self.act(self.fc1(x)))
        return self.drop(self.fc2(x))  # type: ignore[no-any-return]


class gMlp(Mlp):  # noqa: N801 - the official name
    """As :class:`Mlp`, with the hidden layer multiplied by an activated gate of the same size."""

    _BRANCHES = 2

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.fc1(x).chunk(2, dim=1 if self.channel_first else -1)
        return self.drop(self.fc2(value * self.act(gate)))  # type: ignore[no-any-return]


class PatchMerging2D(nn.Module):
    """Halves the map: the four pixels of every 2x2 patch side by side, normalised, and mapped to ``out_dim`` channels.

    (N, C, H, W) -> (N, out_dim, ceil(H/2), ceil(W/2)) where ``channel_first``; odd sides are padded with zeros.
    """

    def __init__(
        self, dim: int, out_dim: int = -1, norm_layer: type[nn.Module] = nn.LayerNorm, channel_first: bool = False
    ) -> None:
        super().__init__()
        self.dim = dim
        self.channel_first = channel_first
        linear = Linear2d if channel_first else nn.Linear
        self.reduction = linear(4 * dim, 2 * dim if out_dim < 0 else out_dim, bias=False)
        self.norm = norm_layer(4 * dim)

    def forward(self, x: Tensor) -> Tensor:
        if self.channel_first:
            x = x.permute(0, 2, 3, 1)
        x = functional.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        corners = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        merged = torch.cat(corners, -1)
        if self.channel_first:
            merged = merged.permute(0, 3, 1, 2)
        return self.reduction(self.norm(merged))  # type: ignore[no-any-return]
