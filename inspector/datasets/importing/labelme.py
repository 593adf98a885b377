"""Read labelme JSON files, one per image: polygons, rectangles, circles and masks; a group of shapes is one defect."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from inspector.datasets.importing.source import Source
from inspector.datasets.yolo_layout import polygons
from inspector.datasets.yolo_layout.report import (
    ConversionReport,
    Labelled,
    Labels,
    Polygon,
    Shape,
    are_shares,
    are_wrong,
    points,
    side_lengths,
)
from inspector.datasets.yolo_layout.text_files import read_json
from inspector.domain import InputError
from inspector.domain.image_formats import image_format
from inspector.imaging.decoding import decode

_OUTLINES = {"polygon", "rectangle", "oriented_rectangle", "rotation"}  # the last two with all their corners
_ROUNDED = 2.0  # px by which a mask and the box of its points may differ


def can_read(document: dict[str, Any]) -> bool:
    """Whether the document is a labelme file."""
    return isinstance(document.get("shapes"), list)


def read(source: Source, notes: ConversionReport) -> Labels:
    """Read all images with a JSON file; a file without shapes is an image without a defect."""
    labels = Labels()
    found: dict[Path, list[tuple[Path, Labelled]]] = {}
    for file, document in source.documents.items():
        if not can_read(document):
            continue
        image, problem = _find_image(source, file, document)
        if image is None:
            notes.add(problem, f"{_name(document)} of {source.relative(file)}")
            continue
        labels.seen.add(image)
        name = image.name if image != file else _name(document) or file.stem
        width, height = document.get("imageWidth"), document.get("imageHeight")
        if are_wrong(width, height):
            notes.add("other_size", f"{source.relative(file)}: {width} x {height}")
            continue
        one = Labelled(image, name, _shapes(document["shapes"]), side_lengths(width, height))
        found.setdefault(image, []).append((file, one))
    for image, own in found.items():
        if len(own) == 1:
            labels.images.append(own[0][1])
            continue
        files = ", ".join(source.relative(file) for file, _ in own[:3])
        notes.add("two_labels", f"{source.relative(image)}: {files}")
        labels.seen.update(beside for file, _ in own if (beside := _sibling_image(source, file)) is not None)
    for file, reason in source.broken.items():
        notes.add("unreadable_label", f"{source.relative(file)}: {reason.removeprefix(str(file)).strip()}")
        labels.seen.update(image for image in source.images if image.with_suffix("") == file.with_suffix(""))
    return labels


def embedded_image(file: Path) -> bytes | None:
    """The image embedded in a JSON file; None if there is none."""
    try:
        return base64.b64decode(read_json(file)["imageData"])
    except (OSError, ValueError, TypeError, KeyError, InputError):
        return None


def _name(document: dict[str, Any]) -> str:
    return PurePosixPath(str(document.get("imagePath") or "").replace("\\", "/")).name


def _find_image(source: Source, file: Path, document: dict[str, Any]) -> tuple[Path | None, str]:
    """Find the file that it names, else one with its stem, the embedded one, or one of that name elsewhere."""
    value = str(document.get("imagePath") or "")
    found = source.named(value, file.parent)
    if found is not None and source.is_allowed(found):
        return found, ""
    beside = _sibling_image(source, file)
    if beside is not None:
        return beside, ""
    if document.get("imageData"):
        return file, ""
    found, problem = source.find_image(value, file.parent)
    has_its_own = found is not None and found.with_suffix(".json") in source.documents
    return (None, "missing_picture") if has_its_own else (found, problem)


def _sibling_image(source: Source, file: Path) -> Path | None:
    """The image with the stem of a label file."""
    own = [one for one in source.folders.beside(file) if source.is_allowed(one)]
    return own[0] if len(own) == 1 else None


def _shapes(value: list[Any]) -> tuple[Shape, ...]:
    groups: dict[object, list[Shape]] = {}
    for number, one in enumerate(value):
        shape = _shape(one)
        group = one.get("group_id") if isinstance(one, dict) else None
        key = (shape.label, str(group)) if group is not None and not shape.problem else number
        groups.setdefault(key, []).append(shape)
    return tuple(_group_shapes(shapes) for shapes in groups.values())


def _group_shapes(shapes: list[Shape]) -> Shape:
    if len(shapes) == 1:
        return shapes[0]
    return Shape(shapes[0].label, tuple(ring for shape in shapes for ring in shape.rings), bridged=True)


def _shape(value: Any) -> Shape:
    if not isinstance(value, dict):
        return Shape("", problem="malformed")
    label = str(value["label"]).strip() if value.get("label") is not None else ""
    if not label:
        return Shape("", problem="unknown_class")
    kind, corners = str(value.get("shape_type") or "polygon"), points(value.get("points"))
    if corners is None:
        return Shape(label, problem="malformed" if value.get("points") else "degenerate")
    if kind == "mask":
        return _mask(label, corners, value.get("mask"))
    if len(corners) > 1 and are_shares([corners]):
        return Shape(label, problem="shares")
    if kind == "circle" and len(corners) == 2:
        return Shape(label, (polygons.circle(*corners),))
    if kind == "rectangle" and len(corners) == 2:
        return Shape(label, (corners[[0, 1, 1, 0], :] * (1, 0) + corners[[0, 0, 1, 1], :] * (0, 1),))
    if kind in _OUTLINES or (kind == "circle" and len(corners) < 2):
        return Shape(label, (corners,)) if len(corners) > 2 else Shape(label, problem="degenerate")
    return Shape(label, problem="no_outline")


def _mask(label: str, corners: Polygon, content: object) -> Shape:
    """Decode the PNG image of a mask's box; its first corner is the first pixel, its second corner the last."""
    try:
        data = base64.b64decode(content) if isinstance(content, str) else b""
        pixels = decode(data, label)[0].max(2) > 0 if image_format(data) == "PNG" else None
    except (binascii.Error, ValueError, InputError):
        pixels = None
    if pixels is None or not len(corners):
        return Shape(label, problem="damaged_mask")
    height, width = pixels.shape
    if len(corners) > 1 and np.abs(corners[1] - corners[0] + 1 - (width, height)).max() > _ROUNDED:
        return Shape(label, problem="mask_size")
    x, y = corners[0].astype(int).tolist()
    ring, bridged = polygons.of_mask(pixels, x, y)
    if ring is None:
        return Shape(label, problem="degenerate")
    return Shape(label, (ring,), bridged=bridged, box=(float(x), float(y), float(width), float(height)))
