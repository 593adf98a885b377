"""What annotated pictures and videos have in common: where they lie, and what is drawn."""

from __future__ import annotations

import re
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from inspector.api import Inspection, draw_inspection, safe_name


def stem_of(folder: Path, name: str) -> Path:
    """Where the output for a picture or stream called ``name`` lies, without suffix; never outside ``folder``."""
    address = "://" in name
    parts = [part for part in ([name] if address else re.split(r"[\\/]", name)) if part.strip(" .")] or ["_"]
    last = re.sub(r"(?<=.)\.[A-Za-z]\w{1,4}$", "", parts[-1])
    return folder.joinpath(*map(safe_name, [*parts[:-1], last]))


def annotated(inspection: Inspection, opacity: float, labels: bool) -> NDArray[np.uint8]:
    """The picture with its defects and its verdict: (height, width, 3) uint8 BGR, not to be changed.

    It is drawn once for all who write this inspection in the same look.
    """
    drawn = _drawn.get(inspection)
    if drawn is None:
        _drawn.clear()
        drawn = _drawn[inspection] = {}
    if (opacity, labels) not in drawn:
        image = inspection.frame.image.copy()
        verdict = inspection.verdict
        drawn[opacity, labels] = draw_inspection(image, inspection.detections, verdict, opacity=opacity, labels=labels)
    return drawn[opacity, labels]


_drawn: WeakKeyDictionary[Inspection, dict[tuple[float, bool], NDArray[np.uint8]]] = WeakKeyDictionary()
