"""Save the original images of sources that do not keep them: cameras, streams and watched folders.

So an inspection can later be opened with its image. ``originals/000123.jpg`` belongs to the inspection with number
123 of the run. Images of a plain folder and frames of a video file are read from where they are, and need no
copy.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from inspector.api import ExporterSpec, Frame, Inspection, Option, RunInfo, Text, hookimpl

PLUGIN = {
    "id": "originals",
    "version": "1.1",
    "api": 1,
    "kinds": ["exporter"],
    "description": "Original images of cameras, streams and watched folders, for viewing past inspections",
    "description_zh": "保存相机、视频流和监视文件夹的原始图片，以便日后查看旧的检测",
}
_COPIED = (".jpg", ".jpeg", ".png", ".bmp", ".webp")  # one image a file: its bytes are the original


@hookimpl
def inspector_exporters() -> Sequence[ExporterSpec]:
    options = (
        Option(
            "frames",
            str,
            "defects",
            Text("Images to save", "保存哪些图片"),
            Text("defects: those that are not OK", "defects：只保存判定为 WARN 或 NG 的图片"),
            choices=("defects", "all"),
        ),
        Option(
            "ok_percent",
            int,
            0,
            Text("OK images kept (%)", "OK 图片保留比例（%）"),
            Text("share of the OK images that is kept too, evenly spread", "另外均匀保留这一比例的 OK 图片"),
            minimum=0,
            maximum=100,
        ),
        Option("quality", int, 95, Text("JPEG quality", "JPEG 质量"), minimum=50, maximum=100),
    )
    return [ExporterSpec("originals", Text("Original images", "原始图片"), Originals, options, per_image=True)]


class Originals:
    """Saves the images that do not remain in a file.

    Args:
        folder: of the run; the images are saved to its subfolder ``originals``.
        run: its sources determine whether files remain: those of a watched folder may be moved at any time.
        frames: ``defects``: those whose verdict is not OK; or ``all``.
        ok_percent: share of the OK ones that is kept too, 0 to 100.
        quality: of the JPEG, 50 to 100.
    """

    def __init__(
        self, folder: Path, run: RunInfo | None, frames: str = "defects", ok_percent: int = 0, quality: int = 95
    ) -> None:
        self._folder, self._quality = folder / "originals", quality
        self._share = 100 if frames == "all" else ok_percent
        self._watched = run is not None and any("folder" in choice.options for choice in run.job.sources)
        self._ok = 0
        self._files: list[Path] = []

    def write(self, inspection: Inspection) -> None:
        stays = inspection.frame.path is not None and not self._watched
        if not self._wanted(inspection) or stays:
            return
        self._folder.mkdir(exist_ok=True)
        self._keep(inspection.frame, f"{inspection.number:06d}")
        if not self._files:
            self._files.append(self._folder)

    def _wanted(self, inspection: Inspection) -> bool:
        if inspection.verdict.status != "OK":
            return True
        before, self._ok = self._ok, self._ok + 1
        return self._ok * self._share // 100 > before * self._share // 100

    def _keep(self, frame: Frame, stem: str) -> None:
        """Copy the file that the frame came from; if that fails, save the inspected pixels."""
        from inspector.api import long_path, write_image  # imports OpenCV: not at once

        from ._shared.atomic_files import write_atomically

        source = None if frame.path is None or frame.seconds is not None else Path(frame.path)
        if source is not None and source.suffix.lower() in _COPIED:
            target = self._folder / f"{stem}{source.suffix.lower()}"
            try:
                write_atomically(target, partial(shutil.copyfile, long_path(source)))
                return
            except FileNotFoundError:
                pass  # it was moved already
        write_image(self._folder / f"{stem}.jpg", frame.image, self._quality)

    def close(self) -> Sequence[Path]:
        return self._files
