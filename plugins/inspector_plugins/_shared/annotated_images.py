"""Record which annotated image belongs to which inspection: set by its exporter, read by the exporters after it."""

from __future__ import annotations

from pathlib import Path
from weakref import WeakKeyDictionary

from inspector.api import Inspection

_images: WeakKeyDictionary[Inspection, str] = WeakKeyDictionary()


def record_image(inspection: Inspection, folder: Path, file: Path) -> None:
    """Record that ``file`` was written for ``inspection``; ``folder`` is that of the run."""
    _images[inspection] = file.relative_to(folder).as_posix()


def annotated_image(inspection: Inspection) -> str | None:
    """Path of the annotated image below the run's folder, e.g. ``images/a.jpg``; None if none was written so far."""
    return _images.get(inspection)
