"""ATSS (Zhang et al., 2020): a threshold of its own for each object; ``+assigner=atss`` in an architecture."""

from __future__ import annotations

from collections.abc import Sequence

from inspector.api import LayerSpec, Text, hookimpl

PLUGIN = {
    "id": "atss",
    "version": "1.0",
    "api": 1,
    "kinds": ["layer"],
    "description": "ATSS, assignment with a threshold of its own for each object (arXiv 1912.02424)",
    "description_zh": "ATSS：每个目标自适应阈值的样本分配（arXiv 1912.02424）",
}


def _load() -> Sequence[type]:
    from inspector_plugins.atss.layers import ATSS

    return (ATSS,)


@hookimpl
def inspector_layers() -> list[LayerSpec]:
    return [
        LayerSpec(
            id="atss",
            title=Text("ATSS assignment", "ATSS 样本分配"),
            kind="assigner",
            load=_load,
            paper="Zhang et al., 2020, arXiv:1912.02424",
            about=Text(
                "Chooses the positives of each object by the statistics of its own candidates, not by the predictions.",
                "按每个目标候选样本的统计量选取正样本，与预测无关。",
            ),
        )
    ]
