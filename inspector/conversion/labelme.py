"""labelme's JSON files, one a picture: polygons, rectangles, circles and masks; shapes of one group are one defect."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path, PurePosixPath
from typing import Any

from inspector.conversion import polygons
from inspector.conversion.labels import Labelled, Labels, Notes, Polygon, Shape, points, side_lengths
from inspector.conversion.source import Source, named, read_json
from inspector.domain import InputError
from inspector.imaging.decoding import decode, kind_of

_OUTLINES = {"polygon", "rectangle", "oriented_rectangle", "rotation"}  # the last two with all their corners


def speaks(document: dict[str, Any]) -> bool:
    """It is a JSON file of labelme."""
    return isinstance(document.get("shapes"), list)


def read(source: Source, notes: Notes) -> Labels:
    """All pictures that have a JSON file; a file without shapes is a picture without a defect."""
    labels = Labels()
    for file, document in source.documents.items():
        if not speaks(document):
            continue
        found = _picture(source, file, document)
        if found is not None:
            labels.seen.add(found)
        elif document.get("imageData"):
            found = file
        else:
            notes.add("missing_picture", f"{_name(document)} of {source.relative(file)}")
            continue
        name = found.name if found != file else _name(document) or file.stem
        size = side_lengths(document.get("imageWidth"), document.get("imageHeight"))
        labels.pictures.append(Labelled(found, name, _shapes(document["shapes"]), size))
    for file in source.broken:
        notes.add("unreadable_label", source.relative(file))
        labels.seen.update(picture for picture in source.pictures if picture.with_suffix("") == file.with_suffix(""))
    return labels


def embedded(file: Path) -> bytes | None:
    """The picture file that stands in a JSON file; None where there is none."""
    try:
        return base64.b64decode(read_json(file)["imageData"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _name(document: dict[str, Any]) -> str:
    return PurePosixPath(str(document.get("imagePath") or "").replace("\\", "/")).name


def _picture(source: Source, file: Path, document: dict[str, Any]) -> Path | None:
    """The file that it names, else the one called like it, the one in it, or one of that name elsewhere."""
    given = str(document.get("imagePath") or "")
    if (found := named(given, file.parent)) is not None:
        return found
    beside = next((one for one in source.pictures if one.with_suffix("") == file.with_suffix("")), None)
    if beside is not None or document.get("imageData"):
        return beside
    found = source.picture(given, file.parent)
    has_its_own = found is not None and found.with_suffix(".json") in source.documents
    return None if has_its_own else found


def _shapes(given: list[Any]) -> tuple[Shape, ...]:
    groups: dict[object, list[Shape]] = {}
    for number, one in enumerate(given):
        shape = _shape(one)
        group = one.get("group_id") if isinstance(one, dict) else None
        key = (shape.label, str(group)) if group is not None and not shape.problem else number
        groups.setdefault(key, []).append(shape)
    return tuple(_together(shapes) for shapes in groups.values())


def _together(shapes: list[Shape]) -> Shape:
    if len(shapes) == 1:
        return shapes[0]
    return Shape(shapes[0].label, tuple(ring for shape in shapes for ring in shape.rings), bridged=True)


def _shape(given: Any) -> Shape:
    if not isinstance(given, dict):
        return Shape("", problem="malformed")
    label = str(given["label"]).strip() if given.get("label") is not None else ""
    if not label:
        return Shape("", problem="unknown_class")
    kind, corners = str(given.get("shape_type") or "polygon"), points(given.get("points"))
    if corners is None:
        return Shape(label, problem="malformed" if given.get("points") else "degenerate")
    if kind == "mask":
        return _mask(label, corners, given.get("mask"))
    if kind == "circle" and len(corners) == 2:
        return Shape(label, (polygons.circle(*corners),))
    if kind == "rectangle" and len(corners) == 2:
        return Shape(label, (corners[[0, 1, 1, 0], :] * (1, 0) + corners[[0, 0, 1, 1], :] * (0, 1),))
    if kind in _OUTLINES or (kind == "circle" and len(corners) < 2):
        return Shape(label, (corners,)) if len(corners) > 2 else Shape(label, problem="degenerate")
    return Shape(label, problem="no_outline")


def _mask(label: str, corners: Polygon, content: object) -> Shape:
    """A picture of the mask's box in PNG; its first corner is its first pixel."""
    try:
        data = base64.b64decode(content) if isinstance(content, str) else b""
        pixels = decode(data, label)[0].max(2) > 0 if kind_of(data) == "PNG" else None
    except (binascii.Error, ValueError, InputError):
        pixels = None
    if pixels is None or not len(corners):
        return Shape(label, problem="damaged_mask")
    x, y = corners[0].astype(int).tolist()
    ring, bridged = polygons.of_mask(pixels, x, y)
    return Shape(label, problem="degenerate") if ring is None else Shape(label, (ring,), bridged=bridged)
