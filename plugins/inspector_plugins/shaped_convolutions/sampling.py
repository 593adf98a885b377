"""Convolutions that read the map between its pixels, at learned places: snakes, LDConv and deformable convolution.

All in plain torch, so that they run and are exported everywhere. Coordinates are computed in at least 32 bit.
"""
# ruff: noqa: N812 - torch's own abbreviation

from __future__ import annotations

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inspector_plugins._shared.sampling import count, deform_conv2d, read, wide
from inspector_plugins._shared.size_checks import divides


class DSConv(nn.Module):
    """Dynamic snake convolution (Qi et al., 2023, arXiv 2307.08388): (N, c1, H, W) -> (N, c2, H, W).

    A straight kernel of ``kernel_size`` taps along x (morph 0) or y (morph 1) that swings across: the offset of a tap
    is that of the tap before it, from the centre outwards, plus a learned one from -1 to 1. The taps are read
    bilinearly, laid out side by side, and read by a convolution of as many taps; GroupNorm, ReLU.

    Args:
        kernel_size: taps, odd.
        extend_scope: factor of the offsets.
        if_offset: False: a straight kernel.
    """

    def __init__(
        self, c1: int, c2: int, kernel_size: int = 9, extend_scope: float = 1.0, morph: int = 0, if_offset: bool = True
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0 or morph not in (0, 1):
            raise ValueError(f"DySnakeConv needs an odd kernel and morph 0 or 1, not {kernel_size} and {morph}")
        divides("DySnakeConv", c2, 4, "4")
        self.kernel_size, self.extend_scope, self.morph, self.if_offset = kernel_size, extend_scope, morph, if_offset
        self.offset_conv = nn.Conv2d(c1, 2 * kernel_size, 3, padding=1)
        self.gn_offset: nn.Module = nn.GroupNorm(kernel_size, 2 * kernel_size)
        shape = (kernel_size, 1) if morph == 0 else (1, kernel_size)
        name = "dsc_conv_y" if morph else "dsc_conv_x"
        self.add_module(name, nn.Conv2d(c1, c2, shape, shape))
        self.gn = nn.GroupNorm(c2 // 4, c2)

    def forward(self, x: Tensor) -> Tensor:
        n, k = x.shape[0], self.kernel_size
        height, width = int(x.shape[2]), int(x.shape[3])
        offset = wide(self.gn_offset(self.offset_conv(x))).tanh()
        swing = self._accumulated(offset[:, :k] if self.morph == 0 else offset[:, k:])
        if not self.if_offset:
            swing = torch.zeros_like(swing)
        along, row, column = (
            count(k, swing)[:, None, None] - k // 2,
            count(height, swing)[:, None],
            count(width, swing),
        )
        if self.morph == 0:
            rows, columns = row + swing, (column + along).expand(n, k, height, width)
            order = (0, 2, 1, 3)  # (N, H, taps, W)
        else:
            rows, columns = (row + along).expand(n, k, height, width), column + swing
            order = (0, 2, 3, 1)  # (N, H, W, taps)
        shape = (n, k * height, width) if self.morph == 0 else (n, height, k * width)
        laid = [one.permute(*order).reshape(shape) for one in (rows, columns)]
        taps = self.get_submodule("dsc_conv_y" if self.morph else "dsc_conv_x")
        return F.relu(self.gn(taps(self._read(x, *laid))))

    def _accumulated(self, offset: Tensor) -> Tensor:
        """Sums from the centre outwards, of (N, taps, H, W); the centre stays."""
        middle = self.kernel_size // 2
        before = offset[:, :middle].flip(1).cumsum(1).flip(1)
        behind = offset[:, middle + 1 :].cumsum(1)
        return torch.cat([before, torch.zeros_like(offset[:, :1]), behind], 1) * self.extend_scope

    def _read(self, x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        return read(x, rows, columns, border=True)

    def flops(self, x: Tensor) -> int:
        """Floating-point operations of the sampling for this input; the convolutions are not counted."""
        return int(x.shape[0] * x.shape[2] * x.shape[3]) * self.kernel_size * (16 + 7 * int(x.shape[1]))


class DSConvOriginal(DSConv):
    """The first version of :class:`DSConv`: BatchNorm of the offsets, the outermost taps are not accumulated, and
    places before the map read 0, those up to one pixel behind it the border."""

    def __init__(
        self, c1: int, c2: int, kernel_size: int = 9, extend_scope: float = 1.0, morph: int = 0, if_offset: bool = True
    ) -> None:
        super().__init__(c1, c2, kernel_size, extend_scope, morph, if_offset)
        self.gn_offset = nn.BatchNorm2d(2 * kernel_size)

    def _accumulated(self, offset: Tensor) -> Tensor:
        inner = super()._accumulated(offset)
        scaled = offset * self.extend_scope
        return torch.cat([scaled[:, :1], inner[:, 1:-1], scaled[:, -1:]], 1)

    def _read(self, x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        last = int(x.shape[2]) - 1, int(x.shape[3]) - 1
        valid = (rows >= 0) & (rows < last[0] + 1) & (columns >= 0) & (columns < last[1] + 1)
        return read(x, rows, columns, border=True) * valid[:, None].to(x.dtype)


class LDConv(nn.Module):
    """Linear deformable convolution (Zhang et al., 2023, arXiv 2311.11587): (N, inc, H, W) -> (N, outc, H/s, W/s).

    ``num_param`` taps, any number, in rows of about its root from the pixel to the right and down, each with a learned
    offset, are read bilinearly and joined by a convolution, BN and SiLU. As in the official code a tap beyond the map
    reads the border twice as strongly.

    Args:
        num_param: number of taps.
        stride: pixels from one result to the next.
    """

    def __init__(self, inc: int, outc: int, num_param: int = 5, stride: int = 1, bias: bool = False) -> None:
        super().__init__()
        if num_param < 1:
            raise ValueError(f"LDConv needs at least one tap, not {num_param}")
        self.num_param, self.stride = num_param, stride
        self.conv = nn.Sequential(
            nn.Conv2d(inc, outc, (num_param, 1), (num_param, 1), bias=bias), nn.BatchNorm2d(outc), nn.SiLU()
        )
        self.p_conv = nn.Conv2d(inc, 2 * num_param, 3, stride, 1)
        nn.init.zeros_(self.p_conv.weight)

    def forward(self, x: Tensor) -> Tensor:
        offset = wide(self.p_conv(x))
        n, taps = x.shape[0], self.num_param
        height, width = int(offset.shape[2]), int(offset.shape[3])
        start = [torch.tensor(one, device=x.device, dtype=offset.dtype)[:, None, None] for one in _start(taps)]
        row, column = count(height, offset)[:, None] * self.stride, count(width, offset) * self.stride
        rows, columns = offset[:, :taps] + start[0] + row, offset[:, taps:] + start[1] + column
        down, across = _axis(rows, int(x.shape[2])), _axis(columns, int(x.shape[3]))
        flat = wide(x).flatten(2)
        found: Tensor | None = None
        for index, share in down:
            for other, part in across:
                place = (index * int(x.shape[3]) + other).reshape(n, 1, -1).expand(-1, flat.shape[1], -1)
                value = flat.gather(2, place).reshape(n, -1, taps, height, width) * (share * part)[:, None]
                found = value if found is None else found + value
        assert found is not None
        laid = found.permute(0, 1, 3, 2, 4).reshape(n, -1, height * taps, width)
        return self.conv(laid.to(x.dtype))  # type: ignore[no-any-return]

    def flops(self, x: Tensor) -> int:
        """Floating-point operations of the sampling for this input; the convolutions are not counted."""
        pixels = int(x.shape[0] * x.shape[2] * x.shape[3]) // self.stride**2
        return pixels * self.num_param * (16 + 7 * int(x.shape[1]))


def _start(taps: int) -> tuple[list[float], list[float]]:
    """Rows and columns of the taps before they are moved: rows of round(root taps), the rest in one more."""
    base = round(taps**0.5)
    places = [(row, column) for row in range(taps // base) for column in range(base)]
    places += [(taps // base, column) for column in range(taps % base)]
    return [float(row) for row, _ in places], [float(column) for _, column in places]


def _axis(places: Tensor, size: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The pixels before and behind the places along one axis, and their weights."""
    first, last = (one.clamp(0, size - 1) for one in (places.floor(), places.floor() + 1))
    inside = places.clamp(0, size - 1)
    return (first.long(), 1 + first - inside), (last.long(), 1 - last + inside)


class DeformConv2d(nn.Module):
    """The weights of :func:`deform_conv2d`, called with the map, the offsets and the factors."""

    def __init__(self, c1: int, c2: int, kernel: int = 3, stride: int = 1, padding: int = 1) -> None:
        super().__init__()
        self.stride, self.padding = stride, padding
        self.weight = nn.Parameter(nn.init.kaiming_uniform_(torch.empty(c2, c1, kernel, kernel), a=5**0.5))
        self.bias = nn.Parameter(torch.zeros(c2))

    def forward(self, x: Tensor, offset: Tensor, mask: Tensor) -> Tensor:
        return deform_conv2d(
            x, offset, self.weight, self.bias, mask.to(x.dtype), stride=self.stride, padding=self.padding
        )


class ModulatedDeformConvPack(nn.Module):
    """Deformable convolution version 2 with its own offsets (Zhu et al., 2019, arXiv 1811.11168): (N, c1, H, W) ->
    (N, c2, H', W'). A convolution gives the offsets and, by a sigmoid, the factors of the taps; at first neither moves.
    """

    def __init__(
        self, c1: int, c2: int, kernel: int = 3, stride: int = 1, padding: int = 1, dilation: int = 1, groups: int = 1,
        offset_groups: int = 1,
    ) -> None:  # fmt: skip
        super().__init__()
        divides("DCNv2", c1, groups * offset_groups, "groups")
        divides("DCNv2", c2, groups, "groups")
        self.stride, self.padding, self.dilation = stride, padding, dilation
        self.groups, self.offset_groups, self.taps = groups, offset_groups, kernel**2
        weight = torch.empty(c2, c1 // groups, kernel, kernel)
        self.weight = nn.Parameter(nn.init.kaiming_uniform_(weight, a=5**0.5))
        self.bias = nn.Parameter(torch.zeros(c2))
        self.conv_offset_mask = nn.Conv2d(c1, 3 * offset_groups * self.taps, kernel, stride, padding, dilation=dilation)
        nn.init.zeros_(self.conv_offset_mask.weight)
        nn.init.zeros_(self.conv_offset_mask.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        both, first = self.conv_offset_mask(x), 2 * self.offset_groups * self.taps
        offset, mask = both[:, :first], both[:, first:]
        return deform_conv2d(
            x, offset, self.weight.to(x.dtype), self.bias.to(x.dtype), mask.sigmoid(), stride=self.stride,
            padding=self.padding, dilation=self.dilation, groups=self.groups, offset_groups=self.offset_groups,
        )  # fmt: skip

    def flops(self, x: Tensor) -> int:
        """Floating-point operations of the sampling for this input; the products are counted by torch."""
        pixels = int(x.shape[0] * x.shape[2] * x.shape[3]) // self.stride**2
        return pixels * self.taps * (16 * self.offset_groups + 8 * int(x.shape[1]))


class DeformAggregation(nn.Module):
    """Deformable aggregation of InternImage (DCNv3; Wang et al., 2023, arXiv 2211.05778) and of DCNv4 (Xiong et al.,
    2024, arXiv 2401.06197), in plain torch: (N, c1, H, W) -> (N, c2, H, W).

    With v = conv1x1 x, y(p) = conv1x1 of the sum over taps k of m_gk(p) v_g(p + p_k + o_gk(p)), for each group g of
    channels; the taps p_k are those of a 3x3 kernel, zeros are beyond the map. DCNv3 takes the offsets o and factors m
    from GELU(LN(DW3x3 x)), with a softmax of the factors over the taps; DCNv4 takes them from x, unbounded.

    Args:
        groups: that move on their own.
        version: 3 or 4.
    """

    def __init__(self, c1: int, c2: int, groups: int, version: int = 3) -> None:
        super().__init__()
        divides(f"DCNv{version}", c2, groups, "groups")
        if version not in (3, 4):
            raise ValueError(f"the version of the deformable aggregation is 3 or 4, not {version}")
        self.groups, self.version, self.taps = groups, version, 9
        self.input_proj = nn.Conv2d(c1, c2, 1)
        self.dw_conv = nn.Conv2d(c1, c1, 3, padding=1, groups=c1) if version == 3 else None
        self.norm = nn.LayerNorm(c1, eps=1e-6) if version == 3 else None
        self.offset = nn.Conv2d(c1, 2 * groups * self.taps, 1)
        self.mask = nn.Conv2d(c1, groups * self.taps, 1)
        self.output_proj = nn.Conv2d(c2, c2, 1)
        for conv in (self.offset, self.mask):
            nn.init.zeros_(conv.weight)
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
        if version == 4:  # the mean of the taps, as DCNv3 begins by its softmax
            nn.init.constant_(self.mask.bias, 1 / self.taps)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        n, height, width, groups, taps = x.shape[0], int(x.shape[2]), int(x.shape[3]), self.groups, self.taps
        seen = x
        if self.dw_conv is not None and self.norm is not None:
            seen = F.gelu(self.norm(self.dw_conv(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
        values = self.input_proj(x)
        moved = wide(self.offset(seen)).reshape(n * groups, taps, 2, height, width)
        factors = self.mask(seen).reshape(n, groups, taps, height, width)
        if self.version == 3:
            factors = factors.softmax(2)
        side = count(3, moved) - 1
        rows = moved[:, :, 0] + count(height, moved)[:, None] + side.repeat_interleave(3)[:, None, None]
        columns = moved[:, :, 1] + count(width, moved) + side.repeat(3)[:, None, None]
        parts = values.reshape(n * groups, -1, height, width)
        found = read(parts, rows.reshape(n * groups, -1, width), columns.reshape(n * groups, -1, width))
        found = found.reshape(n, groups, -1, taps, height, width) * factors[:, :, None]
        return self.output_proj(found.sum(3).reshape(n, -1, height, width))  # type: ignore[no-any-return]

    def flops(self, x: Tensor) -> int:
        """Floating-point operations of the sampling for this input; the convolutions are not counted."""
        pixels = int(x.shape[0] * x.shape[2] * x.shape[3])
        return pixels * self.taps * (16 * self.groups + 10 * int(self.output_proj.in_channels))
