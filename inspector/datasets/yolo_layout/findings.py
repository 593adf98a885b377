"""Results of a dataset check: usable images, and findings for the user."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspector.datasets.yolo_layout.report import counted
from inspector.datasets.yolo_layout.text_files import shown
from inspector.domain import message

KEPT = 20
"""Examples kept in the document."""


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """A usable image and its labels.

    Attributes:
        file: absolute.
        height, width: pixels, upright.
        classes: class number of each defect.
        polygons: outline of each defect, (points, 2) float32, x and y as shares of width and height.
    """

    file: Path
    height: int
    width: int
    classes: tuple[int, ...]
    polygons: tuple[NDArray[np.float32], ...]


@dataclass
class Finding:
    """An error or hint about a dataset.

    Attributes:
        kind: e.g. ``unreadable_picture``.
        split: train, val, test, two of them, or empty for the whole dataset.
        text: description; if empty, that of :data:`inspector.datasets.yolo_layout.report.KINDS`.
        fatal: training is impossible.
        count: how many.
        examples: files, with a line number if there is one.
    """

    kind: str
    split: str
    text: str = ""
    fatal: bool = False
    count: int = 0
    examples: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """Return the description, with the split."""
        text = self.description()
        return message("{split}: {text}", split=self.split, text=text) if self.split else text

    def description(self) -> str:
        """Return the description, without the split."""
        return self.text or counted(self.kind, self.count, self.examples)

    def add(self, example: str) -> None:
        self.count += 1
        if len(self.examples) < KEPT:
            self.examples.append(shown(example))
