"""VMamba (Liu et al. 2024, arXiv 2401.10166) as parts of an architecture: a block and the three backbones.

The block is the paper's VSS block as in its smallest network (d_state 1, ssm_ratio 1, no gate: ``v05_noz``), with an
MLP of twice instead of four times the channels: at c channels some 7 c^2 weights, less than half of the bottleneck it
replaces. The backbones are the published tiny s1l8, small s2l15 and base s2l15, with an output normalisation of each
map as in the official detection code.
"""

from __future__ import annotations

from inspector.api import prepare_torch

prepare_torch()

from torch import Tensor, nn

from inspector_plugins.vmamba import layers
from inspector_plugins.vmamba.layers import Backbone_VSSM, VSSBlock
from inspector_plugins.vmamba.parts import LayerNorm2d
from inspector_plugins.vmamba.tables import MEMBERS, OFFICIAL


def vss(c1: int, c2: int, stride: int) -> VSSBlock:
    """A block: (N, c1, H, W) -> (N, c2, H, W), c1 == c2; the stride does not matter.

    Raises:
        ValueError: where c1 != c2.
    """
    if c1 != c2:
        raise ValueError(f"a VSS block keeps the channels; c1 is {c1}, c2 is {c2}")
    return VSSBlock(
        hidden_dim=c1,
        norm_layer=LayerNorm2d,
        channel_first=True,
        ssm_d_state=1,
        ssm_ratio=1.0,
        ssm_conv_bias=False,
        forward_type="v05_noz",
        mlp_ratio=2.0,
    )


class VMambaBackbone(Backbone_VSSM):
    """VMamba as the backbone of a YOLO: (N, 3, H, W) -> maps of stride 8, 16 and 32.

    Attributes:
        channels: of the three maps.
    """

    def __init__(self, member: str = "t") -> None:
        if member not in MEMBERS:
            raise ValueError(f"VMamba: expected one of {', '.join(MEMBERS)}, got {member!r}")
        super().__init__(out_indices=(1, 2, 3), norm_layer="ln2d", **OFFICIAL[MEMBERS[member]])
        self.channels = self.dims[1:]

    def forward(self, x: Tensor) -> list[Tensor]:
        return super().forward(x)  # type: ignore[no-any-return]


CLASSES: tuple[type[nn.Module], ...] = (VMambaBackbone, *layers.CLASSES)
