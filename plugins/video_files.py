"""Video files: one file, a folder of them, or a glob such as ``clips/*.mp4``.

Everything is read that OpenCV's FFmpeg reads. Each frame is inspected once, in order; the time of a frame comes from
the stream, starting at 0. A rotation that a phone noted in the file is applied. A file that ends early is inspected as
far as it goes, and that is reported. One video can be looked through as well, frame by frame in any order: a frame is
the one that reading from the start gives, for which the times of all frames are read from the file first, undecoded.
Paths are handed to FFmpeg as UTF-8, also on Windows (not run there by us).
"""

from __future__ import annotations

import glob
import logging
import math
import re
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import pairwise
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
    "description_zh": "视频文件、视频文件夹与通配符（用 OpenCV 的 FFmpeg 读取）",
}

_ENDINGS = "3gp asf avi flv gif m2ts m4v mkv mov mp4 mpeg mpg mts ogv ts vob webm wmv"
SUFFIXES = frozenset(f".{ending}" for ending in _ENDINGS.split())

_AHEAD = 16  # frames that are sooner decoded than searched for
_BACK = (0, 8, 64, 512)  # frames before the wanted one, where the search for it may begin

logger = logging.getLogger(__name__)


@hookimpl
def inspector_sources() -> list[SourceSpec]:
    path = Option(
        "path",
        Path,
        None,
        Text("Video", "视频"),
        Text(
            "a video file, a folder of video files, or a glob such as clips/*.mp4",
            "视频文件、视频文件夹或通配符，例如 clips/*.mp4",
        ),
    )
    return [SourceSpec("video_files", Text("Video files", "视频文件"), open_videos, (path,), claim)]


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


def open_videos(path: Path | str | None = None) -> VideoFiles:
    """What ``path`` stands for; where that is one video, it can also be looked through."""
    if path and Path(path).expanduser().is_file():
        return OneVideo(path)
    found = VideoFiles(path)
    with suppress(InputError):  # playing the folder reports it
        if len(found.files) == 1:
            return OneVideo(found.files[0])
    return found


class VideoFiles:
    """The frames of one video, or of several one after the other in natural order (2 before 10).

    Args:
        path: a file, a folder (its sub-folders are left out) or a glob.

    Attributes:
        files: the videos, in order.
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
            self.files = [place]
            try:
                self._video = _Video(place)
            except InputError as error:
                raise InputError(f"{place}: {error}") from None
            self.total = self._video.frames if self._video.counted else None
            return
        try:
            found = place.iterdir() if place.is_dir() else _matches(place)
            self.files = sorted(_videos(found), key=lambda file: (_natural(str(file.parent)), _natural(file.name)))
        except OSError as error:
            raise InputError(f"The folder {place} cannot be read ({error.strerror})") from None
        if not self.files and (place.is_dir() or glob.has_magic(str(place))):
            raise InputError(f"There is no video file in {place}; it takes {', '.join(sorted(SUFFIXES))}")
        if not self.files:
            raise InputError(f"The video {place} does not exist; check the path")

    def __iter__(self) -> Iterator[Frame | Skipped]:
        for file in self.files:
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
        if self.total is not None:
            self.total = index
        if video.ended_early:
            about = "" if video.counted else "about "
            yield Skipped(name, f"ends early after {index} of {about}{video.frames} frames", path)

    def close(self) -> None:
        if self._video is not None:
            self._video.close()
            self._video = None


class OneVideo(VideoFiles):
    """One video, which can also be looked through; ``total`` is counted where the header only allows a guess."""

    def __init__(self, path: Path | str | None = None) -> None:
        super().__init__(path)
        self._browsed: _Video | None = None  # apart from the one that is iterated
        if self.total is None and self._video is not None:
            self.total = self._video.measure()

    def frame(self, index: int) -> Frame | Skipped:
        """Frame ``index``, from 0, as iterating gives it; Skipped where there is none."""
        file = self.files[0]
        try:
            if self._browsed is None and self._video is not None and not self._video.begun:
                self._browsed, self._video = self._video, None
            self._browsed = self._browsed or _Video(file)
            picture = self._browsed.at(index) if index >= 0 else None
            count = self._browsed.count
        except InputError as error:
            return Skipped(file.name, str(error), str(file))
        self.total = max(count, index + 1) if picture else count
        if picture is None:
            return Skipped(file.name, f"has no frame {index}, only {count} frames", str(file))
        return Frame(picture.image, index, file.name, picture.seconds, self._browsed.rate, str(file), picture.ms)

    def close(self) -> None:
        super().close()
        if self._browsed is not None:
            self._browsed.close()
            self._browsed = None


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
        count: of frames, as well as it is known by now.

    Raises:
        InputError: why the file cannot be played, without its name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._cv2 = opencv()
        head = _head(long_path(path))
        self._start()
        stated = self._capture.get(self._cv2.CAP_PROP_FRAME_COUNT)
        self.frames = int(stated) if 0 < stated < 1e12 else None
        self.counted = self.frames is not None and (head[:4] == b"RIFF" or head[4:8] in _QUICKTIME)
        self._times: list[float] | None = None  # see _table; empty where they cannot be relied on
        self.count = self.frames or 0

    def _start(self) -> None:
        """Open the file, again if need be, and decode its first frame."""
        # An absolute path cannot be taken for an address, and FFmpeg lets a local file lead to local files only.
        self._capture = self._cv2.VideoCapture(str(long_path(self.path)), self._cv2.CAP_FFMPEG)
        self._capture.set(self._cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        self.rate = sane_rate(self._capture.get(self._cv2.CAP_PROP_FPS))
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
    def begun(self) -> bool:
        """A frame was read."""
        return self._done > 0

    def at(self, index: int) -> _Picture | None:
        """Frame ``index`` as :meth:`read` gives it from the start; None beyond the end. The next one is read on."""
        self.measure()
        if self._times and index >= len(self._times):
            return None
        if not 0 <= index - self._done <= _AHEAD:
            self._seek(index)
        while self._done < index and self._skip():
            pass
        picture = self.read()
        if picture is None:
            self.count = self._done
        elif self._times and self._position() != self._times[index]:
            logger.info("%s: its times do not tell where its frames are; it is read from its start", self.path.name)
            self._times = []
            self._seek(index)
            return self.at(index)
        return picture

    def measure(self) -> int:
        """The number of frames, from a look at the whole file, not decoded."""
        if self._times is None:
            self._times = self._table()
        return self.count

    def _table(self) -> list[float]:
        """Milliseconds of every frame in the order of display, read without decoding; empty where that tells nothing.

        A VP8 stream may hold frames that are never shown, so that counting does not tell which is which.
        """
        raw = self._cv2.VideoCapture(str(long_path(self.path)), self._cv2.CAP_FFMPEG, [self._cv2.CAP_PROP_FORMAT, -1])
        times = []
        while raw.grab():
            times.append(raw.get(self._cv2.CAP_PROP_POS_MSEC))
        raw.release()
        times.sort()
        self.count = len(times) or self.count
        tells = times and abs(times[0] / 1000 - self._origin) < 1e-6 and all(a < b for a, b in pairwise(times))
        hides = int(self._capture.get(self._cv2.CAP_PROP_FOURCC)) == self._cv2.VideoWriter.fourcc(*"VP80")
        return times if tells and not hides else []

    def _seek(self, index: int) -> None:
        """Go to ``index`` or to somewhat before it."""
        for back in _BACK:
            if not self._times or index <= back or index >= len(self._times):
                break
            self._capture.set(self._cv2.CAP_PROP_POS_MSEC, self._times[index - back])
            picture = self._decode()
            place = bisect_left(self._times, self._position())
            if picture is not None and place <= index and self._times[place] == self._position():
                self._done, self._seconds = place, self._times[place] / 1000 - self._origin
                self._first = picture._replace(seconds=self._seconds)
                return
        self._capture.release()
        self._start()

    def _skip(self) -> bool:
        """Pass over one frame; False at the end."""
        if self._first is None and not self._grab():
            return False
        self._first = None
        self._done += 1
        return True

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
        if not self._grab():
            return None
        try:
            found, image = self._capture.retrieve()
        except self._cv2.error as error:
            logger.info("%s: OpenCV gave up: %s", self.path.name, error)
            return None
        return _Picture(image, self._seconds, (time.perf_counter() - began) * 1000) if found else None

    def _grab(self) -> bool:
        """Go to the next frame and its time; False at the end."""
        try:
            found = bool(self._capture.grab())
        except self._cv2.error as error:
            logger.info("%s: OpenCV gave up: %s", self.path.name, error)
            return False
        if found:
            self._seconds = self._time()
        return found

    def _position(self) -> float:
        """Milliseconds that the stream states for the frame just read."""
        return float(self._capture.get(self._cv2.CAP_PROP_POS_MSEC))

    def _time(self) -> float:
        """Seconds of the frame just read: the stream's; where it has none, one frame interval after the last."""
        position = self._position() / 1000
        if self._seconds < 0:
            self._origin = position if math.isfinite(position) else 0.0
            return 0.0
        if self._seconds < position - self._origin < math.inf:
            return position - self._origin
        return self._seconds if self.rate is None else self._seconds + 1 / self.rate


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
