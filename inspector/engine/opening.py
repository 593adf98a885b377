"""Opens models by their spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from inspector.api import LayerSpec, Model, ModelSpec
from inspector.domain import InspectorError, ModelInfo, quote


def open_model(
    spec: ModelSpec, weights: Path | None, device: str, layers: Sequence[LayerSpec], options: Mapping[str, Any]
) -> Model:
    """Open a model.

    Raises:
        InspectorError: the plugin returned something that is no model. Other errors of the plugin pass.
    """
    model = spec.open(weights, device, layers=tuple(layers), **options)
    if not isinstance(getattr(model, "info", None), ModelInfo):
        raise InspectorError(
            "The plugin of the model {id} opened {value}, which is not a model; update the plugin",
            id=spec.id,
            value=quote(model),
        )
    return model
