"""Losses of classes; ``+loss=slide`` in an architecture. They cost nothing at inference."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from inspector.api import LayerSpec, Text, hookimpl

PLUGIN = {
    "id": "class_losses",
    "version": "1.0",
    "api": 1,
    "kinds": ["layer"],
    "description": "Losses of classes: slide, varifocal and quality focal loss",
    "description_zh": "分类损失：Slide、Varifocal 与 Quality Focal",
}


def _load(name: str) -> Sequence[type]:
    from inspector_plugins.class_losses import layers

    return (getattr(layers, name),)


ClassSpec = partial(LayerSpec, kind="loss", part="class")


@hookimpl
def inspector_layers() -> list[LayerSpec]:
    return [
        ClassSpec(
            id="slide",
            title=Text("Slide loss", "Slide 损失"),
            load=partial(_load, "Slide"),
            paper="Yu et al., 2022, arXiv:2208.02019",
            about=Text(
                "Gives more weight to samples between easy and hard, found by the mean overlap of the batch.",
                "按批次平均重叠区分难易，加大临界样本的权重。",
            ),
        ),
        ClassSpec(
            id="ema_slide",
            title=Text("Slide loss with moving mean", "滑动平均 Slide 损失"),
            load=partial(_load, "MovingSlide"),
            paper="Yu et al., 2022, arXiv:2208.02019",
            about=Text(
                "Slide loss with a mean overlap that moves slowly over the batches.",
                "平均重叠随批次缓慢更新的 Slide 损失。",
            ),
        ),
        ClassSpec(
            id="vfl",
            title=Text("Varifocal loss", "Varifocal 损失"),
            load=partial(_load, "Varifocal"),
            paper="Zhang et al., 2021, arXiv:2008.13367",
            about=Text(
                "Weights positives by their quality and lowers the weight of easy background.",
                "按质量加权正样本，并降低容易背景的权重。",
            ),
        ),
        ClassSpec(
            id="qfl",
            title=Text("Quality focal loss", "Quality Focal 损失"),
            load=partial(_load, "QualityFocal"),
            paper="Li et al., 2020, arXiv:2006.04388",
            about=Text(
                "Focal loss for scores that state the quality of a box.",
                "用于质量分数的焦点损失。",
            ),
        ),
    ]
