"""UniRepLKNet (Ding et al. 2023, arXiv 2311.15599): its block and its merging kernel for C3k2, and nine backbones."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from inspector.api import LayerSpec, Text, hookimpl
from inspector_plugins.unireplknet.tables import MEMBERS

if TYPE_CHECKING:
    from torch import nn

PLUGIN = {
    "id": "unireplknet",
    "version": "1.0",
    "api": 1,
    "kinds": ["layer"],
    "description": "UniRepLKNet: large kernels trained with dilated branches, as a block and as backbones a to xl",
    "description_zh": "UniRepLKNet：大卷积核，训练时带膨胀卷积分支，可作模块，也可作 a 到 xl 的主干网络",
}
PAPER = "Ding et al., 2023, arXiv:2311.15599"


def _classes() -> Sequence[type]:
    from inspector_plugins.unireplknet import blocks

    return blocks.CLASSES


def _block(c1: int, c2: int, stride: int) -> nn.Module:
    from inspector_plugins.unireplknet import blocks

    return blocks.block(c1, c2, stride)


def _dilated_reparam(c1: int, c2: int, stride: int) -> nn.Module:
    from inspector_plugins.unireplknet import blocks

    return blocks.DilatedReparamBottleneck(c1, c2, stride)


def _backbone(member: str) -> nn.Module:
    from inspector_plugins.unireplknet import blocks

    return blocks.UniRepLKNetBackbone(member)


@hookimpl
def inspector_layers() -> list[LayerSpec]:
    return [
        LayerSpec(
            id="unireplknet",
            title=Text("UniRepLKNet block", "UniRepLKNet 模块"),
            about=Text(
                "Depth-wise convolutions of up to 13 pixels, merged for inference.",
                "最大 13 像素的深度卷积，推理时合并。",
            ),
            kind="block",
            load=_classes,
            paper=PAPER,
            build=_block,
            presets={"unireplknet": "+block=unireplknet"},
        ),
        LayerSpec(
            id="dilated_reparam",
            title=Text("Dilated reparam block", "膨胀重参数模块"),
            about=Text(
                "One large kernel with dilated branches, merged for inference.",
                "大卷积核加膨胀分支，推理时合并。",
            ),
            kind="block",
            load=_classes,
            paper=PAPER,
            build=_dilated_reparam,
        ),
        *(
            LayerSpec(
                id=f"unireplknet_{member}",
                title=Text(f"UniRepLKNet-{member.upper()}", f"UniRepLKNet-{member.upper()} 主干网络"),
                about=Text(
                    "A convolutional backbone with large kernels.",
                    "大卷积核的卷积主干网络。",
                ),
                kind="backbone",
                load=_classes,
                paper=PAPER,
                build=partial(_backbone, member),
            )
            for member in MEMBERS
        ),
    ]
