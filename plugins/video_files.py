"""Video files: one file, a folder of them, or a glob such as ``clips/*.mp4``.

Everything is read that OpenCV's FFmpeg reads. Each frame is inspected once, in order; the time of a frame comes from
the stream, starting at 0. A rotation that a phone noted in the file is applied. A file that ends early is inspected as
far as it goes, and that is reported. Paths are handed to FFmpeg as UTF-8, also on Windows (not run there by us).
"""

from __future__ import annotations

import glob
import logging
import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from inspector.api import Frame, InputError, Option, Skipped, SourceSpec, Text, hookimpl, long_path
from inspector_plugins._shared.capture import opencv, sane_rate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PLUGIN = {
    "id": "video_files",
    "version": "1.0",
    "api": 1,
    "kinds": ["source"],
    "description": "Video files, folders of videos and globs, read with OpenCV's FFmpeg",
}

_ENDINGS = "3gp asf avi flv gif m2ts m4v mkv mov mp4 mpeg mpg mts ogv ts vob webm wmv"
SUFFIXES = frozenset(f".{ending}" for ending in _ENDINGS.split())

logger = logging.getLogger(__name__)


@hookimpl
def inspector_sources() -> list[SourceSpec]:
    path = Option(
        "path",
        Path,
        None,
        Text("Video", "视频"),
        Text("a video file, a folder of video files, or a glob such as clips/*.mp4", "视频文件、视频文件夹或通配符"),
    )
    return [SourceSpec("video_files", Text("Video files", "视频文件"), VideoFiles, (path,), claim)]


def claim(text: str) -> Mapping[str, Any] | None:
    """A file by its suffix, a folder that holds a video file, a glob that names video files; never an address."""
    if "://" in text:
        return None
    path = Path(text).expanduser()
    suffix = path.suffix.lower()
    try:
        if path.is_dir():
            mine = any(_videos(path.iterdir()))
        elif glob.has_magic(suffix or path.name) and not path.exists():
            mine = any(_videos(_matches(path)))
        else:
            mine = suffix in SUFFIXES
    except OSError:
        return None
    return {"path": text} if mine else None


class VideoFiles:
    """The frames of one video, or of several one after the other in natural order (2 before 10).

    Args:
        path: a file, a folder (its sub-folders are left out) or a glob.

    Attributes:
        total: number of frames that the file's header states; None for several files and for containers that only
            allow a guess. Grows where a file holds more than its header says.

    Raises:
        InputError: nothing is there, or the one file named holds no readable frame.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        if path is None or not str(path):
            raise InputError("video_files needs a path: a video file, a folder of videos or a glob")
        place = Path(path).expanduser().absolute()
        self.total: int | None = None
        self._video: _Video | None = None
        if place.is_file():
            self._files = [place]
            try:
                self._video = _Video(place)
            except InputError as error:
                raise InputError(f"{place}: {error}") from None
            self.total = self._video.frames if self._video.counted else None
            return
        try:
            found = place.iterdir() if place.is_dir() else _matches(place)
            self._files = sorted(_videos(found), key=lambda file: (_natural(str(file.parent)), _natural(file.name)))
        except OSError as error:
            raise InputError(f"The folder {place} cannot be read ({error.strerror})") from None
        if not self._files and (place.is_dir() or glob.has_magic(str(place))):
            raise InputError(f"There is no video file in {place}; it takes {', '.join(sorted(SUFFIXES))}")
        if not self._files:
            raise InputError(f"The video {place} does not exist; check the path")

    def __iter__(self) -> Iterator[Frame | Skipped]:
        for file in self._files:
            try:
                self._video = self._video or _Video(file)
            except InputError as error:
                yield Skipped(file.name, str(error), str(file))
                continue
            yield from self._play(self._video)
            self.close()

    def _play(self, video: _Video) -> Iterator[Frame | Skipped]:
        name, path, index = video.path.name, str(video.path), 0
        while (picture := video.read()) is not None:
            if self.total is not None:
                self.total = max(self.total, index + 1)
            yield Frame(picture.image, index, name, picture.seconds, video.rate, path, picture.ms)
            index += 1
        if video.ended_early:
            about = "" if video.counted else "about "
            yield Skipped(name, f"ends early after {index} of {about}{video.frames} frames", path)

    def close(self) -> None:
        if self._video is not None:
            self._video.close()
            self._video = None


class _Picture(NamedTuple):
    image: NDArray[np.uint8]
    seconds: float
    ms: float


class _Video:
    """One opened video file; ``path`` is absolute.

    Attributes:
        rate: frames per second, or None where the stream does not say.
        frames: as stated by the header, or None.
        counted: ``frames`` was counted by whoever wrote the file (MP4, MOV, AVI); otherwise it is worked out from the
            duration.

    Raises:
        InputError: why the file cannot be played, without its name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._cv2 = cv2 = opencv()
        file = long_path(path)
        head = _head(file)
        # An absolute path cannot be taken for an address, and FFmpeg lets a local file lead to local files only.
        self._capture = cv2.VideoCapture(str(file), cv2.CAP_FFMPEG)
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        self.rate = sane_rate(self._capture.get(cv2.CAP_PROP_FPS))
        stated = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.frames = int(stated) if 0 < stated < 1e12 else None
        self.counted = self.frames is not None and (head[:4] == b"RIFF" or head[4:8] in _QUICKTIME)
        self._origin, self._seconds, self._done = 0.0, -1.0, 0
        self._first = self._decode()
        if self._first is None:
            self.close()
            raise InputError("it holds no video frame that can be read; it may be damaged, incomplete or no video")

    def read(self) -> _Picture | None:
        """The next frame; None at the end."""
        picture, self._first = self._first or self._decode(), None
        self._done += picture is not None
        return picture

    @property
    def ended_early(self) -> bool:
        """After the last frame: less was there than the header states.

        Fewer frames alone do not tell: an AVI counts dropped frames too. The end of the last frame must also lie
        before the stated end; where the count is a guess, clearly before.
        """
        if self.frames is None or self._done >= self.frames:
            return False
        if self.rate is None:
            return bool(self.counted)
        missing = (self.frames - 1) / self.rate - self._seconds
        return missing > (0.5 / self.rate if self.counted else max(1.0, 0.01 * self.frames / self.rate))

    def close(self) -> None:
        self._capture.release()

    def _decode(self) -> _Picture | None:
        began = time.perf_counter()
        try:
            found, image = self._capture.read()
        except self._cv2.error as error:
            logger.info("%s: OpenCV gave up: %s", self.path.name, error)
            return None
        if not found:
            return None
        return _Picture(image, self._time(), (time.perf_counter() - began) * 1000)

    def _time(self) -> float:
        """Seconds of the frame just read: the stream's; where it has none, one frame interval after the last."""
        position = self._capture.get(self._cv2.CAP_PROP_POS_MSEC) / 1000
        if self._seconds < 0:
            self._origin, self._seconds = position if math.isfinite(position) else 0.0, 0.0
        elif self._seconds < position - self._origin < math.inf:
            self._seconds = position - self._origin
        elif self.rate is not None:
            self._seconds += 1 / self.rate
        return self._seconds


# Types of the first box of an MP4 or QuickTime file.
_QUICKTIME = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")


def _head(path: Path) -> bytes:
    try:
        str(path).encode()
        with open(path, "rb") as file:
            head = file.read(12)
    except UnicodeEncodeError:
        raise InputError("its path is not valid UTF-8 and OpenCV cannot open it; rename it") from None
    except OSError as error:
        raise InputError(f"it cannot be read ({error.strerror})") from None
    if not head:
        raise InputError("the file is empty")
    return head


def _matches(pattern: Path) -> Iterator[Path]:
    return (Path(found) for found in glob.iglob(str(pattern), recursive=True))  # noqa: PTH207 - Path.glob takes no root


def _videos(paths: Iterable[Path]) -> Iterator[Path]:
    return (
        path
        for path in paths
        if path.suffix.lower() in SUFFIXES and not path.name.startswith((".", "~")) and path.is_file()
    )


def _natural(text: str) -> list[tuple[int, int, str]]:
    """A key that sorts numbers in a text by value."""
    return [
        (0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text.casefold()) if part
    ]
