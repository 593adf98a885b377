"""Choose the runtime for a model: OpenVINO on the CPU, torch on CUDA devices and if OpenVINO cannot run it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inspector.api import InputError, InspectorError, LayerSpec, Model
from inspector_plugins.yolo11.inference import devices

logger = logging.getLogger(__name__)


def open_model(
    weights: Path,
    device: str,
    layers: Sequence[LayerSpec],
    runtime: str = "auto",
    precision: str = "auto",
    **options: Any,
) -> Model:
    """Open ``weights`` with the best runtime.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        runtime: ``openvino``, ``torch``, or ``auto``: OpenVINO on the CPU, unless it is missing or refuses the network;
            then torch, with the reason in the log.
        precision: ``auto`` and ``f32`` always, ``bf16`` and ``int8`` with OpenVINO, ``f16`` on CUDA devices.
        options: ``imgsz``, ``max_detections``, ``batch``.

    Raises:
        InputError: a file, device or option cannot be used.
    """
    if weights.suffix.lower() in (".onnx", ".xml"):
        return _open_exported(weights, device, runtime, precision, **options)
    place = "cpu" if runtime == "openvino" and device == "auto" else devices.choose(device)
    if runtime == "openvino" and place != "cpu":
        raise InputError(
            "The runtime openvino runs on the CPU, not on {device}; leave one of the two out", device=device
        )
    if runtime != "torch" and place == "cpu" and precision != "f16":
        try:
            from inspector_plugins.yolo11.inference.openvino_runner import OpenVinoModel

            return OpenVinoModel(weights, layers, precision=precision, fixed=runtime == "openvino", **options)
        except InputError:
            raise
        except (InspectorError, ImportError, OSError, RuntimeError) as error:
            reason = str(error).strip().partition("\n")[0]
            if runtime == "openvino":
                raise InputError(
                    "{weights} does not run with OpenVINO: {reason}; leave out runtime",
                    weights=weights.name,
                    reason=reason,
                ) from error
            logger.warning("%s runs with torch, since OpenVINO cannot: %s", weights.name, reason)
    if precision in ("bf16", "int8"):
        raise InputError(
            "precision {precision} is for the runtime openvino on the CPU; leave it out", precision=precision
        )
    from inspector_plugins.yolo11.inference.torch_runner import TorchModel

    return TorchModel(weights, place, layers, precision=precision, **options)


def _open_exported(file: Path, device: str, runtime: str, precision: str, **options: Any) -> Model:
    """Open an exported network; always with OpenVINO on the CPU."""
    if device not in ("auto", "cpu") or runtime == "torch":
        raise InputError(
            "{file} is an exported model and runs with OpenVINO on the CPU; leave device and runtime out",
            file=file.name,
        )
    try:
        from inspector_plugins.yolo11.inference.exported_models import ExportedModel
    except (ImportError, OSError) as error:
        raise InputError(
            "{file} needs OpenVINO, which does not work here ({reason}); use the .pt file", file=file.name, reason=error
        ) from error
    return ExportedModel(file, precision=precision, **options)
