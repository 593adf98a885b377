"""The source of the watched folder; see the package for its guarantees."""

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

from inspector.api import (
    IMAGE_SUFFIXES,
    NO_IMAGE_SUFFIXES,
    UNREAD_SUFFIXES,
    Frame,
    InputError,
    Skipped,
    SourceStatus,
    long_path,
    message,
    misnamed_image,
)
from inspector_plugins.hot_folder.journal import Journal, Stamp

logger = logging.getLogger(__name__)

_NAMED = IMAGE_SUFFIXES | UNREAD_SUFFIXES
_LEFT_ALONE = NO_IMAGE_SUFFIXES - {".gif"}
_IDLE = 0.2  # seconds between two items yielded while idle
_LOAD = 0.05  # share of the time that scanning the folder may take
_LONGEST_PAUSE = 5.0  # seconds between two scans, however long they take
_UNDECODABLE = 5.0  # seconds, or five times ``settle``, for which undecodable images are retried
_UNREADABLE = 60.0  # seconds for which a file that cannot be opened is retried


@dataclass
class _Candidate:
    """A file that may become complete; times are ``time.monotonic()``."""

    stamp: Stamp
    since: float
    """When it was first seen with this stamp."""
    retry: float = 0.0
    """Earliest time of the next attempt."""


class HotFolder:
    """The images of a folder, as they come. Endless and lossless; see the module.

    Args:
        folder: must exist now; if it vanishes later (a network drive), the source waits for it and reports that by a
            :class:`SourceStatus`.
        recursive: include subfolders, except those with a ``run.json``: results of this program.
        settle: seconds without a change after which a file is complete.
        pattern: only file names that match, e.g. ``cam1_*``; case-insensitive.
        existing: also inspect files that are there now and were not inspected before.

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
            raise InputError("hot_folder needs a folder to watch, such as watch:D:/images")
        self._folder = Path(folder).expanduser().absolute()
        if not self._folder.is_dir():
            wrong = message("is not a folder") if self._folder.exists() else message("does not exist")
            raise InputError(
                "The folder {folder} {reason}; choose the folder in which the images arrive",
                folder=folder,
                reason=wrong,
            )
        try:
            os.scandir(long_path(self._folder)).close()
        except OSError as error:
            raise InputError(
                "The folder {folder} cannot be read ({reason})", folder=folder, reason=error.strerror
            ) from None
        self._recursive, self._settle, self._pattern = recursive, settle, pattern
        self._skip_existing = not existing
        self._journal = Journal(self._folder)
        self._candidates: dict[str, _Candidate] = {}
        self._taken: dict[str, Stamp] = {}  # files that need no check: yielded, or inspected in an earlier run
        self._yielded: dict[int | str, tuple[str, Stamp]] = {}  # yielded and not yet done
        self._lock = threading.Lock()  # of _yielded: the engine's writer calls done()
        self._unreadable_since: float | None = None  # since when the folder cannot be read
        self._announced = ""  # the image that was reported as incomplete
        self._forgotten = self._closed = False
        self._index = 0

    def __iter__(self) -> Iterator[Frame | Skipped | SourceStatus | None]:
        while not self._closed:
            began = time.monotonic()
            yield from self._scan()
            pause = min(max(_IDLE, (time.monotonic() - began) / _LOAD), _LONGEST_PAUSE)
            for name in self._complete():
                yield self._read(name)
            yield self._announce()
            until = time.monotonic() + pause
            while not self._closed and (left := until - time.monotonic()) > 0:
                yield self._probe()
                time.sleep(min(_IDLE, left))

    def done(self, item: Frame | Skipped) -> None:
        """Remember ``item`` as inspected, its result being saved. Any thread; also after :meth:`close`."""
        with self._lock:
            handed = self._yielded.pop(item.index if isinstance(item, Frame) else str(item.path), None)
        if handed is not None:
            self._journal.add(*handed)

    def close(self) -> None:
        self._closed = True
        self._journal.close()

    def _announce(self) -> SourceStatus | None:
        """Report once which image is on its way: the first of the incomplete ones."""
        waiting = min(self._candidates, key=lambda name: self._candidates[name].since, default="")
        if waiting == self._announced or self._unreadable_since is not None:
            return None
        self._announced = waiting
        return SourceStatus(True, pending=waiting)

    def _probe(self) -> SourceStatus | None:
        """Check between two scans whether the folder is still there."""
        if self._unreadable_since is None:
            try:
                os.scandir(long_path(self._folder)).close()
            except OSError as error:
                return self._lost(error)
        return None

    def _scan(self) -> Iterator[SourceStatus | None]:
        """Scan the folder once and update the candidates; yields while that takes long."""
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
                    yield self._lost(error)
                    return
                whole = whole and isinstance(error, FileNotFoundError)
        if self._unreadable_since is not None:
            gap, self._unreadable_since = time.monotonic() - self._unreadable_since, None
            yield SourceStatus(
                True,
                message(
                    "The folder {folder} is available again after {seconds:.0f} s", folder=self._folder, seconds=gap
                ),
            )
        self._compare(seen, whole)

    def _list(self, inner: str, folders: list[str]) -> Iterator[tuple[str, Stamp | None]]:
        """List the images in the subfolder ``inner`` as (name below the watched folder, stamp); adds its subfolders."""
        with os.scandir(long_path(self._folder / inner)) as entries:
            listed = list(entries)
        if inner and any(entry.name == "run.json" for entry in listed):
            return
        for entry in listed:
            name = f"{inner}/{entry.name}" if inner else entry.name
            if entry.name.startswith((".", "~")):
                continue
            suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 - ten times Path's speed
            if suffix not in _NAMED and entry.is_dir(follow_symlinks=False):
                if self._recursive:
                    folders.append(name)
            elif suffix in _LEFT_ALONE:
                continue
            elif self._pattern is None or fnmatch.fnmatch(entry.name.lower(), self._pattern.lower()):
                yield name, _stamp_of(entry)

    def _compare(self, seen: Mapping[str, Stamp], whole: bool) -> None:
        """Find new and changed files; drop those that vanished if the ``whole`` folder could be listed."""
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
            handed = {name for name, _ in self._yielded.values()}
        for name in self._taken.keys() - seen.keys() - handed:
            del self._taken[name]  # the journal knows it, should it come back
        if not self._forgotten:
            self._journal.forget(seen.keys())
            self._forgotten = True

    def _complete(self) -> list[str]:
        """Candidates to be read now, the oldest first."""
        if self._unreadable_since is not None:
            return []
        now = time.monotonic()
        ready = [
            (candidate.stamp[1], name)
            for name, candidate in self._candidates.items()
            if now - candidate.since >= self._settle and now >= candidate.retry
        ]
        return [name for _, name in sorted(ready)]

    def _read(self, name: str) -> Frame | Skipped | None:
        """Read the image; None if it is incomplete or has vanished."""
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
            if path.suffix.lower() not in _NAMED:
                return self._misnamed(name, path)
            image, notes = read_image(path)
            if self._changed(name, path):
                return None
        except FileNotFoundError:
            return None  # the next scan drops it
        except OSError as error:
            return self._postpone(
                name, message("cannot be read ({reason})", reason=error.strerror), max(_UNREADABLE, 5 * self._settle)
            )
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

    def _misnamed(self, name: str, path: Path) -> Skipped | None:
        """Report a file that is not named like an image but is one."""
        stamp = self._candidates[name].stamp
        kind = misnamed_image(long_path(path))
        if kind is None:
            self._taken[name] = self._candidates.pop(name).stamp
            return None
        self._hand_over(str(path), name, stamp)
        reason = message(
            "{name} contains a {kind} image, but its suffix says otherwise; give it the suffix of an image",
            name=name,
            kind=kind,
        )
        return Skipped(name, reason, str(path))

    def _changed(self, name: str, path: Path) -> bool:
        """Whether the file differs from the one listed: it has to settle again."""
        status = os.stat(long_path(path))  # noqa: PTH116 - the listing of Windows may lag behind
        stamp = (status.st_size, status.st_mtime_ns)
        if stamp == self._candidates[name].stamp:
            return False
        self._candidates[name] = _Candidate(stamp, time.monotonic())
        return True

    def _postpone(self, name: str, reason: str, patience: float) -> Skipped | None:
        """Retry later; after ``patience`` seconds without a change give the image up."""
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
            self._yielded[key] = (name, stamp)

    def _lost(self, error: OSError) -> SourceStatus | None:
        """Report once that the folder cannot be read, until it is back."""
        if self._unreadable_since is not None:
            return None
        self._unreadable_since = time.monotonic()
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            return SourceStatus(
                False, message("The folder {folder} no longer exists; waiting for it", folder=self._folder)
            )
        return SourceStatus(
            False,
            message(
                "The folder {folder} cannot be read ({reason}); retrying",
                folder=self._folder,
                reason=error.strerror,
            ),
        )


def _stamp_of(entry: os.DirEntry[str]) -> Stamp | None:
    """Size and time of a file; None for anything else, vanished files and dangling links."""
    try:
        if not entry.is_file():
            return None
        status = entry.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


if sys.platform == "win32":

    def _being_written(path: Path) -> bool:
        """Whether another program has the file open for writing."""
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
        """Not available on Linux; the settling time and the decoding must suffice."""
        return False
