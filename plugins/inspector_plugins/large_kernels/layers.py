"""Large kernels as strips: LSKA, CAA and the poly kernel inception block.

Dilated strips of a depth-wise convolution reach far at a small cost, which suits long and thin defects.
"""

from __future__ import annotations

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import Tensor, nn

from inspector_plugins._shared.size_checks import same_channels

_STRIPS = {  # kernel -> (first, second, dilation of the second)
    7: (3, 3, 2),
    11: (3, 5, 2),
    23: (5, 7, 3),
    35: (5, 11, 3),
    41: (5, 13, 3),
    53: (5, 17, 3),
}


class LSKA(nn.Module):
    """Large separable kernel attention (Lau et al., 2024, arXiv 2309.01439): (N, dim, H, W) -> the same.

    x conv1x1(strips(x)): depth-wise strips 1xa, ax1, and 1xb, bx1 with dilation, all with bias.

    Args:
        dim: channels.
        k_size: side of the kernel: 7, 11, 23, 35, 41 or 53.
    """

    def __init__(self, dim: int, k_size: int = 7) -> None:
        super().__init__()
        if k_size not in _STRIPS:
            raise ValueError(f"LSKA has kernels of {', '.join(map(str, _STRIPS))}, not {k_size}")
        first, second, dilation = _STRIPS[k_size]
        far = second // 2 * dilation
        self.conv0h = nn.Conv2d(dim, dim, (1, first), padding=(0, first // 2), groups=dim)
        self.conv0v = nn.Conv2d(dim, dim, (first, 1), padding=(first // 2, 0), groups=dim)
        self.conv_spatial_h = nn.Conv2d(dim, dim, (1, second), padding=(0, far), dilation=(1, dilation), groups=dim)
        self.conv_spatial_v = nn.Conv2d(dim, dim, (second, 1), padding=(far, 0), dilation=(dilation, 1), groups=dim)
        self.conv1 = nn.Conv2d(dim, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        far = self.conv_spatial_v(self.conv_spatial_h(self.conv0v(self.conv0h(x))))
        return x * self.conv1(far)  # type: ignore[no-any-return]


class Attention(nn.Module):
    """LSKA between two 1x1 convolutions, added to the input: x + conv1x1(LSKA(GELU(conv1x1 x)))."""

    def __init__(self, dim: int, k_size: int = 11) -> None:
        super().__init__()
        self.proj_1 = nn.Conv2d(dim, dim, 1)
        self.activation = nn.GELU()
        self.spatial_gating_unit = LSKA(dim, k_size)
        self.proj_2 = nn.Conv2d(dim, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.proj_2(self.spatial_gating_unit(self.activation(self.proj_1(x))))  # type: ignore[no-any-return]


class ConvModule(nn.Module):
    """Convolution, normalisation and activation; the convolution has a bias if there is no normalisation."""

    def __init__(
        self, c1: int, c2: int, kernel: tuple[int, int] | int = 1, groups: int = 1, norm: bool = True, act: bool = True
    ) -> None:
        super().__init__()
        sides = (kernel, kernel) if isinstance(kernel, int) else kernel
        self.conv = nn.Conv2d(c1, c2, sides, padding=(sides[0] // 2, sides[1] // 2), groups=groups, bias=not norm)
        self.bn = nn.BatchNorm2d(c2, eps=1e-3) if norm else None
        self.activate = nn.SiLU() if act else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.bn is not None:
            x = self.bn(x)
        return x if self.activate is None else self.activate(x)


class CAA(nn.Module):
    """Context anchor attention (Cai et al., 2024, arXiv 2403.06258): sigmoid(conv1x1(strips(conv1x1(avg7 x)))).

    Args:
        channels: of the map.
        h_kernel_size, v_kernel_size: lengths of the depth-wise strips.
        norm: normalise and activate the 1x1 convolutions.
    """

    def __init__(self, channels: int, h_kernel_size: int = 11, v_kernel_size: int = 11, norm: bool = True) -> None:
        super().__init__()
        self.avg_pool = nn.AvgPool2d(7, 1, 3)
        self.conv1 = ConvModule(channels, channels, 1, norm=norm, act=norm)
        self.h_conv = ConvModule(channels, channels, (1, h_kernel_size), channels, norm=False, act=False)
        self.v_conv = ConvModule(channels, channels, (v_kernel_size, 1), channels, norm=False, act=False)
        self.conv2 = ConvModule(channels, channels, 1, norm=norm, act=norm)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.v_conv(self.h_conv(self.conv1(self.avg_pool(x))))).sigmoid()  # type: ignore[no-any-return]


class CAAttention(CAA):
    """x times the gate of :class:`CAA`."""

    def forward(self, x: Tensor) -> Tensor:
        return x * super().forward(x)


class InceptionBottleneck(nn.Module):
    """Poly kernel inception (Cai et al., 2024, arXiv 2403.06258): depth-wise 5, 7, 9 and 11 beside 3, gated by CAA.

    p = conv1x1(x), a = DW3(p), a + DW5(a) + DW7(a) + DW9(a) + DW11(a), conv1x1, times 1 + CAA(p), conv1x1.
    """

    def __init__(self, in_channels: int, caa_kernel_size: int = 11) -> None:
        super().__init__()
        self.pre_conv = ConvModule(in_channels, in_channels)
        self.dw_conv = self._depthwise(in_channels, 3)
        self.dw_conv1 = self._depthwise(in_channels, 5)
        self.dw_conv2 = self._depthwise(in_channels, 7)
        self.dw_conv3 = self._depthwise(in_channels, 9)
        self.dw_conv4 = self._depthwise(in_channels, 11)
        self.pw_conv = ConvModule(in_channels, in_channels)
        self.caa_factor = CAA(in_channels, caa_kernel_size, caa_kernel_size, norm=False)
        self.post_conv = ConvModule(in_channels, in_channels)

    @staticmethod
    def _depthwise(channels: int, kernel: int) -> ConvModule:
        return ConvModule(channels, channels, kernel, channels, norm=False, act=False)

    def forward(self, x: Tensor) -> Tensor:
        p = self.pre_conv(x)
        a = self.dw_conv(p)
        a = a + self.dw_conv1(a) + self.dw_conv2(a) + self.dw_conv3(a) + self.dw_conv4(a)
        a = self.pw_conv(a)
        return self.post_conv(a + a * self.caa_factor(p))  # type: ignore[no-any-return]


class PKIBlock(nn.Module):
    """The block of PKINet (Cai et al., 2024, arXiv 2403.06258): x + g1 inception(BN x), then x + g2 feed-forward(BN x).

    The feed-forward part is LN over channels, conv1x1, DW3, times its sigmoid(global mean), conv1x1.

    Args:
        in_channels: of the map.
        ffn_scale: hidden channels of the feed-forward part in units of in_channels.
    """

    def __init__(self, in_channels: int, ffn_scale: float = 4.0, caa_kernel_size: int = 11) -> None:
        super().__init__()
        hidden = int(in_channels * ffn_scale)
        self.norm1 = nn.BatchNorm2d(in_channels, eps=1e-3)
        self.block = InceptionBottleneck(in_channels, caa_kernel_size)
        self.norm2 = nn.BatchNorm2d(in_channels, eps=1e-3)
        self.norm = nn.LayerNorm(in_channels)
        self.widen = nn.Conv2d(in_channels, hidden, 1)
        self.mix = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.narrow = nn.Conv2d(hidden, in_channels, 1)
        self.gamma1 = nn.Parameter(torch.ones(in_channels))
        self.gamma2 = nn.Parameter(torch.ones(in_channels))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.gamma1[:, None, None] * self.block(self.norm1(x))
        y = self.norm(self.norm2(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        y = self.mix(self.widen(y))
        y = self.narrow(y * y.mean((2, 3), keepdim=True).sigmoid())
        out: Tensor = x + self.gamma2[:, None, None] * y
        return out


class SPPFLSKA(nn.Module):
    """SPPF whose four maps pass LSKA before they are joined: (N, c1, H, W) -> (N, c2, H, W).

    Maxima of the 5, 9 and 13 pixels around each, next to the map itself (He et al., 2014, arXiv 1406.4729), attended by
    large separable kernels (Lau et al., 2024, arXiv 2309.01439).

    Args:
        k_size: of LSKA.
    """

    def __init__(self, c1: int, c2: int, k_size: int = 11) -> None:
        super().__init__()
        hidden = c1 // 2
        if hidden < 1:
            raise ValueError(f"SPPF-LSKA needs at least two channels; c1 is {c1}")
        self.reduce = ConvModule(c1, hidden)
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.attention = LSKA(4 * hidden, k_size)
        self.join = ConvModule(4 * hidden, c2)

    def forward(self, x: Tensor) -> Tensor:
        maps = [self.reduce(x)]
        for _ in range(3):
            maps.append(self.pool(maps[-1]))
        return self.join(self.attention(torch.cat(maps, 1)))  # type: ignore[no-any-return]


def lska(c1: int, c2: int, stride: int) -> nn.Module:
    same_channels("LSKA", c1, c2)
    return Attention(c1, 23 if stride <= 8 else 11)


def caa(c1: int, c2: int, stride: int) -> nn.Module:
    same_channels("CAA", c1, c2)
    return CAAttention(c1)


def pki(c1: int, c2: int, stride: int) -> nn.Module:
    same_channels("the PKI block", c1, c2)
    return PKIBlock(c1, 2.0)


def sppf_lska(c1: int, c2: int, stride: int) -> nn.Module:
    return SPPFLSKA(c1, c2)


CLASSES: tuple[type, ...] = (
    LSKA,
    Attention,
    ConvModule,
    CAA,
    CAAttention,
    InceptionBottleneck,
    PKIBlock,
    SPPFLSKA,
)
