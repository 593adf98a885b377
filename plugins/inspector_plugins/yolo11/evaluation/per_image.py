"""Evaluate image by image: escapes, false alarms, the best confidence threshold, and drawings of the worst images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.api import InputError, long_path, read_image, write_image

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
WORST = 12
_LABELLED, _FOUND = (80, 200, 80), (60, 60, 230)  # BGR
_LARGEST = 1280  # pixels, the longer side of a drawing


@dataclass(frozen=True)
class ImageResult:
    """Results of a model on one labelled image.

    Attributes:
        file: the image.
        labelled: (n, 4) float, boxes x1 y1 x2 y2 in pixels of the image.
        found: (m, 4) float, boxes of all detections, likewise.
        scores: (m,) float, 0 to 1.
        missed: labelled defects without a detection at the confidence of the confusion matrix.
        false: detections at that confidence without a labelled defect.
    """

    file: Path
    labelled: NDArray[Any] = field(repr=False)
    found: NDArray[Any] = field(repr=False)
    scores: NDArray[Any] = field(repr=False)
    missed: int
    false: int

    @property
    def highest(self) -> float:
        """The highest score; 0 without a detection."""
        return float(self.scores.max(initial=0.0))

    @property
    def severity(self) -> tuple[int, float]:
        """Sort key, the worst first: by errors, then by the score of a false alarm."""
        return -(self.missed + self.false), -self.highest


def summarise(results: Sequence[ImageResult], confidence: float) -> dict[str, Any]:
    """Count good and defective images as an inspection would: any detection is NG.

    Args:
        results: of all images of the split.
        confidence: threshold for ``false_alarms`` and ``escapes``.

    Returns:
        For JSON: ``good`` and ``defective`` (numbers of images); ``false_alarms`` and ``escapes``, each with ``count``,
        ``rate`` and ``interval`` (Wilson, 95 %), None if there are no such images; ``thresholds``, the counts by
        confidence; ``best_confidence``, at which the sum of both rates is smallest (the middle of several equal ones).
    """
    good = np.array([one.highest for one in results if not len(one.labelled)])
    bad = np.array([one.highest for one in results if len(one.labelled)])
    rows = [
        {"confidence": value, "false_alarms": int((good > value).sum()), "escapes": int((bad <= value).sum())}
        for value in THRESHOLDS
    ]
    costs = [row["false_alarms"] / max(1, len(good)) + row["escapes"] / max(1, len(bad)) for row in rows]
    best = [row["confidence"] for row, cost in zip(rows, costs, strict=True) if cost <= min(costs) + 1e-9]
    return {
        "confidence": confidence,
        "good": len(good),
        "defective": len(bad),
        "false_alarms": _share(int((good > confidence).sum()), len(good)),
        "escapes": _share(int((bad <= confidence).sum()), len(bad)),
        "thresholds": rows,
        "best_confidence": best[len(best) // 2],
    }


def _share(count: int, of: int) -> dict[str, Any] | None:
    return {"count": count, "rate": round(count / of, 5), "interval": wilson(count, of)} if of else None


def wilson(count: int, of: int) -> list[float]:
    """95 % confidence interval of a proportion (E. B. Wilson, 1927, doi 10.1080/01621459.1927.10502953)."""
    z = 1.959964
    share, spread = count / of, z * z / of
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * sqrt(share * (1 - share) / of + spread / (4 * of))
    return [round(max(0.0, middle - half), 5), round(min(1.0, middle + half), 5)]


def draw_worst(results: Sequence[ImageResult], confidence: float, folder: Path) -> list[dict[str, Any]]:
    """Draw the images with most errors, labels green and detections red, as JPEG files in ``folder``.

    Returns:
        For JSON, the worst first: ``file``, ``missed``, ``false`` and ``drawing``, the name in ``folder``.
    """
    worst = sorted((one for one in results if one.missed or one.false), key=lambda one: one.severity)[:WORST]
    listed = []
    for number, one in enumerate(worst, 1):
        try:
            image = read_image(one.file)[0].copy()
        except InputError:
            continue  # the file has vanished
        scale = min(1.0, _LARGEST / max(image.shape[:2]))
        if scale < 1:
            image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        thick = max(1, round(max(image.shape[:2]) / 400))
        for box in one.labelled:
            _rectangle(image, box * scale, _LABELLED, thick)
        for box, score in zip(one.found, one.scores, strict=True):
            if score > confidence:
                _rectangle(image, box * scale, _FOUND, thick, f"{score:.2f}")
        name = f"worst_{number:02}.jpg"
        write_image(long_path(folder / name), image)
        listed.append({"file": str(one.file), "missed": one.missed, "false": one.false, "drawing": name})
    return listed


def _rectangle(
    image: NDArray[np.uint8], box: NDArray[Any], colour: tuple[int, int, int], thick: int, text: str = ""
) -> None:
    x1, y1, x2, y2 = (round(float(value)) for value in box)
    cv2.rectangle(image, (x1 - thick, y1 - thick), (x2 + thick, y2 + thick), colour, thick)
    if text:
        at = (max(0, x1 - thick), max(12, y1 - 2 * thick - 2))
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.4 + 0.1 * thick, colour, thick, cv2.LINE_AA)
