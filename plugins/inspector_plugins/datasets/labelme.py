"""Write labelme files for viewing and correcting defects: ``labelme/NAME.json`` next to its image."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from inspector.api import Detection, Inspection, RunInfo, mask_polygons

from .._shared.atomic_files import write_atomically
from .images import UniqueNames, save_image, suffix_of
from .polygons import simplified

_TOLERANCE = 0.75  # px between a mask's edge and its polygon: fewer vertices to move by hand


class Labelme:
    """One file per image. A mask is a polygon; several pieces are polygons of one group; a defect without a mask is a
    rectangle. The score is in the description.

    Args:
        images: ``copy`` saves the images next to their files; ``none`` names the originals instead.
    """

    def __init__(self, folder: Path, run: RunInfo, images: str = "copy") -> None:
        self._folder, self._copy, self._names = folder / "labelme", images == "copy", UniqueNames()
        self._folder.mkdir(parents=True, exist_ok=True)

    def write(self, inspection: Inspection) -> None:
        frame = inspection.frame
        stem = self._names.stem(frame)
        original = frame.path or stem + suffix_of(frame)
        image = save_image(frame, self._folder / stem).name if self._copy else original
        shapes = [shape for group, found in enumerate(inspection.detections, 1) for shape in _shapes(found, group)]
        document: dict[str, Any] = {
            "version": "5.5.0",
            "flags": {},
            "shapes": shapes,
            "imagePath": image,
            "imageData": None,
            "imageHeight": frame.height,
            "imageWidth": frame.width,
        }
        text = json.dumps(document, ensure_ascii=False)  # indentation would make it ten times longer
        write_atomically(self._folder / f"{stem}.json", text.encode("utf-8", "replace"))

    def close(self) -> Iterable[Path]:
        return sorted(self._folder.glob("*.json"))


def _shapes(detection: Detection, group: int) -> list[dict[str, Any]]:
    parts = mask_polygons(detection.mask) if detection.mask else []
    x1, y1, x2, y2 = detection.box
    kind = "polygon" if parts else "rectangle"
    outlines = [simplified(part, _TOLERANCE).round(2).tolist() for part in parts] or [[[x1, y1], [x2, y2]]]
    return [
        {
            "label": detection.label,
            "points": points,
            "group_id": group if len(outlines) > 1 else None,
            "description": f"{detection.score:.3f}",
            "shape_type": kind,
            "flags": {},
            "mask": None,
        }
        for points in outlines
    ]
