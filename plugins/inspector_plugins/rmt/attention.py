"""Manhattan self-attention of RMT (Fan et al., 2023, arXiv 2309.11523): masks of decay, and attention with them.

Each head decays with the Manhattan distance (equations 4 to 7 of the paper; the decay is inside the softmax, as in
the official code)::

    D_nm     = gamma^(|x_n - x_m| + |y_n - y_m|)
    MaSA(X)  = softmax(Q K^T / sqrt(d) + log D) V                                 the whole map at once
    MaSAd(X) = softmax(Q K^T / sqrt(d) + log D_H) along H of
               softmax(Q K^T / sqrt(d) + log D_W) V along W

and LCE(V), a depth-wise 5x5 convolution, is added to either before the last projection. Maps are (N, H, W, C).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import Tensor, nn

from inspector_plugins._shared.foreign_weights import child, load_foreign, number, size
from inspector_plugins.rmt.retention import attend, line_mask, log_decays, map_mask, tracing

RelPos = Tensor | tuple[Tensor, Tensor]
"""Masks made by :class:`RelPos2d`: of a whole map, or of its columns and rows."""


def nchw(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def nhwc(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


class DWConv2d(nn.Module):
    """A depth-wise convolution with bias on a map (N, H, W, dim)."""

    def __init__(self, dim: int, kernel_size: int, stride: int, padding: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(dim, dim, kernel_size, stride, padding, groups=dim)

    def forward(self, x: Tensor) -> Tensor:
        return nhwc(self.conv(nchw(x)))

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> Self:
        dim, kernel = size(foreign, "conv.weight", 0), size(foreign, "conv.weight", 2)
        theirs = child(foreign, "conv")
        stride, padding = (getattr(theirs, name, (0, 0))[0] for name in ("stride", "padding"))
        return load_foreign(cls(dim, kernel, max(stride, 1), padding), foreign)


class RelPos2d(nn.Module):
    """The decay of each head as a mask to be added to query times key.

    Head i of n decays by gamma_i = 1 - 2^(-initial_value - heads_range i / n) a step. The masks are computed in float32
    from these numbers in every forward, for any size; the buffers only exist for the official state dict.

    Args:
        embed_dim: channels.
        num_heads: heads, a divisor of embed_dim.
        initial_value: above 0; the larger, the slower the first head decays.
        heads_range: how much slower the last heads do.
    """

    MUST_MATCH: ClassVar = ("num_heads", "initial_value", "heads_range", "angle", "decay")
    angle: Tensor
    decay: Tensor

    def __init__(self, embed_dim: int, num_heads: int, initial_value: float, heads_range: float) -> None:
        super().__init__()
        head_dim = _head_dim(embed_dim, num_heads)
        if min(initial_value, initial_value + heads_range * (num_heads - 1) / num_heads) <= 0:
            raise ValueError(
                f"decay needs initial_value + heads_range * i / num_heads above 0 for all heads, not initial_value "
                f"{initial_value}, heads_range {heads_range} and {num_heads} heads"
            )
        self.num_heads = num_heads
        self.initial_value = initial_value
        self.heads_range = heads_range
        angle = 1.0 / (10000 ** torch.linspace(0, 1, head_dim // 2))
        self.register_buffer("angle", angle.unsqueeze(-1).repeat(1, 2).flatten())
        self.register_buffer("decay", log_decays(num_heads, initial_value, heads_range))

    def forward(
        self, slen: Sequence[int], activate_recurrent: bool = False, chunkwise_recurrent: bool = False
    ) -> RelPos:
        """The masks for a map of slen = (H, W).

        Returns:
            The mask (n, H * W, H * W), pixels row by row; with chunkwise_recurrent (mask_h, mask_w): (n, H, H) and
            (n, W, W); with activate_recurrent gamma itself: (n,).

        Raises:
            ValueError: for a size below 1, or where the mask of the whole map would be too large for the memory.
        """
        decays = log_decays(self.num_heads, self.initial_value, self.heads_range, self.decay.device)
        if activate_recurrent:
            return decays.exp()
        height, width = slen
        if not tracing():
            height, width = int(height), int(width)
            if height < 1 or width < 1:
                raise ValueError(f"a map has at least 1 x 1 pixels, not {height} x {width}")
        if chunkwise_recurrent:
            return line_mask(decays, height), line_mask(decays, width)
        return map_mask(decays, height, width)

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> Self:
        heads = size(foreign, "decay", 0)
        own = cls(
            heads * max(size(foreign, "angle", 0), 1),
            heads,
            number(foreign, "initial_value"),
            number(foreign, "heads_range"),
        )
        return load_foreign(own, foreign)


class _Retention(nn.Module):
    """Common parts of both kinds of Manhattan self-attention: the projections and the local enhancement of the values.

    Args:
        embed_dim: channels.
        num_heads: heads, a divisor of embed_dim.
        value_factor: channels of the values by those of the queries.
    """

    MUST_MATCH: ClassVar = ("num_heads",)

    def __init__(self, embed_dim: int, num_heads: int, value_factor: float = 1) -> None:
        super().__init__()
        values = int(embed_dim * value_factor)
        if values != embed_dim * value_factor or values < 1:
            raise ValueError(
                f"embed_dim * value_factor must be a whole number of channels, not {embed_dim * value_factor}"
            )
        self.factor = value_factor
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        self.key_dim = _head_dim(embed_dim, num_heads)
        self.head_dim = _head_dim(values, num_heads)
        self.scaling = self.key_dim**-0.5
        self.q_proj = nn.Linear(embed_dim, embed_dim)
        self.k_proj = nn.Linear(embed_dim, embed_dim)
        self.v_proj = nn.Linear(embed_dim, values)
        self.lepe = DWConv2d(values, 5, 1, 2)
        self.out_proj = nn.Linear(values, embed_dim)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        for projection in (self.q_proj, self.k_proj, self.v_proj):
            nn.init.xavier_normal_(projection.weight, gain=2**-2.5)
        nn.init.xavier_normal_(self.out_proj.weight)
        nn.init.zeros_(self.out_proj.bias)

    def _project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(N, H, W, C) -> queries, keys (N, H, W, n, D), values (N, H, W, n, E), their enhancement (N, H, W, n E)."""
        if not tracing() and (x.ndim != 4 or x.shape[-1] != self.embed_dim):
            raise ValueError(f"a map must be (N, H, W, {self.embed_dim}), not {tuple(x.shape)}")
        heads = (*x.shape[:3], self.num_heads)
        value = self.v_proj(x)
        query, key = self.q_proj(x).reshape(*heads, self.key_dim), self.k_proj(x).reshape(*heads, self.key_dim)
        return query, key, value.reshape(*heads, self.head_dim), self.lepe(value)

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> Self:
        dim = size(foreign, "q_proj.weight", 1)
        factor = size(foreign, "v_proj.weight", 0) / dim
        return load_foreign(
            cls(dim, int(number(foreign, "num_heads")), int(factor) if factor.is_integer() else factor), foreign
        )


class MaSA(_Retention):
    """Manhattan self-attention of a whole map: quadratic in its pixels."""

    def forward(
        self, x: Tensor, rel_pos: RelPos, chunkwise_recurrent: bool = False, incremental_state: object = None
    ) -> Tensor:
        """(N, H, W, C) -> (N, H, W, C).

        Args:
            rel_pos: the mask (n, H * W, H * W).
            chunkwise_recurrent, incremental_state: of the official signature, without effect.

        Raises:
            ValueError: for a mask of another kind or size.
        """
        query, key, value, local = self._project(x)
        count, height, width = x.shape[:3]
        if isinstance(rel_pos, tuple | list):
            raise ValueError("retention 'whole' needs one mask (n, H * W, H * W), not one for columns and one for rows")
        _check_mask(rel_pos, self.num_heads, height * width)
        query, key, value = (part.flatten(1, 2).transpose(1, 2) for part in (query, key, value))
        weighed = attend(query, key, value, rel_pos, self.scaling)
        joined = weighed.transpose(1, 2).reshape(count, height, width, self.num_heads * self.head_dim)
        out: Tensor = self.out_proj(joined + local)
        return out


class MaSAd(_Retention):
    """Manhattan self-attention decomposed: along each row, then along each column of the result."""

    def forward(
        self, x: Tensor, rel_pos: RelPos, chunkwise_recurrent: bool = False, incremental_state: object = None
    ) -> Tensor:
        """(N, H, W, C) -> (N, H, W, C).

        Args:
            rel_pos: (mask_h, mask_w): (n, H, H) and (n, W, W).
            chunkwise_recurrent, incremental_state: of the official signature, without effect.

        Raises:
            ValueError: for masks of another kind or size.
        """
        query, key, value, local = self._project(x)
        count, height, width = x.shape[:3]
        if not isinstance(rel_pos, tuple | list) or len(rel_pos) != 2:
            raise ValueError("retention 'chunk' needs two masks, (mask_h, mask_w), not one of the whole map")
        mask_h, mask_w = rel_pos
        _check_mask(mask_h, self.num_heads, height)
        _check_mask(mask_w, self.num_heads, width)

        def lines(part: Tensor) -> Tensor:  # (N, A, B, n, D) -> (N A, n, B, D)
            return part.flatten(0, 1).transpose(1, 2)

        along_rows = attend(lines(query), lines(key), lines(value), mask_w, self.scaling)
        value = along_rows.reshape(count, height, self.num_heads, width, self.head_dim).permute(0, 3, 1, 2, 4)
        query, key = query.transpose(1, 2), key.transpose(1, 2)
        along_columns = attend(lines(query), lines(key), lines(value), mask_h, self.scaling)
        weighed = along_columns.reshape(count, width, self.num_heads, height, self.head_dim).permute(0, 3, 1, 2, 4)
        joined = weighed.reshape(count, height, width, self.num_heads * self.head_dim)
        out: Tensor = self.out_proj(joined + local)
        return out


def _head_dim(channels: int, heads: int) -> int:
    if heads < 1 or channels < 1 or channels % heads:
        raise ValueError(f"channels must be a multiple of num_heads, both from 1 on, not {channels} and {heads}")
    return channels // heads


def _check_mask(mask: Tensor, heads: int, length: int) -> None:
    if not tracing() and mask.shape != (heads, length, length):
        raise ValueError(f"the mask must be ({heads}, {length}, {length}) for this map, not {tuple(mask.shape)}")
