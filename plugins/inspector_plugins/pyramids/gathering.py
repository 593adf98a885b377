"""The gather-and-distribute neck of Gold-YOLO."""
# ruff: noqa: N812 - torch's own abbreviation

from __future__ import annotations

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from ultralytics.nn.modules.conv import Conv, RepConv

from inspector_plugins.pyramids.parts import enlarge, three_channels


def reduce(x: Tensor, like: Tensor) -> Tensor:
    """Means of ``x`` at the size of ``like``, which is not larger."""
    (height, width), (rows, columns) = ((int(one.shape[2]), int(one.shape[3])) for one in (x, like))
    if height % rows == 0 and width % columns == 0:  # ONNX has no other
        return F.avg_pool2d(x, (height // rows, width // columns))
    return F.adaptive_avg_pool2d(x, (rows, columns))


def resize(x: Tensor, like: Tensor) -> Tensor:
    """``x`` at the size of ``like``: bilinear if that is larger, means if smaller."""
    return reduce(x, like) if x.shape[2] > like.shape[2] else enlarge(x, like, "bilinear")


class Injection(nn.Module):
    """Information injection (Wang et al., 2023, arXiv 2309.11331): local (N, c1, H, W) and the gathered map
    (N, gathered, h, w) -> (N, c2, H, W).

    conv(local) resize(hsigmoid(conv(gathered))) + resize(conv(gathered)), each conv 1x1 with BN.
    """

    def __init__(self, c1: int, c2: int, gathered: int) -> None:
        super().__init__()
        self.local_embedding = Conv(c1, c2, 1, act=False)
        self.global_embedding = Conv(gathered, c2, 1, act=False)
        self.global_act = Conv(gathered, c2, 1, act=False)

    def forward(self, local: Tensor, gathered: Tensor) -> Tensor:
        gate = resize(F.hardsigmoid(self.global_act(gathered)), local)
        made: Tensor = self.local_embedding(local) * gate + resize(self.global_embedding(gathered), local)
        return made


class Adjacent(nn.Module):
    """Lightweight fusion of adjacent levels: the finer map by means, the map itself, the coarser one bilinear; the last
    two by 1x1 convolutions.

    Args:
        finer, own, coarser: channels of the maps; ``finer`` is 0 where there is none.
        c2: channels of the result.
    """

    def __init__(self, finer: int, own: int, coarser: int, c2: int) -> None:
        super().__init__()
        self.cv1, self.cv2 = Conv(own, c2, 1), Conv(coarser, c2, 1)
        self.cv_fuse = Conv(finer + 2 * c2, c2, 1)

    def forward(self, finer: Tensor | None, own: Tensor, coarser: Tensor) -> Tensor:
        maps = [self.cv1(own), enlarge(self.cv2(coarser), own, "bilinear")]
        if finer is not None:
            maps.insert(0, reduce(finer, own))
        return self.cv_fuse(torch.cat(maps, 1))  # type: ignore[no-any-return]


class GlobalAttention(nn.Module):
    """Attention of all pixels to all, and a convolutional MLP, each added to its input: (N, c, H, W) -> the same.

    softmax(q k / sqrt(key)) v with q, k of ``key`` and v of ``2 key`` channels per head, from 1x1 convolutions with BN,
    then ReLU6 and a 1x1 convolution; the MLP is 1x1, DW3x3, ReLU6, 1x1.
    """

    def __init__(self, channels: int, key: int = 8, heads: int = 4) -> None:
        super().__init__()
        self.key, self.heads = key, heads
        self.to_q, self.to_k = Conv(channels, key * heads, 1, act=False), Conv(channels, key * heads, 1, act=False)
        self.to_v = Conv(channels, 2 * key * heads, 1, act=False)
        self.proj = Conv(2 * key * heads, channels, 1, act=False)
        self.fc1 = Conv(channels, channels, 1, act=False)
        self.dwconv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.fc2 = Conv(channels, channels, 1, act=False)

    def forward(self, x: Tensor) -> Tensor:
        n, height, width = x.shape[0], int(x.shape[2]), int(x.shape[3])
        q, k, v = (one(x).reshape(n, self.heads, -1, height * width) for one in (self.to_q, self.to_k, self.to_v))
        weights = (q.transpose(2, 3) @ k * self.key**-0.5).softmax(-1)
        found = (v @ weights.transpose(2, 3)).reshape(n, -1, height, width)
        x = x + self.proj(F.relu6(found))
        return x + self.fc2(F.relu6(self.dwconv(self.fc1(x))))  # type: ignore[no-any-return]


class GatherDistribute(nn.Module):
    """Neck of Gold-YOLO (Wang et al., 2023, arXiv 2309.11331).

    The low stage gathers all maps at the size of P4, fuses them by re-parameterisable convolutions and distributes the
    result to P4 and P3; the high stage gathers at the size of P5, fuses by attention and distributes to P4 and P5. The
    paper gathers P2 too, which a pyramid here does not get.

    Args:
        blocks: convolutions of the low fusion, attention blocks of the high one and convolutions behind each level.
    """

    def __init__(self, inputs: tuple[int, ...], outputs: tuple[int, ...], blocks: int = 2) -> None:
        super().__init__()
        three_channels("Gold-GD", inputs, outputs)
        (c3, c4, c5), (o3, o4, o5) = inputs, outputs
        self.low_split, self.high_split = (o4, o3), (o4, o5)
        self.low = nn.Sequential(Conv(c3 + c4 + c5, o4, 1), _convolutions(o4, blocks), Conv(o4, o4 + o3, 1))
        gathered = o3 + o4 + c5
        self.high = nn.Sequential(*(GlobalAttention(gathered) for _ in range(blocks)), Conv(gathered, o4 + o5, 1))
        self.reduce5, self.reduce4 = Conv(c5, o4, 1), Conv(o4, o3, 1)
        self.adjacent4, self.adjacent3 = Adjacent(c3, c4, o4, o4), Adjacent(0, c3, o3, o3)
        self.inject4, self.inject3 = Injection(o4, o4, o4), Injection(o3, o3, o3)
        self.rep4, self.rep3 = _convolutions(o4, blocks), _convolutions(o3, blocks)
        self.inject_n4, self.inject_n5 = Injection(o3 + o3, o4, o4), Injection(o4 + o4, o5, o5)
        self.rep_n4, self.rep_n5 = _convolutions(o4, blocks), _convolutions(o5, blocks)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        c3, c4, c5 = maps
        low4, low3 = self.low(torch.cat([reduce(c3, c4), c4, enlarge(c5, c4, "bilinear")], 1)).split(self.low_split, 1)
        half5 = self.reduce5(c5)
        p4 = self.rep4(self.inject4(self.adjacent4(c3, c4, half5), low4))
        half4 = self.reduce4(p4)
        p3 = self.rep3(self.inject3(self.adjacent3(None, c3, half4), low3))
        high = self.high(torch.cat([reduce(p3, c5), reduce(p4, c5), c5], 1))
        high4, high5 = high.split(self.high_split, 1)
        n4 = self.rep_n4(self.inject_n4(torch.cat([reduce(p3, half4), half4], 1), high4))
        n5 = self.rep_n5(self.inject_n5(torch.cat([reduce(n4, half5), half5], 1), high5))
        return [p3, n4, n5]


def _convolutions(channels: int, count: int) -> nn.Sequential:
    """3x3, 1x1 and identity side by side, each with BN, which are merged before inference."""
    return nn.Sequential(*(RepConv(channels, channels, 3, bn=True) for _ in range(count)))


CLASSES: tuple[type, ...] = (Injection, Adjacent, GlobalAttention, GatherDistribute)
