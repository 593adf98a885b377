"""Losses of masks for edges and thin lines; ``+loss=cldice`` in an architecture. They cost nothing at inference."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from inspector.api import LayerSpec, Text, hookimpl

PLUGIN = {
    "id": "mask_losses",
    "version": "1.0",
    "api": 1,
    "kinds": ["layer"],
    "requires": ["opencv-python"],
    "description": "Losses of masks: Dice with boundary, clDice, scale and location sensitive loss",
    "description_zh": "掩膜损失：Dice 加边界、clDice、尺度与位置敏感损失",
}


def _load(name: str) -> Sequence[type]:
    from inspector_plugins.mask_losses import layers

    return (getattr(layers, name),)


MaskSpec = partial(LayerSpec, kind="loss", part="mask")


@hookimpl
def inspector_layers() -> list[LayerSpec]:
    return [
        MaskSpec(
            id="dice_boundary",
            title=Text("Dice and boundary loss", "Dice 与边界损失"),
            load=partial(_load, "DiceBoundary"),
            paper="Milletari et al., 2016, arXiv:1606.04797; Kervadec et al., 2019, arXiv:1812.07032",
            about=Text(
                "Adds the overlap of the whole mask and the distance of its edge to the cross entropy.",
                "在交叉熵之外加入整体重叠和边缘距离。",
            ),
        ),
        MaskSpec(
            id="cldice",
            title=Text("clDice loss", "clDice 损失"),
            load=partial(_load, "ClDice"),
            paper="Shit et al., 2021, arXiv:2003.07311",
            about=Text(
                "Compares skeletons, so that cracks and scratches stay connected; slows training.",
                "比较骨架，使裂纹和划痕保持连通；训练较慢。",
            ),
        ),
        MaskSpec(
            id="sd_mask",
            title=Text("Scale-based dynamic mask loss", "尺度动态掩膜损失"),
            load=partial(_load, "SLSIoU"),
            paper="Yang et al., 2024, arXiv:2412.16986",
            about=Text(
                "Weighs overlap against position by the size of the defect.",
                "按缺陷大小在重叠与位置之间加权。",
            ),
        ),
    ]
