"""Tells which training folders are in use: a lock on a file in them, which the system frees with the process."""

from __future__ import annotations

import os
import time
from pathlib import Path

from inspector.domain import InputError
from inspector.locks import locked

LOCK = "train.lock"
PLAN = "train.json"  # without it a folder holds no training
_PATIENCE = 3.0  # seconds; who only looks holds the lock for a moment


class Lock:
    """The right to train in a folder.

    Args:
        folder: of the training.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: int | None = None

    def take(self) -> None:
        """Take it, unless it is taken here already; the folder must exist.

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
                raise InputError(f"The training in {self._folder} runs already; wait for it, or stop it first")
            time.sleep(0.05)
        self._file = file

    def free(self) -> None:
        """Give it back; nothing happens where it is not held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def held(folder: Path) -> bool:
    """Whether a process trains in ``folder`` just now."""
    try:
        file = os.open(folder / LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        return not locked(file, shared=True)
    finally:
        os.close(file)
