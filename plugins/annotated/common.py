"""What annotated pictures and videos have in common: where they lie, and what is drawn."""

from __future__ import annotations

import re
from pathlib import Path

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
    """The picture with its defects and its verdict, a copy: (height, width, 3) uint8 BGR."""
    image = inspection.frame.image.copy()
    return draw_inspection(image, inspection.detections, inspection.verdict, opacity=opacity, labels=labels)
