"""Convolutions of other shapes than a square; ``+convolution=dy_snake`` in an architecture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from inspector.api import LayerSpec, Text, hookimpl

PLUGIN = {
    "id": "shaped_convolutions",
    "version": "1.0",
    "api": 1,
    "kinds": ["layer"],
    "description": "Convolutions of other shapes: WTConv, RFAConv, PinwheelConv, DySnakeConv, LDConv, DCNv2 to v4",
    "description_zh": "特殊形状卷积：WTConv、RFAConv、PinwheelConv、DySnakeConv、LDConv、DCNv2 至 v4",
}


def _load(main: str) -> Sequence[type]:
    from inspector_plugins.shaped_convolutions import layers

    return [getattr(layers, main), *(cls for cls in layers.CLASSES if cls.__name__ != main)]


def _build(function: str, *arguments: Any) -> Any:
    from inspector_plugins.shaped_convolutions import layers

    return getattr(layers, function)(*arguments)


@hookimpl
def inspector_layers() -> list[LayerSpec]:
    return [
        LayerSpec(
            id="wt_conv",
            title=Text("Wavelet convolution", "小波卷积"),
            kind="convolution",
            load=partial(_load, "WTConv2d"),
            paper="Finder et al., 2024, arXiv:2407.05848",
            build=partial(_build, "wt_conv"),
            about=Text(
                "Convolves wavelet bands, which reaches far with small kernels.",
                "在小波子带上卷积，以小卷积核获得大感受野。",
            ),
        ),
        LayerSpec(
            id="rfa_conv",
            title=Text("RFAConv", "RFAConv 卷积"),
            kind="convolution",
            load=partial(_load, "RFAConv"),
            paper="Zhang et al., 2023, arXiv:2304.03198",
            build=partial(_build, "rfa_conv"),
            about=Text(
                "Weights the nine places of the kernel at each pixel separately.",
                "在每个像素处重新加权卷积核的九个位置。",
            ),
        ),
        LayerSpec(
            id="pinwheel",
            title=Text("Pinwheel convolution", "风车形卷积"),
            kind="convolution",
            load=partial(_load, "PinwheelConv"),
            paper="Yang et al., 2024, arXiv:2412.16986",
            build=partial(_build, "pinwheel"),
            about=Text(
                "Strips to all four sides, for small faint spots.",
                "向四个方向的长条，适合微弱小点。",
            ),
        ),
        LayerSpec(
            id="dy_snake",
            title=Text("Dynamic snake convolution", "动态蛇形卷积"),
            kind="convolution",
            load=partial(_load, "DySnakeConv"),
            paper="Qi et al., 2023, arXiv:2307.08388",
            build=partial(_build, "dy_snake"),
            about=Text(
                "Kernels that bend along cracks and scratches.",
                "卷积核沿裂纹和划痕弯曲。",
            ),
        ),
        LayerSpec(
            id="ld_conv",
            title=Text("LDConv", "LDConv 卷积"),
            kind="convolution",
            load=partial(_load, "LDConv"),
            paper="Zhang et al., 2023, arXiv:2311.11587",
            build=partial(_build, "ld_conv"),
            about=Text(
                "Any number of taps, each moved by a learned offset.",
                "任意数量的采样点，各有可学习的偏移。",
            ),
        ),
        LayerSpec(
            id="dcn_v2",
            title=Text("Deformable convolution v2", "可变形卷积 v2"),
            kind="convolution",
            load=partial(_load, "ModulatedDeformConvPack"),
            paper="Zhu et al., 2019, arXiv:1811.11168",
            build=partial(_build, "dcn_v2"),
            about=Text(
                "Nine taps, each moved and weighted by what it sees.",
                "九个采样点，按内容移动并加权。",
            ),
        ),
        LayerSpec(
            id="dcn_v3",
            title=Text("Deformable convolution v3", "可变形卷积 v3"),
            kind="convolution",
            load=partial(_load, "DeformAggregation"),
            paper="Wang et al., 2023, arXiv:2211.05778",
            build=partial(_build, "dcn_v3"),
            about=Text(
                "Nine moved taps for each group of channels, whose weights sum to one.",
                "每组通道九个移动采样点，权重之和为一。",
            ),
        ),
        LayerSpec(
            id="dcn_v4",
            title=Text("Deformable convolution v4", "可变形卷积 v4"),
            kind="convolution",
            load=partial(_load, "DeformAggregation"),
            paper="Xiong et al., 2024, arXiv:2401.06197",
            build=partial(_build, "dcn_v4"),
            about=Text(
                "Nine moved taps for each group of channels, with unbounded weights.",
                "每组通道九个移动采样点，权重不受限。",
            ),
        ),
    ]
