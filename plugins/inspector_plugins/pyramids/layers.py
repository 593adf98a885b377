"""Whole necks: [P3, P4, P5] of ``inputs`` channels -> the same sizes with ``outputs`` channels."""

from __future__ import annotations

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own abbreviation
from torch import Tensor, nn
from ultralytics.nn.modules.block import C3k2
from ultralytics.nn.modules.conv import Conv

from inspector_plugins.pyramids import assisted, gathering, parts
from inspector_plugins.pyramids.parts import (
    Activated,
    AdaptiveFusion,
    ChannelPositionAttention,
    Fusion,
    GSConv,
    HSChannelAttention,
    ScalSeq,
    Upsample,
    VoVGSCSP,
    enlarge,
    three_channels,
    zoom_cat,
)

Channels = tuple[int, ...]


class SeparableConv(nn.Module):
    """SiLU, DW3x3, conv1x1 and BN, which follow a weighted sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.pointwise = nn.Conv2d(channels, channels, 1)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.pointwise(self.depthwise(F.silu(x))))  # type: ignore[no-any-return]


class BiFPNLayer(nn.Module):
    """One pass down and up of BiFPN over three maps of equal channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.sums = nn.ModuleList(Fusion(count) for count in (2, 2, 3, 2))
        self.convs = nn.ModuleList(SeparableConv(channels) for _ in range(4))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        p3, p4, p5 = maps
        middle = self._node(0, p4, enlarge(p5, p4))
        out3 = self._node(1, p3, enlarge(middle, p3))
        out4 = self._node(2, p4, middle, F.max_pool2d(out3, 3, 2, 1))
        return [out3, out4, self._node(3, p5, F.max_pool2d(out4, 3, 2, 1))]

    def _node(self, number: int, *maps: Tensor) -> Tensor:
        return self.convs[number](self.sums[number](*maps))  # type: ignore[no-any-return]


class BiFPN(nn.Module):
    """Weighted bi-directional pyramid (Tan et al., 2020, arXiv 1911.09070): sums whose weights are learned, downwards
    and upwards, each followed by a separable convolution.

    Args:
        layers: passes.
    """

    def __init__(self, inputs: Channels, outputs: Channels, layers: int = 2) -> None:
        super().__init__()
        three_channels("BiFPN", inputs, outputs)
        width = outputs[1]
        self.lateral = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c1, width, 1, bias=False), nn.BatchNorm2d(width)) for c1 in inputs
        )
        self.layers = nn.ModuleList(BiFPNLayer(width) for _ in range(layers))
        self.out = nn.ModuleList(Conv(width, c2, 1) for c2 in outputs)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        maps = [lateral(one) for lateral, one in zip(self.lateral, maps, strict=True)]
        for layer in self.layers:
            maps = layer(maps)
        return [out(one) for out, one in zip(self.out, maps, strict=True)]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.one, self.other = Conv(channels, channels, 3), Conv(channels, channels, 3, act=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(x + self.other(self.one(x)))


class AFPN(nn.Module):
    """Asymptotic pyramid (Yang et al., 2023, arXiv 2306.15988): the two finest maps are fused first, then all three,
    each fusion by :class:`AdaptiveFusion`; convolutions of stride 2 and 4 reduce, bilinear interpolation enlarges.

    Args:
        blocks: residual blocks behind each fusion.
    """

    def __init__(self, inputs: Channels, outputs: Channels, blocks: int = 2) -> None:
        super().__init__()
        three_channels("AFPN", inputs, outputs)
        widths = self.widths = [max(c2 // 2, 8) for c2 in outputs]
        self.lateral = nn.ModuleList(Activated(c1, width) for c1, width in zip(inputs, widths, strict=True))
        pairs = [(0, 1), (1, 0)] + [(a, b) for a in range(3) for b in range(3) if a != b]
        self.moved = nn.ModuleDict()
        for number, (start, end) in enumerate(pairs):
            steps = abs(end - start)
            made = Upsample(widths[start], widths[end], 2**steps) if start > end else Activated(
                widths[start], widths[end], 2**steps, stride=2**steps
            )  # fmt: skip
            self.moved[f"{'two' if number < 2 else 'three'}_{start}_{end}"] = made
        self.two = nn.ModuleList(AdaptiveFusion(2, width) for width in widths[:2])
        self.three = nn.ModuleList(AdaptiveFusion(3, width) for width in widths)
        self.after_two = nn.ModuleList(_blocks(width, blocks) for width in widths[:2])
        self.after_three = nn.ModuleList(_blocks(width, blocks) for width in widths)
        self.out = nn.ModuleList(Activated(width, c2) for width, c2 in zip(widths, outputs, strict=True))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        maps = [lateral(one) for lateral, one in zip(self.lateral, maps, strict=True)]
        fine = [
            self.after_two[level](self.two[level](*(self._at("two", maps, start, level) for start in range(2))))
            for level in range(2)
        ]
        maps = [*fine, maps[2]]
        fused = [
            self.after_three[level](self.three[level](*(self._at("three", maps, start, level) for start in range(3))))
            for level in range(3)
        ]
        return [out(one) for out, one in zip(self.out, fused, strict=True)]

    def _at(self, stage: str, maps: list[Tensor], start: int, level: int) -> Tensor:
        """The map ``start`` with the channels and the size of ``level``."""
        if start == level:
            return maps[start]
        move = self.moved[f"{stage}_{start}_{level}"]
        if start > level:
            return move(maps[start], maps[level])  # type: ignore[no-any-return]
        step = 2 ** (level - start)
        height, width = (int(side) for side in maps[level].shape[2:])
        bottom, right = height * step - int(maps[start].shape[2]), width * step - int(maps[start].shape[3])
        return move(F.pad(maps[start], (0, right, 0, bottom)))  # type: ignore[no-any-return]


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(BasicBlock(channels) for _ in range(count)))


class ASF(nn.Module):
    """Neck of ASF-YOLO (Kang et al., 2024, arXiv 2312.06458): triple feature encoding, scale sequence, and channel and
    position attention on the finest map.

    The paper's encoder of P3 also reads P2, which a pyramid here does not get; P3 is joined with the map above it.
    """

    def __init__(self, inputs: Channels, outputs: Channels) -> None:
        super().__init__()
        three_channels("ASF", inputs, outputs)
        (c3, c4, c5), (o3, o4, o5) = inputs, outputs
        self.from3, self.from5 = Conv(c3, o4, 1), Conv(c5, o4, 1)
        self.encode4 = C3k2(2 * o4 + c4, o4, 1)
        self.reduce = Conv(o4, o3, 1)
        self.encode3 = C3k2(c3 + o3, o3, 1)
        self.down4, self.down5 = Conv(o3, o3, 3, 2), Conv(o4, o4, 3, 2)
        self.out4, self.out5 = C3k2(o3 + o3, o4, 1), C3k2(o4 + o4, o5, 1, True)
        self.sequence = ScalSeq(inputs)
        self.match = Conv(c3, o3, 1)
        self.attend = ChannelPositionAttention(o3)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        p3, p4, p5 = maps
        top = self.from5(p5)
        middle = self.reduce(self.encode4(zoom_cat(_even(self.from3(p3), p4), p4, top)))
        fine = self.encode3(torch.cat([p3, enlarge(middle, p3)], 1))
        out4 = self.out4(torch.cat([self.down4(fine), middle], 1))
        out5 = self.out5(torch.cat([self.down5(out4), top], 1))
        return [self.attend(fine, self.match(self.sequence(p3, p4, p5))), out4, out5]


def _even(x: Tensor, half: Tensor) -> Tensor:
    """The last row and column repeated where the sides are odd, so that half of them is the size of ``half``."""
    bottom, right = 2 * int(half.shape[2]) - int(x.shape[2]), 2 * int(half.shape[3]) - int(x.shape[3])
    return F.pad(x, (0, right, 0, bottom), mode="replicate") if bottom or right else x


class HSFPN(nn.Module):
    """High-level screening pyramid (Shi et al., 2024, arXiv 2401.00926): the coarse map, enlarged by a transposed
    convolution, gates the finer ones by its channels and is added to them.

    Args:
        width: channels of all maps; None: those of the middle output.
        groups: of the normalisations.
        ratio: reduction of the channel attentions.
        project: end with 1x1 convolutions to ``outputs``; otherwise the maps have ``width`` channels.
    """

    def __init__(
        self,
        inputs: Channels,
        outputs: Channels,
        width: int | None = None,
        groups: int = 16,
        ratio: int = 4,
        project: bool = True,
    ) -> None:
        super().__init__()
        three_channels("HS-FPN", inputs, outputs)
        width = width or outputs[1]
        if width % groups:
            raise ValueError(f"HS-FPN: groups must divide the width; it is {width}, groups is {groups}")
        self.upbottom_conv = nn.ModuleList(  # the coarsest map first, as in the official code
            nn.Sequential(HSChannelAttention(c1, ratio), nn.Conv2d(c1, width, 1)) for c1 in reversed(inputs)
        )
        self.weight_conv = nn.ModuleList(nn.Sequential(HSChannelAttention(width, ratio, False)) for _ in range(2))
        self.up_sample_conv = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(width, width, 3, 2, 1, 1)) for _ in range(2)
        )
        self.lateral_conv = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.GroupNorm(groups, width), nn.ReLU())
            for _ in range(3)
        )
        self.out = nn.ModuleList(Conv(width, c2, 1) for c2 in outputs) if project else None

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        lateral = [conv(one) for conv, one in zip(self.upbottom_conv, reversed(maps), strict=True)]
        fused, above = [lateral[0]], lateral[0]
        for number in range(2):
            above = self.up_sample_conv[number](above)
            fine, sized = lateral[number + 1], above
            if sized.shape[2:] != fine.shape[2:]:
                sized = enlarge(sized, fine, "bilinear")
            fused.append(self.weight_conv[number](sized) * fine + sized)
        found = [conv(one) for conv, one in zip(self.lateral_conv, reversed(fused), strict=True)]
        return found if self.out is None else [out(one) for out, one in zip(self.out, found, strict=True)]


class SlimNeck(nn.Module):
    """Slim neck (Li et al., 2022, arXiv 2206.02424): the usual path down and up with :class:`VoVGSCSP` as blocks and
    :class:`GSConv` as strided convolutions."""

    def __init__(self, inputs: Channels, outputs: Channels) -> None:
        super().__init__()
        three_channels("slim neck", inputs, outputs)
        (c3, c4, c5), (o3, o4, o5) = inputs, outputs
        self.top4, self.top3 = VoVGSCSP(c5 + c4, o4), VoVGSCSP(o4 + c3, o3)
        self.down4, self.down5 = GSConv(o3, o3, 3, 2), GSConv(o4, o4, 3, 2)
        self.out4, self.out5 = VoVGSCSP(o3 + o4, o4), VoVGSCSP(o4 + c5, o5)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        p3, p4, p5 = maps
        middle = self.top4(torch.cat([enlarge(p5, p4), p4], 1))
        out3 = self.top3(torch.cat([enlarge(middle, p3), p3], 1))
        out4 = self.out4(torch.cat([self.down4(out3), middle], 1))
        return [out3, out4, self.out5(torch.cat([self.down5(out4), p5], 1))]


def bifpn(inputs: Channels, outputs: Channels, stride: int) -> nn.Module:
    return BiFPN(inputs, outputs)


def afpn(inputs: Channels, outputs: Channels, stride: int) -> nn.Module:
    return AFPN(inputs, outputs)


def asf(inputs: Channels, outputs: Channels, stride: int) -> nn.Module:
    return ASF(inputs, outputs)


def hs_fpn(inputs: Channels, outputs: Channels, stride: int) -> nn.Module:
    return HSFPN(inputs, outputs)


def slim_neck(inputs: Channels, outputs: Channels, stride: int) -> nn.Module:
    return SlimNeck(inputs, outputs)


def mafpn(inputs: Channels, outputs: Channels, stride: int) -> nn.Module:
    return assisted.MAFPN(inputs, outputs)


def gold_gd(inputs: Channels, outputs: Channels, stride: int) -> nn.Module:
    return gathering.GatherDistribute(inputs, outputs)


CLASSES: tuple[type, ...] = (
    BiFPN, BiFPNLayer, SeparableConv, AFPN, BasicBlock, ASF, HSFPN, SlimNeck, *assisted.CLASSES, *gathering.CLASSES,
    *parts.CLASSES,
)  # fmt: skip
