"""UniRepLKNet's block, its merging large kernel and its networks as parts of a YOLO11."""

from __future__ import annotations

from inspector.api import prepare_torch

prepare_torch()

from torch import Tensor, nn
from ultralytics.nn.modules import Conv

from inspector_plugins.unireplknet.layers import (
    DilatedReparamBlock,
    GRNwithNHWC,
    SEBlock,
    UniRepLKNet,
    UniRepLKNetBlock,
)
from inspector_plugins.unireplknet.parts import DropPath, LayerNorm, NCHWtoNHWC, NHWCtoNCHW
from inspector_plugins.unireplknet.tables import MEMBERS

_LAYER_SCALE = 1.0
"""The layer scale at the start. The official 1e-6 suits hundreds of epochs: with it the gradients of the branches are a
millionth of all others at first, and a short training leaves them unused (150 steps on drawn rings, BCE on unseen ones:
0.08 with 1, 0.19 with 0.1, 0.22 with 1e-6). The branch ends in a batch normalisation, so that 1 is stable."""


def block(c1: int, c2: int, stride: int) -> UniRepLKNetBlock:
    """A UniRepLKNetBlock in a bottleneck's place: kernel 7 up to stride 8, 13 deeper; c1 == c2.

    The layer scale begins with 1, not with the official 1e-6, so that the branch learns in a short training as well.
    """
    _same(c1, c2)
    return UniRepLKNetBlock(c1, 7 if stride <= 8 else 13, layer_scale_init_value=_LAYER_SCALE)


class DilatedReparamBottleneck(nn.Module):
    """A bottleneck with a large kernel: y = x + DRB(SiLU(BN(W * x))), W 3x3 from c1 to c1, DRB a
    :class:`DilatedReparamBlock` with kernel 7 (arXiv 2311.15599).

    Not of the paper: it is how the YOLO community plugs that block in. (N, c1, H, W) -> the same; c1 == c2.
    """

    def __init__(self, c1: int, c2: int, stride: int) -> None:
        super().__init__()
        _same(c1, c2)
        self.cv1 = Conv(c1, c1, 3)
        self.cv2 = DilatedReparamBlock(c1, 7)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.cv2(self.cv1(x))  # type: ignore[no-any-return]


class UniRepLKNetBackbone(UniRepLKNet):
    """The official network in features mode without its first map: (N, 3, H, W) -> maps of stride 8, 16 and 32.

    norm0, whose output no neck takes, is left out, and the layer scale begins with 1 as that of :func:`block`.

    Attributes:
        channels: of the three maps.
    """

    def __init__(self, member: str) -> None:
        if member not in MEMBERS:
            raise ValueError(f"UniRepLKNet's networks are {', '.join(MEMBERS)}, got {member!r}")
        depths, dims = MEMBERS[member]
        super().__init__(num_classes=None, depths=depths, dims=dims, layer_scale_init_value=_LAYER_SCALE)
        self.norm0 = nn.Identity()
        self.channels = list(dims[1:])

    def forward(self, x: Tensor) -> list[Tensor]:
        return list(super().forward(x))[1:]


def _same(c1: int, c2: int) -> None:
    if c1 != c2:
        raise ValueError(f"a block keeps the number of channels: c2 should be {c1}, got {c2}")


CLASSES = (
    UniRepLKNetBlock,
    DilatedReparamBottleneck,
    UniRepLKNetBackbone,
    UniRepLKNet,
    DilatedReparamBlock,
    GRNwithNHWC,
    SEBlock,
    LayerNorm,
    DropPath,
    NCHWtoNHWC,
    NHWCtoNCHW,
)
