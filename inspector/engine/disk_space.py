"""Free space on the disks that a run writes to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from inspector.domain import InputError, message

NEEDED = 50 * 10**6
"""Free bytes that a run needs to start."""
SCARCE = 10**9
"""Free bytes below which the user is warned."""


def require_space(folders: Iterable[Path]) -> str:
    """Check that a run can write to these folders, which need not exist yet.

    Returns:
        A warning if there is little space; else an empty text.

    Raises:
        InputError: a folder cannot be written, or there is no space.
    """
    for folder in folders:
        path = _existing(folder)
        if path is None:
            raise InputError(
                "The folder {folder} cannot be reached; connect its disk, or choose another folder", folder=folder
            )
        if not os.access(path, os.W_OK):
            raise InputError("Nothing can be written in {path}; make it writable, or choose another folder", path=path)
        free = shutil.disk_usage(path).free
        if free < NEEDED:
            raise InputError(
                "The disk of {path} has {free:.0f} MB free and a run needs {needed:.0f} MB; "
                "make room, or choose another folder",
                path=path,
                free=free / 1e6,
                needed=NEEDED / 1e6,
            )
    return low_space_warning(folders)


def low_space_warning(folders: Iterable[Path]) -> str:
    """Return a warning if a disk is nearly full; else an empty text."""
    for folder in folders:
        path = _existing(folder)
        if path is not None and (free := shutil.disk_usage(path).free) < SCARCE:
            return message(
                "Only {free:.0f} MB are free on the disk of {path}, which is less than {scarce:.0f} MB; make room soon",
                free=free / 1e6,
                path=path,
                scarce=SCARCE / 1e6,
            )
    return ""


def full_disk_message(folders: Iterable[Path]) -> str:
    """Return a sentence about the disk that is full; else an empty text."""
    for folder in folders:
        path = _existing(folder)
        if path is not None and (free := shutil.disk_usage(path).free) < NEEDED / 10:
            return message("The disk of {path} is full: {free:.1f} MB are free; make room", path=path, free=free / 1e6)
    return ""


def folder_problem(folder: Path) -> str:
    """Return a sentence about a results folder that is missing or cannot be written; else an empty text."""
    try:
        if not folder.is_dir():
            return message("The results folder {folder} is missing; results go to the history only", folder=folder)
        if os.access(folder, os.W_OK):
            return ""
    except OSError as error:
        return message("The results folder {folder} cannot be reached ({reason})", folder=folder, reason=error.strerror)
    return message("The results folder {folder} is read-only; results go to the history only", folder=folder)


def _existing(folder: Path) -> Path | None:
    """``folder`` or its nearest parent that exists."""
    return next((path for path in (folder, *folder.parents) if os.path.isdir(path)), None)  # noqa: PTH112 - never raises
