"""Write a YOLO segmentation dataset, ready for training: ``yolo/images``, ``yolo/labels`` and ``yolo/data.yaml``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from inspector.api import Detection, Inspection, RunInfo, joined, mask_polygons

from .._shared.atomic_files import write_atomically
from .images import ClassNumbers, UniqueNames, save_image


class Yolo:
    """One line per defect: class number, then alternating x and y from 0 to 1; a good image has no line.

    A line is one instance, so a mask of several pieces is one polygon whose pieces are connected by bridges of no
    width, and so are its holes. A defect without a mask is the polygon of its box.

    Args:
        images: ``copy`` saves the images to ``images``; ``none`` leaves that folder empty.
    """

    def __init__(self, folder: Path, run: RunInfo, images: str = "copy") -> None:
        self._folder, self._copy = folder / "yolo", images == "copy"
        self._names, self._classes = UniqueNames(), ClassNumbers(run.model.names)
        for name in ("images", "labels"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)

    def write(self, inspection: Inspection) -> None:
        frame = inspection.frame
        stem = self._names.stem(frame)
        lines = [self._line(found, frame.width, frame.height) for found in inspection.detections]
        if self._copy:
            save_image(frame, self._folder / "images" / stem)
        write_atomically(self._folder / "labels" / f"{stem}.txt", "".join(lines).encode("ascii"))

    def _line(self, detection: Detection, width: int, height: int) -> str:
        parts = mask_polygons(detection.mask) if detection.mask else []
        if parts:
            polygon = joined(parts)
        else:
            x1, y1, x2, y2 = detection.box
            polygon = np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], float)
        points = np.clip(polygon / (width, height), 0, 1).ravel().tolist()
        return f"{self._classes.number(detection)} {' '.join(map('{:.7g}'.format, points))}\n"

    def close(self) -> Iterable[Path]:
        names = "".join(
            f"  {number}: {json.dumps(name, ensure_ascii=False)}\n" for number, name in enumerate(self._classes.names)
        )
        text = f"train: images\nval: images\nnc: {len(self._classes.names)}\nnames:\n{names}"
        return [write_atomically(self._folder / "data.yaml", text.encode("utf-8"))]
