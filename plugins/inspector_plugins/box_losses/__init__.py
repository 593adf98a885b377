"""Losses of boxes for small, thin or uneven defects; ``+loss=nwd`` in an architecture. Inference is unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from inspector.api import LayerSpec, Text, hookimpl

PLUGIN = {
    "id": "box_losses",
    "version": "1.0",
    "api": 1,
    "kinds": ["layer"],
    "description": "Losses of boxes: NWD, Wise-IoU, Inner-IoU, MPDIoU, SIoU, EIoU, Shape-IoU and others",
    "description_zh": "边界框损失：NWD、Wise-IoU、Inner-IoU、MPDIoU、SIoU、EIoU、Shape-IoU 等",
}


def _load(name: str) -> Sequence[type]:
    from inspector_plugins.box_losses import layers

    return (getattr(layers, name),)


BoxSpec = partial(LayerSpec, kind="loss", part="box")


@hookimpl
def inspector_layers() -> list[LayerSpec]:
    return [
        BoxSpec(
            id="nwd",
            title=Text("NWD loss", "NWD 损失"),
            load=partial(_load, "NWD"),
            paper="Wang et al., 2021, arXiv:2110.13389",
            about=Text(
                "Compares boxes as normal distributions, so that a pixel of error on a tiny defect does not cost all.",
                "把边界框当作正态分布比较，微小缺陷偏差一个像素不会使损失骤增。",
            ),
        ),
        BoxSpec(
            id="wiou_v1",
            title=Text("Wise-IoU v1 loss", "Wise-IoU v1 损失"),
            load=partial(_load, "WiseIoU1"),
            paper="Tong et al., 2023, arXiv:2301.10051",
            about=Text(
                "Weights the IoU loss by the distance of the centres instead of adding a penalty.",
                "用中心距离对 IoU 损失加权，而不是附加惩罚项。",
            ),
        ),
        BoxSpec(
            id="wiou_v3",
            title=Text("Wise-IoU v3 loss", "Wise-IoU v3 损失"),
            load=partial(_load, "WiseIoU"),
            paper="Tong et al., 2023, arXiv:2301.10051",
            about=Text(
                "Learns most from boxes of medium quality and little from hopeless ones, e.g. wrong labels.",
                "主要从质量中等的框学习，少受很差的框（例如错误标注）影响。",
            ),
        ),
        BoxSpec(
            id="inner_ciou",
            title=Text("Inner-CIoU loss", "Inner-CIoU 损失"),
            load=partial(_load, "InnerCIoU"),
            paper="Zhang et al., 2023, arXiv:2311.02877",
            about=Text(
                "CIoU with the overlap of boxes scaled to three quarters, which sharpens well placed boxes.",
                "用缩小到四分之三的框计算重叠的 CIoU，使已对准的框更精确。",
            ),
        ),
        BoxSpec(
            id="inner_siou",
            title=Text("Inner-SIoU loss", "Inner-SIoU 损失"),
            load=partial(_load, "InnerSIoU"),
            paper="Zhang et al., 2023, arXiv:2311.02877",
            about=Text(
                "SIoU with the overlap of boxes scaled to three quarters.",
                "用缩小到四分之三的框计算重叠的 SIoU。",
            ),
        ),
        BoxSpec(
            id="mpdiou",
            title=Text("MPDIoU loss", "MPDIoU 损失"),
            load=partial(_load, "MPDIoU"),
            paper="Ma & Xu, 2023, arXiv:2307.07662",
            about=Text(
                "Penalises the distances of two corners, which hold position and size at once.",
                "惩罚两个角点的距离，同时约束位置和大小。",
            ),
        ),
        BoxSpec(
            id="siou",
            title=Text("SIoU loss", "SIoU 损失"),
            load=partial(_load, "SIoU"),
            paper="Gevorgyan, 2022, arXiv:2205.12740",
            about=Text(
                "Adds the angle between the centres, so that boxes approach along the nearer axis first.",
                "加入中心连线的角度，使框先沿较近的坐标轴靠拢。",
            ),
        ),
        BoxSpec(
            id="eiou",
            title=Text("EIoU loss", "EIoU 损失"),
            load=partial(_load, "EIoU"),
            paper="Zhang et al., 2021, arXiv:2101.08158",
            about=Text(
                "Penalises width and height separately instead of their ratio.",
                "分别惩罚宽和高的误差，而不是宽高比。",
            ),
        ),
        BoxSpec(
            id="focal_eiou",
            title=Text("Focal-EIoU loss", "Focal-EIoU 损失"),
            load=partial(_load, "FocalEIoU"),
            paper="Zhang et al., 2021, arXiv:2101.08158",
            about=Text(
                "EIoU that weights boxes by their overlap, so that good ones decide.",
                "按重叠程度加权的 EIoU，由质量好的框主导。",
            ),
        ),
        BoxSpec(
            id="shape_iou",
            title=Text("Shape-IoU loss", "Shape-IoU 损失"),
            load=partial(_load, "ShapeIoU"),
            paper="Zhang & Zhang, 2023, arXiv:2312.17663",
            about=Text(
                "Takes the shape of the labelled box into account, for long and thin defects.",
                "考虑标注框自身的形状，适合细长缺陷。",
            ),
        ),
        BoxSpec(
            id="focaler_iou",
            title=Text("Focaler-CIoU loss", "Focaler-CIoU 损失"),
            load=partial(_load, "FocalerCIoU"),
            paper="Zhang & Zhang, 2024, arXiv:2401.10525",
            about=Text(
                "CIoU whose overlap is stretched to the range from 0 to 0.95, which stresses easy boxes less.",
                "把重叠线性拉伸到 0 至 0.95 区间的 CIoU，减少对容易样本的关注。",
            ),
        ),
        BoxSpec(
            id="piou_v2",
            title=Text("Powerful-IoU v2 loss", "Powerful-IoU v2 损失"),
            load=partial(_load, "PIoU"),
            paper="Liu et al., 2024, doi:10.1016/j.neunet.2023.11.041",
            about=Text(
                "Penalty in units of the target's size with an attention on boxes of medium quality.",
                "以目标尺寸为单位的惩罚项，并关注质量中等的框。",
            ),
        ),
        BoxSpec(
            id="sd_box",
            title=Text("Scale-based dynamic box loss", "尺度动态边界框损失"),
            load=partial(_load, "SDIoU"),
            paper="Yang et al., 2024, arXiv:2412.16986",
            about=Text(
                "Weighs the position more than the overlap for targets below 81 square pixels.",
                "对小于 81 平方像素的目标，更看重位置而非重叠。",
            ),
        ),
    ]
