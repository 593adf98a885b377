"""Images in results folders: originals, which are deleted beyond limits, and annotated copies.

``originals/000123.jpg`` is the original of inspection number 123 of the run; ``images/NAME.jpg`` is the annotated copy
of the image NAME.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspector.system.paths import long_path, result_stem, safe_name

logger = logging.getLogger(__name__)
FOLDER = "originals"
_ORIGINAL = re.compile(r"\d{6,}\.[A-Za-z]{3,4}")
_SUFFIXES = (".jpg", ".png")
_GIB = 2**30


def original_copy(output: str | Path, number: int) -> Path | None:
    """Return the original of an inspection in the results folder ``output``, or None."""
    folder = Path(output) / FOLDER
    with suppress(OSError):
        for file in long_path(folder).glob(f"{number:06d}.*"):
            if _ORIGINAL.fullmatch(file.name):
                return folder / file.name
    return None


def annotated_copy(output: str | Path, record: Mapping[str, Any]) -> Path | None:
    """Return the annotated image of an inspection in the results folder ``output``.

    Returns None if there is none, or if several images have this name, so that the right one is unknown.

    Args:
        record: ``name``, ``path``, ``index`` and ``seconds`` of :meth:`inspector.history.History.get`.
    """
    stem = result_stem(Path(output) / "images", record["name"])
    if record["seconds"] is not None:
        stem = stem.with_name(f"{stem.name}_{record['index']:06d}")
    elif record["path"] is not None:
        # Next to an image of the same name with another suffix, it has its full name, for example a.bmp.jpg.
        whole = stem.with_name(safe_name(re.split(r"[\\/]", record["path"])[-1]))
        if own := [file for suffix in _SUFFIXES if _is_file(file := whole.with_name(f"{whole.name}{suffix}"))]:
            return own[0]
    files = [file for suffix in _SUFFIXES if _is_file(file := stem.with_name(f"{stem.name}{suffix}"))]
    another = any(_is_file(stem.with_name(f"{stem.name}-2{suffix}")) for suffix in _SUFFIXES)
    return files[0] if len(files) == 1 and not another else None


@dataclass(frozen=True)
class Purged:
    """Result of :func:`purge`: number and bytes of the deleted images, and of the remaining ones."""

    files: int = 0
    bytes: int = 0
    left: int = 0
    left_bytes: int = 0


def purge(outputs: Iterable[str], days: int, gigabytes: float, now: float | None = None) -> Purged:
    """Delete originals older than ``days``, then the oldest ones until the rest fits into ``gigabytes`` (GiB).

    Only originals are deleted: no annotated images, results or other files. For a worker thread.

    Args:
        outputs: results folders.
        days: 0: without limit.
        gigabytes: 0: without limit.
        now: seconds since 1970; by default the current time.
    """
    images = sorted(_originals(outputs))
    total = sum(size for _, size, _ in images)
    oldest = (time.time() if now is None else now) - days * 86_400 if days else 0.0
    limit = gigabytes * _GIB if gigabytes else float("inf")
    files = freed = 0
    for changed, size, file in images:
        if changed >= oldest and total - freed <= limit:
            break
        try:
            file.unlink()
        except FileNotFoundError:
            pass
        except OSError as error:
            logger.warning("The original %s cannot be removed (%s)", file, error.strerror)
            continue
        files, freed = files + 1, freed + size
        with suppress(OSError):  # not empty
            file.parent.rmdir()
    if files:
        logger.info("Originals removed, oldest first: %d, %.1f MiB", files, freed / 2**20)
    return Purged(files, freed, len(images) - files, total - freed)


def _originals(outputs: Iterable[str]) -> Iterator[tuple[float, int, Path]]:
    """Modification time (seconds since 1970), bytes and path of each original."""
    for output in dict.fromkeys(outputs):
        with suppress(OSError):
            for file in long_path(Path(output) / FOLDER).iterdir():
                if _ORIGINAL.fullmatch(file.name) and file.is_file():
                    stat = file.stat()
                    yield stat.st_mtime, stat.st_size, file


def _is_file(path: Path) -> bool:
    try:
        return long_path(path).is_file()
    except OSError:
        return False
