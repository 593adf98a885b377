"""Video files through OpenCV: the codec is probed, and the finished file is read back before it counts as written."""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from inspector.api import InspectorError, long_path, publish, temporary_beside, unused_path

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

# On Windows cv2.VideoWriter opens short ASCII paths only.
ANY_PATH = sys.platform != "win32"


class Codec(NamedTuple):
    """A FourCC code, the container it is written in, and the longest side in pixels that it encodes."""

    fourcc: str
    suffix: str
    longest: int


# The first that works is taken. H.264 is not among them: OpenCV's packages bring no encoder for it.
CODECS = (Codec("mp4v", ".mp4", 8190), Codec("MJPG", ".avi", 65500), Codec("WMV2", ".avi", 65500))
_proven: set[tuple[Codec, int, int, float]] = set()  # with width, height and rate; a trial takes 30 ms


class VideoFile:
    """A video of one size and one rate, written under a temporary name until :meth:`finish`.

    Args:
        stem: where it shall lie, without suffix; its folder is made.
        width, height: of the pictures to come, px. The video is even: an odd side grows by one pixel.
        rate: frames per second.
    """

    def __init__(self, stem: Path, width: int, height: int, rate: float, codec: Codec) -> None:
        self.codec, self.frames = codec, 0
        self.rate = _accepted(rate)
        self._right, self._bottom = width % 2, height % 2
        self.size = (width + self._right, height + self._bottom)
        long_path(stem.parent).mkdir(parents=True, exist_ok=True)
        self._final = stem.with_name(stem.name + codec.suffix)
        self._scratch = _scratch(self._final)
        self._writer = cv2.VideoWriter(str(self._scratch), cv2.VideoWriter.fourcc(*codec.fourcc), self.rate, self.size)
        self.opened = self._writer.isOpened()

    def write(self, image: NDArray[np.uint8], times: int = 1) -> None:
        """Append one picture, (height, width, 3) uint8 BGR, shown for ``times`` frames."""
        if self._right or self._bottom:
            padded = cv2.copyMakeBorder(image, 0, self._bottom, 0, self._right, cv2.BORDER_REPLICATE)
        else:
            padded = image
        for _ in range(times):
            self._writer.write(padded)
            self.frames += 1

    def check(self) -> tuple[bool, str]:
        """End writing and read the file back.

        Returns:
            Whether it can be read at all, and what is wrong with it, "" if nothing is.
        """
        self._writer.release()
        if not self.opened:
            return False, "the encoder did not open"
        reader = cv2.VideoCapture(str(self._scratch))
        try:
            readable, image = reader.read()
            return readable, self._difference(reader, image) if readable else "it cannot be read back"
        finally:
            reader.release()

    def _difference(self, reader: cv2.VideoCapture, first: NDArray[Any]) -> str:
        found = round(reader.get(cv2.CAP_PROP_FRAME_COUNT))
        if found != self.frames:
            return f"it has {found} frames instead of {self.frames}"
        if first.shape[1::-1] != self.size:
            return f"its size is {first.shape[1]}x{first.shape[0]} instead of {self.size[0]}x{self.size[1]}"
        rate = reader.get(cv2.CAP_PROP_FPS)
        if abs(rate - self.rate) > 0.0015:  # OpenCV rounds rates to 0.001
            return f"it runs at {rate:g} instead of {self.rate:g} frames per second"
        if self.frames > 1:
            reader.set(cv2.CAP_PROP_POS_FRAMES, self.frames - 1)
            if not reader.read()[0]:
                return "its last frame cannot be read back"
        return ""

    def finish(self) -> tuple[Path | None, str]:
        """End writing, check the file and put it in its place; it is kept if it can be read at all.

        Returns:
            Where it lies, under a second name if there was one already, None if it is useless; and a sentence on what
            is wrong with it, "" if nothing is.
        """
        try:
            readable, problem = self.check()
            if not readable:
                name = self._final.name
                return None, f"The video {name} could not be written: {problem}; check that the disk is not full"
            final = self._publish()
        finally:
            self.discard()
        if problem:
            return final, f"The video {final.name} is not right: {problem}; check that the disk is not full"
        facts = (final.name, self.frames, *self.size, self.rate, self.codec.fourcc)
        logger.info("%s: %d frames, %dx%d, %g frames per second, codec %s", *facts)
        return final, ""

    def _publish(self) -> Path:
        final = unused_path(long_path(self._final))
        if self._scratch.parent == self._final.parent:
            return self._final.with_name(publish(self._scratch, final).name)
        beside = temporary_beside(final)
        try:
            shutil.move(self._scratch, beside)
            return self._final.with_name(publish(beside, final).name)
        finally:
            beside.unlink(missing_ok=True)

    def discard(self) -> None:
        """End writing and remove the temporary file; harmless after :meth:`finish`."""
        self._writer.release()
        self._scratch.unlink(missing_ok=True)


def open_video(stem: Path, width: int, height: int, rate: float) -> VideoFile:
    """A video in the first codec that works for this size and rate.

    Raises:
        InspectorError: none does.
    """
    fitting = [codec for codec in CODECS if max(width, height) <= codec.longest]
    for codec in fitting:
        if _works(codec, stem, width, height, rate):
            video = VideoFile(stem, width, height, rate, codec)
            if video.opened:
                return video
            video.discard()
    tried = ", ".join(codec.fourcc for codec in fitting) or "none fits"
    raise InspectorError(
        f"No video of {stem.name} is written: no codec takes {width}x{height} pixels, "
        f"or the disk is full (tried: {tried})"
    )


def _works(codec: Codec, stem: Path, width: int, height: int, rate: float) -> bool:
    """Whether two frames of this size come back from a file; an encoder may open and yet write nothing.

    What worked once is not tried again: the finished file is checked anyway.
    """
    if (codec, width, height, rate) in _proven:
        return True
    trial = VideoFile(stem, width, height, rate, codec)
    try:
        if trial.opened:
            trial.write(np.zeros((height, width, 3), np.uint8), times=2)
        works = trial.check() == (True, "")
    finally:
        trial.discard()
    if works:
        _proven.add((codec, width, height, rate))
    return works


def _accepted(rate: float) -> float:
    """The rate with as many decimals as MPEG-4's time base can count (at most 65535 ticks a second)."""
    decimals = next((n for n in (3, 2, 1) if rate * 10**n <= 65535), 0)
    return round(rate, decimals)


def _scratch(final: Path) -> Path:
    """A temporary file with ``final``'s suffix that OpenCV can open: beside it, else in the system's folder."""
    elsewhere = Path(tempfile.gettempdir())
    plain = str(final.parent).isascii() and len(str(final.parent)) < 230
    if ANY_PATH or plain or not str(elsewhere).isascii():
        return temporary_beside(final)
    return temporary_beside(elsewhere / f"video{final.suffix}")
