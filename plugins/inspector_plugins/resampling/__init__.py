"""Downsampling and upsampling; ``+down=spd_conv`` and ``+upsample=eucb`` in an architecture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from inspector.api import LayerSpec, Text, hookimpl

PLUGIN = {
    "id": "resampling",
    "version": "1.0",
    "api": 1,
    "kinds": ["layer"],
    "description": "Downsampling SPD-Conv, Haar wavelets and ADown; upsampling EUCB",
    "description_zh": "下采样 SPD-Conv、Haar 小波、ADown；上采样 EUCB",
}


def _load(main: str) -> Sequence[type]:
    from inspector_plugins.resampling import layers

    return [getattr(layers, main), *(cls for cls in layers.CLASSES if cls.__name__ != main)]


def _build(function: str, *arguments: Any) -> Any:
    from inspector_plugins.resampling import layers

    return getattr(layers, function)(*arguments)


@hookimpl
def inspector_layers() -> list[LayerSpec]:
    return [
        LayerSpec(
            id="spd_conv",
            title=Text("SPD-Conv downsampling", "SPD-Conv 下采样"),
            kind="downsample",
            load=partial(_load, "SPDConv"),
            paper="Sunkara & Luo, 2022, arXiv:2208.03641",
            build=partial(_build, "spd_conv"),
            about=Text(
                "Rearranges pixels into channels instead of skipping them, for small defects.",
                "把像素重排到通道而不丢弃，适合小缺陷。",
            ),
        ),
        LayerSpec(
            id="hwd",
            title=Text("Haar wavelet downsampling", "Haar 小波下采样"),
            kind="downsample",
            load=partial(_load, "HWD"),
            paper="Xu et al., 2023, doi:10.1016/j.patcog.2023.109819",
            build=partial(_build, "hwd"),
            about=Text(
                "Keeps edges as wavelet bands when the size is halved.",
                "尺寸减半时以小波子带保留边缘。",
            ),
        ),
        LayerSpec(
            id="adown",
            title=Text("ADown downsampling", "ADown 下采样"),
            kind="downsample",
            load=partial(_load, "PaddedADown"),
            paper="Wang et al., 2024, arXiv:2402.13616",
            build=partial(_build, "adown"),
            about=Text(
                "Half convolution, half maximum pooling, with fewer weights.",
                "一半卷积、一半最大池化，参数更少。",
            ),
        ),
        LayerSpec(
            id="eucb",
            title=Text("EUCB upsampling", "EUCB 上采样"),
            kind="upsample",
            load=partial(_load, "EUCB"),
            paper="Rahman et al., 2024, arXiv:2405.06880",
            build=partial(_build, "eucb"),
            about=Text(
                "Nearest neighbours smoothed by a depth-wise convolution.",
                "最近邻放大后用深度卷积平滑。",
            ),
        ),
    ]
