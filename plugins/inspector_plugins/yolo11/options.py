"""The options of yolo11: to open a model, evaluate, export and train."""

from __future__ import annotations

from pathlib import Path

from inspector.api import Option, Text

_IMGSZ = Option(
    "imgsz",
    int,
    None,
    Text("Input size", "输入尺寸"),
    Text(
        "Image size in pixels (side length) for inference; empty: as trained",
        "推理时的图片边长（像素）；留空则与训练时相同",
    ),
    minimum=32,
    maximum=4096,
)
_DEVICE = Option(
    "device",
    str,
    "auto",
    Text("Device", "设备"),
    Text("auto, cpu, cuda or cuda:N", "auto、cpu、cuda 或 cuda:N"),
)

MODEL_OPTIONS = (
    _IMGSZ,
    Option(
        "runtime",
        str,
        "auto",
        Text("Runtime", "推理引擎"),
        Text(
            "auto: OpenVINO on the CPU if possible; a new model is converted once, which takes seconds",
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
            "auto: f32. Faster but less accurate: f16 on CUDA devices; with OpenVINO, bf16 if the processor "
            "supports it, and int8 once export-model has made and evaluated it",
            "auto：f32。更快但精度略低：CUDA 设备可用 f16；OpenVINO 在支持的处理器上可用 bf16，"
            "用 export-model 生成并评估之后可用 int8",
        ),
        choices=("auto", "f32", "f16", "bf16", "int8"),
    ),
    Option(
        "max_detections",
        int,
        300,
        Text("Maximum detections per image", "每张图片检测数上限"),
        minimum=1,
        maximum=10_000,
    ),
    Option(
        "batch",
        int,
        None,
        Text("Batch size", "批大小"),
        Text("Empty: chosen for the device", "留空则由设备决定"),
        minimum=1,
        maximum=256,
    ),
)

VALIDATE_OPTIONS = (
    Option("split", str, "val", Text("Split", "数据划分"), choices=("train", "val", "test")),
    _IMGSZ,
    Option(
        "conf",
        float,
        0.001,
        Text("Confidence threshold", "置信度阈值"),
        Text("Detections below it are ignored; mAP needs a low value", "低于此值的检测结果忽略；计算 mAP 需取较小值"),
        minimum=0,
        maximum=1,
    ),
    Option(
        "iou",
        float,
        0.7,
        Text("IoU threshold", "IoU 阈值"),
        Text("IoU threshold for non-maximum suppression", "非极大值抑制（NMS）的 IoU 阈值"),
        minimum=0,
        maximum=1,
    ),
    Option("batch", int, 16, Text("Batch size", "批大小"), minimum=1, maximum=1024),
    _DEVICE,
    Option(
        "native_masks",
        bool,
        False,
        Text("Full-size masks", "全尺寸掩膜"),
        Text(
            "Compare masks at the input size of the network instead of a quarter of it; slower, stricter",
            "按网络输入尺寸（而非其四分之一）比较掩膜；更慢、更严格",
        ),
    ),
)

EXPORT_OPTIONS = (
    Option(
        "imgsz",
        int,
        None,
        Text("Input size", "输入尺寸"),
        Text("Side length of the input; empty: as trained", "输入图片边长；留空则与训练时相同"),
        minimum=32,
        maximum=4096,
    ),
    Option(
        "shape",
        str,
        None,
        Text("Input shape", "输入形状"),
        Text(
            "HEIGHTxWIDTH, or any for all multiples of the stride; empty: a square",
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
            "int8: twice as fast on most processors, slightly less accurate (the loss is measured); OpenVINO only",
            "int8：在多数处理器上快一倍，精度略低（会实际评估）；仅用于 OpenVINO",
        ),
        choices=("f32", "int8"),
    ),
    Option(
        "calibrate",
        Path,
        None,
        Text("Good images", "良品图片"),
        Text(
            "Folder of about 10 to 100 good images, for int8",
            "良品图片文件夹（约 10 至 100 张），用于 int8",
        ),
    ),
    Option(
        "data",
        Path,
        None,
        Text("Dataset", "数据集"),
        Text(
            "data.yaml of labelled images, for int8: the accuracy loss is measured on the val images",
            "已标注图片的 data.yaml，用于 int8：在 val 图片上评估精度损失",
        ),
    ),
)

TRAIN_OPTIONS = (
    Option("epochs", int, 100, Text("Epochs", "训练轮数"), minimum=1, maximum=10_000),
    Option("imgsz", int, 640, Text("Input size", "输入尺寸"), minimum=32, maximum=4096),
    Option("batch", int, 16, Text("Batch size", "批大小"), minimum=1, maximum=1024),
    _DEVICE,
    Option("seed", int, 0, Text("Seed", "随机种子"), minimum=0, maximum=2**31 - 1),
    Option(
        "patience",
        int,
        50,
        Text("Patience", "早停轮数"),
        Text(
            "Stop after this many epochs without improvement",
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
            "Initial rate of AdamW; empty: automatic. Use 0.0005 to fine-tune a good checkpoint",
            "AdamW 的初始学习率；留空则自动选择。在已有模型上微调时可用 0.0005",
        ),
        minimum=1e-7,
        maximum=1.0,
    ),
    Option(
        "precision",
        str,
        "auto",
        Text("Precision", "精度"),
        Text("auto: bf16 if the device supports it", "auto：设备支持时使用 bf16"),
        choices=("auto", "f32", "bf16"),
    ),
    Option(
        "weights",
        str,
        None,
        Text("Start weights", "起始权重"),
        Text(
            "Checkpoint whose matching weights are copied into the architecture",
            "从该模型文件载入与所选网络结构匹配的权重",
        ),
    ),
    Option(
        "optimizer",
        str,
        "auto",
        Text("Optimizer", "优化器"),
        choices=("auto", "AdamW", "SGD", "Adam", "RMSProp"),
    ),
    Option(
        "freeze",
        int,
        0,
        Text("Frozen layers", "冻结层数"),
        Text(
            "Freeze the weights of the first rows of the network; 10 or 11 is the backbone",
            "冻结网络前若干层的权重；10 或 11 层为主干网络",
        ),
        minimum=0,
        maximum=22,
    ),
    Option(
        "cosine",
        bool,
        False,
        Text("Cosine schedule", "余弦学习率"),
        Text("Decay the learning rate along a cosine", "学习率按余弦曲线下降"),
    ),
    Option(
        "multi_scale",
        float,
        0.0,
        Text("Multi-scale", "多尺度训练"),
        Text("Variation of the input size, as a share", "输入尺寸变化的幅度"),
        minimum=0,
        maximum=0.75,
    ),
    Option(
        "mosaic",
        float,
        1.0,
        Text("Mosaic", "马赛克增强"),
        Text("Probability of combining four images; 0: off", "四图拼接的概率；0 表示关闭"),
        minimum=0,
        maximum=1,
    ),
    Option(
        "scale",
        float,
        0.5,
        Text("Random scale", "随机缩放"),
        minimum=0,
        maximum=0.9,
    ),
    Option(
        "degrees",
        float,
        0.0,
        Text("Random rotation (degrees)", "随机旋转（度）"),
        minimum=0,
        maximum=180,
    ),
    Option(
        "flip_horizontal",
        float,
        0.5,
        Text("Horizontal flip, probability", "左右翻转概率"),
        minimum=0,
        maximum=1,
    ),
    Option(
        "flip_vertical",
        float,
        0.0,
        Text("Vertical flip, probability", "上下翻转概率"),
        minimum=0,
        maximum=1,
    ),
    Option(
        "brightness",
        float,
        0.4,
        Text("Random brightness", "随机亮度"),
        minimum=0,
        maximum=0.9,
    ),
    Option(
        "resume",
        bool,
        False,
        Text("Resume", "继续训练"),
        Text(
            "Resume the training in the output folder after its last complete epoch",
            "从输出文件夹中最后一个完整轮次继续训练",
        ),
    ),
    Option(
        "check",
        bool,
        False,
        Text("Check only", "仅检查"),
        Text("Check the dataset without training", "仅检查数据集，不进行训练"),
    ),
    Option(
        "workers",
        int,
        0,
        Text("Data loader workers", "加载进程数"),
        Text(
            "Additional processes that load images; 0: none",
            "加载图片的附加进程数；0 表示不用",
        ),
        minimum=0,
        maximum=64,
    ),
)
