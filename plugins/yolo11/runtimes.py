"""Chooses what runs a checkpoint: OpenVINO on the CPU, torch on CUDA devices and where OpenVINO cannot."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inspector.api import InputError, InspectorError, LayerSpec, Model
from inspector_plugins.yolo11 import devices

logger = logging.getLogger(__name__)


def open_model(
    weights: Path,
    device: str,
    layers: Sequence[LayerSpec],
    runtime: str = "auto",
    precision: str = "auto",
    **options: Any,
) -> Model:
    """Open ``weights`` with the runtime that fits.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        runtime: ``openvino``, ``torch``, or ``auto``: OpenVINO on the CPU, unless it is missing or refuses the network;
            then torch, and the log says why.
        precision: ``auto`` and ``f32`` anywhere, ``bf16`` and ``int8`` with OpenVINO, ``f16`` on CUDA devices.
        options: ``imgsz``, ``max_detections``, ``batch``.

    Raises:
        InputError: for a file, device or option that cannot be used.
    """
    place = "cpu" if runtime == "openvino" and device == "auto" else devices.choose(device)
    if runtime == "openvino" and place != "cpu":
        raise InputError(f"The runtime openvino computes on the CPU, not on {device}; leave one of the two off")
    if runtime != "torch" and place == "cpu" and precision != "f16":
        try:
            from inspector_plugins.yolo11.openvino_runner import OpenVinoModel

            return OpenVinoModel(weights, layers, precision=precision, fixed=runtime == "openvino", **options)
        except InputError:
            raise
        except (InspectorError, ImportError, OSError, RuntimeError) as error:
            reason = str(error).strip().partition("\n")[0]
            if runtime == "openvino":
                raise InputError(f"{weights.name} does not run with OpenVINO: {reason}; leave out runtime") from error
            logger.warning("%s runs with torch, since OpenVINO cannot: %s", weights.name, reason)
    if precision in ("bf16", "int8"):
        raise InputError(f"precision {precision} is for the runtime openvino on the CPU; leave it off")
    from inspector_plugins.yolo11.torch_runner import TorchModel

    return TorchModel(weights, place, layers, precision=precision, **options)
