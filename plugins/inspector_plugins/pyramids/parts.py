"""Parts of the pyramids: weighted sums, adaptive fusion, scale sequences and GSConv."""
# ruff: noqa: N812 - torch's own abbreviation

from __future__ import annotations

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from ultralytics.nn.modules.conv import Conv

from inspector_plugins._shared.size_checks import divides


def three_channels(name: str, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> None:
    """Raise ValueError, with the name, unless there are three numbers of channels in and out."""
    if len(inputs) != 3 or len(outputs) != 3 or min(*inputs, *outputs) < 1:
        raise ValueError(f"{name} needs three numbers of channels in and out, not {inputs} and {outputs}")


def enlarge(x: Tensor, like: Tensor, mode: str = "nearest") -> Tensor:
    """``x`` at the size of ``like``."""
    size = (int(like.shape[2]), int(like.shape[3]))
    return F.interpolate(x, size, mode=mode, align_corners=None if mode == "nearest" else False)


class Fusion(nn.Module):
    """The weighted sum of BiFPN (Tan et al., 2020, arXiv 1911.09070): sum of relu(w) x / (sum of relu(w) + eps).

    Args:
        inputs: number of maps, of equal shape.
        softmax: weights by a softmax instead.
    """

    def __init__(self, inputs: int, softmax: bool = False, eps: float = 1e-4) -> None:
        super().__init__()
        self.softmax, self.eps = softmax, eps
        self.edge_weights = nn.Parameter(torch.ones(inputs))

    def forward(self, *maps: Tensor) -> Tensor:
        weights = self.edge_weights.to(maps[0].dtype)
        if self.softmax:
            weights = weights.softmax(0)
        else:
            weights = F.relu(weights)
            weights = weights / (weights.sum() + self.eps)
        total = maps[0] * weights[0]
        for number, one in enumerate(maps[1:], 1):
            total = total + one * weights[number]
        return total


class Activated(nn.Module):
    """Convolution without bias, BN, activation (relu or silu)."""

    def __init__(self, c1: int, c2: int, kernel: int = 1, act: str = "silu", stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, kernel, stride, kernel // 2 if stride == 1 else 0, bias=False)
        self.bn = nn.BatchNorm2d(c2)
        self.act = nn.ReLU() if act == "relu" else nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))  # type: ignore[no-any-return]


class AdaptiveFusion(nn.Module):
    """Adaptive spatial fusion of AFPN (Yang et al., 2023, arXiv 2306.15988) of two or three maps of equal shape: a
    softmax over the maps at each pixel, from 1x1 convolutions of them, weights their sum, which is convolved by 3x3."""

    def __init__(self, levels: int, channels: int, compress: int = 8, act: str = "silu") -> None:
        super().__init__()
        self.levels = levels
        for level in range(1, levels + 1):
            self.add_module(f"weight_level_{level}", Activated(channels, compress, 1, act))
        self.weight_levels = nn.Conv2d(levels * compress, levels, 1)
        self.conv = Activated(channels, channels, 3, act)

    def forward(self, *maps: Tensor) -> Tensor:
        votes = [self.get_submodule(f"weight_level_{level}")(one) for level, one in enumerate(maps, 1)]
        weights = self.weight_levels(torch.cat(votes, 1)).softmax(1)
        total = maps[0] * weights[:, :1]
        for number, one in enumerate(maps[1:], 1):
            total = total + one * weights[:, number : number + 1]
        return self.conv(total)  # type: ignore[no-any-return]


class Upsample(nn.Module):
    """1x1 convolution, then bilinear to a multiple of the size."""

    def __init__(self, c1: int, c2: int, scale_factor: int = 2, act: str = "silu") -> None:
        super().__init__()
        self.scale_factor = scale_factor
        self.upsample = nn.Sequential(Activated(c1, c2, 1, act))

    def forward(self, x: Tensor, like: Tensor | None = None) -> Tensor:
        y = self.upsample(x)
        if like is not None:
            return enlarge(y, like, "bilinear")
        return F.interpolate(y, scale_factor=self.scale_factor, mode="bilinear", align_corners=False)


class ScalSeq(nn.Module):
    """Scale sequence of ASF-YOLO (Kang et al., 2024, arXiv 2312.06458): P3, P4, P5 -> a map like P3.

    The smaller maps get P3's channels and size; a 3-D convolution, BN and leaky ReLU run over the three, and their
    maximum remains.

    Args:
        channels: of P3, P4 and P5.
    """

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        c3, c4, c5 = channels
        self.conv1, self.conv2 = Conv(c4, c3, 1), Conv(c5, c3, 1)
        self.conv3d = nn.Conv3d(c3, c3, 1)
        self.bn = nn.BatchNorm3d(c3)
        self.act = nn.LeakyReLU(0.1)

    def forward(self, p3: Tensor, p4: Tensor, p5: Tensor) -> Tensor:
        maps = [p3, enlarge(self.conv1(p4), p3), enlarge(self.conv2(p5), p3)]
        return self.act(self.bn(self.conv3d(torch.stack(maps, 2)))).amax(2)  # type: ignore[no-any-return]


def zoom_cat(large: Tensor, middle: Tensor, small: Tensor) -> Tensor:
    """The larger map, by maximum plus average pooling, and the smaller one beside the middle one, at its size.

    (Kang et al., 2024, arXiv 2312.06458)
    """
    size = (int(middle.shape[2]), int(middle.shape[3]))
    if (int(large.shape[2]), int(large.shape[3])) == (2 * size[0], 2 * size[1]):  # what ONNX can express
        pooled = F.max_pool2d(large, 2) + F.avg_pool2d(large, 2)
    else:
        pooled = F.adaptive_max_pool2d(large, size) + F.adaptive_avg_pool2d(large, size)
    return torch.cat([pooled, middle, enlarge(small, middle)], 1)


class ChannelAtt(nn.Module):
    """x sigmoid(conv1d(mean x)) over the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = int(abs((torch.tensor(float(channels)).log2().item() + 1) / 2))
        width += 1 - width % 2
        self.conv = nn.Conv1d(1, 1, width, padding=width // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.conv(x.mean((2, 3))[:, None]).sigmoid()[:, 0, :, None, None]  # type: ignore[no-any-return]


class LocalAtt(nn.Module):
    """x g_h(row means) g_w(column means), the gates from a shared 1x1 convolution, BN and ReLU."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(channels // reduction, 1)
        self.conv_1x1 = nn.Conv2d(channels, hidden, 1, bias=False)
        self.bn = nn.BatchNorm2d(hidden)
        self.F_h = nn.Conv2d(hidden, channels, 1, bias=False)
        self.F_w = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        height, width = int(x.shape[2]), int(x.shape[3])
        rows, columns = x.mean(3, keepdim=True).transpose(2, 3), x.mean(2, keepdim=True)
        both = F.relu(self.bn(self.conv_1x1(torch.cat([rows, columns], 3))))
        one, other = both[..., :height], both[..., height : height + width]
        return x * self.F_h(one.transpose(2, 3)).sigmoid() * self.F_w(other).sigmoid()  # type: ignore[no-any-return]


class ChannelPositionAttention(nn.Module):
    """Channel and position attention of ASF-YOLO (Kang et al., 2024, arXiv 2312.06458):
    local(channel(a) + b), two maps of equal shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channel_att, self.local_att = ChannelAtt(channels), LocalAtt(channels)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.local_att(self.channel_att(a) + b)  # type: ignore[no-any-return]


class HSChannelAttention(nn.Module):
    """Channel attention of HS-FPN (Shi et al., 2024, arXiv 2401.00926): sigmoid of an MLP of means plus of maxima.

    Args:
        scale: multiply the map; otherwise the gate (N, C, 1, 1) is returned.
    """

    def __init__(self, channels: int, ratio: int = 4, scale: bool = True) -> None:
        super().__init__()
        self.scale = scale
        self.conv1 = nn.Conv2d(channels, channels // ratio, 1, bias=False)
        self.conv2 = nn.Conv2d(channels // ratio, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        pooled = (x.mean((2, 3), keepdim=True), x.amax((2, 3), keepdim=True))
        one, other = (self.conv2(F.relu(self.conv1(each))) for each in pooled)
        gate: Tensor = (one + other).sigmoid()
        return gate * x if self.scale else gate


class GSActivated(nn.Module):
    """Convolution without bias, BN and, if wanted, an activation (mish or silu)."""

    def __init__(self, c1: int, c2: int, kernel: int = 1, stride: int = 1, groups: int = 1, act: str = "mish") -> None:
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(c2)
        self.act: nn.Module = {"mish": nn.Mish(), "silu": nn.SiLU(), "": nn.Identity()}[act]

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))  # type: ignore[no-any-return]


class GSConv(nn.Module):
    """GSConv (Li et al., 2022, arXiv 2206.02424): half of the channels from a convolution, half from a depth-wise 5x5
    one of these, shuffled: (N, c1, H, W) -> (N, c2, H/s, W/s).

    Args:
        k, s: kernel and stride of the convolution.
        act: mish, silu or none.
        interleave: shuffle as the paper's file does: a channel of each half in turn. Otherwise all even, then all odd
            channels.
    """

    def __init__(self, c1: int, c2: int, k: int = 1, s: int = 1, act: str = "mish", interleave: bool = True) -> None:
        super().__init__()
        divides("GSConv", c2, 2, "2")
        self.interleave = interleave
        self.cv1 = GSActivated(c1, c2 // 2, k, s, act=act)
        self.cv2 = GSActivated(c2 // 2, c2 // 2, 5, 1, c2 // 2, act)

    def forward(self, x: Tensor) -> Tensor:
        one = self.cv1(x)
        other = self.cv2(one)
        if self.interleave:
            return torch.stack([one, other], 2).flatten(1, 2)
        both = torch.cat([one, other], 1)
        return torch.cat([both[:, ::2], both[:, 1::2]], 1)


class GSBottleneck(nn.Module):
    """GSConv 1x1, GSConv 3x3 without activation, plus BN(conv1x1 x).

    Args:
        hidden: channels between the two.
    """

    def __init__(self, c1: int, c2: int, hidden: int, act: str = "mish", interleave: bool = True) -> None:
        super().__init__()
        self.conv_lighting = nn.Sequential(
            GSConv(c1, hidden, 1, 1, act, interleave), GSConv(hidden, c2, 3, 1, "", interleave)
        )
        self.shortcut = GSActivated(c1, c2, act="")

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_lighting(x) + self.shortcut(x)  # type: ignore[no-any-return]


class VoVGSCSP(nn.Module):
    """VoVGSCSP (Li et al., 2022, arXiv 2206.02424): conv1x1 of [conv1x1 x, GSBottleneck(conv1x1 x)]:
    (N, c1, H, W) -> (N, c2, H, W)."""

    def __init__(self, c1: int, c2: int, act: str = "mish") -> None:
        super().__init__()
        hidden = c2 // 2
        divides("VoVGSCSP", hidden, 4, "4")
        self.cv1, self.cv2 = GSActivated(c1, hidden, act=act), GSActivated(c1, hidden, act=act)
        self.gsb: nn.Module = GSBottleneck(hidden, hidden, hidden // 2, act)
        self.cv3 = GSActivated(2 * hidden, c2, act=act)

    def forward(self, x: Tensor) -> Tensor:
        return self.cv3(torch.cat([self.cv2(x), self.gsb(self.cv1(x))], 1))  # type: ignore[no-any-return]


CLASSES: tuple[type, ...] = (
    Fusion, Activated, AdaptiveFusion, Upsample, ScalSeq, ChannelAtt, LocalAtt, ChannelPositionAttention,
    HSChannelAttention, GSActivated, GSConv, GSBottleneck, VoVGSCSP,
)  # fmt: skip
