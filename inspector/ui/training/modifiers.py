"""Modifiers of architectures (for example ``+attention=ema``): names of their kinds, and the effect of adding one."""

from __future__ import annotations

from collections.abc import Iterable

from inspector.api import LayerSpec
from inspector.ui.kit.strings import tr


def kind_names() -> dict[str, str]:
    """The words of modifiers and their display names, in the order of the window."""
    return {
        "block": tr("Blocks"),
        "down": tr("Downsampling"),
        "backbone": tr("Backbone"),
        "neck": tr("Neck"),
        "upsample": tr("Upsampling"),
        "convolution": tr("Convolution"),
        "attention": tr("Attention"),
        "pooling": tr("Pooling"),
        "pyramid": tr("Pyramid"),
        "head": tr("Head"),
        "loss": tr("Loss"),
        "assigner": tr("Assignment"),
    }


def word_of(modifier: str) -> str:
    """``attention`` of ``+attention=ema``."""
    return modifier.removeprefix("+").partition("=")[0]


def added(value: str, modifier: str, layers: Iterable[LayerSpec]) -> str:
    """The value of a modifier of this kind after ``modifier`` is added to ``value``: it takes the place of the present
    one; of losses, of the one of the same part."""
    new = modifier.partition("=")[2]
    if word_of(modifier) != "loss" or not value:
        return new
    parts = {spec.name or spec.id: spec.part for spec in layers if spec.kind == "loss"}
    kept = [name for name in value.split(",") if name and parts.get(name) != parts.get(new)]
    return ",".join([*kept, new])
