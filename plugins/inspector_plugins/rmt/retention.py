"""The mathematics of Manhattan self-attention: decay by distance, and attention with that decay added.

Head i of n keeps gamma_i = 1 - 2^(-initial_value - heads_range i / n) a step. A key at distance d, steps along a line
or |dy| + |dx| in a map, counts gamma_i^d times as much; here that factor is inside the softmax, as log(gamma_i) d
added to the product of query and key.
"""
# ruff: noqa: N812 - F is what everybody calls it

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F
from torch import Tensor

LARGEST_MASK = 2 * 1024**3
"""Bytes of the largest mask of a whole map."""


def log_decays(num_heads: int, initial_value: float, heads_range: float, device: torch.device | None = None) -> Tensor:
    """log(gamma_i) of each head: (num_heads,), float32, below 0."""
    heads = torch.arange(num_heads, dtype=torch.float32, device=device)
    return torch.log(1 - 2 ** (-initial_value - heads_range * heads / num_heads))


def line_mask(decays: Tensor, length: int) -> Tensor:
    """decay * |i - j|: (n,) -> (n, length, length), float32."""
    return decays[:, None, None] * _distances(length, decays.device)


def map_mask(decays: Tensor, height: int, width: int) -> Tensor:
    """decay * (|dy| + |dx|), pixels row by row: (n,) -> (n, height * width, height * width), float32.

    Raises:
        ValueError: where it would take more than LARGEST_MASK bytes.
    """
    if not tracing():
        size = 4 * len(decays) * (height * width) ** 2
        if size > LARGEST_MASK:
            raise ValueError(
                f"retention 'whole' on a map of {height} x {width} with {len(decays)} heads needs a mask of "
                f"{size / 1024**3:.1f} GiB, more than {LARGEST_MASK / 1024**3:.0f} GiB; use 'chunk' or a smaller map"
            )
    rows, columns = _distances(height, decays.device), _distances(width, decays.device)
    distances = rows[:, None, :, None] + columns[None, :, None, :]
    return decays[:, None, None] * distances.reshape(height * width, height * width)


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float) -> Tensor:
    """softmax(scale query key^T + mask) value, computed in float32 at least, also under autocast.

    Args:
        query, key: (B, n, L, D).
        value: (B, n, L, E).
        mask: (n, L, L), float32.
        scale: of the product.

    Returns:
        (B, n, L, E) of value's type.
    """
    precise = torch.promote_types(query.dtype, torch.float32)
    with _no_autocast(query.device.type):
        weighed = F.scaled_dot_product_attention(
            query.to(precise), key.to(precise), value.to(precise), mask[None].to(precise), scale=scale
        )
    return weighed.to(value.dtype)


def tracing() -> bool:
    """Whether sizes are being recorded, for TorchScript or ONNX, and must not be read."""
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined, no-untyped-call]


def _distances(length: int, device: torch.device) -> Tensor:
    places = torch.arange(length, dtype=torch.float32, device=device)
    return (places[:, None] - places[None, :]).abs()


def _no_autocast(device_type: str) -> AbstractContextManager[object]:
    available = torch.amp.is_autocast_available(device_type)  # not for shapes alone (meta)
    return torch.autocast(device_type, enabled=False) if available else nullcontext()
