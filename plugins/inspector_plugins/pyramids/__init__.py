"""Whole necks; ``+pyramid=bifpn`` in an architecture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from inspector.api import LayerSpec, Text, hookimpl

PLUGIN = {
    "id": "pyramids",
    "version": "1.0",
    "api": 1,
    "kinds": ["layer"],
    "description": "Whole necks: BiFPN, AFPN, ASF, HS-FPN, MAFPN, Gold-GD, slim neck",
    "description_zh": "整体颈部：BiFPN、AFPN、ASF、HS-FPN、MAFPN、Gold-GD、Slim-neck",
}


def _load(main: str) -> Sequence[type]:
    from inspector_plugins.pyramids import layers

    return sorted(layers.CLASSES, key=lambda cls: cls.__name__ != main)


def _build(function: str, *arguments: Any) -> Any:
    from inspector_plugins.pyramids import layers

    return getattr(layers, function)(*arguments)


@hookimpl
def inspector_layers() -> list[LayerSpec]:
    return [
        LayerSpec(
            id="bifpn",
            title=Text("BiFPN", "BiFPN 金字塔"),
            kind="pyramid",
            load=partial(_load, "BiFPN"),
            paper="Tan et al., 2020, arXiv:1911.09070",
            build=partial(_build, "bifpn"),
            about=Text(
                "Sums with learned weights, downwards and upwards, twice.",
                "自上而下再自下而上的可学习加权求和，重复两次。",
            ),
        ),
        LayerSpec(
            id="afpn",
            title=Text("AFPN", "AFPN 金字塔"),
            kind="pyramid",
            load=partial(_load, "AFPN"),
            paper="Yang et al., 2023, arXiv:2306.15988",
            build=partial(_build, "afpn"),
            about=Text(
                "Fuses near levels first, with weights of its own at each pixel.",
                "先融合相邻层级，每个像素有各自的权重。",
            ),
        ),
        LayerSpec(
            id="asf",
            title=Text("ASF neck", "ASF 颈部"),
            kind="pyramid",
            load=partial(_load, "ASF"),
            paper="Kang et al., 2024, arXiv:2312.06458",
            build=partial(_build, "asf"),
            about=Text(
                "Joins each map with the larger and the smaller one and attends to the finest.",
                "每层与更大、更小的特征图拼接，并对最细层加注意力。",
            ),
        ),
        LayerSpec(
            id="hs_fpn",
            title=Text("HS-FPN", "HS-FPN 金字塔"),
            kind="pyramid",
            load=partial(_load, "HSFPN"),
            paper="Shi et al., 2024, arXiv:2401.00926",
            build=partial(_build, "hs_fpn"),
            about=Text(
                "The coarse map selects the channels of the finer ones.",
                "粗层特征筛选细层的通道。",
            ),
        ),
        LayerSpec(
            id="mafpn",
            title=Text("MAFPN", "MAFPN 金字塔"),
            kind="pyramid",
            load=partial(_load, "MAFPN"),
            paper="Yang et al., 2024, arXiv:2407.04381",
            build=partial(_build, "mafpn"),
            about=Text(
                "Adds the finer maps on both ways and sees far with large kernels, merged for inference.",
                "上下两条路径都补充更细的特征，并用大卷积核扩大感受野，推理时合并。",
            ),
        ),
        LayerSpec(
            id="gold_gd",
            title=Text("Gather and distribute", "聚集-分发颈部"),
            kind="pyramid",
            load=partial(_load, "GatherDistribute"),
            paper="Wang et al., 2023, arXiv:2309.11331",
            build=partial(_build, "gold_gd"),
            about=Text(
                "Gathers all maps into one and injects it into each level.",
                "把各层特征聚集成一张图，再注入每一层。",
            ),
        ),
        LayerSpec(
            id="slim_neck",
            title=Text("Slim neck", "Slim-neck 颈部"),
            kind="pyramid",
            load=partial(_load, "SlimNeck"),
            paper="Li et al., 2022, arXiv:2206.02424",
            build=partial(_build, "slim_neck"),
            about=Text(
                "The usual neck with convolutions of half the cost.",
                "结构不变，卷积开销约减半的颈部。",
            ),
        ),
    ]
