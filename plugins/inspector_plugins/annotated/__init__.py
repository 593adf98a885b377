"""Annotated images and videos: each defect in colour with its name.

``images`` writes an image for each still image, and for those frames of videos and cameras that are not OK.
``video`` writes a video for each stream: of a file frame by frame at its own rate, of a camera in real time.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from inspector.api import Exporter, ExporterSpec, Option, RunInfo, Text, hookimpl

PLUGIN = {
    "id": "annotated",
    "version": "1.0",
    "api": 1,
    "kinds": ["exporter"],
    "description": "Annotated images and videos",
    "description_zh": "标注后的图片与视频",
}

_LOOK = (
    Option(
        "opacity",
        float,
        0.4,
        Text("Opacity of the colour", "颜色不透明度"),
        Text("0 draws outlines only, 1 covers the defect", "0 只画轮廓，1 完全覆盖缺陷"),
        minimum=0,
        maximum=1,
    ),
    Option("labels", bool, True, Text("Class names and confidence", "显示类别与置信度")),
)
_IMAGE_OPTIONS = (
    Option("format", str, "jpg", Text("File format", "文件格式"), choices=("jpg", "png")),
    Option("quality", int, 92, Text("JPEG quality", "JPEG 质量"), minimum=1, maximum=100),
    Option(
        "video_frames",
        str,
        "defects",
        Text("Frames of videos and cameras", "视频与相机的帧"),
        Text("defects: those that are not OK", "defects：只保存判定为 WARN 或 NG 的帧"),
        choices=("defects", "all", "none"),
    ),
    *_LOOK,
)


@hookimpl
def inspector_exporters() -> Iterable[ExporterSpec]:
    return [
        ExporterSpec(
            "images", Text("Annotated images", "标注图片"), _open_images, _IMAGE_OPTIONS, default=True, per_image=True
        ),
        ExporterSpec("video", Text("Annotated video", "标注视频"), _open_video, _LOOK, default=True),
    ]


def _open_images(folder: Path, run: RunInfo, **options: Any) -> Exporter:
    from .images import Images

    return Images(folder, run, **options)


def _open_video(folder: Path, run: RunInfo, **options: Any) -> Exporter:
    from .video import Video

    return Video(folder, run, **options)
