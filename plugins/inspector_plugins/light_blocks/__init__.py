"""Light blocks; ``+block=faster`` in an architecture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from inspector.api import LayerSpec, Text, hookimpl

PLUGIN = {
    "id": "light_blocks",
    "version": "1.0",
    "api": 1,
    "kinds": ["layer"],
    "requires": ["timm"],
    "description": "Light blocks: FasterNet, StarNet, RepViT, GhostNetV2; ScConv",
    "description_zh": "轻量模块：FasterNet、StarNet、RepViT、GhostNetV2；ScConv",
}


def _load(main: str) -> Sequence[type]:
    from inspector_plugins.light_blocks import layers

    return [getattr(layers, main), *(cls for cls in layers.CLASSES if cls.__name__ != main)]


def _build(function: str, *arguments: Any) -> Any:
    from inspector_plugins.light_blocks import layers

    return getattr(layers, function)(*arguments)


@hookimpl
def inspector_layers() -> list[LayerSpec]:
    return [
        LayerSpec(
            id="faster",
            title=Text("FasterNet block", "FasterNet 模块"),
            kind="block",
            load=partial(_load, "FasterBlock"),
            paper="Chen et al., 2023, arXiv:2303.03667",
            build=partial(_build, "faster"),
            about=Text(
                "Convolves a quarter of the channels only, which is quick on processors.",
                "只对四分之一通道做卷积，在处理器上很快。",
            ),
        ),
        LayerSpec(
            id="star",
            title=Text("StarNet block", "StarNet 模块"),
            kind="block",
            load=partial(_load, "StarBlock"),
            paper="Ma et al., 2024, arXiv:2403.19967",
            build=partial(_build, "star"),
            about=Text(
                "Multiplies two linear maps, which acts like many more channels.",
                "两个线性映射相乘，相当于更多通道。",
            ),
        ),
        LayerSpec(
            id="repvit",
            title=Text("RepViT block", "RepViT 模块"),
            kind="block",
            load=partial(_load, "RepViTBlock"),
            paper="Wang et al., 2023, arXiv:2307.09283",
            build=partial(_build, "repvit"),
            about=Text(
                "Depth-wise branches that merge into one convolution, then a mixer of channels.",
                "可合并的深度卷积分支，再混合通道。",
            ),
        ),
        LayerSpec(
            id="ghost_v2",
            title=Text("GhostNetV2 bottleneck", "GhostNetV2 瓶颈"),
            kind="block",
            load=partial(_load, "GhostBottleneckV2"),
            paper="Tang et al., 2022, arXiv:2211.12905",
            build=partial(_build, "ghost_v2"),
            about=Text(
                "Cheap copies of half of the channels, weighted by long rows and columns.",
                "廉价生成一半通道，并按长行列加权。",
            ),
        ),
        LayerSpec(
            id="sc_conv",
            title=Text("ScConv", "ScConv 卷积"),
            kind="convolution",
            load=partial(_load, "ScConv"),
            paper="Li et al., 2023, doi:10.1109/CVPR52729.2023.00596",
            build=partial(_build, "sc_conv"),
            about=Text(
                "Separates strong from weak pixels and rich from cheap channels.",
                "区分强弱像素与丰富、廉价通道，减少冗余。",
            ),
        ),
    ]
