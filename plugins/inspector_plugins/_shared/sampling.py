"""Reading a map between its pixels, and deformable convolution, in plain torch, so that both run and are exported
everywhere. Coordinates are computed in at least 32 bit."""
# ruff: noqa: N812 - torch's own abbreviation

from __future__ import annotations

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F
from torch import Tensor


def read(x: Tensor, rows: Tensor, columns: Tensor, border: bool = False) -> Tensor:
    """Read (N, C, H, W) at the places ``rows`` and ``columns``, (N, h, w) in pixels: (N, C, h, w), bilinear.

    Args:
        border: repeat the border beyond it; otherwise zeros are beyond it.
    """
    height, width = int(x.shape[2]), int(x.shape[3])
    if rows.requires_grad or columns.requires_grad:
        # The gradient jumps at a pixel: rounding must not move a place on one to the side before it.
        eps = torch.finfo(rows.dtype).eps * max(height, width)
        rows, columns = rows + eps, columns + eps
    points = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], -1)
    mode = "border" if border else "zeros"
    values = F.grid_sample(x.to(points.dtype), points, mode="bilinear", padding_mode=mode, align_corners=False)
    return values.to(x.dtype)


def count(size: int, like: Tensor) -> Tensor:
    """0, 1, … in the type of ``like``."""
    return torch.arange(size, device=like.device, dtype=like.dtype)


def wide(x: Tensor) -> Tensor:
    """``x`` in at least 32 bit."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def deform_conv2d(
    x: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
    offset_groups: int = 1,
) -> Tensor:
    """Deformable convolution, version 1, or 2 with ``mask`` (Zhu et al., 2019, arXiv 1811.11168).

    Args:
        x: (N, c1, H, W).
        offset: (N, 2 offset_groups taps, H', W'), for each tap its row, then its column, in pixels.
        weight: (c2, c1 / groups, k, k).
        mask: (N, offset_groups taps, H', W'), factors of the taps.

    Returns:
        (N, c2, H', W').
    """
    n, channels, k = x.shape[0], int(x.shape[1]), int(weight.shape[2])
    taps, height, width = k * int(weight.shape[3]), int(offset.shape[2]), int(offset.shape[3])
    moved = wide(offset).reshape(n * offset_groups, taps, 2, height, width)
    tap = count(k, moved) * dilation - padding
    row = count(height, moved)[:, None] * stride + tap.repeat_interleave(taps // k)[:, None, None]
    column = count(width, moved) * stride + tap.repeat(k)[:, None, None]
    rows, columns = moved[:, :, 0] + row, moved[:, :, 1] + column
    parts = x.reshape(n * offset_groups, channels // offset_groups, *x.shape[2:])
    found = read(parts, rows.reshape(n * offset_groups, -1, width), columns.reshape(n * offset_groups, -1, width))
    found = found.reshape(n, offset_groups, channels // offset_groups, taps, height * width)
    if mask is not None:
        found = found * mask.reshape(n, offset_groups, 1, taps, height * width)
    found = found.reshape(n, groups, channels // groups * taps, height * width)
    y = weight.reshape(groups, len(weight) // groups, -1) @ found
    y = y.reshape(n, len(weight), height, width)
    return y if bias is None else y + bias[:, None, None]
