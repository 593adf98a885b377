"""Annotated videos."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspector.api import Frame, Inspection, InspectorError, RunInfo

from .common import annotated, stem_of
from .writer import VideoFile, open_video

logger = logging.getLogger(__name__)

_CAMERA_RATE = 25.0  # frames per second of the video where a camera does not tell its own
_LONGEST_PAUSE = 10.0  # seconds that a camera's video stands still at most when no pictures come


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
        self._problems: list[str] = []

    def write(self, inspection: Inspection) -> None:
        frame = inspection.frame
        if frame.seconds is None:
            return
        if self._stream is not None and not self._stream.continued_by(frame):
            self._finish()
        if self._stream is None:
            self._stream = _Stream(stem_of(self._folder, frame.name), frame)
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
            InspectorError: a video is missing or not right; all others are finished.
        """
        self._finish()
        if self._problems:
            raise InspectorError(". ".join(self._problems))
        return self._files


class _Stream:
    """A video being written. Frames of a file are written one to one, at the file's rate. Those of a camera come when
    they come: each is repeated or left out so that the video shows it when it was taken.
    """

    def __init__(self, stem: Path, first: Frame) -> None:
        rate = first.rate or 0.0
        self._one_to_one = first.path is not None and 0.1 <= rate <= 1000
        self._rate = rate if self._one_to_one or 1 <= rate <= 120 else _CAMERA_RATE
        self._video: VideoFile | None = None
        self._problem = ""
        try:
            self._video = open_video(stem, first.width, first.height, self._rate)
        except InspectorError as error:
            self._problem = str(error)
            logger.warning("%s", error)  # at once: a camera may run for hours
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

    def finish(self) -> tuple[Path | None, str]:
        """The finished file, if there is one, and a sentence on what is wrong, "" if nothing is."""
        if self._video is None:
            return None, self._problem
        try:
            if self._shown is not None:
                self._video.write(self._shown)
            return self._video.finish()
        finally:
            self._video.discard()
