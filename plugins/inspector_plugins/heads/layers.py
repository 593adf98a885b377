"""Segmentation heads: ASFF and DyHead before ultralytics' head, and a light head whose convolutions are shared."""
# ruff: noqa: N812 - torch's own abbreviation

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from ultralytics.nn.modules.block import Proto
from ultralytics.nn.modules.conv import Conv
from ultralytics.nn.modules.head import Segment

from inspector_plugins._shared.sampling import deform_conv2d
from inspector_plugins._shared.size_checks import groups_of


def _sized(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, (int(like.shape[2]), int(like.shape[3])))


class Leaky(nn.Module):
    """Convolution without bias, BN and leaky ReLU (0.1)."""

    def __init__(self, c1: int, c2: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, kernel, stride, kernel // 2, bias=False)
        self.batch_norm = nn.BatchNorm2d(c2)

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(self.batch_norm(self.conv(x)), 0.1)


class ASFF(nn.Module):
    """Adaptively spatial feature fusion (Liu et al., 2019, arXiv 1911.09516): three maps, the coarsest first, at the
    size and with the channels of one of them, summed with the weights of a softmax at each pixel, then convolved.

    Args:
        level: whose size and channels; 0 is the coarsest.
        channels: of the three maps.
        expand: channels of the result.
        compress: of the votes for the weights.
    """

    def __init__(self, level: int, channels: Sequence[int], expand: int, compress: int = 16) -> None:
        super().__init__()
        if level not in (0, 1, 2) or len(channels) != 3:
            raise ValueError(f"ASFF fuses three maps at the level 0, 1 or 2, not {len(channels)} at {level}")
        self.level, width = level, channels[level]
        for other, count in enumerate(channels):
            if other > level:
                self.add_module(f"stride_level_{other}", Leaky(count, width, 3, 2))
            elif other < level and (other == 0 or count != width):
                self.add_module(f"compress_level_{other}", Leaky(count, width))
        self.expand = Leaky(width, expand, 3)
        for other in range(3):
            self.add_module(f"weight_level_{other}", Leaky(width, compress))
        self.weight_levels = nn.Conv2d(3 * compress, 3, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        return self.expand(self.fuse(maps)[0])  # type: ignore[no-any-return]

    def fuse(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The weighted sum before the last convolution, and the weights (N, 3, H, W)."""
        sized = [self._at_level(maps, other) for other in range(3)]
        votes = [self.get_submodule(f"weight_level_{other}")(one) for other, one in enumerate(sized)]
        weights = self.weight_levels(torch.cat(votes, 1)).softmax(1)
        total = sized[0] * weights[:, :1] + sized[1] * weights[:, 1:2] + sized[2] * weights[:, 2:]
        return total, weights

    def _at_level(self, maps: Sequence[Tensor], other: int) -> Tensor:
        x = maps[other]
        if other > self.level:
            if other - self.level == 2:
                x = F.max_pool2d(x, 3, 2, 1)
            return self.get_submodule(f"stride_level_{other}")(x)  # type: ignore[no-any-return]
        if other == self.level:
            return x
        name = f"compress_level_{other}"
        return _sized(self.get_submodule(name)(x) if name in self._modules else x, maps[self.level])


class ASFFSegment(Segment):  # type: ignore[misc]
    """ultralytics' head behind :class:`ASFF` on each map."""

    def __init__(self, classes: int, masks: int, prototypes: int, channels: Sequence[int]) -> None:
        super().__init__(classes, masks, prototypes, 16, False, list(channels))
        coarse = list(channels)[::-1]
        self.fusions = nn.ModuleList(ASFF(2 - number, coarse, count) for number, count in enumerate(channels))

    def forward(self, x: list[Tensor]) -> Any:
        coarse = x[::-1]
        return super().forward([fusion(coarse) for fusion in self.fusions])


class DYReLU(nn.Module):
    """Dynamic ReLU (Chen et al., 2020, arXiv 2003.10027): max(a1 x + b1, a2 x + b2) whose four numbers of each channel
    come from the channels' means.

    Args:
        channels: of the map.
        reduction: of the hidden layer.
        two: with the second line; otherwise a1 x + b1.
        use_bias: with b1 and b2.
        use_spatial: weight the pixels by a softmax, up to three times the mean, of BN(conv1x1 x).
    """

    def __init__(
        self,
        channels: int,
        reduction: int = 4,
        two: bool = True,
        use_bias: bool = True,
        use_spatial: bool = False,
    ) -> None:
        super().__init__()
        self.two, self.use_bias = two, use_bias
        hidden = channels // reduction
        if reduction != 4:
            hidden = max(4, int(hidden + 2) // 4 * 4)
        numbers = (2 if two else 1) * (2 if use_bias else 1)
        self.fc = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, numbers * channels))
        self.spa = nn.Sequential(nn.Conv2d(channels, 1, 1), nn.BatchNorm2d(1)) if use_spatial else None

    def forward(self, x: Tensor) -> Tensor:
        numbers = F.relu6(self.fc(x.mean((2, 3))) + 3) / 6
        parts = list(numbers[:, :, None, None].chunk((2 if self.two else 1) * (2 if self.use_bias else 1), 1))
        y = x * ((parts[0] - 0.5) * 2 + 1)
        if self.use_bias:
            y = y + parts[1] - 0.5
        if self.two:
            other = x * ((parts[2 if self.use_bias else 1] - 0.5) * 2)
            y = torch.maximum(y, other + parts[3] - 0.5 if self.use_bias else other)
        if self.spa is None:
            return y
        n, pixels = x.shape[0], int(x.shape[2]) * int(x.shape[3])
        weight = self.spa(x).reshape(n, -1).softmax(1).reshape(n, 1, x.shape[2], x.shape[3]) * pixels
        made: Tensor = y * (weight.clamp(0, 3) / 3)
        return made


class DeformedConv(nn.Module):
    """Modulated deformable convolution 3x3 with given offsets and factors, and group normalisation."""

    def __init__(self, c1: int, c2: int, stride: int, groups: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(c1, c2, 3, stride, 1)  # its weights only
        self.bn = nn.GroupNorm(groups, c2)

    def forward(self, x: Tensor, offset: Tensor, mask: Tensor) -> Tensor:
        weight, bias = self.conv.weight.to(x.dtype), self.conv.bias
        y = deform_conv2d(
            x, offset, weight, None if bias is None else bias.to(x.dtype), mask, stride=self.stride, padding=1
        )
        return self.bn(y)  # type: ignore[no-any-return]


class DyConv(nn.Module):
    """A block of the dynamic head (Dai et al., 2021, arXiv 2106.08322): maps of equal channels, the finest first.

    Offsets and factors of each level, from a convolution of its map, deform three convolutions: of its own map, of the
    finer one with stride 2, and of the coarser one, whose result is enlarged. Each result is weighted as a whole (scale
    attention), their mean passes :class:`DYReLU` (task attention). For the coarser map the offsets are resized to it;
    the official code reads them there by their place in memory.

    Args:
        channels: of the maps.
        groups: of the normalisations.
    """

    def __init__(self, channels: int, groups: int = 16) -> None:
        super().__init__()
        if channels % groups:
            raise ValueError(f"DyHead: groups must divide the channels; there are {channels}, groups is {groups}")
        self.DyConv = nn.ModuleList(DeformedConv(channels, channels, stride, groups) for stride in (1, 1, 2))
        self.AttnConv = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, 1, 1), nn.ReLU())
        self.relu = DYReLU(channels)
        self.offset = nn.Conv2d(channels, 27, 3, padding=1)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        made = []
        for level, own in enumerate(maps):
            both = self.offset(own)
            offset, mask = both[:, :18], both[:, 18:].sigmoid()
            found = [self.DyConv[1](own, offset, mask)]
            if level > 0:
                found.append(self.DyConv[2](maps[level - 1], offset, mask))
            if level < len(maps) - 1:
                above = maps[level + 1]
                size = (int(above.shape[2]), int(above.shape[3]))
                resized = [F.interpolate(one, size, mode="bilinear", align_corners=False) for one in (offset, mask)]
                coarse = self.DyConv[0](above, *resized)
                whole = (int(own.shape[2]), int(own.shape[3]))
                found.append(F.interpolate(coarse, whole, mode="bilinear", align_corners=True))
            total = found[0] * self._weight(found[0])
            for one in found[1:]:
                total = total + one * self._weight(one)
            made.append(self.relu(total / len(found)))
        return made

    def _weight(self, x: Tensor) -> Tensor:
        return F.relu6(self.AttnConv(x) + 3) / 6


class DynamicSegment(Segment):  # type: ignore[misc]
    """ultralytics' head behind blocks of the dynamic head, on maps of equal channels.

    Args:
        blocks: number of :class:`DyConv`.
    """

    def __init__(self, classes: int, masks: int, prototypes: int, channels: Sequence[int], blocks: int = 1) -> None:
        width = channels[0]
        super().__init__(classes, masks, prototypes, 16, False, [width] * len(channels))
        self.lateral = nn.ModuleList(Conv(count, width, 1) for count in channels)
        self.blocks = nn.ModuleList(DyConv(width, groups_of(width, 16)) for _ in range(blocks))

    def forward(self, x: list[Tensor]) -> Any:
        maps = [lateral(one) for lateral, one in zip(self.lateral, x, strict=True)]
        for block in self.blocks:
            maps = block(maps)
        return super().forward(maps)


class GroupNormalised(nn.Module):
    """Convolution, group normalisation and SiLU."""

    def __init__(self, c1: int, c2: int, kernel: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, kernel, padding=kernel // 2, bias=False)
        self.gn, self.act = nn.GroupNorm(groups_of(c2, 16), c2), nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.gn(self.conv(x)))  # type: ignore[no-any-return]


class Scale(nn.Module):
    """x times a learned number."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class SharedSegment(Segment):  # type: ignore[misc]
    """A light head (LSCD) whose convolutions are the same for all maps, as in FCOS (Tian et al., 2019, arXiv
    1904.01355).

    A 1x1 convolution brings each map to the same channels; two 3x3 convolutions with group normalisation and the last
    convolutions of boxes, classes and masks are shared; the boxes of each map have a learned scale.
    """

    def __init__(self, classes: int, masks: int, prototypes: int, channels: Sequence[int]) -> None:
        super().__init__(classes, masks, prototypes, 16, False, list(channels))
        hidden = max(channels[0], 64)
        self.stems = nn.ModuleList(GroupNormalised(count, hidden) for count in channels)
        self.share = nn.Sequential(GroupNormalised(hidden, hidden, 3), GroupNormalised(hidden, hidden, 3))
        boxes, scores, coefficients = (nn.Conv2d(hidden, count, 1) for count in (4 * self.reg_max, classes, masks))
        self.cv2 = nn.ModuleList(nn.Sequential(Scale(), boxes) for _ in channels)
        self.cv3 = nn.ModuleList(nn.Sequential(scores) for _ in channels)
        self.cv4 = nn.ModuleList(nn.Sequential(coefficients) for _ in channels)
        self.proto = Proto(hidden, prototypes, masks)

    def forward(self, x: list[Tensor]) -> Any:
        return super().forward([self.share(stem(one)) for stem, one in zip(self.stems, x, strict=True)])


class AuxiliarySegment(Segment):  # type: ignore[misc]
    """ultralytics' head with a second one that only learns (deep supervision; Wang et al., 2022, arXiv 2207.02696).

    In training the second head reads the same maps with its own, lighter convolutions; its loss, for the objects that
    the first head's predictions were assigned, is added with the weight ``auxiliary_weight``. The paper's reads earlier
    maps of the neck, which a head here does not get. :meth:`reparameterize` drops it.

    Attributes:
        auxiliary_weight: of its loss.
    """

    def __init__(
        self, classes: int, masks: int, prototypes: int, channels: Sequence[int], auxiliary_weight: float = 0.25
    ) -> None:
        super().__init__(classes, masks, prototypes, 16, False, list(channels))
        self.auxiliary_weight = auxiliary_weight
        self.aux_boxes = nn.ModuleList(_light(count, 4 * self.reg_max) for count in channels)
        self.aux_scores = nn.ModuleList(_light(count, classes) for count in channels)
        self.aux_masks = nn.ModuleList(_light(count, masks) for count in channels)

    def forward(self, x: list[Tensor]) -> Any:
        found = super().forward(x)
        if self.training and len(self.aux_boxes):
            second = self.forward_head(x, self.aux_boxes, self.aux_scores, self.aux_masks)
            found["auxiliary"] = {**second, "proto": found["proto"]}
        return found

    def bias_init(self) -> None:
        super().bias_init()
        pairs: Any = [*zip(self.aux_boxes, self.cv2, strict=True), *zip(self.aux_scores, self.cv3, strict=True)]
        for second, own in pairs:
            second[-1].bias.data.copy_(own[-1].bias.data)

    def reparameterize(self) -> None:
        """Drop the second head."""
        self.aux_boxes, self.aux_scores, self.aux_masks = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()


def _light(c1: int, c2: int) -> nn.Sequential:
    """Depth-wise 3x3, 1x1 and the last 1x1 convolution."""
    return nn.Sequential(Conv(c1, c1, 3, g=c1), Conv(c1, max(c1 // 2, 16), 1), nn.Conv2d(max(c1 // 2, 16), c2, 1))


def auxiliary(classes: int, masks: int, prototypes: int, channels: Sequence[int]) -> nn.Module:
    return AuxiliarySegment(classes, masks, prototypes, channels)


def asff(classes: int, masks: int, prototypes: int, channels: Sequence[int]) -> nn.Module:
    return ASFFSegment(classes, masks, prototypes, channels)


def dy_head(classes: int, masks: int, prototypes: int, channels: Sequence[int]) -> nn.Module:
    return DynamicSegment(classes, masks, prototypes, channels)


def lscd(classes: int, masks: int, prototypes: int, channels: Sequence[int]) -> nn.Module:
    return SharedSegment(classes, masks, prototypes, channels)


CLASSES: tuple[type, ...] = (
    Leaky, ASFF, ASFFSegment, DYReLU, DeformedConv, DyConv, DynamicSegment, GroupNormalised, Scale, SharedSegment,
    AuxiliarySegment,
)  # fmt: skip
