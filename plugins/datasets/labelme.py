"""labelme's files, for looking at the defects and correcting them by hand: ``labelme/NAME.json`` beside its picture."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from inspector.api import Detection, Inspection, RunInfo, mask_polygons

from .._shared.drafts import put
from .pictures import Names, save_picture, suffix_of
from .polygons import simplified

_TOLERANCE = 0.75  # px between a mask's edge and its polygon: fewer vertices to move by hand


class Labelme:
    """One file a picture. A mask is a polygon; several pieces are polygons of one group; a defect without a mask is a
    rectangle. The score stands in the description.

    Args:
        images: ``copy`` puts the pictures beside their files; ``none`` names the original instead.
    """

    def __init__(self, folder: Path, run: RunInfo, images: str = "copy") -> None:
        self._folder, self._copy, self._names = folder / "labelme", images == "copy", Names()
        self._folder.mkdir(parents=True, exist_ok=True)

    def write(self, inspection: Inspection) -> None:
        frame = inspection.frame
        stem = self._names.stem(frame)
        original = frame.path or stem + suffix_of(frame)
        picture = save_picture(frame, self._folder / stem).name if self._copy else original
        shapes = [shape for group, found in enumerate(inspection.detections, 1) for shape in _shapes(found, group)]
        document: dict[str, Any] = {
            "version": "5.5.0",
            "flags": {},
            "shapes": shapes,
            "imagePath": picture,
            "imageData": None,
            "imageHeight": frame.height,
            "imageWidth": frame.width,
        }
        text = json.dumps(document, ensure_ascii=False)  # indented it would take ten times as long
        put(self._folder / f"{stem}.json", text.encode("utf-8", "replace"))

    def close(self) -> Iterable[Path]:
        return sorted(self._folder.glob("*.json"))


def _shapes(found: Detection, group: int) -> list[dict[str, Any]]:
    parts = mask_polygons(found.mask) if found.mask else []
    x1, y1, x2, y2 = found.box
    kind = "polygon" if parts else "rectangle"
    outlines = [simplified(part, _TOLERANCE).round(2).tolist() for part in parts] or [[[x1, y1], [x2, y2]]]
    return [
        {
            "label": found.label,
            "points": points,
            "group_id": group if len(outlines) > 1 else None,
            "description": f"{found.score:.3f}",
            "shape_type": kind,
            "flags": {},
            "mask": None,
        }
        for points in outlines
    ]
