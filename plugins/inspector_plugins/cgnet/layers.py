"""CGNet: A Light-weight Context Guided Network for Semantic Segmentation (Wu et al., 2018, arXiv 1811.08201).

Class names, constructor arguments and keys of the state dict are the official ones, so that official weights load.
All maps are (N, C, H, W). In every class nIn and nOut are channels, kSize is a kernel side, and convolutions keep the
size, or give ceil(H/2), ceil(W/2) with stride 2.

With DW a depth-wise 3x3 convolution and DW_d one of dilation d, a context guided block computes out of t, the input
projected to fewer channels::

    f_loc = DW(t)              a pixel and its neighbours (local feature)
    f_sur = DW_d(t)            its wider neighbourhood (surrounding context)
    f_joi = PReLU(BN([f_loc, f_sur]))
    f_glo = sigmoid(W2 relu(W1 mean_HW(f_joi)))     the whole image (global context)
    y     = f_joi * f_glo
"""
# ruff: noqa: N801, N803, N812 - the names are the official ones

from __future__ import annotations

from typing import Self

from inspector.api import prepare_torch

prepare_torch()

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inspector_plugins._shared.foreign_weights import count, load_foreign, size
from inspector_plugins.cgnet.merging import merge

_EPS = 1e-3  # of every BatchNorm2d
_DILATION, _REDUCTION = {2: 2, 3: 4}, {2: 8, 3: 16}  # of the network's stages 2 and 3


class ConvBNPReLU(nn.Module):
    """kSize x kSize convolution without bias, batch normalisation, PReLU: (N, nIn, H, W) -> (N, nOut, H', W')."""

    def __init__(self, nIn: int, nOut: int, kSize: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(nIn, nOut, kSize, stride, (kSize - 1) // 2, bias=False)
        self.bn: nn.Module = nn.BatchNorm2d(nOut, eps=_EPS)
        self.act = nn.PReLU(nOut)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))  # type: ignore[no-any-return]

    def reparameterize(self) -> None:
        """Merge the normalisation into the convolution, in place."""
        self.bn = merge(self.bn, self.conv)


class BNPReLU(nn.Module):
    """Batch normalisation and PReLU of nOut channels."""

    def __init__(self, nOut: int) -> None:
        super().__init__()
        self.bn: nn.Module = nn.BatchNorm2d(nOut, eps=_EPS)
        self.act = nn.PReLU(nOut)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(x))  # type: ignore[no-any-return]


class Conv(nn.Module):
    """A convolution without bias: (N, nIn, H, W) -> (N, nOut, H', W')."""

    def __init__(self, nIn: int, nOut: int, kSize: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(nIn, nOut, kSize, stride, (kSize - 1) // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)  # type: ignore[no-any-return]


class ChannelWiseConv(Conv):
    """A depth-wise convolution without bias; nIn divides nOut."""

    def __init__(self, nIn: int, nOut: int, kSize: int, stride: int = 1) -> None:
        nn.Module.__init__(self)
        self.conv = nn.Conv2d(nIn, nOut, kSize, stride, (kSize - 1) // 2, groups=nIn, bias=False)


class ChannelWiseDilatedConv(Conv):
    """A depth-wise convolution of dilation d without bias; nIn divides nOut."""

    def __init__(self, nIn: int, nOut: int, kSize: int, stride: int = 1, d: int = 1) -> None:
        nn.Module.__init__(self)
        padding = (kSize - 1) // 2 * d
        self.conv = nn.Conv2d(nIn, nOut, kSize, stride, padding, dilation=d, groups=nIn, bias=False)


class FGlo(nn.Module):
    """The global context extractor: x * sigmoid(W2 relu(W1 mean_HW(x) + b1) + b2), (N, channel, H, W) -> the same.

    Args:
        channel: channels of the map.
        reduction: W1 has channel // reduction rows.

    Raises:
        ValueError: where that leaves no row.
    """

    def __init__(self, channel: int, reduction: int = 16) -> None:
        super().__init__()
        if not 1 <= reduction <= channel:
            raise ValueError(f"reduction must be from 1 to the number of channels, {channel}, and is {reduction}")
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Linear(channel, channel // reduction),
            nn.ReLU(inplace=True),
            nn.Linear(channel // reduction, channel),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc(self.avg_pool(x).flatten(1))[:, :, None, None]  # type: ignore[no-any-return]

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> Self:
        """Build a module from the weights of ``foreign``; ValueError names what does not fit."""
        channel, hidden = size(foreign, "fc.2.weight", 0), size(foreign, "fc.2.weight", 1)
        return load_foreign(cls(channel, max(1, channel // max(1, hidden))), foreign)


class ContextGuidedBlock(nn.Module):
    """A context guided block that keeps the size: (N, nIn, H, W) -> (N, nOut, H, W).

    t is a 1x1 convolution to nOut / 2 channels with BN and PReLU; x + y is returned (global residual learning), or y.

    Args:
        nIn: channels of the input.
        nOut: channels of the output, even: half is local feature, half is surrounding context.
        dilation_rate: of the surrounding context.
        reduction: of the global context, see :class:`FGlo`.
        add: add the input; needs nIn == nOut.

    Raises:
        ValueError: for arguments that do not go together.
    """

    def __init__(self, nIn: int, nOut: int, dilation_rate: int = 2, reduction: int = 16, add: bool = True) -> None:
        super().__init__()
        if nOut < 2 or nOut % 2:
            raise ValueError(f"nOut must be even, half local feature and half surrounding context, and is {nOut}")
        if add and nIn != nOut:
            raise ValueError(f"add needs as many channels out as in; nIn is {nIn}, nOut is {nOut}")
        _check_dilation(dilation_rate)
        half = nOut // 2
        self.conv1x1 = ConvBNPReLU(nIn, half, 1, 1)
        self.F_loc = ChannelWiseConv(half, half, 3, 1)
        self.F_sur = ChannelWiseDilatedConv(half, half, 3, 1, dilation_rate)
        self.bn_prelu = BNPReLU(nOut)
        self.add = add
        self.F_glo = FGlo(nOut, reduction)

    def forward(self, x: Tensor) -> Tensor:
        t = self.conv1x1(x)
        joint = self.bn_prelu(torch.cat([self.F_loc(t), self.F_sur(t)], 1))
        y: Tensor = self.F_glo(joint)
        return x + y if self.add else y

    def reparameterize(self) -> None:
        """Merge the normalisations into the convolutions before them, in place."""
        self.conv1x1.reparameterize()
        self.bn_prelu.bn = merge(self.bn_prelu.bn, self.F_loc.conv, self.F_sur.conv)

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> Self:
        """Build a module from the weights of ``foreign``; ValueError names what does not fit."""
        n_in, n_out = size(foreign, "conv1x1.conv.weight", 1), size(foreign, "F_glo.fc.2.weight", 0)
        add = bool(getattr(foreign, "add", n_in == n_out))
        return load_foreign(cls(n_in, n_out, _dilation(foreign), _reduction(foreign), add), foreign)


class ContextGuidedBlock_Down(nn.Module):
    """A context guided block that halves the size: (N, nIn, H, W) -> (N, nOut, ceil(H/2), ceil(W/2)).

    t is a 3x3 convolution of stride 2 to nOut channels with BN and PReLU, f_joi has 2 nOut channels, and a plain 1x1
    convolution reduces it to nOut before the global context.

    Args:
        nIn: channels of the input.
        nOut: channels of the output.
        dilation_rate: of the surrounding context.
        reduction: of the global context, see :class:`FGlo`.
    """

    def __init__(self, nIn: int, nOut: int, dilation_rate: int = 2, reduction: int = 16) -> None:
        super().__init__()
        _check_dilation(dilation_rate)
        self.conv1x1 = ConvBNPReLU(nIn, nOut, 3, 2)  # 3x3; the name is the official one
        self.F_loc = ChannelWiseConv(nOut, nOut, 3, 1)
        self.F_sur = ChannelWiseDilatedConv(nOut, nOut, 3, 1, dilation_rate)
        self.bn: nn.Module = nn.BatchNorm2d(2 * nOut, eps=_EPS)
        self.act = nn.PReLU(2 * nOut)
        self.reduce = Conv(2 * nOut, nOut, 1, 1)
        self.F_glo = FGlo(nOut, reduction)

    def forward(self, x: Tensor) -> Tensor:
        t = self.conv1x1(x)
        joint = self.act(self.bn(torch.cat([self.F_loc(t), self.F_sur(t)], 1)))
        return self.F_glo(self.reduce(joint))  # type: ignore[no-any-return]

    def reparameterize(self) -> None:
        """Merge the normalisations into the convolutions before them, in place."""
        self.conv1x1.reparameterize()
        self.bn = merge(self.bn, self.F_loc.conv, self.F_sur.conv)

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> Self:
        """Build a module from the weights of ``foreign``; ValueError names what does not fit."""
        n_in, n_out = size(foreign, "conv1x1.conv.weight", 1), size(foreign, "F_glo.fc.2.weight", 0)
        return load_foreign(cls(n_in, n_out, _dilation(foreign), _reduction(foreign)), foreign)


class InputInjection(nn.Module):
    """The image made smaller by average pooling: (N, C, H, W) -> (N, C, ceil(H/2^r), ceil(W/2^r)).

    Args:
        downsamplingRatio: r, how many times the size is halved.
    """

    def __init__(self, downsamplingRatio: int) -> None:
        super().__init__()
        self.pool = nn.ModuleList(nn.AvgPool2d(3, stride=2, padding=1) for _ in range(downsamplingRatio))

    def forward(self, x: Tensor) -> Tensor:
        for pool in self.pool:
            x = pool(x)
        return x


class CGNetEncoder(nn.Module):
    """Stages 1 to 3 of CGNet: (N, 3, H, W) -> 35 channels at stride 2, 131 at stride 4, 256 at stride 8.

    A stage joins maps under BN and PReLU: stage 1 its own and the image made smaller, stage 2 its last, its first and
    the image, stage 3 its first and its last.

    Args:
        M: context guided blocks of stage 2, the downsampling one included.
        N: those of stage 3.
    """

    def __init__(self, M: int = 3, N: int = 21) -> None:
        super().__init__()
        if M < 1 or N < 1:
            raise ValueError(f"a stage needs at least its downsampling block; M is {M}, N is {N}")
        self.level1_0 = ConvBNPReLU(3, 32, 3, 2)
        self.level1_1 = ConvBNPReLU(32, 32, 3, 1)
        self.level1_2 = ConvBNPReLU(32, 32, 3, 1)
        self.sample1 = InputInjection(1)
        self.sample2 = InputInjection(2)
        self.b1 = BNPReLU(32 + 3)
        self.level2_0 = ContextGuidedBlock_Down(32 + 3, 64, _DILATION[2], _REDUCTION[2])
        self.level2 = guided_blocks(64, M - 1, _DILATION[2], _REDUCTION[2])
        self.bn_prelu_2 = BNPReLU(128 + 3)
        self.level3_0 = ContextGuidedBlock_Down(128 + 3, 128, _DILATION[3], _REDUCTION[3])
        self.level3 = guided_blocks(128, N - 1, _DILATION[3], _REDUCTION[3])
        self.bn_prelu_3 = BNPReLU(256)

    def forward_features(self, x: Tensor) -> list[Tensor]:
        """The maps of stride 2, 4 and 8: (N, 35, H/2, W/2), (N, 131, H/4, W/4), (N, 256, H/8, W/8), rounded up."""
        map2 = self.b1(torch.cat([self.level1_2(self.level1_1(self.level1_0(x))), self.sample1(x)], 1))
        first = self.level2_0(map2)
        map4 = self.bn_prelu_2(torch.cat([run_through(self.level2, first), first, self.sample2(x)], 1))
        first = self.level3_0(map4)
        map8 = self.bn_prelu_3(torch.cat([first, run_through(self.level3, first)], 1))
        return [map2, map4, map8]

    def reparameterize(self) -> None:
        """Merge the normalisations of all parts into the convolutions before them, in place."""
        for part in self.modules():
            if isinstance(part, ConvBNPReLU | ContextGuidedBlock | ContextGuidedBlock_Down):
                part.reparameterize()


class Context_Guided_Network(CGNetEncoder):
    """CGNet, the whole network for semantic segmentation: (N, 3, H, W) -> logits (N, classes, H, W).

    Args:
        classes: of the logits.
        M: context guided blocks of stage 2, the downsampling one included.
        N: those of stage 3.
        dropout_flag: drop a tenth of the channels before the classifier, in training.
    """

    def __init__(self, classes: int = 19, M: int = 3, N: int = 21, dropout_flag: bool = False) -> None:
        super().__init__(M, N)
        if classes < 1:
            raise ValueError(f"at least one class is needed, not {classes}")
        head = Conv(256, classes, 1, 1)
        self.classifier = nn.Sequential(nn.Dropout2d(0.1), head) if dropout_flag else nn.Sequential(head)
        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        logits = self.classifier(self.forward_features(x)[-1])
        return F.interpolate(logits, size=x.shape[2:], mode="bilinear", align_corners=False)

    @classmethod
    def load_foreign(cls, foreign: nn.Module) -> Self:
        """Build a module from the weights of ``foreign``; ValueError names what does not fit."""
        dropout = "classifier.1.conv.weight" in foreign.state_dict()
        classes = size(foreign, f"classifier.{int(dropout)}.conv.weight", 0)
        m, n = (1 + count(foreign, level, least=0) for level in ("level2", "level3"))
        return load_foreign(cls(classes, m, n, dropout), foreign)


def initialize(network: nn.Module) -> None:
    """Draw the weights of all convolutions as the paper's code does (He et al., 2015, arXiv 1502.01852)."""
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight)


def guided_blocks(channels: int, blocks: int, dilation: int, reduction: int) -> nn.ModuleList:
    """The blocks of a stage that keep the size."""
    return nn.ModuleList(ContextGuidedBlock(channels, channels, dilation, reduction) for _ in range(blocks))


def run_through(blocks: nn.ModuleList, x: Tensor) -> Tensor:
    """Run x through the blocks, one after another."""
    for block in blocks:
        x = block(x)
    return x


def _check_dilation(rate: int) -> None:
    if rate < 1:
        raise ValueError(f"dilation_rate must be at least 1 and is {rate}")


def _dilation(foreign: nn.Module) -> int:
    """Dilation of the surrounding context; if ``foreign`` has none, its keys will not match either."""
    conv = dict(foreign.named_modules()).get("F_sur.conv")
    return conv.dilation[0] if isinstance(conv, nn.Conv2d) else 2


def _reduction(foreign: nn.Module) -> int:
    """Reduction of the global context, from the shape of its second matrix."""
    channel, hidden = (size(foreign, "F_glo.fc.2.weight", axis) for axis in (0, 1))
    return max(1, channel // max(1, hidden))


CLASSES: tuple[type, ...] = (
    ContextGuidedBlock,
    ContextGuidedBlock_Down,
    Context_Guided_Network,
    FGlo,
    InputInjection,
    ConvBNPReLU,
    BNPReLU,
    Conv,
    ChannelWiseConv,
    ChannelWiseDilatedConv,
)
