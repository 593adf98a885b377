"""Read and plot a training's ``results.csv`` and labels.

ultralytics uses polars for this, which would make up a fifth of the packaged program.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_MOST_NAMES, _MOST_BOXES = 30, 500
_RESOLUTION = 200  # dots per inch


def read(file: Path) -> dict[str, list[float]]:
    """Read the columns of a ``results.csv`` by name; empty if there is none yet, NaN for non-numbers."""
    if not file.is_file():
        return {}
    with open(file, encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines, skipinitialspace=True) if None not in row.values()]
    return {name: [_number(row[name]) for row in rows] for name in (rows[0] if rows else ())}


def _number(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return math.nan


def draw_results(columns: Mapping[str, list[float]], image: Path) -> None:
    """Plot training and validation losses, and metrics, over the epochs."""
    names = [name for name in columns if "loss" in name or "metric" in name]
    half = -(-len(names) // 2)
    figure = _figure(2 * half + 2, 6)
    for place, name in enumerate(names, 1):
        axes = figure.add_subplot(2, half, place)
        axes.plot(columns["epoch"], columns[name], marker=".", linewidth=2, markersize=8)
        axes.set_title(name, fontsize=12)
    figure.savefig(image, dpi=_RESOLUTION)


def draw_labels(boxes: NDArray[np.floating], classes: NDArray, names: Mapping[int, str], image: Path) -> None:
    """Plot the number of labels per class, the overlaid boxes, their positions and their sizes.

    Args:
        boxes: (N, 4) centre x, centre y, width, height as shares of the image.
        classes: (N,) class numbers.
    """
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    figure = _figure(8, 8)
    often = figure.add_subplot(2, 2, 1)
    counts = np.bincount(classes.astype(int), minlength=len(names))
    often.bar_label(often.bar(range(len(counts)), counts))
    often.set_ylabel("instances")
    if len(names) < _MOST_NAMES:
        often.set_xticks(range(len(counts)), [names[number] for number in range(len(counts))], rotation=90)
    drawn = figure.add_subplot(2, 2, 2)
    corners = [Rectangle((x - w / 2, y - h / 2), w, h) for x, y, w, h in boxes[:_MOST_BOXES]]
    drawn.add_collection(PatchCollection(corners, facecolor="none", edgecolor="C0", linewidth=0.5))
    drawn.set(xlim=(0, 1), ylim=(1, 0), aspect="equal")
    for place, (first, second), (x, y) in ((3, (0, 1), ("x", "y")), (4, (2, 3), ("width", "height"))):
        axes = figure.add_subplot(2, 2, place)
        axes.hist2d(boxes[:, first], boxes[:, second], bins=50, cmap="Blues")
        axes.set(xlabel=x, ylabel=y)
        if y == "y":
            axes.invert_yaxis()  # as in images
    figure.savefig(image, dpi=_RESOLUTION)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), tight_layout=True)
