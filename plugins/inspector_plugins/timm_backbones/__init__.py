"""Any backbone of PyTorch Image Models (timm) that gives maps of stride 8, 16 and 32, with fresh weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inspector.api import LayerSpec, Text, hookimpl

PLUGIN = {
    "id": "timm_backbones",
    "version": "1.0",
    "api": 1,
    "kinds": ["layer"],
    "requires": ["timm"],
    "description": "Backbones of PyTorch Image Models (timm) for architectures: +backbone=timm/NAME",
    "description_zh": "timm 图像模型库中的主干网络：+backbone=timm/名称",
}


def _load() -> Sequence[type]:
    from inspector_plugins.timm_backbones.blocks import TimmBackbone

    return (TimmBackbone,)


def _build(member: str) -> Any:
    from inspector_plugins.timm_backbones.blocks import TimmBackbone

    return TimmBackbone(member)


def _members() -> Sequence[str]:
    from inspector_plugins.timm_backbones.blocks import names

    return names()


@hookimpl
def inspector_layers() -> list[LayerSpec]:
    return [
        LayerSpec(
            id="timm",
            title=Text("PyTorch Image Models", "timm 图像模型库"),
            kind="backbone",
            load=_load,
            paper="Wightman, 2019, PyTorch Image Models, doi:10.5281/zenodo.4414861",
            build=_build,
            members=_members,
            about=Text(
                "More than 500 backbones with fresh weights; the first 16 of the list are tested.",
                "500 多种随机初始化的主干网络，列表前 16 个经过测试。",
            ),
        )
    ]
