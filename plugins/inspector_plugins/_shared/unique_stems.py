"""Find out whether a file name without suffix is unique among the images in its folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from inspector.api import IMAGE_SUFFIXES, Frame, long_path


class StemIndex:
    """Index of the image stems of a folder; it is listed again only when it has changed."""

    def __init__(self) -> None:
        self._beside: tuple[Path, int, Counter[str]] | None = None  # a folder, when it changed, its images' stems

    def is_ambiguous(self, frame: Frame) -> bool:
        """Whether an image with another suffix has the same stem as the still image ``frame``."""
        if frame.path is None or frame.seconds is not None:
            return False
        path = Path(frame.path)
        try:
            changed = long_path(path.parent).stat().st_mtime_ns
            if self._beside is None or self._beside[:2] != (path.parent, changed):
                files = (file for file in long_path(path.parent).iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
                self._beside = path.parent, changed, Counter(file.stem.casefold() for file in files)
        except OSError:
            return False
        return self._beside[2][path.stem.casefold()] > 1
