"""Attention between pixels, restricted to some of them: regions that fit (BRA), dilated neighbours (MSDA), and strided
windows inside an inverted residual (iRMB)."""
# ruff: noqa: N812 - torch's own abbreviation

from __future__ import annotations

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inspector_plugins._shared.size_checks import divides, groups_of, same_channels


class BiLevelRoutingAttention(nn.Module):
    """Bi-level routing attention of BiFormer (Zhu et al., 2023, arXiv 2303.08810): (N, H, W, dim) -> the same.

    The map is cut into n_win x n_win regions. A region attends to the pixels of those ``topk`` regions whose mean key
    fits its mean query best. A depth-wise convolution of the values is added. A map whose sides n_win does not divide
    is padded with zeros, which take part.

    Args:
        dim: channels.
        num_heads: of the attention; must divide dim.
        n_win: regions in a row and in a column.
        topk: attended regions.
        side_dwconv: side of the depth-wise kernel.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        n_win: int = 7,
        topk: int = 4,
        side_dwconv: int = 3,
        qk_dim: int | None = None,
    ) -> None:
        super().__init__()
        qk_dim = qk_dim or dim
        divides("BRA", dim, num_heads, "num_heads")
        divides("BRA", qk_dim, num_heads, "num_heads")
        if not 1 <= topk <= n_win**2:
            raise ValueError(f"BRA: topk must be from 1 to {n_win**2}, the number of regions, and is {topk}")
        self.dim, self.qk_dim, self.num_heads, self.n_win, self.topk = dim, qk_dim, num_heads, n_win, topk
        self.lepe = nn.Conv2d(dim, dim, side_dwconv, padding=side_dwconv // 2, groups=dim)
        self.qkv = nn.Linear(dim, 2 * qk_dim + dim)
        self.wo = nn.Linear(dim, dim)

    def route(self, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        """The best regions of each region, and the softmax of their affinities: (N, regions, topk) each.

        Args:
            q, k: queries and keys of the regions' pixels, (N, regions, pixels, qk_dim).
        """
        affinity = (q.detach().mean(2) * self.qk_dim**-0.5) @ k.detach().mean(2).transpose(1, 2)
        best = affinity.topk(self.topk, dim=-1)
        return best.indices, best.values.softmax(-1)

    def regions(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Queries, keys and values by region, (N, regions, pixels, channels), and the values as a map (N, C, H, W)."""
        height, width = int(x.shape[1]), int(x.shape[2])
        x = F.pad(x, (0, 0, 0, -width % self.n_win, 0, -height % self.n_win))
        q, k, v = self.qkv(x).split([self.qk_dim, self.qk_dim, self.dim], -1)
        return (*(self._cut(one) for one in (q, k, v)), v.permute(0, 3, 1, 2))

    def _cut(self, x: Tensor) -> Tensor:
        n, height, width, channels = x.shape
        w, rows, columns = self.n_win, int(height) // self.n_win, int(width) // self.n_win
        x = x.reshape(n, w, rows, w, columns, channels).permute(0, 1, 3, 2, 4, 5)
        return x.reshape(n, w * w, rows * columns, channels)

    def forward(self, x: Tensor) -> Tensor:
        n, height, width, channels = x.shape
        q, k, v, values = self.regions(x)
        index, _ = self.route(q, k)
        parts, heads = self.n_win**2, self.num_heads
        first = torch.arange(int(n), device=x.device)[:, None, None] * parts
        chosen = (index + first).flatten()
        tall, wide = int(values.shape[2]), int(values.shape[3])
        pixels = tall * wide // parts

        def gathered(one: Tensor) -> Tensor:
            """The pixels of the chosen regions, by head: (N regions, heads, topk pixels, channels)."""
            picked = one.reshape(n * parts, pixels, one.shape[-1])[chosen]
            return picked.reshape(n * parts, self.topk * pixels, heads, -1).transpose(1, 2)

        query = q.reshape(n * parts, pixels, heads, -1).transpose(1, 2) * self.qk_dim**-0.5
        attended = (query @ gathered(k).transpose(2, 3)).softmax(-1) @ gathered(v)
        attended = attended.transpose(1, 2).reshape(n, self.n_win, self.n_win, tall // self.n_win, -1, channels)
        attended = attended.permute(0, 1, 3, 2, 4, 5).reshape(n, tall, wide, channels)
        attended = attended + self.lepe(values).permute(0, 2, 3, 1)
        return self.wo(attended)[:, :height, :width]  # type: ignore[no-any-return]


class BRA(BiLevelRoutingAttention):
    """:class:`BiLevelRoutingAttention` of (N, C, H, W), added to the input."""

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class MultiDilatelocalAttention(nn.Module):
    """Multi-scale dilated attention of DilateFormer (Jiao et al., 2023, arXiv 2302.01791): (N, H, W, dim) -> the same.

    A share of the channels for each dilation; each pixel attends to its kernel_size squared neighbours at that
    distance. Neighbours outside the map have the logit and the value 0.

    Args:
        dim: channels.
        num_heads: of all dilations together.
        kernel_size: neighbours in a row.
        dilation: their distances; their number divides channels and heads.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        qkv_bias: bool = False,
        kernel_size: int = 3,
        dilation: tuple[int, ...] | list[int] = (1, 2, 3),
    ) -> None:
        super().__init__()
        divides("MSDA", dim, num_heads, "num_heads")
        divides("MSDA", num_heads, len(dilation), "the number of dilations")
        self.dim, self.width, self.kernel_size, self.dilation = dim, dim // num_heads, kernel_size, list(dilation)
        self.qkv = nn.Conv2d(dim, 3 * dim, 1, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        n, height, width = x.shape[0], int(x.shape[1]), int(x.shape[2])
        share, pixels, taps = self.dim // len(self.dilation), height * width, self.kernel_size**2
        heads = share // self.width
        qkv = self.qkv(x.permute(0, 3, 1, 2)).reshape(n, 3, len(self.dilation), share, height, width)
        found = []
        for number, dilation in enumerate(self.dilation):
            q = qkv[:, 0, number].reshape(n, heads, self.width, 1, pixels)
            padding = dilation * (self.kernel_size - 1) // 2
            k, v = (
                F.unfold(qkv[:, part, number], self.kernel_size, dilation, padding).reshape(
                    n, heads, self.width, taps, pixels
                )
                for part in (1, 2)
            )
            weight = ((q * k).sum(2, keepdim=True) * self.width**-0.5).softmax(3)
            found.append((weight * v).sum(3).reshape(n, share, pixels))
        joined = torch.cat(found, 1).transpose(1, 2).reshape(n, height, width, self.dim)
        return self.proj(joined)  # type: ignore[no-any-return]

    def flops(self, x: Tensor) -> int:
        """Floating-point operations of the attention for this input; the linear layers are not counted."""
        return 4 * x.numel() * self.kernel_size**2


class MSDA(MultiDilatelocalAttention):
    """:class:`MultiDilatelocalAttention` of (N, C, H, W), added to the input."""

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Mlp(nn.Module):
    """Linear, GELU, linear over the last axis."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.act, self.fc2 = nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(x)))  # type: ignore[no-any-return]


class DilateBlock(nn.Module):
    """The block of DilateFormer (Jiao et al., 2023, arXiv 2302.01791): (N, dim, H, W) -> the same.

    x + DW3(x), x + MSDA(LN x), x + MLP(LN x).
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = False,
        dilation: tuple[int, ...] | list[int] = (1, 2, 3),
        cpe_per_block: bool = True,
    ) -> None:
        super().__init__()
        self.pos_embed = nn.Conv2d(dim, dim, 3, padding=1, groups=dim) if cpe_per_block else None
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = MultiDilatelocalAttention(dim, num_heads, qkv_bias, dilation=dilation)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))

    def forward(self, x: Tensor) -> Tensor:
        if self.pos_embed is not None:
            x = x + self.pos_embed(x)
        x = x.permute(0, 2, 3, 1)
        x = x + self.attn(self.norm1(x))
        made: Tensor = x + self.mlp(self.norm2(x))
        return made.permute(0, 3, 1, 2)


class ConvNorm(nn.Module):
    """Convolution, optionally batch normalisation (eps 1e-6), and an activation: relu, silu or none."""

    def __init__(
        self, c1: int, c2: int, kernel: int = 1, stride: int = 1, groups: int = 1, bias: bool = False,
        norm: bool = False, act: str = "",
    ) -> None:  # fmt: skip
        super().__init__()
        padding = -(-(kernel - stride) // 2)
        self.conv = nn.Conv2d(c1, c2, kernel, stride, padding, groups=groups, bias=bias)
        self.norm = nn.BatchNorm2d(c2, eps=1e-6) if norm else None
        self.act: nn.Module | None = {"silu": nn.SiLU(), "relu": nn.ReLU(), "": None}[act]

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.norm is not None:
            x = self.norm(x)
        return x if self.act is None else self.act(x)


class iRMB(nn.Module):  # noqa: N801 - the paper's name
    """Inverted residual mobile block of EMO (Zhang et al., 2023, arXiv 2301.01146): dim_in -> dim_out channels.

    BN, then attention in windows whose values have exp_ratio dim_in channels, DW convolution (added), 1x1 (added).
    A window is every (H / window_size)-th row and column, so that it spans the map; sides that do not divide are padded
    with zeros, which take part.

    Args:
        exp_ratio: hidden channels in units of dim_in.
        attn_s: use the attention; otherwise a convolution 1x1 alone makes the values.
        attn_pre: attend the input first and make the values from the result.
        dim_head: channels of a head.
        window_size: pixels in a row of a window.
        act_layer: activation of the values: relu or silu.
    """

    def __init__(
        self,
        dim_in: int,
        dim_out: int,
        has_skip: bool = True,
        exp_ratio: float = 1.0,
        dw_ks: int = 3,
        stride: int = 1,
        attn_s: bool = True,
        qkv_bias: bool = False,
        attn_pre: bool = False,
        dim_head: int = 64,
        window_size: int = 7,
        act_layer: str = "relu",
    ) -> None:
        super().__init__()
        hidden = int(dim_in * exp_ratio)
        self.has_skip = has_skip and dim_in == dim_out and stride == 1
        self.norm = nn.BatchNorm2d(dim_in, eps=1e-6)
        self.attn_s, self.attn_pre, self.window_size = attn_s, attn_pre, window_size
        if attn_s:
            divides("iRMB", dim_in, dim_head, "dim_head")
            self.num_head, self.dim_head = dim_in // dim_head, dim_head
            divides("iRMB", hidden, self.num_head, "the number of heads")
            self.qk: nn.Module | None = ConvNorm(dim_in, 2 * dim_in, bias=qkv_bias)
        else:
            self.num_head, self.dim_head, self.qk = 1, dim_in, None
        self.v = ConvNorm(dim_in, hidden, bias=qkv_bias, act=act_layer)
        self.conv_local = ConvNorm(hidden, hidden, dw_ks, stride, hidden, norm=True, act="silu")
        self.proj = ConvNorm(hidden, dim_out)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x
        x = self.norm(x)
        height, width = int(x.shape[2]), int(x.shape[3])
        z = self.v(x) if self.qk is None else self._attend(x)[:, :, :height, :width]
        local = self.conv_local(z)
        z = self.proj(z + local if self.has_skip else local)
        made: Tensor = shortcut + z if self.has_skip else z
        return made

    def _attend(self, x: Tensor) -> Tensor:
        assert self.qk is not None
        height, width, side = int(x.shape[2]), int(x.shape[3]), self.window_size
        x = F.pad(x, (0, -width % side, 0, -height % side))
        tall, wide = height + -height % side, width + -width % side
        rows, columns = tall // side, wide // side

        def cut(one: Tensor) -> Tensor:
            """(N, C, H, W) -> (windows, heads, pixels, C / heads)."""
            n, channels = one.shape[:2]
            one = one.reshape(n, self.num_head, channels // self.num_head, side, rows, side, columns)
            return one.permute(0, 4, 6, 1, 3, 5, 2).reshape(-1, self.num_head, side * side, channels // self.num_head)

        q, k = (cut(one) for one in self.qk(x).chunk(2, 1))
        weight = (q @ k.transpose(2, 3) * self.dim_head**-0.5).softmax(-1)
        attended = weight @ cut(x if self.attn_pre else self.v(x))
        n, share = x.shape[0], attended.shape[-1]
        made = attended.reshape(n, rows, columns, self.num_head, side, side, share).permute(0, 3, 6, 4, 1, 5, 2)
        made = made.reshape(n, self.num_head * share, tall, wide)
        return self.v(made) if self.attn_pre else made  # type: ignore[no-any-return]


def bra(c1: int, c2: int, stride: int) -> nn.Module:
    same_channels("BRA", c1, c2)
    return BRA(c1, groups_of(c1, 8, 8), 8 if stride <= 8 else 4)


def msda(c1: int, c2: int, stride: int) -> nn.Module:
    same_channels("MSDA", c1, c2)
    heads = groups_of(c1, 8, 8)
    return MSDA(c1, heads, dilation=(1, 2) if heads > 1 else (2,))


def irmb(c1: int, c2: int, stride: int) -> nn.Module:
    same_channels("iRMB", c1, c2)
    return iRMB(c1, c2, exp_ratio=2.0, qkv_bias=True, dim_head=c1 // groups_of(c1, 8, 8))


CLASSES: tuple[type, ...] = (
    BiLevelRoutingAttention,
    BRA,
    MultiDilatelocalAttention,
    MSDA,
    Mlp,
    DilateBlock,
    ConvNorm,
    iRMB,
)
