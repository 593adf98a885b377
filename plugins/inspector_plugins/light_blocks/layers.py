"""Light blocks: FasterNet, StarNet, RepViT, GhostNetV2 and ScConv.

timm has FasterNet, StarNet and RepViT as whole networks (``+backbone=timm/NAME``); the blocks inside them are no public
part of it and change between its versions, so they are written here.
"""
# ruff: noqa: N812 - torch's own abbreviation

from __future__ import annotations

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F
from timm.layers.squeeze_excite import SEModule
from torch import Tensor, nn
from ultralytics.nn.modules.conv import Conv

from inspector_plugins._shared.batch_norms import affine, convolution, exact, folded
from inspector_plugins._shared.size_checks import divides, same_channels


class PartialConv(nn.Module):
    """Partial convolution (Chen et al., 2023, arXiv 2303.03667): 3x3 on the first dim // n_div channels, the others
    pass: (N, dim, H, W) -> the same."""

    def __init__(self, dim: int, n_div: int = 4) -> None:
        super().__init__()
        if dim // n_div < 1:
            raise ValueError(f"PConv needs at least {n_div} channels, not {dim}")
        self.convolved = dim // n_div
        self.partial_conv3 = nn.Conv2d(self.convolved, self.convolved, 3, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        one, other = x[:, : self.convolved], x[:, self.convolved :]
        return torch.cat([self.partial_conv3(one), other], 1)


class FasterBlock(nn.Module):
    """The block of FasterNet (Chen et al., 2023, arXiv 2303.03667): x + scale conv1x1(act(BN(conv1x1(PConv x)))).

    Args:
        dim: channels.
        n_div: of :class:`PartialConv`.
        mlp_ratio: hidden channels in units of dim.
        layer_scale: initial value of the scale; 0: none.
        act: GELU or ReLU.
    """

    def __init__(
        self, dim: int, n_div: int = 4, mlp_ratio: float = 2.0, layer_scale: float = 0.0, act: str = "ReLU"
    ) -> None:
        super().__init__()
        hidden = int(dim * mlp_ratio)
        self.spatial_mixing = PartialConv(dim, n_div)
        activation = nn.GELU() if act == "GELU" else nn.ReLU(inplace=True)
        self.mlp = nn.Sequential(
            nn.Conv2d(dim, hidden, 1, bias=False), nn.BatchNorm2d(hidden), activation,
            nn.Conv2d(hidden, dim, 1, bias=False),
        )  # fmt: skip
        self.layer_scale = nn.Parameter(torch.full((dim,), layer_scale)) if layer_scale else None

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.mlp(self.spatial_mixing(x))
        return x + y if self.layer_scale is None else x + self.layer_scale[:, None, None] * y


class ConvBN(nn.Module):
    """A convolution with bias and, if wanted, batch normalisation."""

    def __init__(self, c1: int, c2: int, kernel: int = 1, groups: int = 1, norm: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, kernel, 1, kernel // 2, groups=groups)
        self.bn = nn.BatchNorm2d(c2) if norm else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x if self.bn is None else self.bn(x)


class StarBlock(nn.Module):
    """The block of StarNet (Ma et al., 2024, arXiv 2403.19967): t = BN(DW7 x), then
    x + DW7(BN(g(ReLU6(f1 t) * (f2 t)))), where the product acts like many more channels.

    Args:
        dim: channels.
        mlp_ratio: hidden channels in units of dim.
    """

    def __init__(self, dim: int, mlp_ratio: int = 3) -> None:
        super().__init__()
        self.dwconv = ConvBN(dim, dim, 7, dim)
        self.f1 = ConvBN(dim, mlp_ratio * dim, norm=False)
        self.f2 = ConvBN(dim, mlp_ratio * dim, norm=False)
        self.g = ConvBN(mlp_ratio * dim, dim)
        self.dwconv2 = ConvBN(dim, dim, 7, dim, norm=False)

    def forward(self, x: Tensor) -> Tensor:
        t = self.dwconv(x)
        return x + self.dwconv2(self.g(F.relu6(self.f1(t)) * self.f2(t)))  # type: ignore[no-any-return]


class ConvNormalised(nn.Module):
    """A convolution without bias, and batch normalisation; :meth:`merged` is one convolution."""

    def __init__(self, c1: int, c2: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.c = nn.Conv2d(c1, c2, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(c2)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.c(x))  # type: ignore[no-any-return]

    def merged(self) -> nn.Conv2d:
        return convolution(self.c, *folded(self.c, self.bn))


class RepVGGDW(nn.Module):
    """BN(BN(DW3 x) + DW1 x + x); :meth:`merged` is one convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = ConvNormalised(channels, channels, 3, 1, channels)
        self.conv1 = nn.Conv2d(channels, channels, 1, groups=channels)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x) + self.conv1(x) + x)  # type: ignore[no-any-return]

    def merged(self) -> nn.Conv2d:
        kernel, bias = folded(self.conv.c, self.conv.bn)
        assert self.conv1.bias is not None
        kernel = kernel + F.pad(exact(self.conv1.weight) + 1, (1, 1, 1, 1))
        scale, shift = affine(self.bn)
        bias = (bias + exact(self.conv1.bias)) * scale + shift
        return convolution(self.conv.c, kernel * scale[:, None, None, None], bias)


class Residual(nn.Module):
    """x + m(x)."""

    def __init__(self, m: nn.Module) -> None:
        super().__init__()
        self.m = m

    def forward(self, x: Tensor) -> Tensor:
        return x + self.m(x)  # type: ignore[no-any-return]


class RepViTBlock(nn.Module):
    """The block of RepViT (Wang et al., 2023, arXiv 2307.09283), which merges into three convolutions.

    Stride 1: :class:`RepVGGDW`, SE, then x + BN conv1x1(GELU(BN conv1x1 x)). Stride 2: DW, SE and 1x1 instead.

    Args:
        inp, oup: channels.
        hidden_dim: of the mixer of stride 1; that of stride 2 has 2 oup.
        kernel_size: of the depth-wise convolution of stride 2.
        use_se: squeeze and excitation.
    """

    def __init__(
        self, inp: int, hidden_dim: int, oup: int, kernel_size: int = 3, stride: int = 1, use_se: bool = True
    ) -> None:
        super().__init__()
        if stride == 1 and inp != oup:
            raise ValueError(f"a RepViT block of stride 1 keeps the channels; they are {inp} and {oup}")
        gate = SEModule(inp, 0.25, gate_layer=nn.Sigmoid) if use_se else nn.Identity()
        if stride == 1:
            self.token_mixer = nn.Sequential(RepVGGDW(inp), gate)
        else:
            self.token_mixer = nn.Sequential(
                ConvNormalised(inp, inp, kernel_size, stride, inp), gate, ConvNormalised(inp, oup)
            )
        hidden = hidden_dim if stride == 1 else 2 * oup
        self.channel_mixer = Residual(
            nn.Sequential(ConvNormalised(oup, hidden), nn.GELU(), ConvNormalised(hidden, oup))
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.channel_mixer(self.token_mixer(x))  # type: ignore[no-any-return]

    def reparameterize(self) -> None:
        """Merge branches and normalisations, in place."""
        for parts in (self.token_mixer, self.channel_mixer.m):
            assert isinstance(parts, nn.Sequential)
            for number, part in enumerate(parts):
                if isinstance(part, ConvNormalised | RepVGGDW):
                    parts[number] = part.merged()


class GhostModuleV2(nn.Module):
    """Ghost module (Han et al., 2020, arXiv 1911.11907; Tang et al., 2022, arXiv 2211.12905): half of the channels come
    from a 1x1 convolution, half from a cheap depth-wise one of these; the gate DFC weights them by rows and columns.

    Args:
        inp, oup: channels.
        dfc: with the gate: sigmoid(BN DW5x1(BN DW1x5(BN conv1x1(avg2 x)))), enlarged to the size of the map.
        relu: activate the halves.
    """

    def __init__(self, inp: int, oup: int, dfc: bool = True, relu: bool = True) -> None:
        super().__init__()
        half = -(-oup // 2)
        self.oup = oup
        self.primary_conv = nn.Sequential(*_normalised(nn.Conv2d(inp, half, 1, bias=False)), _act(relu))
        self.cheap_operation = nn.Sequential(
            *_normalised(nn.Conv2d(half, half, 3, padding=1, groups=half, bias=False)), _act(relu)
        )
        self.short_conv = None
        if dfc:
            self.short_conv = nn.Sequential(
                *_normalised(nn.Conv2d(inp, oup, 1, bias=False)),
                *_normalised(nn.Conv2d(oup, oup, (1, 5), padding=(0, 2), groups=oup, bias=False)),
                *_normalised(nn.Conv2d(oup, oup, (5, 1), padding=(2, 0), groups=oup, bias=False)),
            )

    def forward(self, x: Tensor) -> Tensor:
        one = self.primary_conv(x)
        made: Tensor = torch.cat([one, self.cheap_operation(one)], 1)[:, : self.oup]
        if self.short_conv is None:
            return made
        small = F.avg_pool2d(x, (min(2, int(x.shape[2])), min(2, int(x.shape[3]))), 2)
        gate = F.interpolate(self.short_conv(small).sigmoid(), made.shape[2:])
        return made * gate


def _normalised(conv: nn.Conv2d) -> tuple[nn.Module, ...]:
    return conv, nn.BatchNorm2d(conv.out_channels)


def _act(relu: bool) -> nn.Module:
    return nn.ReLU(inplace=True) if relu else nn.Sequential()


class HardSE(nn.Module):
    """Squeeze and excitation with relu6(x + 3) / 6 as its gate."""

    def __init__(self, channels: int, ratio: float = 0.25) -> None:
        super().__init__()
        width = max(4, int(channels * ratio + 2) // 4 * 4)
        width += 4 * (width < 0.9 * channels * ratio)
        self.conv_reduce = nn.Conv2d(channels, width, 1)
        self.conv_expand = nn.Conv2d(width, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.conv_expand(F.relu(self.conv_reduce(x.mean((2, 3), keepdim=True))))
        return x * F.relu6(weight + 3) / 6


class GhostBottleneckV2(nn.Module):
    """The bottleneck of GhostNetV2 (Tang et al., 2022, arXiv 2211.12905): (N, in_chs, H, W) -> (N, out_chs, …).

    Ghost module with the gate, at stride 2 DW and BN, SE if wanted, ghost module without activation, plus the input.

    Args:
        mid_chs: hidden channels.
        kernel: of the depth-wise convolution of stride 2.
        se_ratio: of SE; 0: none.
        dfc: use the gate.
    """

    def __init__(
        self, in_chs: int, mid_chs: int, out_chs: int, kernel: int = 3, stride: int = 1, se_ratio: float = 0.0,
        dfc: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.ghost1 = GhostModuleV2(in_chs, mid_chs, dfc)
        self.conv_dw, self.bn_dw = None, None
        if stride > 1:
            self.conv_dw = nn.Conv2d(mid_chs, mid_chs, kernel, stride, kernel // 2, groups=mid_chs, bias=False)
            self.bn_dw = nn.BatchNorm2d(mid_chs)
        self.se = HardSE(mid_chs, se_ratio) if se_ratio else None
        self.ghost2 = GhostModuleV2(mid_chs, out_chs, dfc=False, relu=False)
        self.shortcut = nn.Sequential()
        if in_chs != out_chs or stride > 1:
            self.shortcut = nn.Sequential(
                *_normalised(nn.Conv2d(in_chs, in_chs, kernel, stride, kernel // 2, groups=in_chs, bias=False)),
                *_normalised(nn.Conv2d(in_chs, out_chs, 1, bias=False)),
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.ghost1(x)
        if self.conv_dw is not None and self.bn_dw is not None:
            y = self.bn_dw(self.conv_dw(y))
        if self.se is not None:
            y = self.se(y)
        return self.ghost2(y) + self.shortcut(x)  # type: ignore[no-any-return]


class SRU(nn.Module):
    """Spatial reconstruction unit of ScConv: pixels are gated by the scales of a group normalisation, and the halves of
    the strong and of the weak pixels are added crosswise."""

    def __init__(self, channels: int, group_num: int = 16, threshold: float = 0.5) -> None:
        super().__init__()
        divides("ScConv", channels, group_num, "group_num")
        divides("ScConv", channels, 2, "2")
        self.gn, self.threshold = nn.GroupNorm(group_num, channels), threshold

    def forward(self, x: Tensor) -> Tensor:
        normalised = self.gn(x)
        weight = self.gn.weight / self.gn.weight.sum()
        gate = (normalised * weight[:, None, None]).sigmoid()
        strong = gate > self.threshold
        one = torch.where(strong, torch.ones_like(gate), gate) * x
        other = torch.where(strong, torch.zeros_like(gate), gate) * x
        (a1, a2), (b1, b2) = one.chunk(2, 1), other.chunk(2, 1)
        return torch.cat([a1 + b2, a2 + b1], 1)


class CRU(nn.Module):
    """Channel reconstruction unit of ScConv: a rich and a cheap transform of two shares of the channels, fused by a
    softmax over their means."""

    def __init__(
        self, channels: int, alpha: float = 0.5, squeeze: int = 2, group_size: int = 2, group_kernel: int = 3
    ) -> None:
        super().__init__()
        self.up = int(alpha * channels)
        low = channels - self.up
        if self.up // squeeze < 1 or low // squeeze < 1:
            raise ValueError(f"ScConv needs more than {channels} channels")
        divides("ScConv", self.up // squeeze, group_size, "group_size")
        self.squeeze1 = nn.Conv2d(self.up, self.up // squeeze, 1, bias=False)
        self.squeeze2 = nn.Conv2d(low, low // squeeze, 1, bias=False)
        self.GWC = nn.Conv2d(self.up // squeeze, channels, group_kernel, padding=group_kernel // 2, groups=group_size)
        self.PWC1 = nn.Conv2d(self.up // squeeze, channels, 1, bias=False)
        self.PWC2 = nn.Conv2d(low // squeeze, channels - low // squeeze, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        up, low = self.squeeze1(x[:, : self.up]), self.squeeze2(x[:, self.up :])
        both = torch.cat([self.GWC(up) + self.PWC1(up), self.PWC2(low), low], 1)
        one, other = (both.mean((2, 3), keepdim=True).softmax(1) * both).chunk(2, 1)
        return one + other


class ScConv(nn.Module):
    """Spatial and channel reconstruction convolution (Li et al., CVPR 2023, doi 10.1109/CVPR52729.2023.00596):
    (N, op_channel, H, W) -> the same; first :class:`SRU`, then :class:`CRU`. The authors published no code.

    Args:
        op_channel: channels.
        group_num: of the group normalisation.
        gate_treshold: above it a pixel is strong.
        alpha: share of the channels with the rich transform.
    """

    def __init__(
        self,
        op_channel: int,
        group_num: int = 4,
        gate_treshold: float = 0.5,
        alpha: float = 0.5,
        squeeze_radio: int = 2,
        group_size: int = 2,
        group_kernel_size: int = 3,
    ) -> None:
        super().__init__()
        self.SRU = SRU(op_channel, group_num, gate_treshold)
        self.CRU = CRU(op_channel, alpha, squeeze_radio, group_size, group_kernel_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.CRU(self.SRU(x))  # type: ignore[no-any-return]


def faster(c1: int, c2: int, stride: int) -> nn.Module:
    same_channels("the FasterNet block", c1, c2)
    return FasterBlock(c1)


def star(c1: int, c2: int, stride: int) -> nn.Module:
    same_channels("the StarNet block", c1, c2)
    return StarBlock(c1)


def repvit(c1: int, c2: int, stride: int) -> nn.Module:
    same_channels("the RepViT block", c1, c2)
    return RepViTBlock(c1, 2 * c1, c2)


def ghost_v2(c1: int, c2: int, stride: int) -> nn.Module:
    same_channels("the GhostNetV2 bottleneck", c1, c2)
    return GhostBottleneckV2(c1, 2 * c1, c2)


def sc_conv(c1: int, c2: int, stride: int) -> nn.Module:
    return nn.Sequential(Conv(c1, c2, 1), ScConv(c2), nn.BatchNorm2d(c2), nn.SiLU())


CLASSES: tuple[type, ...] = (
    PartialConv, FasterBlock, ConvBN, StarBlock, ConvNormalised, RepVGGDW, Residual, RepViTBlock, SEModule,
    GhostModuleV2, HardSE, GhostBottleneckV2, SRU, CRU, ScConv,
)  # fmt: skip
