"""Attentions of channels and pixels; ``+attention=ema`` in an architecture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from inspector.api import LayerSpec, Text, hookimpl

PLUGIN = {
    "id": "attentions",
    "version": "1.0",
    "api": 1,
    "kinds": ["layer"],
    "requires": ["timm"],
    "description": "Attentions of channels and pixels: EMA, SimAM, CBAM, ECA, coordinate attention, SE, MLCA",
    "description_zh": "通道与像素注意力：EMA、SimAM、CBAM、ECA、坐标注意力、SE、MLCA",
}


def _load(main: str) -> Sequence[type]:
    from inspector_plugins.attentions import layers

    return [getattr(layers, main), *(cls for cls in layers.CLASSES if cls.__name__ != main)]


def _build(function: str, *arguments: Any) -> Any:
    from inspector_plugins.attentions import layers

    return getattr(layers, function)(*arguments)


@hookimpl
def inspector_layers() -> list[LayerSpec]:
    return [
        LayerSpec(
            id="ema",
            title=Text("EMA attention", "EMA 注意力"),
            kind="attention",
            load=partial(_load, "EMA"),
            paper="Ouyang et al., 2023, arXiv:2305.13563",
            build=partial(_build, "ema"),
            about=Text(
                "Weights pixels by row and column means and a 3x3 neighbourhood, in groups of channels.",
                "在通道分组内，按行列均值与 3x3 邻域对像素加权。",
            ),
        ),
        LayerSpec(
            id="simam",
            title=Text("SimAM attention", "SimAM 注意力"),
            kind="attention",
            load=partial(_load, "SimAM"),
            paper="Yang et al., 2021, ICML, PMLR 139:11863-11874",
            build=partial(_build, "simam"),
            about=Text(
                "Stresses pixels that differ from their channel's mean; has no weights.",
                "突出偏离通道均值的像素，不含可学习参数。",
            ),
        ),
        LayerSpec(
            id="cbam",
            title=Text("CBAM attention", "CBAM 注意力"),
            kind="attention",
            load=partial(_load, "CBAM"),
            paper="Woo et al., 2018, arXiv:1807.06521",
            build=partial(_build, "cbam"),
            about=Text(
                "Weights first the channels, then the pixels, by means and maxima.",
                "先按均值和最大值加权通道，再加权像素。",
            ),
        ),
        LayerSpec(
            id="eca",
            title=Text("ECA attention", "ECA 注意力"),
            kind="attention",
            load=partial(_load, "ECA"),
            paper="Wang et al., 2020, arXiv:1910.03151",
            build=partial(_build, "eca"),
            about=Text(
                "Weights each channel by the means of its neighbours; almost free.",
                "按相邻通道的均值加权每个通道，几乎没有开销。",
            ),
        ),
        LayerSpec(
            id="coord_att",
            title=Text("Coordinate attention", "坐标注意力"),
            kind="attention",
            load=partial(_load, "CoordAtt"),
            paper="Hou et al., 2021, arXiv:2103.02907",
            build=partial(_build, "coord_att"),
            about=Text(
                "Weights rows and columns, so that the position along both axes is kept.",
                "分别加权行与列，保留两个方向的位置信息。",
            ),
        ),
        LayerSpec(
            id="se",
            title=Text("SE attention", "SE 注意力"),
            kind="attention",
            load=partial(_load, "SE"),
            paper="Hu et al., 2018, arXiv:1709.01507",
            build=partial(_build, "se"),
            about=Text(
                "Weights each channel by what the whole image shows.",
                "按整幅图像的内容加权每个通道。",
            ),
        ),
        LayerSpec(
            id="mlca",
            title=Text("MLCA attention", "MLCA 注意力"),
            kind="attention",
            load=partial(_load, "MLCA"),
            paper="Wan et al., 2023, doi:10.1016/j.engappai.2023.106442",
            build=partial(_build, "mlca"),
            about=Text(
                "Weights channels by the means of 25 regions and of the whole map.",
                "按 25 个区域及全图的均值加权通道。",
            ),
        ),
    ]
