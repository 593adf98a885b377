"""Options of a training that follow from its dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_STRIDE = 32  # pixels, of the network
_LARGEST = 640  # pixels: the usual input size
_BATCHES = (16, 8, 4)
_STEPS = 10  # an epoch should have at least so many


def proposed_options(report: Mapping[str, Any]) -> dict[str, int]:
    """``imgsz`` and ``batch`` for a dataset, from the report of its check; empty where it has no usable images."""
    train = report["splits"].get("train", {})
    side, count = train.get("median_side", 0), train.get("used", 0)
    if not side or not count:
        return {}
    size = min(_LARGEST, max(_STRIDE, -(-side // _STRIDE) * _STRIDE))
    return {"imgsz": size, "batch": next((batch for batch in _BATCHES if count >= _STEPS * batch), _BATCHES[-1])}
