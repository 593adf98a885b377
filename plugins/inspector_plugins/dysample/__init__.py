"""DySample (Liu et al., 2023): upsampling that learns where to sample; ``+upsample=dysample`` in an architecture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inspector.api import LayerSpec, Text, hookimpl

PLUGIN = {
    "id": "dysample",
    "version": "1.0",
    "api": 1,
    "kinds": ["layer"],
    "description": "DySample, upsampling that learns where to sample (arXiv 2308.15085)",
    "description_zh": "DySample：学习采样位置的上采样（arXiv 2308.15085）",
}


def _load() -> Sequence[type]:
    from inspector_plugins.dysample.layers import DySample

    return [DySample]


def _build(c1: int, c2: int, stride: int) -> Any:
    from inspector_plugins.dysample.blocks import dysample

    return dysample(c1, c2, stride)


@hookimpl
def inspector_layers() -> list[LayerSpec]:
    return [
        LayerSpec(
            id="dysample",
            title=Text("DySample upsampling", "DySample 动态上采样"),
            about=Text(
                "Reads each new pixel at a place that the map itself decides.",
                "每个新像素的采样位置由特征图自身决定。",
            ),
            kind="upsample",
            load=_load,
            paper="Liu et al., 2023, arXiv:2308.15085",
            build=_build,
        )
    ]
