"""Finds defects with ultralytics' YOLO segmentation checkpoints (yolo11, v8, v9, 12, 26), and trains yolo11."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inspector.api import Architectures, InputError, LayerSpec, Model, ModelSpec, Option, Text, assets, hookimpl

PLUGIN = {
    "id": "yolo11",
    "version": "1.0",
    "api": 1,
    "kinds": ["model"],
    "description": "YOLO segmentation checkpoints of ultralytics (yolo11, v8, v9, 12, 26): inspect, and train yolo11",
    "description_zh": "ultralytics 的 YOLO 分割模型（yolo11、v8、v9、12、26）：检测，并可训练 yolo11",
}


def list_devices() -> Sequence[tuple[str, str]]:
    """The CUDA devices of this machine."""
    from inspector_plugins.yolo11 import devices

    return devices.names()


def open_model(weights: Path | None, device: str, layers: Sequence[LayerSpec], **options: Any) -> Model:
    """Open a checkpoint with the runtime that the options name."""
    if weights is None:
        raise InputError("yolo11 needs a weights file; give a .pt checkpoint")
    from inspector_plugins.yolo11 import runtimes

    return runtimes.open_model(weights, device, layers, **options)


def _train(data: Path | None, model: str | None, output: Path, **options: Any) -> Path:
    from inspector_plugins.yolo11.train import train

    return train(data, model, output, **options)


def _validate(
    weights: Path, data: Path, layers: Sequence[LayerSpec], output: Path | None, **options: Any
) -> dict[str, Any]:
    from inspector_plugins.yolo11.evaluate import evaluate

    return evaluate(weights, data, layers, output, **options)


def _export(weights: Path, format: str, output: Path | None, layers: Sequence[LayerSpec], **options: Any) -> Path:
    from inspector_plugins.yolo11.export import export

    return export(weights, format, output, layers, **options)


def _architectures(layers: Sequence[LayerSpec]) -> Architectures:
    from inspector_plugins.yolo11.architectures import YoloArchitectures

    return YoloArchitectures(layers)


@hookimpl
def inspector_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            id="yolo11",
            title=Text("YOLO11 segmentation", "YOLO11 分割模型"),
            open=open_model,
            suffixes=(".pt",),
            bundled={"bearing-yolo11n-seg": assets() / "models" / "bearing-yolo11n-seg.pt"},
            options=(
                Option(
                    "imgsz",
                    int,
                    None,
                    Text("Input size", "输入尺寸"),
                    Text(
                        "Side length in pixels to which pictures are scaled; empty: as the model was trained",
                        "图片缩放到的边长（像素）；留空则与训练时相同",
                    ),
                    minimum=32,
                    maximum=4096,
                ),
                Option(
                    "runtime",
                    str,
                    "auto",
                    Text("Runtime", "推理引擎"),
                    Text(
                        "auto: OpenVINO on the CPU, where it can; a new model is converted once, which takes seconds",
                        "auto：在 CPU 上尽可能使用 OpenVINO；新模型首次使用时转换一次，需数秒",
                    ),
                    choices=("auto", "torch", "openvino"),
                ),
                Option(
                    "precision",
                    str,
                    "auto",
                    Text("Precision", "精度"),
                    Text(
                        "auto: f32. Faster, less exact: f16 on CUDA devices; with OpenVINO bf16, where the processor "
                        "has it, and int8, once export-model has made and measured it",
                        "auto：f32。更快但精度略低：CUDA 设备可用 f16；OpenVINO 在支持的处理器上可用 bf16，"
                        "用 export-model 生成并评估之后可用 int8",
                    ),
                    choices=("auto", "f32", "f16", "bf16", "int8"),
                ),
                Option(
                    "max_detections",
                    int,
                    300,
                    Text("Most detections a picture", "每张图片最多检测数"),
                    minimum=1,
                    maximum=10_000,
                ),
                Option(
                    "batch",
                    int,
                    None,
                    Text("Pictures at once", "批大小"),
                    Text("Empty: chosen by the device", "留空则由设备决定"),
                    minimum=1,
                    maximum=256,
                ),
            ),
            architectures=_architectures,
            devices=list_devices,
            validate=_validate,
            validate_options=(
                Option("split", str, "val", Text("Split", "数据划分"), choices=("train", "val", "test")),
                Option(
                    "imgsz",
                    int,
                    None,
                    Text("Input size", "输入尺寸"),
                    Text(
                        "Side length in pixels to which pictures are scaled; empty: as the model was trained",
                        "图片缩放到的边长（像素）；留空则与训练时相同",
                    ),
                    minimum=32,
                    maximum=4096,
                ),
                Option(
                    "conf",
                    float,
                    0.001,
                    Text("Smallest score", "最低置信度"),
                    Text("Smallest score that counts; mAP needs a small one", "计入的最低置信度；计算 mAP 需取较小值"),
                    minimum=0,
                    maximum=1,
                ),
                Option(
                    "iou",
                    float,
                    0.7,
                    Text("Largest overlap", "最大重叠（IoU）"),
                    Text("Largest overlap of two defects of one class", "同类两个缺陷之间允许的最大重叠"),
                    minimum=0,
                    maximum=1,
                ),
                Option("batch", int, 16, Text("Pictures at once", "批大小"), minimum=1, maximum=1024),
                Option(
                    "device",
                    str,
                    "auto",
                    Text("Device", "设备"),
                    Text("auto, cpu, cuda or cuda:N", "auto、cpu、cuda 或 cuda:N"),
                ),
                Option(
                    "native_masks",
                    bool,
                    False,
                    Text("Masks in full size", "全尺寸掩膜"),
                    Text(
                        "Compare masks at the size of the network's input, not at a quarter of it; slower, stricter",
                        "按网络输入尺寸（而非其四分之一）比较掩膜；更慢、更严格",
                    ),
                ),
            ),
            export=_export,
            export_formats=("openvino", "onnx", "torchscript"),
            export_options=(
                Option(
                    "imgsz",
                    int,
                    None,
                    Text("Input size", "输入尺寸"),
                    Text("Side length of the input; empty: as the model was trained", "输入边长；留空则与训练时相同"),
                    minimum=32,
                    maximum=4096,
                ),
                Option(
                    "shape",
                    str,
                    None,
                    Text("Input shape", "输入形状"),
                    Text(
                        "HEIGHTxWIDTH, or any: every multiple of the stride; empty: a square",
                        "高x宽，或 any：步长的任意整数倍；留空则为正方形",
                    ),
                ),
                Option(
                    "half",
                    bool,
                    False,
                    Text("16-bit weights", "半精度权重"),
                    Text("Half the size; with OpenVINO only", "文件大小减半；仅用于 OpenVINO"),
                ),
                Option(
                    "precision",
                    str,
                    "f32",
                    Text("Precision", "精度"),
                    Text(
                        "int8: twice as fast on most processors, a little less exact, which is measured; OpenVINO only",
                        "int8：在多数处理器上快一倍，精度略低（会实际评估）；仅用于 OpenVINO",
                    ),
                    choices=("f32", "int8"),
                ),
                Option(
                    "calibrate",
                    Path,
                    None,
                    Text("Good pictures", "良品图片"),
                    Text(
                        "Folder of good pictures, some ten to 100, for int8",
                        "良品图片文件夹（约 10 至 100 张），用于 int8",
                    ),
                ),
                Option(
                    "data",
                    Path,
                    None,
                    Text("Data set", "数据集"),
                    Text(
                        "data.yaml of labelled pictures, for int8: its loss is measured on those under val",
                        "已标注图片的 data.yaml，用于 int8：在 val 图片上评估精度损失",
                    ),
                ),
            ),
            train=_train,
            train_options=(
                Option("epochs", int, 100, Text("Epochs", "训练轮数"), minimum=1, maximum=10_000),
                Option("imgsz", int, 640, Text("Input size", "输入尺寸"), minimum=32, maximum=4096),
                Option("batch", int, 16, Text("Pictures a step", "批大小"), minimum=1, maximum=1024),
                Option(
                    "device",
                    str,
                    "auto",
                    Text("Device", "设备"),
                    Text("auto, cpu, cuda or cuda:N", "auto、cpu、cuda 或 cuda:N"),
                ),
                Option("seed", int, 0, Text("Seed", "随机种子"), minimum=0, maximum=2**31 - 1),
                Option(
                    "patience",
                    int,
                    50,
                    Text("Patience", "早停轮数"),
                    Text(
                        "Epochs without improvement after which training stops",
                        "连续多少轮没有提升后停止训练",
                    ),
                    minimum=1,
                    maximum=10_000,
                ),
                Option(
                    "learning_rate",
                    float,
                    None,
                    Text("Learning rate", "学习率"),
                    Text(
                        "Of AdamW at the start; empty: chosen. 0.0005 to go on from a good checkpoint",
                        "AdamW 的初始学习率；留空则自动选择。从已有模型继续训练时可用 0.0005",
                    ),
                    minimum=1e-7,
                    maximum=1.0,
                ),
                Option(
                    "precision",
                    str,
                    "auto",
                    Text("Precision", "精度"),
                    Text("auto: bf16 where the device has it", "auto：设备支持时使用 bf16"),
                    choices=("auto", "f32", "bf16"),
                ),
                Option(
                    "weights",
                    str,
                    None,
                    Text("Start weights", "起始权重"),
                    Text(
                        "Checkpoint whose weights are taken over into the architecture where they fit",
                        "从该模型文件取用与所选网络结构相符的权重",
                    ),
                ),
                Option(
                    "resume",
                    bool,
                    False,
                    Text("Go on", "继续训练"),
                    Text(
                        "Go on with the training in the output folder after its last whole epoch",
                        "从输出文件夹中最后一个完整轮次继续训练",
                    ),
                ),
                Option(
                    "check",
                    bool,
                    False,
                    Text("Only check", "仅检查"),
                    Text("Only check the data set; nothing is trained", "仅检查数据集，不进行训练"),
                ),
                Option(
                    "workers",
                    int,
                    0,
                    Text("Loading processes", "加载进程数"),
                    Text(
                        "Processes that load pictures beside the training; 0: none",
                        "训练时用于加载图片的进程数；0 表示不用",
                    ),
                    minimum=0,
                    maximum=64,
                ),
            ),
        )
    ]
