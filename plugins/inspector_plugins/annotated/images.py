"""Write annotated images."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from inspector.api import Inspection, RunInfo, long_path, result_stem, safe_name, write_image

from .._shared.annotated_images import record_image
from .._shared.unique_stems import StemIndex
from .common import annotated

_LONGEST_JPEG = 65_500  # pixels a side; a larger image is written as PNG


class Images:
    """Writes annotated images to ``folder/images``, named as their sources; subfolders are kept.

    If files of one folder differ only in their suffix, ``a.jpg`` belongs to a.jpg and ``a.bmp.jpg`` to a.bmp,
    whichever comes first.

    Args:
        format: ``jpg`` or ``png``.
        quality: of JPEG, 1 to 100.
        video_frames: which frames of videos and cameras are written, as ``NAME_000012.jpg``: those that are not OK
            (``defects``), ``all`` or ``none``.
        opacity: of the defects' colour, 0 to 1.
        labels: write class names and scores.
    """

    def __init__(
        self,
        folder: Path,
        run: RunInfo,
        format: Literal["jpg", "png"] = "jpg",
        quality: int = 92,
        video_frames: Literal["defects", "all", "none"] = "defects",
        opacity: float = 0.4,
        labels: bool = True,
    ) -> None:
        self._folder = folder / "images"
        self._format, self._quality, self._video_frames = format, quality, video_frames
        self._opacity, self._labels = opacity, labels
        self._files: list[Path] = []
        self._next: dict[Path, int] = {}
        self._stems = StemIndex()

    def write(self, inspection: Inspection) -> None:
        frame = inspection.frame
        stem = result_stem(self._folder, frame.name)
        if frame.seconds is not None:
            wanted = self._video_frames == "all" or inspection.verdict.status != "OK"
            if self._video_frames == "none" or not wanted:
                return
            stem = stem.with_name(f"{stem.name}_{frame.index:06d}")
        suffix = ".png" if max(frame.width, frame.height) > _LONGEST_JPEG else f".{self._format}"
        if frame.path is not None and Path(frame.path).suffix != suffix and self._stems.is_ambiguous(frame):
            stem = stem.with_name(safe_name(Path(frame.path).name))
        path = self._unused(stem, suffix)
        long_path(path.parent).mkdir(parents=True, exist_ok=True)
        image = annotated(inspection, self._opacity, self._labels)
        written = write_image(path, image, quality=self._quality)
        self._files.append(written)
        record_image(inspection, self._folder.parent, written)

    def _unused(self, stem: Path, suffix: str) -> Path:
        """The first unused name of ``stem.jpg``, ``stem-2.jpg``, …; the last number of each name is remembered."""
        number = self._next.get(stem, 1)
        while True:
            path = stem.with_name(f"{stem.name}{f'-{number}' if number > 1 else ''}{suffix}")
            number += 1
            if not long_path(path).exists():
                break
        if number > 2:
            self._next[stem] = number
        return path

    def close(self) -> Iterable[Path]:
        return self._files
