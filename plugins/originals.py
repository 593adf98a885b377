"""Pictures as they came, of cameras and streams, so that an old inspection can be opened with its picture again.

Pictures that lie in files need no copy: they are found by their path. ``originals/000123.jpg`` belongs to the
inspection with number 123 of the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from inspector.api import ExporterSpec, Inspection, Option, RunInfo, Text, hookimpl

PLUGIN = {
    "id": "originals",
    "version": "1.0",
    "api": 1,
    "kinds": ["exporter"],
    "description": "Original pictures of cameras and streams, to open old inspections with",
    "description_zh": "保存相机和视频流的原始图片，以便日后查看旧的检测",
}


@hookimpl
def inspector_exporters() -> Sequence[ExporterSpec]:
    options = (
        Option(
            "frames",
            str,
            "defects",
            Text("Which pictures", "保存哪些图片"),
            Text("defects: those that are not OK", "defects：只保存判定为 WARN 或 NG 的图片"),
            choices=("defects", "all"),
        ),
        Option("quality", int, 95, Text("JPEG quality", "JPEG 质量"), minimum=50, maximum=100),
    )
    return [ExporterSpec("originals", Text("Original pictures of cameras", "相机原始图片"), Originals, options)]


class Originals:
    """Writes the frames that lie in no file.

    Args:
        folder: of the run; the pictures go into ``originals`` in it.
        frames: ``defects``: those whose verdict is not OK; ``all``.
        quality: of the JPEG, 50 to 100.
    """

    def __init__(self, folder: Path, run: RunInfo, frames: str = "defects", quality: int = 95) -> None:
        self._folder, self._frames, self._quality = folder / "originals", frames, quality
        self._files: list[Path] = []

    def write(self, inspection: Inspection) -> None:
        wanted = self._frames == "all" or inspection.verdict.status != "OK"
        if inspection.frame.path is not None or not wanted:
            return
        from inspector.api import write_image  # brings OpenCV, which a list of plugins must not wait for

        self._folder.mkdir(exist_ok=True)
        path = self._folder / f"{inspection.number:06d}.jpg"
        write_image(path, inspection.frame.image, self._quality)
        if not self._files:
            self._files.append(self._folder)

    def close(self) -> Sequence[Path]:
        return self._files
