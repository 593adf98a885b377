"""Convolutions with several branches that merge into one; ``+convolution=dbb`` in an architecture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from inspector.api import LayerSpec, Text, hookimpl

PLUGIN = {
    "id": "merged_convolutions",
    "version": "1.0",
    "api": 1,
    "kinds": ["layer"],
    "description": "Convolutions with several branches that merge into one: DBB, OREPA",
    "description_zh": "推理时合并为一的多分支卷积：DBB、OREPA",
}


def _load(main: str) -> Sequence[type]:
    from inspector_plugins.merged_convolutions import layers

    return [getattr(layers, main), *(cls for cls in layers.CLASSES if cls.__name__ != main)]


def _build(function: str, *arguments: Any) -> Any:
    from inspector_plugins.merged_convolutions import layers

    return getattr(layers, function)(*arguments)


@hookimpl
def inspector_layers() -> list[LayerSpec]:
    return [
        LayerSpec(
            id="dbb",
            title=Text("Diverse branch block", "多样分支卷积"),
            kind="convolution",
            load=partial(_load, "DiverseBranchBlock"),
            paper="Ding et al., 2021, arXiv:2103.13425",
            build=partial(_build, "dbb"),
            about=Text(
                "Four branches in training, one convolution at inference.",
                "训练时四个分支，推理时一个卷积。",
            ),
        ),
        LayerSpec(
            id="orepa",
            title=Text("OREPA convolution", "OREPA 卷积"),
            kind="convolution",
            load=partial(_load, "OREPA"),
            paper="Hu et al., 2022, arXiv:2204.00826",
            build=partial(_build, "orepa"),
            about=Text(
                "Six kernels added up before each step, so that training costs one convolution.",
                "每步先把六个卷积核相加，训练只需一次卷积。",
            ),
        ),
    ]
