"""FreqFusion, a neck that sharpens while it fuses, and the CARAFE upsampler on which it builds."""

from __future__ import annotations

from inspector.api import LayerSpec, Text, hookimpl

PLUGIN = {
    "id": "freqfusion",
    "version": "1.0",
    "api": 1,
    "kinds": ["layer"],
    "description": "Layers: the FreqFusion neck and the CARAFE upsampler",
    "description_zh": "FreqFusion 颈部网络与 CARAFE 上采样",
}


def _neck() -> list[type]:
    from inspector_plugins.freqfusion import blocks, layers

    return [blocks.FreqFusionNeck, layers.FreqFusion, layers.FreqFusionSum, layers.LocalSimGuidedSampler]


def _upsampler() -> list[type]:
    from inspector_plugins.freqfusion import blocks

    return [blocks.CarafeUpsample]


@hookimpl
def inspector_layers() -> list[LayerSpec]:
    return [
        LayerSpec(
            id="freqfusion",
            title=Text("FreqFusion neck", "FreqFusion 颈部网络"),
            about=Text(
                "Fuses maps with filters that keep boundaries sharp.",
                "用自适应滤波融合特征图，保持边界清晰。",
            ),
            kind="neck",
            load=_neck,
            paper="Chen et al., 2024, arXiv:2408.12879",
            presets={"freqfusion": "+neck=freqfusion"},
        ),
        LayerSpec(
            id="carafe",
            title=Text("CARAFE upsampling", "CARAFE 上采样"),
            about=Text(
                "Computes each new pixel with weights predicted from its surroundings.",
                "用由周围内容预测的权重重组每个新像素。",
            ),
            kind="upsample",
            load=_upsampler,
            paper="Wang et al., 2019, arXiv:1905.02188",
        ),
    ]
