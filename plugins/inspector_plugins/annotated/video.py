"""Write annotated videos."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspector.api import Frame, Inspection, InspectorError, RunInfo, result_stem

from .common import annotated
from .writer import VideoFile, open_video

logger = logging.getLogger(__name__)

_CAMERA_RATE = 25.0  # frames per second if a stream does not state its own
_FASTEST_CAMERA, _FASTEST_FILE = 120, 1000  # highest plausible frames per second
_LONGEST_PAUSE = 10.0  # seconds; longest pause of a camera's video while no images come


class Video:
    """Writes annotated videos to ``folder/video``, one for each stream; still images are left to :class:`Images`.

    A new file (``NAME-2``) begins when the images' size changes, e.g. after a camera's reconnection. All files have
    even sides: an odd side grows by one pixel, because the codecs need that.

    Args:
        opacity: of the defects' colour, 0 to 1.
        labels: write class names and scores.
    """

    def __init__(self, folder: Path, run: RunInfo, opacity: float = 0.4, labels: bool = True) -> None:
        self._folder, self._opacity, self._labels = folder / "video", opacity, labels
        self._stream: _Stream | None = None
        self._files: list[Path] = []
        self._problems: list[str] = []

    def write(self, inspection: Inspection) -> None:
        frame = inspection.frame
        if frame.seconds is None:
            return
        if self._stream is not None and not self._stream.continued_by(frame):
            self._finish()
        if self._stream is None:
            self._stream = _Stream(result_stem(self._folder, frame.name), frame)
        self._stream.add(frame, frame.seconds, annotated(inspection, self._opacity, self._labels))

    def _finish(self) -> None:
        if self._stream is not None:
            stream, self._stream = self._stream, None
            file, problem = stream.finish()
            if file is not None:
                self._files.append(file)
            if problem:
                self._problems.append(problem)

    def close(self) -> Iterable[Path]:
        """Finish the last video.

        Raises:
            InspectorError: a video is missing or damaged; all others are finished.
        """
        self._finish()
        if self._problems:
            raise InspectorError(". ".join(self._problems))
        return self._files


class _Stream:
    """A video being written. Each image is shown from the time at which it was taken."""

    def __init__(self, stem: Path, first: Frame) -> None:
        rate = first.rate or 0.0
        self._live = first.path is None
        self._rate = rate if 0.1 <= rate <= (_FASTEST_CAMERA if self._live else _FASTEST_FILE) else _CAMERA_RATE
        self._video: VideoFile | None = None
        self._problem = ""
        try:
            self._video = open_video(stem, first.width, first.height, self._rate)
        except InspectorError as error:
            self._problem = str(error)
            logger.warning("%s", error)  # immediately: a camera may run for hours
        self._size = (first.width, first.height)
        self._source = (first.name, first.path)
        self._last_index: int | None = None
        self._last_seconds: float | None = None
        self._position = 0.0  # seconds since the beginning of the video

    def continued_by(self, frame: Frame) -> bool:
        """Whether ``frame`` belongs to the same video."""
        forward = self._last_index is None or frame.index > self._last_index
        return forward and (frame.name, frame.path) == self._source and (frame.width, frame.height) == self._size

    def add(self, frame: Frame, seconds: float, image: NDArray[np.uint8]) -> None:
        """Append the annotated image of a frame.

        Raises:
            InspectorError: the video cannot be continued.
        """
        if self._last_seconds is not None:
            self._position += self._interval(frame.name, seconds - self._last_seconds)
        self._last_index, self._last_seconds = frame.index, seconds
        if self._video is None:
            return
        try:
            self._video.write(image, self._position)
        except InspectorError:
            self._video.discard()
            self._video = None
            raise

    def _interval(self, name: str, seconds: float) -> float:
        if self._live and seconds > _LONGEST_PAUSE:
            logger.info("%s: the video shows %g of %.0f seconds without images", name, _LONGEST_PAUSE, seconds)
            return _LONGEST_PAUSE
        return max(0.0, seconds)

    def finish(self) -> tuple[Path | None, str]:
        """Finish; return the file, if there is one, and a sentence on its defects, else ""."""
        if self._video is None:
            return None, self._problem
        try:
            return self._video.finish(1 / self._rate)
        finally:
            self._video.discard()
