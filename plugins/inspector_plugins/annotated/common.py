"""Drawing shared by annotated images and videos."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from inspector.api import Inspection, draw_inspection


def annotated(inspection: Inspection, opacity: float, labels: bool) -> NDArray[np.uint8]:
    """Draw the image with its defects and its verdict: (height, width, 3) uint8 BGR, not to be changed.

    It is drawn once for all exporters that write this inspection with the same settings.
    """
    drawn = _drawn.get(inspection)
    if drawn is None:
        _drawn.clear()
        drawn = _drawn[inspection] = {}
    if (opacity, labels) not in drawn:
        image = inspection.frame.image.copy()
        verdict = inspection.verdict
        recipe = inspection.recipe
        caption = "" if recipe is None else f"{recipe.name} v{recipe.version}"
        drawn[opacity, labels] = draw_inspection(
            image, inspection.detections, verdict, opacity=opacity, labels=labels, caption=caption
        )
    return drawn[opacity, labels]


_drawn: WeakKeyDictionary[Inspection, dict[tuple[float, bool], NDArray[np.uint8]]] = WeakKeyDictionary()
