"""COCO's JSON, as CVAT and Roboflow export it: polygons, and masks as run lengths, compressed or not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.conversion import polygons
from inspector.conversion.labels import Labelled, Labels, Notes, Shape, points, side_lengths
from inspector.conversion.source import Source
from inspector.domain import InputError
from inspector.imaging.decoding import MOST_PIXELS

_SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def speaks(document: dict[str, Any]) -> bool:
    """It is a JSON file of COCO with instances."""
    return all(isinstance(document.get(key), list) for key in ("images", "annotations", "categories"))


def read(source: Source, notes: Notes) -> Labels:
    """All pictures that the JSON files name; one without annotations is a picture without a defect.

    A file whose name or folder says train, val (valid) or test is that split. What iscrowd marks is taken as one
    defect: CVAT marks every mask that was painted with a brush.

    Raises:
        InputError: a JSON file is damaged; what it holds would be missing.
    """
    if source.broken:
        raise InputError(f"{source.relative(source.broken[0])} cannot be read as JSON; export it again")
    found = {file: document for file, document in source.documents.items() if speaks(document)}
    whole = {file: document for file, document in found.items() if file.name.startswith("instances_")}
    found = whole or found  # beside them COCO puts files of other tasks on the same pictures
    labels = Labels()
    pictures: dict[Path, Labelled] = {}
    for file, document in found.items():
        names = _names(document, notes)
        labels.names.extend(name for name in names.values() if name not in labels.names)
        word = _word(PurePosixPath(source.relative(file)))
        split = _SPLITS.get(word.rstrip("0123456789"))
        of_picture: dict[object, list[Shape]] = defaultdict(list)
        for annotation in filter(_is_mapping, document["annotations"]):
            of_picture[_id(annotation.get("image_id"))].append(_shape(annotation, names, notes, source.relative(file)))
        for image in filter(_is_mapping, document["images"]):
            shapes = tuple(of_picture.pop(_id(image.get("id")), ()))
            name = str(image.get("file_name") or "")
            picture = source.picture(name, file.parent, word or file.parent.name)
            if picture is None:
                notes.add("missing_picture", name or source.relative(file))
                continue
            labels.seen.add(picture)
            one = Labelled(picture, picture.name, shapes, side_lengths(image.get("width"), image.get("height")), split)
            before = pictures.setdefault(picture, one)
            if before is not one:
                pictures[picture] = replace(before, shapes=(*before.shapes, *shapes))
                if before.split != split:
                    notes.add("two_splits", name)
        for shapes_left in of_picture.values():
            for _ in shapes_left:
                notes.add("orphan_shape", source.relative(file))
    labels.pictures = list(pictures.values())
    return labels


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)


def _id(value: object) -> str:
    return str(value)  # 7 in one list may be "7" in another


def _names(document: Mapping[str, Any], notes: Notes) -> dict[str, str]:
    """Class names by id, in the order of ids. Roboflow's first category only heads the others and is left out."""
    given = [one for one in document["categories"] if _is_mapping(one) and str(one.get("name") or "").strip()]
    used = {_id(one.get("category_id")) for one in document["annotations"] if _is_mapping(one)}
    heads = {str(one.get("supercategory")) for one in given if one.get("supercategory") != one["name"]}
    names = {}
    for one in sorted(given, key=_order):
        if str(one["name"]) in heads and _id(one.get("id")) not in used:
            notes.add("empty_class", str(one["name"]))
        else:
            names[_id(one.get("id"))] = str(one["name"]).strip()
    return names


def _order(category: Mapping[str, Any]) -> tuple[bool, int, str]:
    number = category.get("id")
    return (False, number, "") if isinstance(number, int) else (True, 0, str(number))


def _word(file: PurePosixPath) -> str:
    """The word for a split in ``instances_val2017.json`` or ``valid/_annotations.coco.json``; empty where none is."""
    for text in (file.stem, file.parent.name):
        for word in reversed(text.lower().replace("-", "_").replace(".", "_").split("_")):
            if word.rstrip("0123456789") in _SPLITS:
                return word
    return ""


def _shape(annotation: Mapping[str, Any], names: Mapping[str, str], notes: Notes, example: str) -> Shape:
    label = names.get(_id(annotation.get("category_id")))
    if label is None:
        return Shape("", problem="unknown_class")
    given = annotation.get("segmentation")
    if annotation.get("iscrowd"):
        notes.add("crowd", f"{PurePosixPath(example).name} id {annotation.get('id')}")
    if isinstance(given, Mapping):
        mask = _mask(given)
        if mask is None:
            return Shape(label, problem="damaged_mask")
        ring, bridged = polygons.of_mask(mask)
        return Shape(label, problem="degenerate") if ring is None else Shape(label, (ring,), bridged=bridged)
    if not given:
        return Shape(label, problem="no_outline" if annotation.get("bbox") else "degenerate")
    if not isinstance(given, list):
        return Shape(label, problem="malformed")
    rings = [points(ring) for ring in (given if isinstance(given[0], list) else [given])]
    if any(ring is None for ring in rings):
        return Shape(label, problem="malformed")
    usable = tuple(ring for ring in rings if ring is not None and len(ring) > 2)
    return Shape(label, usable, bridged=len(usable) > 1) if usable else Shape(label, problem="degenerate")


def _mask(given: Mapping[str, Any]) -> NDArray[np.bool_] | None:
    """(h, w) of run lengths; None where they are damaged, which pycocotools does not always see."""
    from pycocotools import mask as coco

    size, counts = given.get("size"), given.get("counts")
    if not isinstance(size, list) or len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
        return None
    if size[0] * size[1] > MOST_PIXELS:
        return None
    if isinstance(counts, list):
        whole = all(isinstance(count, int) and count >= 0 for count in counts)
        if not whole or sum(counts) != size[0] * size[1]:
            return None
        packed = coco.frPyObjects({"size": size, "counts": counts}, *size)
    elif isinstance(counts, str):
        codes = [ord(character) - 48 for character in counts]
        if not codes or not all(0 <= code < 64 for code in codes) or codes[-1] & 32:  # 32: another one follows
            return None
        packed = {"size": size, "counts": counts.encode("ascii")}
    else:
        return None
    try:
        return np.asarray(coco.decode(packed)).astype(bool)
    except ValueError:
        return None
