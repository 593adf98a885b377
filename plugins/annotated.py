"""Annotated pictures and videos: each defect in colour with its name, as people want to see and send them.

``images`` writes a picture for each still picture, and for those frames of videos and cameras that are not OK.
``video`` writes a video for each stream: of a file frame by frame at its own rate, of a camera in real time.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from inspector.api import ExporterSpec, Frame, Inspection, Option, RunInfo, Text, hookimpl, long_path, safe_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PLUGIN = {
    "id": "annotated",
    "version": "1.0",
    "api": 1,
    "kinds": ["exporter"],
    "description": "Annotated pictures and videos",
}

logger = logging.getLogger(__name__)

_LONGEST_JPEG = 65_500  # pixels a side; a larger picture is written as PNG
_CAMERA_RATE = 25.0  # frames per second of the video where a camera does not tell its own
_LONGEST_PAUSE = 10.0  # seconds that a camera's video stands still at most when no pictures come


class Images:
    """Annotated pictures in ``folder/images``, named as their sources; sub-folders stay sub-folders.

    Args:
        format: ``jpg`` or ``png``.
        quality: of JPEG, 1 to 100.
        video_frames: which frames of videos and cameras are written, as ``NAME_000012.jpg``: those that are not OK
            (``defects``), ``all`` or ``none``.
        opacity: of the defects' colour, 0 to 1.
        labels: write class names and scores.
    """

    def __init__(
        self,
        folder: Path,
        run: RunInfo,
        format: Literal["jpg", "png"] = "jpg",
        quality: int = 92,
        video_frames: Literal["defects", "all", "none"] = "defects",
        opacity: float = 0.4,
        labels: bool = True,
    ) -> None:
        self._folder = folder / "images"
        self._format, self._quality, self._video_frames = format, quality, video_frames
        self._opacity, self._labels = opacity, labels
        self._files: list[Path] = []
        self._next: dict[Path, int] = {}

    def write(self, inspection: Inspection) -> None:
        from inspector.api import write_image

        frame = inspection.frame
        stem = _stem(self._folder, frame.name)
        if frame.seconds is not None:
            wanted = self._video_frames == "all" or inspection.verdict.status != "OK"
            if self._video_frames == "none" or not wanted:
                return
            stem = stem.with_name(f"{stem.name}_{frame.index:06d}")
        suffix = ".png" if max(frame.width, frame.height) > _LONGEST_JPEG else f".{self._format}"
        path = self._unused(stem, suffix)
        long_path(path.parent).mkdir(parents=True, exist_ok=True)
        image = _drawn(inspection, self._opacity, self._labels)
        self._files.append(write_image(path, image, quality=self._quality))

    def _unused(self, stem: Path, suffix: str) -> Path:
        """The first free of ``stem.jpg``, ``stem-2.jpg``, …; remembers how far a name has been used."""
        number = self._next.get(stem, 1)
        while True:
            path = stem.with_name(f"{stem.name}{f'-{number}' if number > 1 else ''}{suffix}")
            number += 1
            if not long_path(path).exists():
                break
        if number > 2:
            self._next[stem] = number
        return path

    def close(self) -> Iterable[Path]:
        return self._files


class Video:
    """Annotated videos in ``folder/video``, one for each stream; still pictures are left to :class:`Images`.

    A new file (``NAME-2``) begins where the pictures' size changes, as after a camera's reconnection. All files have
    even sides: an odd side grows by one pixel, because the codecs need that.

    Args:
        opacity: of the defects' colour, 0 to 1.
        labels: write class names and scores.
    """

    def __init__(self, folder: Path, run: RunInfo, opacity: float = 0.4, labels: bool = True) -> None:
        self._folder, self._opacity, self._labels = folder / "video", opacity, labels
        self._stream: _Stream | None = None
        self._files: list[Path] = []

    def write(self, inspection: Inspection) -> None:
        frame = inspection.frame
        if frame.seconds is None:
            return
        if self._stream is not None and not self._stream.continued_by(frame):
            self._finish()
        if self._stream is None:
            self._stream = _Stream(_stem(self._folder, frame.name), frame)
        self._stream.add(frame, frame.seconds, _drawn(inspection, self._opacity, self._labels))

    def _finish(self) -> None:
        if self._stream is not None:
            stream, self._stream = self._stream, None
            self._files += stream.finish()

    def close(self) -> Iterable[Path]:
        self._finish()
        return self._files


class _Stream:
    """A video being written. Frames of a file are written one to one, at the file's rate. Those of a camera come when
    they come: each is repeated or left out so that the video shows it when it was taken.
    """

    def __init__(self, stem: Path, first: Frame) -> None:
        from ._video_writer import open_video

        rate = first.rate or 0.0
        self._one_to_one = first.path is not None and 0.1 <= rate <= 1000
        self._rate = rate if self._one_to_one or 1 <= rate <= 120 else _CAMERA_RATE
        self._video = open_video(stem, first.width, first.height, self._rate)
        self._size = (first.width, first.height)
        self._source = (first.name, first.path)
        self._last_index: int | None = None
        self._last_seconds = 0.0
        self._position = 0.0  # seconds since the video's beginning
        self._shown: NDArray[np.uint8] | None = None  # stands until the next picture's time has come

    def continued_by(self, frame: Frame) -> bool:
        """Whether ``frame`` belongs into the same video."""
        forward = self._last_index is None or frame.index > self._last_index
        return forward and (frame.name, frame.path) == self._source and (frame.width, frame.height) == self._size

    def add(self, frame: Frame, seconds: float, image: NDArray[np.uint8]) -> None:
        if self._video is None:
            pass
        elif self._one_to_one:
            self._video.write(image)
        else:
            if self._shown is not None:
                self._position += self._pause(frame.name, seconds - self._last_seconds)
                self._video.write(self._shown, times=round(self._position * self._rate) - self._video.frames)
            self._shown = image
        self._last_index, self._last_seconds = frame.index, seconds

    def _pause(self, name: str, seconds: float) -> float:
        if seconds > _LONGEST_PAUSE:
            logger.info("%s: the video shows %g of %.0f seconds without pictures", name, _LONGEST_PAUSE, seconds)
        return min(max(0.0, seconds), _LONGEST_PAUSE)

    def finish(self) -> Iterable[Path]:
        """The finished file, if there is one."""
        if self._video is None:
            return []
        try:
            if self._shown is not None:
                self._video.write(self._shown)
            file = self._video.finish()
        finally:
            self._video.discard()
        return [] if file is None else [file]


def _stem(folder: Path, name: str) -> Path:
    """Where the output for a picture or stream called ``name`` lies, without suffix; never outside ``folder``."""
    address = "://" in name
    parts = [part for part in ([name] if address else re.split(r"[\\/]", name)) if part.strip(" .")] or ["_"]
    last = re.sub(r"(?<=.)\.[A-Za-z]\w{1,4}$", "", parts[-1])
    last = safe_name(last).encode()[:200].decode(errors="ignore")  # leaves room for numbers within 255 bytes
    return folder.joinpath(*map(safe_name, parts[:-1]), last)


def _drawn(inspection: Inspection, opacity: float, labels: bool) -> NDArray[np.uint8]:
    from inspector.api import draw_inspection

    image = inspection.frame.image.copy()
    return draw_inspection(image, inspection.detections, inspection.verdict, opacity=opacity, labels=labels)


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
    Option("labels", bool, True, Text("Class names and scores", "显示类别与置信度")),
)
_IMAGE_OPTIONS = (
    Option("format", str, "jpg", Text("File format", "文件格式"), choices=("jpg", "png")),
    Option("quality", int, 92, Text("JPEG quality", "JPEG 质量"), minimum=1, maximum=100),
    Option(
        "video_frames",
        str,
        "defects",
        Text("Frames of videos and cameras", "视频与相机的帧"),
        Text("defects: those that are not OK", "defects：判定不是 OK 的帧"),
        choices=("defects", "all", "none"),
    ),
    *_LOOK,
)


@hookimpl
def inspector_exporters() -> Iterable[ExporterSpec]:
    return [
        ExporterSpec("images", Text("Annotated pictures", "标注图片"), Images, _IMAGE_OPTIONS, default=True),
        ExporterSpec("video", Text("Annotated video", "标注视频"), Video, _LOOK, default=True),
    ]
