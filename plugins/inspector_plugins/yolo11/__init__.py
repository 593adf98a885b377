"""Find defects with ultralytics' YOLO segmentation checkpoints (yolo11, v8, v9, 12, 26), and train yolo11."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inspector.api import Architectures, InputError, LayerSpec, Model, ModelSpec, Text, assets, hookimpl
from inspector_plugins.yolo11 import options

PLUGIN = {
    "id": "yolo11",
    "version": "1.0",
    "api": 1,
    "kinds": ["model"],
    "description": "YOLO segmentation checkpoints of ultralytics (yolo11, v8, v9, 12, 26): inspect, and train yolo11",
    "description_zh": "ultralytics 的 YOLO 分割模型（yolo11、v8、v9、12、26）：检测，并可训练 yolo11",
}


def list_devices() -> Sequence[tuple[str, str]]:
    """List the CUDA devices of this machine."""
    from inspector_plugins.yolo11.inference import devices

    return devices.names()


def open_model(weights: Path | None, device: str, layers: Sequence[LayerSpec], **options: Any) -> Model:
    """Open a checkpoint with the runtime that the options name."""
    if weights is None:
        raise InputError("yolo11 needs a weights file; give a .pt checkpoint")
    from inspector_plugins.yolo11.inference import runtimes

    return runtimes.open_model(weights, device, layers, **options)


def _train(data: Path | None, model: str | None, output: Path, **options: Any) -> Path:
    from inspector_plugins.yolo11.training.train import train

    return train(data, model, output, **options)


def _validate(
    weights: Path, data: Path, layers: Sequence[LayerSpec], output: Path | None, **options: Any
) -> dict[str, Any]:
    from inspector_plugins.yolo11.evaluation.evaluate import evaluate

    return evaluate(weights, data, layers, output, **options)


def _export(weights: Path, format: str, output: Path | None, layers: Sequence[LayerSpec], **options: Any) -> Path:
    from inspector_plugins.yolo11.export.export import export

    return export(weights, format, output, layers, **options)


def _architectures(layers: Sequence[LayerSpec]) -> Architectures:
    from inspector_plugins.yolo11.architecture.architectures import YoloArchitectures

    return YoloArchitectures(layers)


@hookimpl
def inspector_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            id="yolo11",
            title=Text("YOLO11 segmentation", "YOLO11 分割模型"),
            open=open_model,
            suffixes=(".pt", ".onnx", ".xml"),
            bundled={"bearing-yolo11n-seg": assets() / "models" / "bearing-yolo11n-seg.pt"},
            options=options.MODEL_OPTIONS,
            architectures=_architectures,
            devices=list_devices,
            validate=_validate,
            validate_options=options.VALIDATE_OPTIONS,
            export=_export,
            export_formats=("openvino", "onnx", "torchscript"),
            export_options=options.EXPORT_OPTIONS,
            train=_train,
            train_options=options.TRAIN_OPTIONS,
        )
    ]
