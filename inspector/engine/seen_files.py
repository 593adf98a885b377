"""Detects files that several sources or names lead to, so that a run inspects each file once."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from inspector.domain import Frame, Skipped
from inspector.system.paths import long_path

logger = logging.getLogger(__name__)


class SeenFiles:
    """The files that a run has read. Used on one thread.

    Attributes:
        repeated: number of items that were left out.
    """

    def __init__(self) -> None:
        self.repeated = 0
        self._seen: set[object] = set()
        self._current: tuple[str, bool] | None = None  # path of the current file, and whether it is left out

    def next_source(self) -> None:
        """Start with another source, which may name the current file again."""
        self._current = None

    def is_repeated(self, content: Frame | Skipped) -> bool:
        """Whether the file of ``content`` was read before: by this name, by another one, or through a link."""
        if content.path is None:
            return False
        still = isinstance(content, Frame) and content.seconds is None
        if self._current is None or self._current[0] != content.path or still:
            file = _identity(content.path)
            repeated = file in self._seen
            self._seen.add(file)
            self._current = content.path, repeated
            if repeated:
                logger.info("%s is the same file as one before; it is inspected once", content.path)
        self.repeated += self._current[1]
        return self._current[1]


def _identity(path: str) -> object:
    """Device and inode of the file, else its real path."""
    try:
        status = os.stat(long_path(Path(path)))  # noqa: PTH116 - follows links
        if status.st_ino:
            return status.st_dev, status.st_ino
    except (OSError, ValueError):
        pass
    return os.path.normcase(os.path.realpath(path))
