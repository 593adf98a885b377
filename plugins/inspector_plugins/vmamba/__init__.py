"""VMamba (Liu et al. 2024): a map is read as sequences, along and across, with the selective scan of Mamba.

Layers for architectures: the block ``+block=vss``, which is the preset ``yolo11n-seg-vmamba``, and the backbones
``+backbone=vmamba_t``, ``vmamba_s`` and ``vmamba_b``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from inspector.api import LayerSpec, Text, hookimpl
from inspector_plugins.vmamba.tables import MEMBERS

if TYPE_CHECKING:
    from torch import nn

PLUGIN = {
    "id": "vmamba",
    "version": "1.0",
    "api": 1,
    "kinds": ["layer"],
    "description": "VMamba: selective scans through the map, as a block and as backbones (arXiv 2401.10166)",
    "description_zh": "VMamba：对特征图做选择性扫描，可作模块，也可作主干网络（arXiv 2401.10166）",
}

_PAPER = "Liu et al., 2024, arXiv:2401.10166"


def _load_block() -> Sequence[type]:
    from inspector_plugins.vmamba import layers

    return layers.CLASSES


def _load_backbone() -> Sequence[type]:
    from inspector_plugins.vmamba import blocks

    return blocks.CLASSES


def _block(c1: int, c2: int, stride: int) -> nn.Module:
    from inspector_plugins.vmamba.blocks import vss

    return vss(c1, c2, stride)


def _backbone(member: str) -> nn.Module:
    from inspector_plugins.vmamba.blocks import VMambaBackbone

    return VMambaBackbone(member)


@hookimpl
def inspector_layers() -> list[LayerSpec]:
    return [
        LayerSpec(
            id="vss",
            title=Text("Visual state space block", "视觉状态空间模块"),
            kind="block",
            load=_load_block,
            about=Text(
                "Scans the map in four directions with a state space model.",
                "用状态空间模型沿四个方向扫描特征图。",
            ),
            paper=_PAPER,
            build=_block,
            presets={"vmamba": "+block=vss"},
        ),
        *(
            LayerSpec(
                id=f"vmamba_{member}",
                title=Text(f"VMamba-{member.upper()} backbone", f"VMamba-{member.upper()} 主干网络"),
                kind="backbone",
                load=_load_backbone,
                about=Text(
                    "A backbone that scans its maps with state space models.",
                    "用状态空间模型扫描特征图的主干网络。",
                ),
                paper=_PAPER,
                build=partial(_backbone, member),
            )
            for member in MEMBERS
        ),
    ]
