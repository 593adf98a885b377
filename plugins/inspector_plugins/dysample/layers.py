"""DySample: Learning to Upsample by Learning to Sample (Liu et al., 2023, arXiv 2308.15085).

Upsampling as point sampling: the map x is read by bilinear interpolation at the points S, one for each pixel of the
result and each group of channels::

    x' = grid_sample(x, S),  S = G + O

G are the points where plain bilinear upsampling would read: in pixels of x, pixel i of the result is at
(i + 1/2) / s - 1/2, that is in its cell at ((i mod s) - (s - 1) / 2) / s from the middle. The offsets O are learned,
in pixels of x, within a static or a dynamic scope::

    O = 0.25 linear(x)                                 (DySample)
    O = 0.5 sigmoid(linear_1(x)) * linear_2(x)         (DySample+)

and go to the size of the result by pixel shuffle, after the linear layer (style lp) or before it (style pl).
"""
# ruff: noqa: N812 - torch's own abbreviation

from __future__ import annotations

from typing import Self

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inspector_plugins._shared.foreign_weights import load_foreign, size

_STATIC_SCOPE, _DYNAMIC_SCOPE = 0.25, 0.5
_FLOPS_OF_POINT, _FLOPS_OF_VALUE = 16, 7  # position and four weights of a point; four products and three sums


class DySample(nn.Module):
    """Learned upsampling: (N, in_channels, H, W) -> (N, in_channels, scale * H, scale * W).

    Keys: offset.weight, offset.bias, scope.weight (with dyscope) and the buffer init_pos, (1, 2 groups scale^2, 1, 1),
    which is stored for compatibility and not read: the points are computed in 32 bit from constants.

    Args:
        in_channels: of the map.
        scale: how many times the sides grow.
        style: ``lp``, linear layer then pixel shuffle, or ``pl``, pixel shuffle then linear layer.
        groups: of channels, each with points of its own.
        dyscope: dynamic scope.

    Raises:
        ValueError: for arguments that do not go together.
    """

    def __init__(
        self, in_channels: int, scale: int = 2, style: str = "lp", groups: int = 4, dyscope: bool = False
    ) -> None:
        super().__init__()
        if scale < 1:
            raise ValueError(f"scale must be at least 1 and is {scale}")
        if style not in ("lp", "pl"):
            raise ValueError(f"style must be 'lp' or 'pl' and is {style!r}")
        if in_channels < 1 or groups < 1 or in_channels % groups:
            raise ValueError(f"groups must divide the channels; there are {groups} groups, {in_channels} channels")
        if style == "pl" and in_channels % scale**2:
            raise ValueError(f"style 'pl' needs channels divisible by {scale**2}, scale squared, not {in_channels}")
        self.scale, self.style, self.groups = scale, style, groups
        share = scale**2 if style == "pl" else 1
        inner, outer = in_channels // share, 2 * groups * scale**2 // share
        self.offset = nn.Conv2d(inner, outer, 1)
        nn.init.normal_(self.offset.weight, std=0.001)
        nn.init.zeros_(self.offset.bias)  # type: ignore[arg-type]
        self.scope = nn.Conv2d(inner, outer, 1, bias=False) if dyscope else None
        if self.scope is not None:
            nn.init.zeros_(self.scope.weight)
        self.register_buffer("init_pos", _init_pos(scale, groups))

    def forward(self, x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        exact = torch.promote_types(x.dtype, torch.float32)
        offset = self._offset(x).to(exact)  # (N, 2 groups, sH, sW): x of all groups, then y of all groups
        offset = offset.reshape(n, 2, self.groups, *offset.shape[2:])
        column = _points(width, self.scale, offset) + offset[:, 0] * (2 / width)
        row = _points(height, self.scale, offset)[:, None] + offset[:, 1] * (2 / height)
        points = torch.stack([column, row], -1).flatten(0, 1)
        maps = x.reshape(n * self.groups, channels // self.groups, height, width).to(exact)
        values = F.grid_sample(maps, points, mode="bilinear", padding_mode="border", align_corners=False)
        return values.reshape(n, channels, *values.shape[2:]).to(x.dtype)

    def _offset(self, x: Tensor) -> Tensor:
        """O at the size of the result."""
        late = self.style == "lp"
        source = x if late else F.pixel_shuffle(x, self.scale)
        if self.scope is None:
            offset = self.offset(source) * _STATIC_SCOPE
        else:
            offset = self.offset(source) * self.scope(source).sigmoid() * _DYNAMIC_SCOPE
        return F.pixel_shuffle(offset, self.scale) if late else offset

    def flops(self, x: Tensor) -> int:
        """Floating-point operations of the sampling for this input; the linear layers are not counted."""
        n, channels, height, width = x.shape
        pixels = n * height * width * self.scale**2
        return int(pixels * (self.groups * _FLOPS_OF_POINT + channels * _FLOPS_OF_VALUE))

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> Self:
        """Build a module from the weights of ``foreign``, in inference mode.

        The arguments are read off the shapes and off init_pos, which has one value for each step of the scale.

        Raises:
            ValueError: names the keys that are missing, unknown or of another shape.
        """
        outer, inner = (size(foreign, "offset.weight", axis) for axis in (0, 1))
        points = foreign.state_dict().get("init_pos", torch.empty(0))
        scale = len(points.unique())
        if not scale:
            raise ValueError("init_pos is missing")
        groups = points.numel() // (2 * scale**2)
        late = outer == 2 * groups * scale**2
        dyscope = "scope.weight" in foreign.state_dict()
        own = cls(inner if late else inner * scale**2, scale, "lp" if late else "pl", groups, dyscope)
        own = load_foreign(own, foreign)
        if not torch.allclose(_init_pos(scale, groups), points.to("cpu", torch.float32), atol=1e-3):
            raise ValueError(f"DySample does not fit; init_pos holds other points than those of scale {scale}")
        return own


def _points(size: int, scale: int, like: Tensor) -> Tensor:
    """G along one axis, (scale * size,), where -1 and 1 are the outer edges of the map."""
    step = torch.arange(scale * size, device=like.device, dtype=like.dtype)
    return (2 * step + 1) / (scale * size) - 1


def _init_pos(scale: int, groups: int) -> Tensor:
    """G within one cell, in pixels from its middle, (1, 2 groups scale^2, 1, 1): axis (x, y), group, row, column."""
    within = (torch.arange(scale) - (scale - 1) / 2) / scale
    row, column = torch.meshgrid(within, within, indexing="ij")
    return torch.stack([column, row])[:, None].repeat(1, groups, 1, 1).reshape(1, -1, 1, 1)
