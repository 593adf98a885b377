"""Segmentation heads; ``+head=asff`` in an architecture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from inspector.api import LayerSpec, Text, hookimpl

PLUGIN = {
    "id": "heads",
    "version": "1.0",
    "api": 1,
    "kinds": ["layer"],
    "description": "Segmentation heads: ASFF, DyHead, LSCD, auxiliary",
    "description_zh": "分割检测头：ASFF、DyHead、LSCD、辅助头",
}


def _load(main: str) -> Sequence[type]:
    from inspector_plugins.heads import layers

    return [getattr(layers, main), *(cls for cls in layers.CLASSES if cls.__name__ != main)]


def _build(function: str, *arguments: Any) -> Any:
    from inspector_plugins.heads import layers

    return getattr(layers, function)(*arguments)


@hookimpl
def inspector_layers() -> list[LayerSpec]:
    return [
        LayerSpec(
            id="asff",
            title=Text("ASFF head", "ASFF 检测头"),
            kind="head",
            load=partial(_load, "ASFFSegment"),
            paper="Liu et al., 2019, arXiv:1911.09516",
            build=partial(_build, "asff"),
            about=Text(
                "Fuses the three maps with weights of its own at each pixel before the head.",
                "在检测头之前，按像素自适应加权融合三层特征。",
            ),
        ),
        LayerSpec(
            id="dy_head",
            title=Text("Dynamic head", "动态检测头"),
            kind="head",
            load=partial(_load, "DynamicSegment"),
            paper="Dai et al., 2021, arXiv:2106.08322",
            build=partial(_build, "dy_head"),
            about=Text(
                "Attends to levels, places and channels before the head; slow on processors.",
                "在检测头前对层级、位置和通道加注意力；在处理器上较慢。",
            ),
        ),
        LayerSpec(
            id="lscd",
            title=Text("Shared light head", "共享轻量检测头"),
            kind="head",
            load=partial(_load, "SharedSegment"),
            paper="Tian et al., 2019, arXiv:1904.01355",
            build=partial(_build, "lscd"),
            about=Text(
                "One set of convolutions for all maps, with fewer weights.",
                "各层共用一组卷积，参数更少。",
            ),
        ),
        LayerSpec(
            id="auxiliary",
            title=Text("Auxiliary head", "辅助检测头"),
            kind="head",
            load=partial(_load, "AuxiliarySegment"),
            paper="Wang et al., 2022, arXiv:2207.02696",
            build=partial(_build, "auxiliary"),
            about=Text(
                "A second head learns along during training and is dropped for inference.",
                "训练时增加第二个检测头，推理时去除。",
            ),
        ),
    ]
