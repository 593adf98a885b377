"""Manhattan self-attention of RMT (Fan et al., 2023): attention weights decay with distance.

A block for architectures, ``+block=ret`` (the preset ``yolo11n-seg-rmt``), and four backbones, ``+backbone=rmt_t``,
``rmt_s``, ``rmt_b`` and ``rmt_l``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from inspector.api import LayerSpec, Text, hookimpl

PLUGIN = {
    "id": "rmt",
    "version": "1.0",
    "api": 1,
    "kinds": ["layer"],
    "description": "Retention blocks and backbones of RMT with Manhattan self-attention (arXiv 2309.11523)",
    "description_zh": "RMT 的保留模块与主干网络，采用曼哈顿自注意力（arXiv 2309.11523）",
}

_PAPER = "Fan et al., 2023, arXiv:2309.11523"


def _load_block() -> Sequence[type]:
    from inspector_plugins.rmt import blocks, layers

    return [blocks.RetentionBlock, *layers.CLASSES]


def _load_backbone() -> Sequence[type]:
    from inspector_plugins.rmt import blocks, layers

    return [blocks.RMTBackbone, *layers.CLASSES]


def _backbone(size: str) -> Any:
    from inspector_plugins.rmt.blocks import RMTBackbone

    return RMTBackbone(size)


@hookimpl
def inspector_layers() -> list[LayerSpec]:
    block = LayerSpec(
        id="ret",
        title=Text("Retention block of RMT", "RMT 保留模块"),
        kind="block",
        load=_load_block,
        about=Text(
            "Attention that fades with the distance between pixels.",
            "注意力随像素距离衰减。",
        ),
        paper=_PAPER,
        presets={"rmt": "+block=ret"},
    )
    backbones = [
        LayerSpec(
            id=f"rmt_{size.lower()}",
            title=Text(f"RMT-{size} backbone", f"RMT-{size} 主干网络"),
            kind="backbone",
            load=_load_backbone,
            about=Text(
                "A transformer backbone whose attention fades with distance.",
                "注意力随距离衰减的 Transformer 主干网络。",
            ),
            paper=_PAPER,
            build=partial(_backbone, size),
        )
        for size in "TSBL"
    ]
    return [block, *backbones]
