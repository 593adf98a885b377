"""The watched folder itself; what it promises stands in the package."""

from __future__ import annotations

import fnmatch
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from inspector.api import Frame, InputError, Skipped, long_path
from inspector_plugins.hot_folder.journal import Journal, Stamp

logger = logging.getLogger(__name__)

SUFFIXES = frozenset((".bmp", ".dib", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"))
_IDLE = 0.2  # seconds between two signs of life
_LOAD = 0.05  # share of the time that looking through the folder may take
_LONGEST_PAUSE = 5.0  # seconds between two looks, however long they take
_UNDECODABLE = 5.0  # seconds, or five times ``settle``, for which a picture that does not decode is tried again
_UNREADABLE = 60.0  # seconds for which a file that cannot be opened is tried again


@dataclass
class _Candidate:
    """A file that may become complete; times are ``time.monotonic()``."""

    stamp: Stamp
    since: float
    """When it was first seen with this stamp."""
    retry: float = 0.0
    """Not to be tried before."""


class HotFolder:
    """The pictures of a folder, as they come. Endless and lossless; see the module.

    Args:
        folder: must exist now; when it vanishes later (a network drive), it is waited for.
        recursive: sub-folders too, except those with a ``run.json``: results of this program.
        settle: seconds without a change after which a file is complete.
        pattern: only file names that match, such as ``cam1_*``; upper and lower case are the same.
        existing: inspect what lies there now and was not inspected before.

    Raises:
        InputError: the folder does not exist or cannot be read.
    """

    total: int | None = None

    def __init__(
        self,
        folder: Path | str | None = None,
        recursive: bool = False,
        settle: float = 1.0,
        pattern: str | None = None,
        existing: bool = True,
    ) -> None:
        if not folder or not str(folder).strip():
            raise InputError("hot_folder needs a folder to watch, such as watch:D:/pictures")
        self._folder = Path(folder).expanduser().absolute()
        if not self._folder.is_dir():
            wrong = "is not a folder" if self._folder.exists() else "does not exist"
            raise InputError(f"The folder {folder} {wrong}; name the folder into which the pictures are put")
        try:
            os.scandir(long_path(self._folder)).close()
        except OSError as error:
            raise InputError(f"The folder {folder} cannot be read ({error.strerror})") from None
        self._recursive, self._settle, self._pattern = recursive, settle, pattern
        self._skip_existing = not existing
        self._journal = Journal(self._folder)
        self._candidates: dict[str, _Candidate] = {}
        self._taken: dict[str, Stamp] = {}  # files that need no look: handed over, or inspected in an earlier run
        self._handed: dict[int | str, tuple[str, Stamp]] = {}  # handed over and not yet done
        self._lock = threading.Lock()  # of _handed: the engine's writer calls done()
        self._away: float | None = None  # since when the folder cannot be read
        self._forgotten = self._closed = False
        self._index = 0

    def __iter__(self) -> Iterator[Frame | Skipped | None]:
        while not self._closed:
            began = time.monotonic()
            yield from self._look()
            pause = min(max(_IDLE, (time.monotonic() - began) / _LOAD), _LONGEST_PAUSE)
            for name in self._complete():
                yield self._read(name)
            until = time.monotonic() + pause
            while not self._closed and (left := until - time.monotonic()) > 0:
                yield None
                time.sleep(min(_IDLE, left))

    def done(self, item: Frame | Skipped) -> None:
        """The result of ``item`` has been saved: remember it as inspected. Any thread; also after :meth:`close`."""
        with self._lock:
            handed = self._handed.pop(item.index if isinstance(item, Frame) else str(item.path), None)
        if handed is not None:
            self._journal.add(*handed)

    def close(self) -> None:
        self._closed = True
        self._journal.close()

    def _look(self) -> Iterator[None]:
        """Go through the folder once and bring the candidates up to date; yields while that takes long."""
        seen: dict[str, Stamp] = {}
        whole, folders, alive = True, [""], time.monotonic()
        while folders:
            inner = folders.pop()
            try:
                for name, stamp in self._list(inner, folders):
                    if stamp is not None:
                        seen[name] = stamp
                    if time.monotonic() - alive > _IDLE:
                        yield None
                        alive = time.monotonic()
            except OSError as error:
                if not inner:
                    self._gone(error)
                    return
                whole = whole and isinstance(error, FileNotFoundError)
        if self._away is not None:
            logger.warning("%s is back after %.0f s", self._folder, time.monotonic() - self._away)
            self._away = None
        self._compare(seen, whole)

    def _list(self, inner: str, folders: list[str]) -> Iterator[tuple[str, Stamp | None]]:
        """Pictures in the sub-folder ``inner`` as (name below the watched folder, stamp); adds its sub-folders."""
        with os.scandir(long_path(self._folder / inner)) as entries:
            listed = list(entries)
        if inner and any(entry.name == "run.json" for entry in listed):
            return
        for entry in listed:
            name = f"{inner}/{entry.name}" if inner else entry.name
            if entry.name.startswith((".", "~")):
                continue
            if os.path.splitext(entry.name)[1].lower() not in SUFFIXES:  # noqa: PTH122 - ten times Path's speed
                if self._recursive and entry.is_dir(follow_symlinks=False):
                    folders.append(name)
            elif self._pattern is None or fnmatch.fnmatch(entry.name.lower(), self._pattern.lower()):
                yield name, _stamp_of(entry)

    def _compare(self, seen: Mapping[str, Stamp], whole: bool) -> None:
        """Find what is new or changed; where the ``whole`` folder could be listed, let go of what has vanished."""
        now = time.monotonic()
        if self._skip_existing:
            self._taken.update(seen)
            self._skip_existing = False
        for name, stamp in seen.items():
            candidate = self._candidates.get(name)
            if self._taken.get(name) == stamp or (candidate is not None and candidate.stamp == stamp):
                continue
            if candidate is None and self._journal.has(name, stamp):
                self._taken[name] = stamp
            else:
                self._candidates[name] = _Candidate(stamp, now)
        if not whole:
            return
        for name in self._candidates.keys() - seen.keys():
            logger.info("%s vanished before it was complete", name)
            del self._candidates[name]
        with self._lock:
            handed = {name for name, _ in self._handed.values()}
        for name in self._taken.keys() - seen.keys() - handed:
            del self._taken[name]  # should it come back, the journal knows it
        if not self._forgotten:
            self._journal.forget(seen.keys())
            self._forgotten = True

    def _complete(self) -> list[str]:
        """The candidates to be read now, the oldest first."""
        if self._away is not None:
            return []
        now = time.monotonic()
        ready = [
            (candidate.stamp[1], name)
            for name, candidate in self._candidates.items()
            if now - candidate.since >= self._settle and now >= candidate.retry
        ]
        return [name for _, name in sorted(ready)]

    def _read(self, name: str) -> Frame | Skipped | None:
        """The picture, or None where it is not complete or not there."""
        from inspector.api import read_image

        candidate, path = self._candidates[name], self._folder / name
        began = time.perf_counter()
        try:
            if self._changed(name, path):
                return None
            if _being_written(path):
                candidate.since = time.monotonic()
                return None
            with open(long_path(path), "rb"):
                pass
            image, notes = read_image(path)
            if self._changed(name, path):
                return None
        except FileNotFoundError:
            return None  # the next look lets go of it
        except OSError as error:
            return self._postpone(name, f"cannot be read ({error.strerror})", max(_UNREADABLE, 5 * self._settle))
        except InputError as error:
            reason = str(error)
            skipped = self._postpone(name, reason, max(_UNDECODABLE, 5 * self._settle))
            if skipped is not None:
                self._hand_over(str(path), name, candidate.stamp)
            return skipped
        milliseconds = (time.perf_counter() - began) * 1000
        frame = Frame(image, self._index, name, path=str(path), read_ms=milliseconds, notes=notes)
        self._hand_over(self._index, name, candidate.stamp)
        self._index += 1
        return frame

    def _changed(self, name: str, path: Path) -> bool:
        """True where the file is another one than was listed: it has to settle again."""
        status = os.stat(long_path(path))  # noqa: PTH116 - the listing of Windows may lag behind
        stamp = (status.st_size, status.st_mtime_ns)
        if stamp == self._candidates[name].stamp:
            return False
        self._candidates[name] = _Candidate(stamp, time.monotonic())
        return True

    def _postpone(self, name: str, reason: str, patience: float) -> Skipped | None:
        """Try again later; after ``patience`` seconds without a change give the picture up."""
        candidate, now = self._candidates[name], time.monotonic()
        if now - candidate.since < patience:
            candidate.retry = now + max(0.5, self._settle)
            return None
        self._taken[name] = self._candidates.pop(name).stamp
        return Skipped(name, reason, str(self._folder / name))

    def _hand_over(self, key: int | str, name: str, stamp: Stamp) -> None:
        self._candidates.pop(name, None)
        self._taken[name] = stamp
        with self._lock:
            self._handed[key] = (name, stamp)

    def _gone(self, error: OSError) -> None:
        if self._away is None:
            self._away = time.monotonic()
            logger.warning("%s cannot be read (%s); it is waited for", self._folder, error.strerror)


def _stamp_of(entry: os.DirEntry[str]) -> Stamp | None:
    """None for what is no file, or no longer, or a link that leads nowhere."""
    try:
        if not entry.is_file():
            return None
        status = entry.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


if sys.platform == "win32":

    def _being_written(path: Path) -> bool:
        """True while another program has the file open for writing (not run by us)."""
        import ctypes
        from ctypes import wintypes

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.CreateFileW.restype = wintypes.HANDLE
        number, pointer = wintypes.DWORD, wintypes.LPVOID
        kernel.CreateFileW.argtypes = (wintypes.LPCWSTR, number, number, pointer, number, number, wintypes.HANDLE)
        kernel.CloseHandle.argtypes = [wintypes.HANDLE]
        read, share_read_delete, open_existing, sharing_violation = 0x80000000, 1 | 4, 3, 32
        handle = kernel.CreateFileW(str(long_path(path)), read, share_read_delete, None, open_existing, 0, None)
        if handle == wintypes.HANDLE(-1).value:
            return ctypes.get_last_error() == sharing_violation
        kernel.CloseHandle(handle)
        return False

else:

    def _being_written(path: Path) -> bool:
        """Linux does not tell; the time to settle and the decoding have to do."""
        return False
