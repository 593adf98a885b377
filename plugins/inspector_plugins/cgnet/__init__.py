"""Context guided blocks of CGNet (Wu et al., 2018): a pixel is judged by its surroundings and the image.

Three layers for architectures: the block ``+block=context_guided``, the downsampling ``+down=context_guided`` and the
backbone ``+backbone=cgnet``; the preset ``yolo11n-seg-cgnet`` is the first two together.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from inspector.api import LayerSpec, Text, hookimpl

PLUGIN = {
    "id": "cgnet",
    "version": "1.0",
    "api": 1,
    "kinds": ["layer"],
    "description": "Context guided blocks, downsampling and backbone of CGNet (arXiv 1811.08201)",
    "description_zh": "CGNet 的上下文引导模块、下采样与主干网络（arXiv 1811.08201）",
}

_PAPER = "Wu et al., 2018, arXiv:1811.08201"


def _load(main: str) -> Sequence[type]:
    from inspector_plugins.cgnet import blocks, layers

    own = {cls.__name__: cls for module in (blocks, layers) for cls in module.CLASSES}
    return [own.pop(main), *own.values()]


def _block(c1: int, c2: int, stride: int) -> Any:
    from inspector_plugins.cgnet.blocks import context_guided

    return context_guided(c1, c2, stride)


def _down(c1: int, c2: int, stride: int) -> Any:
    from inspector_plugins.cgnet.blocks import context_guided_down

    return context_guided_down(c1, c2, stride)


@hookimpl
def inspector_layers() -> list[LayerSpec]:
    return [
        LayerSpec(
            id="context_guided",
            title=Text("Context guided block", "上下文引导模块"),
            kind="block",
            load=partial(_load, "ContextGuidedBlock"),
            about=Text(
                "Joins each pixel's neighbours, its surroundings and the whole image.",
                "融合像素邻域、周围上下文和全图信息。",
            ),
            paper=_PAPER,
            build=_block,
            presets={"cgnet": "+block=context_guided+down=context_guided"},
        ),
        LayerSpec(
            id="context_guided_down",
            title=Text("Context guided downsampling", "上下文引导下采样"),
            kind="downsample",
            load=partial(_load, "ContextGuidedBlock_Down"),
            about=Text(
                "Halves the map by neighbours, surroundings and the whole image together.",
                "结合邻域、周围和全图信息进行下采样。",
            ),
            paper=_PAPER,
            name="context_guided",
            build=_down,
        ),
        LayerSpec(
            id="cgnet",
            title=Text("CGNet backbone", "CGNet 主干网络"),
            kind="backbone",
            load=partial(_load, "CGNetBackbone"),
            about=Text(
                "A small backbone of context guided blocks.",
                "由上下文引导模块构成的小型主干网络。",
            ),
            paper=_PAPER,
        ),
    ]
