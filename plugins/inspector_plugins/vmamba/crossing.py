"""The cross scan of VMamba (Liu et al. 2024, arXiv 2401.10166, section 4.2): a map becomes sequences, and back.

Direction 0 goes along the rows, 1 along the columns, 2 and 3 are these backwards. ``scans`` chooses: 0 all four; 1 four
times direction 0; 2 twice direction 0 and twice direction 2. Written with views, flips and stack alone: in ONNX it is
exactly the same.
"""

from __future__ import annotations

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import Tensor

from inspector_plugins.vmamba.scan import sizes


def cross_scan(x: Tensor, in_channel_first: bool = True, out_channel_first: bool = True, scans: int = 0) -> Tensor:
    """Four sequences of every map.

    Args:
        x: (B, C, H, W), or (B, H, W, C) unless ``in_channel_first``.

    Returns:
        (B, 4, C, H W), or (B, H W, 4, C) unless ``out_channel_first``.

    Raises:
        ValueError: for ``scans`` other than 0, 1, 2, or an ``x`` of other dimensions.
    """
    _check(x, 4, scans)
    if not in_channel_first:
        x = x.permute(0, 3, 1, 2)
    rows = x.flatten(2)
    other = x.transpose(2, 3).flatten(2) if scans == 0 else rows
    sequences = [rows, other, rows, other] if scans == 1 else [rows, other, rows.flip(-1), other.flip(-1)]
    y = torch.stack(sequences, 1)
    return y if out_channel_first else y.permute(0, 3, 1, 2)


def cross_merge(ys: Tensor, in_channel_first: bool = True, out_channel_first: bool = True, scans: int = 0) -> Tensor:
    """The sum of four sequences, every element at its place in the map: the transpose of :func:`cross_scan`.

    Args:
        ys: (B, 4, C, H, W), or (B, H, W, 4, C) unless ``out_channel_first``: the sequences in their own order, H W of
            each written as the map has them.

    Returns:
        (B, C, H W), or (B, H W, C) unless ``in_channel_first``.

    Raises:
        ValueError: for ``scans`` other than 0, 1, 2, or ``ys`` of other dimensions.
    """
    _check(ys, 5, scans)
    if not out_channel_first:
        ys = ys.permute(0, 3, 4, 1, 2)
    directions, channels = sizes(ys)[1:3]
    if directions != 4:
        raise ValueError(f"ys: expected 4 directions, got {directions}")
    first, second, third, fourth = ys.flatten(3).unbind(1)
    if scans != 1:
        third, fourth = third.flip(-1), fourth.flip(-1)
    rows, other = first + third, second + fourth
    if scans == 0:
        other = other.reshape(-1, channels, ys.shape[4], ys.shape[3]).transpose(2, 3).flatten(2)
    y = rows + other
    return y if in_channel_first else y.transpose(1, 2)


def _check(x: Tensor, dimensions: int, scans: int) -> None:
    if scans not in (0, 1, 2):
        raise ValueError(f"scans: expected 0, 1 or 2, got {scans}")
    if x.dim() != dimensions:
        raise ValueError(f"expected {dimensions} dimensions, got {sizes(x)}")
