"""Lock training folders that are in use; the system releases the lock when the process ends."""

from __future__ import annotations

import os
import time
from pathlib import Path

from inspector.domain import InputError
from inspector.system.locks import locked

LOCK = "train.lock"
PLAN = "train.json"  # a folder without it holds no training
_PATIENCE = 3.0  # seconds; a check holds the lock only for a moment


class Lock:
    """Exclusive right to train in a folder.

    Args:
        folder: of the training.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: int | None = None

    def acquire(self) -> None:
        """Acquire the lock, unless this object holds it already; the folder must exist.

        Raises:
            InputError: another process trains in the folder.
        """
        if self._file is not None:
            return
        file = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        until = time.monotonic() + _PATIENCE
        while not locked(file):
            if time.monotonic() > until:
                os.close(file)
                raise InputError(
                    "The training in {folder} is already running; wait for it, or stop it first", folder=self._folder
                )
            time.sleep(0.05)
        self._file = file

    def release(self) -> None:
        """Release the lock; no effect if it is not held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def is_locked(folder: Path) -> bool:
    """Whether a process is training in ``folder``."""
    try:
        file = os.open(folder / LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        return not locked(file, shared=True)
    finally:
        os.close(file)
