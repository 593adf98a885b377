"""Write video files with PyAV, each frame with its own time. A finished file is verified by reading it back."""

from __future__ import annotations

import logging
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import av
import cv2
import numpy as np

from inspector.api import InspectorError, long_path, message, publish, temporary_beside, unused_path

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_MOST_TICKS = 65_535  # per second; MPEG-4 has no finer resolution


class Codec(NamedTuple):
    """An encoder of FFmpeg, its pixel format and options, the container, and the longest side in px that it encodes."""

    name: str
    pixels: str
    options: tuple[tuple[str, str], ...]
    suffix: str
    longest: int


# The first one that works is used. The bit rate is high enough never to be the limit: the quantizer decides.
CODECS = (
    Codec("mpeg4", "yuv420p", (("qmin", "3"), ("b", "1G")), ".mp4", 8190),
    Codec("mjpeg", "yuvj420p", (("qmin", "3"), ("b", "1G")), ".mov", 65500),
)


class VideoFile:
    """A video of one size, written under a temporary name until :meth:`finish`.

    Args:
        stem: final path without suffix; its folder is created.
        width, height: of the images to come, px. The video is even: an odd side grows by one pixel.
        rate: nominal frames per second, which determines the resolution of times.
        codec: encoder to use.

    Raises:
        OSError, av.FFmpegError: the encoder refuses this, or the file cannot be created.
    """

    def __init__(self, stem: Path, width: int, height: int, rate: float, codec: Codec) -> None:
        self.codec, self.frames = codec, 0
        self._right, self._bottom = width % 2, height % 2
        self.size = (width + self._right, height + self._bottom)
        self._tick, self._time = _tick(rate), -1
        self._held: Any = None  # the last packet, whose duration is not known yet
        long_path(stem.parent).mkdir(parents=True, exist_ok=True)
        self._final = stem.with_name(stem.name + codec.suffix)
        self._scratch = temporary_beside(self._final)
        try:
            self._container = av.open(str(long_path(self._scratch)), "w", format=codec.suffix[1:])
            stream: Any = self._container.add_stream(codec.name, rate=Fraction(rate).limit_denominator(1001))
            stream.width, stream.height = self.size
            stream.pix_fmt = codec.pixels
            stream.options = dict(codec.options)
            stream.codec_context.time_base = self._tick
            stream.codec_context.open()
            self._stream: Any = stream
        except BaseException:
            self.discard()
            raise

    def write(self, image: NDArray[np.uint8], seconds: float) -> None:
        """Append one image, (height, width, 3) uint8 BGR, shown from ``seconds`` on, counted from the first one.

        Raises:
            InspectorError: it cannot be written.
        """
        if self._right or self._bottom:
            image = cv2.copyMakeBorder(image, 0, self._bottom, 0, self._right, cv2.BORDER_REPLICATE)  # type: ignore[assignment]
        frame = self._frame(image)
        self._time = max(round(seconds / self._tick), self._time + 1)
        frame.pts, frame.time_base = self._time, self._tick
        try:
            self._mux(self._stream.encode(frame))
        except (OSError, av.FFmpegError) as error:
            raise InspectorError(self._failed(error)) from None
        self.frames += 1

    def _frame(self, image: NDArray[np.uint8]) -> Any:
        if self.codec.pixels == "yuv420p":  # OpenCV converts six times as fast as FFmpeg does
            planes = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420), np.uint8)
            return av.VideoFrame.from_ndarray(planes, "yuv420p")
        return av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(image), "bgr24")

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            if self._held is not None:
                self._held.duration = packet.pts - self._held.pts
                self._container.mux(self._held)
            self._held = packet

    def finish(self, last: float) -> tuple[Path | None, str]:
        """Finish writing, verify the file and move it into place; it is kept if it can be read at all.

        Args:
            last: display duration of the last image, seconds.

        Returns:
            Its path, numbered if that name was used already, None if it is useless; and a sentence on what is
            wrong with it, "" if nothing is.
        """
        try:
            try:
                self._end(last)
            except (OSError, av.FFmpegError) as error:
                return None, self._failed(error)
            readable, problem = self._check()
            if not readable:
                return (
                    None,
                    message(
                        "The video {path} could not be written: {problem}; check that the disk is not full",
                        path=self._final.name,
                        problem=problem,
                    ),
                )
            final = unused_path(long_path(self._final))
            final = self._final.with_name(publish(self._scratch, final).name)
        finally:
            self.discard()
        if problem:
            return final, message(
                "The video {path} is damaged: {reason}; check that the disk is not full",
                path=final.name,
                reason=problem,
            )
        logger.info("%s: %d frames, %dx%d, codec %s", final.name, self.frames, *self.size, self.codec.name)
        return final, ""

    def _end(self, last: float) -> None:
        self._mux(self._stream.encode(None))
        if self._held is not None:
            self._held.duration = max(1, round(last / self._tick))
            self._container.mux(self._held)
            self._held = None
        self._container.close()

    def _check(self) -> tuple[bool, str]:
        """Read the file back: whether it can be read at all, and a sentence on its defects, else ""."""
        try:
            with av.open(str(long_path(self._scratch))) as container:
                stream = container.streams.video[0]
                first = next(container.decode(stream))
                if stream.frames != self.frames:
                    return True, message(
                        "it has {frames} frames instead of {expected}", frames=stream.frames, expected=self.frames
                    )
                if (first.width, first.height) != self.size:
                    return True, message(
                        "its size is {width}x{height} instead of {expected_width}x{expected_height}",
                        width=first.width,
                        height=first.height,
                        expected_width=self.size[0],
                        expected_height=self.size[1],
                    )
                container.seek(stream.duration or 0, stream=stream)
                for frame in container.decode(stream):
                    shown = frame.time
                if shown is None or abs(shown - self._time * self._tick) > 0.001:
                    return True, message("its last frame cannot be read back")
        except (OSError, av.FFmpegError, IndexError, StopIteration):
            return False, message("it cannot be read back")
        return True, ""

    def _failed(self, error: Exception) -> str:
        reason = getattr(error, "strerror", None) or str(error)
        return message(
            "The video {path} could not be written: {reason}; check that the disk is not full",
            path=self._final.name,
            reason=reason,
        )

    def discard(self) -> None:
        """Stop writing and remove the temporary file; no effect after :meth:`finish`."""
        with suppress(OSError, av.FFmpegError, AttributeError):
            self._container.close()
        self._scratch.unlink(missing_ok=True)


def open_video(stem: Path, width: int, height: int, rate: float) -> VideoFile:
    """Create a video in the first codec that supports this size.

    Raises:
        InspectorError: none does.
    """
    fitting = [codec for codec in CODECS if max(width, height) <= codec.longest]
    for codec in fitting:
        try:
            return VideoFile(stem, width, height, rate, codec)
        except (OSError, ValueError, av.FFmpegError) as error:
            logger.info("%s: no video in %s: %s", stem.name, codec.name, error)
    tried = ", ".join(codec.name for codec in fitting) or message("none fits")
    raise InspectorError(
        "No video of {stem} is written: no codec takes {width}x{height} pixels, or the disk is full (tried: {tried})",
        stem=stem.name,
        width=width,
        height=height,
        tried=tried,
    )


def _tick(rate: float) -> Fraction:
    """Time unit in seconds: it divides the frame interval and is as fine as possible."""
    ticks = Fraction(rate).limit_denominator(1001).numerator
    return Fraction(1, ticks * max(1, _MOST_TICKS // ticks) if 0 < ticks <= _MOST_TICKS else _MOST_TICKS)
