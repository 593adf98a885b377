"""Read COCO JSON files, as exported by CVAT and Roboflow: polygons, and masks as run lengths, compressed or not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.datasets.importing.source import Source
from inspector.datasets.yolo_layout import polygons
from inspector.datasets.yolo_layout.file_lookup import key, parts, spellings
from inspector.datasets.yolo_layout.report import (
    ConversionReport,
    Labelled,
    Labels,
    Shape,
    are_shares,
    are_wrong,
    number,
    points,
    side_lengths,
)
from inspector.datasets.yolo_layout.text_files import shown
from inspector.domain import InputError
from inspector.imaging.errors import MOST_PIXELS
from inspector.system.paths import long_path

_LARGE = 25_000_000  # px of a mask
_SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def can_read(document: dict[str, Any]) -> bool:
    """Whether the document is a COCO file of instances."""
    return all(isinstance(document.get(key), list) for key in ("images", "annotations", "categories")) and not any(
        isinstance(one, Mapping) and "segments_info" in one
        for one in document["annotations"][:1]  # panoptic
    )


def read(source: Source, notes: ConversionReport) -> Labels:
    """Read all images that the JSON files name; one without annotations is an image without a defect.

    A file whose name or folder is train, val (valid) or test belongs to that split. Annotations marked iscrowd count as
    one defect each: CVAT marks every mask painted with a brush. Ids are equal as numbers and as texts: 3, 3.0, "3".

    Raises:
        InputError: a JSON file is damaged, so that its content would be missing; or two classes have the same id.
    """
    found = {file: document for file, document in source.documents.items() if can_read(document)}
    if source.broken:
        file, reason = next(iter(source.broken.items()))
        raise InputError("{file} cannot be used: {reason}", file=source.relative(file), reason=reason)
    whole = {file: document for file, document in found.items() if file.name.startswith("instances_")}
    found = whole or found  # COCO ships files of other tasks on the same images next to these
    labels = Labels()
    images: dict[Path, Labelled] = {}
    for file, document in found.items():
        for one in _File(source, file, document, notes).read(labels):
            before = images.setdefault(one.file, one)
            if before is not one:
                images[one.file] = replace(before, shapes=(*before.shapes, *one.shapes))
                if before.split != one.split:
                    notes.add("two_splits", one.name)
    labels.images = list(images.values())
    return labels


class _File:
    """One JSON file."""

    def __init__(self, source: Source, file: Path, document: Mapping[str, Any], notes: ConversionReport) -> None:
        self._source, self._file, self._notes = source, file, notes
        self._name = source.relative(file)
        self._images: list[Mapping[str, Any]] = _mappings(document["images"])
        self._annotations: list[Mapping[str, Any]] = _mappings(document["annotations"])
        self._unreadable = len(document["annotations"]) - len(self._annotations)
        self._names = self._class_names(_mappings(document["categories"]))
        self._areas: dict[str | None, int] = {}  # px of images with large masks
        self._sizes = {
            _id(image.get("id")): side_lengths(image.get("width"), image.get("height")) for image in self._images
        }

    def read(self, labels: Labels) -> list[Labelled]:
        """Return its images; its classes, and every image that it names, are added to ``labels``."""
        labels.names.extend(name for name in dict.fromkeys(self._names.values()) if name not in labels.names)
        word = _split_word(PurePosixPath(self._name))
        split = _SPLITS.get(word.rstrip("0123456789"))
        shapes_of: dict[object, list[Shape]] = defaultdict(list)
        for annotation in self._annotations:
            shapes_of[_id(annotation.get("image_id"))].append(self._shape(annotation))
        ids = self._image_ids()
        orphans = self._unreadable + sum(
            len(shapes) for one, shapes in shapes_of.items() if one is None or one not in ids
        )
        if orphans:
            self._notes.add("orphan_shape", self._name, orphans)
        found: list[Labelled] = []
        named: dict[Path, str] = {}
        listed: set[tuple[str | None, str]] = set()
        for image in self._images:
            name = image.get("file_name")
            name = name if isinstance(name, str) else ""
            if (entry := (_id(image.get("id")), name)) in listed:
                continue
            listed.add(entry)
            example = name or self._name
            path, problem = self._source.find_image(name, self._file.parent, word or self._file.parent.name)
            if path is not None:
                labels.seen.add(path)
            number_of = ids[_id(image.get("id")) or ""]
            if path is None:
                self._notes.add(problem, example)
            elif number_of != 1:
                self._notes.add("unclear_id", f"{example}, id {image.get('id')}")
            elif not _is_same(named.setdefault(path, name), name):
                self._notes.add("unclear_picture", f"{example}, {named[path]}")
                found = [one for one in found if one.file != path]
            elif are_wrong(image.get("width"), image.get("height")):
                self._notes.add("other_size", f"{example}: {image.get('width')} x {image.get('height')}")
            else:
                shapes = tuple(shapes_of.get(_id(image.get("id")), ()))
                if orphans and not shapes:
                    self._notes.add("unclear_good", example)
                    continue
                size = side_lengths(image.get("width"), image.get("height"))
                found.append(Labelled(path, path.name, shapes, size, split))
        return found

    def _is_plausible(self, size: tuple[int, int], image: str | None) -> bool:
        """Whether the image is large enough for a large mask (h, w); else a few bytes would fill the memory."""
        if size[0] * size[1] <= _LARGE:
            return True
        if image not in self._areas:
            name = next((one.get("file_name") for one in self._images if _id(one.get("id")) == image), None)
            file = self._source.find_image(name, self._file.parent)[0] if isinstance(name, str) else None
            sides = _header_size(file) if file is not None else None
            self._areas[image] = sides[0] * sides[1] if sides is not None else 0
        return size[0] * size[1] <= 4 * self._areas[image]

    def _image_ids(self) -> Counter[str]:
        """Count the images of each id; an image listed twice counts once."""
        names: dict[str, set[str]] = {}
        for image in self._images:
            if (own := _id(image.get("id"))) is not None:
                names.setdefault(own, set()).add(str(image.get("file_name")))
        return Counter({own: len(files) for own, files in names.items()})

    def _class_names(self, categories: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """Return class names by id, sorted by id, without Roboflow's first category, a mere parent of the others."""
        usable = [one for one in categories if _class_name(one) and _id(one.get("id")) is not None]
        used = {_id(one.get("category_id")) for one in self._annotations}
        heads = {str(one.get("supercategory")) for one in usable if one.get("supercategory") != one["name"]}
        names: dict[str, str] = {}
        ids_of: dict[str, str] = {}
        for one in sorted(usable, key=_order):
            own, name = str(_id(one.get("id"))), _class_name(one)
            if name in heads and own not in used:
                self._notes.add("empty_class", name)
                continue
            if own in used and names.get(own, name) != name:
                raise InputError(
                    "{file} gives the id {id} to two classes, {first} and {second}; correct it",
                    file=self._name,
                    id=shown(own, 40),
                    first=shown(names[own], 40),
                    second=shown(name, 40),
                )
            names.setdefault(own, name)
            if ids_of.setdefault(name, own) != own:
                self._notes.add("same_name", f"{name}: {ids_of[name]}, {own}")
        return names

    def _shape(self, annotation: Mapping[str, Any]) -> Shape:
        segmentation, example = (
            annotation.get("segmentation"),
            f"{PurePosixPath(self._name).name} id {annotation.get('id')}",
        )
        label = self._names.get(str(_id(annotation.get("category_id"))))
        if label is None:
            return Shape("", problem="unknown_class")
        if annotation.get("iscrowd"):
            self._notes.add("crowd", example)
        box, wrong = _box(annotation.get("bbox"))
        if isinstance(segmentation, Mapping):
            size, stated = _mask_size(segmentation), self._sizes.get(_id(annotation.get("image_id")))
            if size is not None and stated is not None and stated != (size[1], size[0]):
                text = f"{label}, {example}: {size[1]} x {size[0]}, not {stated[0]:g} x {stated[1]:g}"
                return Shape(label, problem="mask_size", example=text)
            if size is not None and not self._is_plausible(size, _id(annotation.get("image_id"))):
                return Shape(label, problem="mask_size", example=f"{label}, {example}: {size[1]} x {size[0]}")
            mask = _mask(segmentation, size) if size is not None else None
            if mask is None or size is None:
                return Shape(label, problem="damaged_mask")
            ring, bridged = polygons.of_mask(mask)
            if ring is None:
                return Shape(label, problem="degenerate")
            shape = Shape(label, (ring,), bridged=bridged, box=box, mask=(size[1], size[0]))
        elif not segmentation:
            return Shape(label, problem="no_outline" if annotation.get("bbox") else "degenerate")
        elif not isinstance(segmentation, list):
            return Shape(label, problem="malformed")
        else:
            rings = [points(ring) for ring in (segmentation if isinstance(segmentation[0], list) else [segmentation])]
            usable = tuple(ring for ring in rings if ring is not None)
            if len(usable) < len(rings):
                return Shape(label, problem="malformed")
            if any(len(ring) < 3 for ring in usable):
                return Shape(label, problem="degenerate")
            if are_shares(usable):
                return Shape(label, problem="shares")
            shape = Shape(label, usable, bridged=len(usable) > 1, box=box)
        return Shape(label, problem="other_box") if wrong else shape


def _header_size(file: Path) -> tuple[int, int] | None:
    """Read width and height from the header of an image, without decoding it."""
    from PIL import Image

    try:
        with Image.open(long_path(file)) as opened:
            return opened.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _mappings(items: Sequence[Any]) -> list[Mapping[str, Any]]:
    return [one for one in items if isinstance(one, Mapping)]


def _id(value: object) -> str | None:
    """Normalise an id: 3, 3.0 and "3" are equal; None if there is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return str(value).strip() or None


def _class_name(category: Mapping[str, Any]) -> str:
    name = category.get("name")
    return str(name).strip() if isinstance(name, str | int) and not isinstance(name, bool) else ""


def _is_same(one: str, other: str) -> bool:
    """Whether two file names in a JSON file mean the same image: equal paths, or equal last parts."""
    ways = [[key(spellings(part)[-1]) for part in parts(name)] for name in (one, other)]
    shorter, longer = sorted(ways, key=len)
    return longer[len(longer) - len(shorter) :] == shorter


def _order(category: Mapping[str, Any]) -> tuple[bool, int, str]:
    own = str(_id(category.get("id")))
    return (False, int(own), "") if own.isascii() and own.isdecimal() and len(own) < 20 else (True, 0, own)


def _split_word(file: PurePosixPath) -> str:
    """The split named in ``instances_val2017.json`` or ``valid/_annotations.coco.json``; empty if there is none."""
    for text in (file.stem, file.parent.name):
        for word in reversed(text.lower().replace("-", "_").replace(".", "_").split("_")):
            if word.rstrip("0123456789") in _SPLITS:
                return word
    return ""


def _box(value: object) -> tuple[tuple[float, float, float, float] | None, bool]:
    """Return x, y, width and height, or None if there is no box; and whether the value is invalid."""
    if not value:
        return None, False
    numbers = [number(one) for one in value] if isinstance(value, list) and len(value) == 4 else [None]
    known = [one for one in numbers if one is not None]
    if len(known) < 4 or known[2] < 0 or known[3] < 0:
        return None, True
    return ((known[0], known[1], known[2], known[3]) if any(known) else None), False


def _mask_size(rle: Mapping[str, Any]) -> tuple[int, int] | None:
    """Height and width of run lengths; None if it is something else."""
    size = rle.get("size")
    if not isinstance(size, list) or len(size) != 2:
        return None
    sides = [number(side) for side in size]
    if any(side is None or side < 1 or side % 1 for side in sides):
        return None
    height, width = (int(side or 0) for side in sides)
    return (height, width) if height * width <= MOST_PIXELS else None


def _mask(rle: Mapping[str, Any], size: tuple[int, int]) -> NDArray[np.bool_] | None:
    """Decode run lengths to a mask (h, w); None if they are damaged, which pycocotools does not always notice."""
    from pycocotools import mask as coco

    counts = rle.get("counts")
    if isinstance(counts, str):
        counts = _decompress(counts)
    if not isinstance(counts, list):
        return None
    whole = all(isinstance(count, int) and not isinstance(count, bool) and count >= 0 for count in counts)
    if not whole or sum(counts) != size[0] * size[1]:
        return None
    return np.asarray(coco.decode(coco.frPyObjects({"size": list(size), "counts": counts}, *size))).astype(bool)


def _decompress(text: str) -> list[int] | None:
    """Decode COCO's compressed run lengths: groups of 5 bits, each count as the difference to the last but one."""
    try:
        codes = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - 48
    except UnicodeEncodeError:
        return None
    if not len(codes) or codes.min() < 0 or codes.max() > 63 or codes[-1] & 32:  # bit 5: another group follows
        return None
    ends = np.flatnonzero(codes & 32 == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > 8:
        return None
    place = np.arange(len(codes)) - np.repeat(starts, lengths)
    counts = np.add.reduceat((codes & 31) << 5 * place, starts) - ((codes[ends] & 16) > 0) * (1 << 5 * lengths)
    counts[1::2], counts[2::2] = counts[1::2].cumsum(), counts[2::2].cumsum()
    found: list[int] = counts.tolist()
    return found
