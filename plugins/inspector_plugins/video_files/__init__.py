"""Video files: one file, a folder of them, or a glob such as ``clips/*.mp4``.

All formats that FFmpeg (PyAV) decodes are read. Each frame is inspected once, in order; its time comes from
the stream, starting at 0. The rotation recorded by a phone is applied. A damaged frame, and those that build
on it, are reported and left out; a truncated file is inspected up to its end, which is reported. One video can
also be browsed frame by frame in any order: a frame is the one that reading from the start gives, for which the
times of all frames are read from the file first, undecoded.
"""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from inspector.api import Frame, InputError, Option, Skipped, SourceSpec, Text, hookimpl, message
from inspector_plugins._shared.natural_sort import natural_key
from inspector_plugins.video_files.reader import Damaged, DecodedFrame, Video

PLUGIN = {
    "id": "video_files",
    "version": "1.0",
    "api": 1,
    "kinds": ["source"],
    "description": "Video files, folders of videos and globs, read with FFmpeg (PyAV)",
    "description_zh": "视频文件、视频文件夹与通配符（用 FFmpeg 读取，PyAV）",
}

_ENDINGS = "3gp asf avi flv gif m2ts m4v mkv mov mp4 mpeg mpg mts ogv ts vob webm wmv"
SUFFIXES = frozenset(f".{ending}" for ending in _ENDINGS.split())


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
    """Accept a file by suffix, a folder with a video file, or a glob that names video files; never an address."""
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
    """Open the videos that ``path`` refers to; a single video is seekable."""
    if path and Path(path).expanduser().is_file():
        return OneVideo(path)
    found = VideoFiles(path)
    with suppress(InputError):  # reported when the folder is read
        if len(found.files) == 1:
            return OneVideo(found.files[0])
    return found


class VideoFiles:
    """Frames of one video, or of several, one after another in natural order (2 before 10).

    Args:
        path: a file, a folder (without its subfolders) or a glob.

    Attributes:
        files: the videos, in order.
        total: number of frames stated in the file's header; None for several files and for containers that only
            allow a guess. It grows if a file holds more than its header states.

    Raises:
        InputError: there is none, or the given file has no readable frame.
    """

    def __init__(self, path: Path | str | None = None) -> None:
        if path is None or not str(path):
            raise InputError("video_files needs a path: a video file, a folder of videos or a glob")
        place = Path(path).expanduser().absolute()
        self.total: int | None = None
        self._video: Video | None = None
        if place.is_file():
            self.files = [place]
            try:
                self._video = Video(place)
            except InputError as error:
                raise InputError("{path}: {reason}", path=place, reason=error) from None
            self.total = self._video.frames if self._video.counted else None
            return
        try:
            found = place.iterdir() if place.is_dir() else _matches(place)
            self.files = sorted(_videos(found), key=lambda file: natural_key(file.parts))
        except OSError as error:
            raise InputError("The folder {path} cannot be read ({reason})", path=place, reason=error.strerror) from None
        if not self.files and (place.is_dir() or glob.has_magic(str(place))):
            raise InputError(
                "There is no video file in {path}; it takes {suffixes}",
                path=place,
                suffixes=", ".join(sorted(SUFFIXES)),
            )
        if not self.files:
            raise InputError("The video {path} does not exist; check the path", path=place)

    def __iter__(self) -> Iterator[Frame | Skipped]:
        for file in self.files:
            try:
                self._video = self._video or Video(file)
            except InputError as error:
                yield Skipped(file.name, str(error), str(file))
                continue
            yield from self._play(self._video)
            self.close()

    def _play(self, video: Video) -> Iterator[Frame | Skipped]:
        index, intact = 0, 0
        damaged: list[Skipped] = []
        while (read := video.read()) is not None:
            if self.total is not None:
                self.total = max(self.total, index + 1)
            if isinstance(read, Damaged):
                damaged.append(_skipped(video, index, read))
            else:
                yield from damaged
                damaged.clear()
                yield _frame(video, index, read)
                intact = index + 1
            index += 1
        if self.total is not None:
            self.total = index
        if video.ended_early:  # which also explains the last ones
            if video.counted:
                reason = message("ends early after {count} of {total} frames", count=intact, total=video.frames)
            else:
                reason = message("ends early after {count} of about {total} frames", count=intact, total=video.frames)
            yield Skipped(video.path.name, reason, str(video.path))
        else:
            yield from damaged

    def close(self) -> None:
        if self._video is not None:
            self._video.close()
            self._video = None


class OneVideo(VideoFiles):
    """One video, seekable; ``total`` is counted if the header only allows a guess."""

    def __init__(self, path: Path | str | None = None) -> None:
        super().__init__(path)
        self._browsed: Video | None = None  # separate from the one that is iterated
        if self.total is None and self._video is not None:
            self.total = self._video.measure()

    def frame(self, index: int) -> Frame | Skipped:
        """Frame ``index``, from 0, as iterating gives it; Skipped if there is none."""
        file = self.files[0]
        try:
            if self._browsed is None and self._video is not None and not self._video.begun:
                self._browsed, self._video = self._video, None
            self._browsed = self._browsed or Video(file)
            read = self._browsed.at(index) if index >= 0 else None
            count = self._browsed.count
        except InputError as error:
            return Skipped(file.name, str(error), str(file))
        self.total = max(count, index + 1) if read else count
        if read is None:
            return Skipped(
                file.name, message("has no frame {index}, only {count} frames", index=index, count=count), str(file)
            )
        if isinstance(read, Damaged):
            return _skipped(self._browsed, index, read)
        return _frame(self._browsed, index, read)

    def close(self) -> None:
        super().close()
        if self._browsed is not None:
            self._browsed.close()
            self._browsed = None


def _frame(video: Video, index: int, read: DecodedFrame) -> Frame:
    notes = (
        ()
        if index or not video.others
        else (message("the first of {others} video streams in this file", others=video.others + 1),)
    )
    path = video.path
    return Frame(read.image, index, path.name, read.seconds, video.rate, str(path), read.ms, notes)


def _skipped(video: Video, index: int, read: Damaged) -> Skipped:
    if read.follows:
        reason = message(
            "frame {index} at {seconds:.2f} s depends on a damaged frame and was left out",
            index=index,
            seconds=read.seconds,
        )
    else:
        reason = message(
            "frame {index} at {seconds:.2f} s is damaged and was left out", index=index, seconds=read.seconds
        )
    return Skipped(video.path.name, reason, str(video.path))


def _matches(pattern: Path) -> Iterator[Path]:
    return (Path(found) for found in glob.iglob(str(pattern), recursive=True))  # noqa: PTH207 - Path.glob takes no root


def _videos(paths: Iterable[Path]) -> Iterator[Path]:
    return (
        path
        for path in paths
        if path.suffix.lower() in SUFFIXES and not path.name.startswith((".", "~")) and path.is_file()
    )
