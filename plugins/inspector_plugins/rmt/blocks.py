"""RMT's layers in a YOLO network: maps are (N, C, H, W), and each layer creates its own masks."""

from __future__ import annotations

from inspector.api import prepare_torch

prepare_torch()

from torch import Tensor, nn

from inspector_plugins.rmt.attention import RelPos2d, nchw, nhwc
from inspector_plugins.rmt.layers import SIZES, VisRetNet, stage_maps
from inspector_plugins.rmt.retblock import RetBlock

_MOST_HEADS, _LEAST_CHANNELS = 8, 8
_LARGEST_CHUNK_STRIDE = 16


class RetentionBlock(nn.Module):
    """A :class:`RetBlock` in a bottleneck's place: (N, c, H, W) -> (N, c, H, W).

    Retention is 'chunk' (rows, then columns) up to stride 16 and 'whole' beyond, where maps are small. As many heads as
    leave each at least 8 channels, 8 at most, see :func:`heads_for`; a feed-forward network twice as wide as the map;
    initial decay value 2 and range 4 as in the first stage of RMT-T and RMT-S.

    Args:
        c1, c2: channels, both the same.
        stride: pixels of the image to one of the map.
    """

    def __init__(self, c1: int, c2: int, stride: int) -> None:
        super().__init__()
        if c1 != c2:
            raise ValueError(f"a retention block keeps the channels; it cannot make {c2} of {c1}")
        heads = heads_for(c1)
        self.chunk = stride <= _LARGEST_CHUNK_STRIDE
        self.Relpos = RelPos2d(c1, heads, 2, 4)
        self.block = RetBlock("chunk" if self.chunk else "whole", c1, heads, 2 * c1)

    def forward(self, x: Tensor) -> Tensor:
        masks = self.Relpos((x.shape[2], x.shape[3]), chunkwise_recurrent=self.chunk)
        return nchw(self.block(nhwc(x), None, self.chunk, masks))


def heads_for(channels: int) -> int:
    """The largest number of heads up to 8 that divides the channels into equal parts of at least 8, preferably even."""
    fitting = [
        n for n in range(1, _MOST_HEADS + 1) if channels % n == 0 and (n == 1 or channels // n >= _LEAST_CHANNELS)
    ]
    even = [n for n in fitting if channels // n % 2 == 0]
    return max(even or fitting)


class RMTBackbone(nn.Module):
    """RMT as a backbone: (N, 3, H, W) -> its maps of stride 8, 16 and 32.

    As in the official detector, a map is taken after the last block of its stage, before it is merged for the next one,
    and normalised; the stage of stride 4 gives no map and has no norm. Keys of ``patch_embed`` and ``layers`` are those
    of :class:`VisRetNet`. Maps of the stages with retention 'whole' (stride 32, of RMT-T also 16) cost the square of
    their pixels: RMT-T takes images up to about 1400 x 1400 pixels, the others up to 2200 x 2200.

    Args:
        size: T, S, B or L.

    Attributes:
        channels: of the three maps.
    """

    def __init__(self, size: str = "T") -> None:
        super().__init__()
        if size not in SIZES:
            raise ValueError(f"size must be one of {', '.join(SIZES)}, not {size!r}")
        network = VisRetNet(num_classes=0, **SIZES[size])
        self.channels = [layer.embed_dim for layer in network.layers[1:]]
        self.patch_embed = network.patch_embed
        self.layers = network.layers
        self.extra_norms = nn.ModuleList(nn.LayerNorm(channels) for channels in self.channels)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = stage_maps(self.patch_embed(x), self.layers)[1:]
        return [nchw(norm(x)) for norm, x in zip(self.extra_norms, maps, strict=True)]
