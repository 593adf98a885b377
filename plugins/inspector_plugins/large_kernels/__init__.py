"""Large kernels made of strips; ``+attention=lska`` in an architecture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from inspector.api import LayerSpec, Text, hookimpl

PLUGIN = {
    "id": "large_kernels",
    "version": "1.0",
    "api": 1,
    "kinds": ["layer"],
    "description": "Large kernels made of strips: LSKA, SPPF-LSKA, CAA and the PKI block",
    "description_zh": "条形大卷积核：LSKA、SPPF-LSKA、CAA 与 PKI 模块",
}


def _load(main: str) -> Sequence[type]:
    from inspector_plugins.large_kernels import layers

    return [getattr(layers, main), *(cls for cls in layers.CLASSES if cls.__name__ != main)]


def _build(function: str, *arguments: Any) -> Any:
    from inspector_plugins.large_kernels import layers

    return getattr(layers, function)(*arguments)


@hookimpl
def inspector_layers() -> list[LayerSpec]:
    return [
        LayerSpec(
            id="lska",
            title=Text("LSKA attention", "LSKA 注意力"),
            kind="attention",
            load=partial(_load, "Attention"),
            paper="Lau et al., 2024, arXiv:2309.01439",
            build=partial(_build, "lska"),
            about=Text(
                "Weights pixels by a neighbourhood of 11 to 23 pixels, computed as strips.",
                "用条形卷积按 11 至 23 像素的邻域加权像素。",
            ),
        ),
        LayerSpec(
            id="sppf_lska",
            title=Text("SPPF with LSKA", "带 LSKA 的 SPPF"),
            kind="pooling",
            load=partial(_load, "SPPFLSKA"),
            paper="He et al., 2014, arXiv:1406.4729; Lau et al., 2024, arXiv:2309.01439",
            build=partial(_build, "sppf_lska"),
            about=Text(
                "Attends to the pooled maps before they are joined.",
                "在拼接前对各级池化特征进行注意力加权。",
            ),
        ),
        LayerSpec(
            id="caa",
            title=Text("CAA attention", "CAA 注意力"),
            kind="attention",
            load=partial(_load, "CAAttention"),
            paper="Cai et al., 2024, arXiv:2403.06258",
            build=partial(_build, "caa"),
            about=Text(
                "Weights pixels by long horizontal and vertical strips around them.",
                "按周围的横向与纵向长条区域加权像素。",
            ),
        ),
        LayerSpec(
            id="pki",
            title=Text("PKI block", "PKI 模块"),
            kind="block",
            load=partial(_load, "PKIBlock"),
            paper="Cai et al., 2024, arXiv:2403.06258",
            build=partial(_build, "pki"),
            about=Text(
                "Depth-wise kernels of five sizes side by side, for defects of very different sizes.",
                "五种尺寸的深度卷积并联，适合大小悬殊的缺陷。",
            ),
        ),
    ]
