"""Results as datasets, for retraining and manual correction: COCO, YOLO and labelme."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from inspector.api import Exporter, ExporterSpec, Option, Pixels, RunInfo, Text, hookimpl

PLUGIN = {
    "id": "datasets",
    "version": "1.0",
    "api": 1,
    "kinds": ["exporter"],
    "description": "Results as COCO, YOLO and labelme datasets",
    "description_zh": "COCO、YOLO 与 labelme 格式的标注数据",
}

_IMAGES = Option(
    "images",
    str,
    "copy",
    Text("Images", "图片"),
    Text(
        "copy: save the images with the labels; none: leave them out",
        "copy：复制图片，与标注放在一起；none：不放图片",
    ),
    choices=("copy", "none"),
)


@hookimpl
def inspector_exporters() -> Iterable[ExporterSpec]:
    return [
        ExporterSpec("coco", Text("COCO dataset", "COCO 数据集"), _open_coco, pixels="unused"),
        ExporterSpec(
            "yolo", Text("YOLO dataset", "YOLO 数据集"), _open_yolo, (_IMAGES,), pixels=_pixels, per_image=True
        ),
        ExporterSpec(
            "labelme", Text("labelme files", "labelme 文件"), _open_labelme, (_IMAGES,), pixels=_pixels, per_image=True
        ),
    ]


def _pixels(images: str) -> Pixels:
    return "needed" if images == "copy" else "unused"


def _open_coco(folder: Path, run: RunInfo) -> Exporter:
    from .coco import Coco

    return Coco(folder, run)


def _open_yolo(folder: Path, run: RunInfo, **options: Any) -> Exporter:
    from .yolo import Yolo

    return Yolo(folder, run, **options)


def _open_labelme(folder: Path, run: RunInfo, **options: Any) -> Exporter:
    from .labelme import Labelme

    return Labelme(folder, run, **options)
