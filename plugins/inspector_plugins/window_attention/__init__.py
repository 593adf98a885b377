"""Attention among some of the pixels; ``+attention=bra`` in an architecture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from inspector.api import LayerSpec, Text, hookimpl

PLUGIN = {
    "id": "window_attention",
    "version": "1.0",
    "api": 1,
    "kinds": ["layer"],
    "description": "Attention among some of the pixels: BRA, MSDA and the block iRMB",
    "description_zh": "局部像素间的注意力：BRA、MSDA 与 iRMB 模块",
}


def _load(main: str) -> Sequence[type]:
    from inspector_plugins.window_attention import layers

    return [getattr(layers, main), *(cls for cls in layers.CLASSES if cls.__name__ != main)]


def _build(function: str, *arguments: Any) -> Any:
    from inspector_plugins.window_attention import layers

    return getattr(layers, function)(*arguments)


@hookimpl
def inspector_layers() -> list[LayerSpec]:
    return [
        LayerSpec(
            id="bra",
            title=Text("BRA attention", "BRA 注意力"),
            kind="attention",
            load=partial(_load, "BRA"),
            paper="Zhu et al., 2023, arXiv:2303.08810",
            build=partial(_build, "bra"),
            about=Text(
                "Each region attends to the four regions that fit it best.",
                "每个区域只关注与其最匹配的四个区域。",
            ),
        ),
        LayerSpec(
            id="msda",
            title=Text("MSDA attention", "MSDA 注意力"),
            kind="attention",
            load=partial(_load, "MSDA"),
            paper="Jiao et al., 2023, arXiv:2302.01791",
            build=partial(_build, "msda"),
            about=Text(
                "Each pixel attends to its neighbours at one and at two pixels' distance.",
                "每个像素关注距离为一和二像素的邻居。",
            ),
        ),
        LayerSpec(
            id="irmb",
            title=Text("iRMB block", "iRMB 模块"),
            kind="block",
            load=partial(_load, "iRMB"),
            paper="Zhang et al., 2023, arXiv:2301.01146",
            build=partial(_build, "irmb"),
            about=Text(
                "Attention in strided windows within an inverted residual of depth-wise convolutions.",
                "在倒残差深度卷积中加入跨步窗口注意力。",
            ),
        ),
    ]
