"""Convolutions whose kernel depends on the image; ``+convolution=od_conv`` in an architecture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from inspector.api import LayerSpec, Text, hookimpl

PLUGIN = {
    "id": "dynamic_convolutions",
    "version": "1.0",
    "api": 1,
    "kinds": ["layer"],
    "description": "Convolutions whose kernel depends on the image: ODConv, DynamicConv",
    "description_zh": "随图像变化的卷积核：ODConv、DynamicConv",
}


def _load(main: str) -> Sequence[type]:
    from inspector_plugins.dynamic_convolutions import layers

    return [getattr(layers, main), *(cls for cls in layers.CLASSES if cls.__name__ != main)]


def _build(function: str, *arguments: Any) -> Any:
    from inspector_plugins.dynamic_convolutions import layers

    return getattr(layers, function)(*arguments)


@hookimpl
def inspector_layers() -> list[LayerSpec]:
    return [
        LayerSpec(
            id="od_conv",
            title=Text("ODConv", "ODConv 卷积"),
            kind="convolution",
            load=partial(_load, "ODConv2d"),
            paper="Li et al., 2022, arXiv:2209.07947",
            build=partial(_build, "od_conv"),
            about=Text(
                "Weights the kernel by place, input and output channel for each image.",
                "按图像对卷积核的位置、输入与输出通道加权。",
            ),
        ),
        LayerSpec(
            id="dynamic_conv",
            title=Text("Dynamic convolution", "动态卷积"),
            kind="convolution",
            load=partial(_load, "DynamicConv"),
            paper="Han et al., 2023, arXiv:2306.14525",
            build=partial(_build, "dynamic_conv"),
            about=Text(
                "Mixes four kernels for each image.",
                "按图像混合四个卷积核。",
            ),
        ),
    ]
