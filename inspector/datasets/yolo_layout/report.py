"""Labels as the format readers return them, and the report on what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspector.datasets.yolo_layout.text_files import shown
from inspector.domain import message

Polygon = NDArray[np.float64]  # (n, 2) as x, y
FORMATS = ("labelme", "coco", "yolo")
SPLITS = ("train", "val", "test")
SMALLEST = 10
"""Pixels; smallest side of an image, as in ultralytics."""
_SHOWN = 3  # examples in a sentence
FARTHEST = 1e7
"""Pixels; upper limit for coordinates."""


@dataclass(frozen=True, eq=False)
class Shape:
    """One labelled defect.

    Attributes:
        label: class name.
        rings: polygons whose union is the shape, in the units of :attr:`Labelled.size`; holes are bridged.
        problem: why there are no rings, of :data:`KINDS`; else empty.
        bridged: whether it is a mask with holes or in several pieces.
        box: x, y, width and height given by the label file in addition to the outline; None if there is none.
        mask: width and height of the mask it was made from; None if it is no mask.
        example: its location, for messages; if empty, class and image are named.
    """

    label: str
    rings: tuple[Polygon, ...] = ()
    problem: str = ""
    bridged: bool = False
    box: tuple[float, float, float, float] | None = None
    mask: tuple[int, int] | None = None
    example: str = ""


@dataclass(frozen=True, eq=False)
class Labelled:
    """An image and its labels.

    Attributes:
        file: the image, or the JSON file in which it is embedded.
        name: file name for the copy.
        shapes: its labels.
        size: width and height to which the coordinates refer; None: the image's own.
        split: train, val or test; None if the source gives none.
    """

    file: Path
    name: str
    shapes: tuple[Shape, ...]
    size: tuple[float, float] | None = None
    split: str | None = None


@dataclass
class Labels:
    """All labels of a source.

    Attributes:
        images: labelled, or known to be without a defect.
        names: class names in order; empty if the format has none.
        seen: images named by a label file, usable or not.
    """

    images: list[Labelled] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    seen: set[Path] = field(default_factory=set)


KINDS = {  # kind -> what is counted, description
    "missing_picture": (
        "image",
        "not found though labelled; export them too, or put them beside the labels",
    ),
    "elsewhere": (
        "image",
        "left out, lying outside the folder and those beside it; copy them there, or allow images from anywhere",
    ),
    "unreadable_picture": ("image", "left out as unreadable"),
    "small_picture": ("image", message("left out as smaller than {pixels} pixels", pixels=SMALLEST)),
    "other_size": ("image", "left out, having another shape than the labels say"),
    "unclear_picture": ("image", "left out, several files of that name being there"),
    "unclear_id": ("image", "left out, having no id, or one that another has too"),
    "unclear_good": (
        "image",
        "left out, perhaps not being good: no shape is of it, but some are of unknown images",
    ),
    "two_labels": ("image", "left out, being named by several label files"),
    "shared_label": ("image", "left out, sharing a label file with another or having several"),
    "unreadable_label": ("label file", "left out with the image, as unreadable"),
    "malformed": ("shape", "left out with the image, being no class with pairs of numbers"),
    "malformed_line": ("label line", "left out with the image, not being a class number and pairs of coordinates"),
    "box_only": ("label line", "left out with the image, being a box where a polygon is needed"),
    "no_outline": ("shape", "left out with the image, being a box, line or point where an outline is needed"),
    "damaged_mask": ("shape", "left out with the image, the mask being damaged"),
    "mask_size": ("shape", "left out with the image, the mask being of another size"),
    "other_box": ("shape", "left out with the image, the outline not lying in its own bounding box"),
    "shares": ("shape", "left out with the image, lying within one pixel: coordinates from 0 to 1 instead of pixels"),
    "unknown_class": ("shape", "left out with the image, of a class without a name"),
    "wrong_class": ("label line", "with a class that data.yaml does not have; correct the labels or the names"),
    "degenerate": ("shape", "left out with the image, with less than three points or no area"),
    "outside": ("polygon", "left out with the image, which it leaves; coordinates are shares of its sides, 0 to 1"),
    "off_image": ("shape", "left out with the image, at least half of it lying outside"),
    "orphan_label": ("label file", "with labels but without an image"),
    "orphan_shape": ("shape", "of no image in its file"),
    "same_name": ("class", "of one name with another, taken as one; correct the names if they are two"),
    "other_names": ("file", "naming other classes than data.yaml, which was followed; delete it if it is old"),
    "tilted_boxes": (
        "shape",
        "all being rotated boxes (YOLO OBB); export polygons or masks instead (YOLO segmentation or COCO)",
    ),
    "clipped": ("shape", "cut off at the image's border"),
    "repeated": ("shape", "counted once, standing twice on an image"),
    "other_class": ("shape", "left out, not being of the classes asked for; an image without any other counts as good"),
    "crowd": ("shape", "marked iscrowd, taken as one defect each"),
    "bridged": ("shape", "with holes or in several pieces, kept as one polygon with bridges of no width"),
    "scaled": ("image", "larger or smaller than the labels say, to which these were scaled"),
    "unlabelled": ("image", "that no label file names, left out; they can be taken in as good"),
    "taken_as_good": ("image", "without a label file, taken as without a defect"),
    "orphan_empty": ("label file", "ignored, being empty and having no image"),
    "two_splits": ("image", "named in several splits, taken into one"),
    "missing_split": ("split", "named in the dataset's description but not there"),
    "odd_numbers": ("list", "of class numbers with gaps, which were counted through from 0"),
    "shared": ("image", "the same in several splits, which were kept; figures on them will look too good"),
    "ungrouped": ("image", "whose name does not match the grouping, assigned one by one"),
    "empty_class": ("class", "left out, heading the others without a shape of its own"),
    "absent_class": ("class", "without any defect"),
}
COUNTED = {  # noun -> the sentence on one, on several
    "class": ("{count} class {text} ({examples})", "{count} classes {text} ({examples})"),
    "file": ("{count} file {text} ({examples})", "{count} files {text} ({examples})"),
    "image": ("{count} image {text} ({examples})", "{count} images {text} ({examples})"),
    "label file": ("{count} label file {text} ({examples})", "{count} label files {text} ({examples})"),
    "label line": ("{count} label line {text} ({examples})", "{count} label lines {text} ({examples})"),
    "list": ("{count} list {text} ({examples})", "{count} lists {text} ({examples})"),
    "polygon": ("{count} polygon {text} ({examples})", "{count} polygons {text} ({examples})"),
    "shape": ("{count} shape {text} ({examples})", "{count} shapes {text} ({examples})"),
    "split": ("{count} split {text} ({examples})", "{count} splits {text} ({examples})"),
}
FATAL = {"wrong_class"}
"""Kinds that make a dataset unusable."""
LOSING = {kind for kind, (_, text) in KINDS.items() if "left out with the image" in text} | FATAL
"""Kinds of unusable labels. The whole image is left out: its defects would be learned as background."""
DOUBTFUL = LOSING | {
    *("missing_picture", "elsewhere", "unreadable_picture", "small_picture", "other_size", "unclear_picture"),
    *("unclear_id", "unclear_good", "two_labels", "shared_label", "orphan_label", "orphan_shape"),
    *("same_name", "other_names", "tilted_boxes"),
}
"""Kinds of loss or uncertainty: the exit code is 1."""


class ConversionReport:
    """Notes for the user, counted by kind."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._examples: dict[str, list[str]] = {}

    def add(self, kind: str, example: str, count: int = 1) -> None:
        self._counts[kind] = self._counts.get(kind, 0) + count
        examples = self._examples.setdefault(kind, [])
        if len(examples) <= _SHOWN and (example := shown(example)) not in examples:
            examples.append(example)

    @property
    def lost(self) -> bool:
        """Whether an image was left out that should have been used, or a label is uncertain."""
        return bool(DOUBTFUL & self._counts.keys())

    def count(self, kind: str) -> int:
        return self._counts.get(kind, 0)

    def counts(self) -> dict[str, int]:
        """Counts by kind, in the order of :data:`KINDS`."""
        return {kind: self._counts[kind] for kind in KINDS if kind in self._counts}

    def sentences(self, kinds: Sequence[str] = tuple(KINDS)) -> list[str]:
        return [self._sentence(kind) for kind in kinds if kind in self._counts]

    def _sentence(self, kind: str) -> str:
        return counted(kind, self._counts[kind], self._examples[kind])


def counted(kind: str, count: int, examples: Sequence[str]) -> str:
    """Describe ``count`` occurrences of a kind, with the first examples."""
    noun, text = KINDS[kind]
    some = "; ".join([*examples[:_SHOWN], *(["…"] if len(examples) > _SHOWN else [])])
    return message(COUNTED[noun][count != 1], count=count, text=message(text), examples=some)


def points(numbers: object) -> Polygon | None:
    """Convert a list of pairs, or of alternating numbers, to (n, 2); None if it is something else."""
    try:
        array = np.array(numbers, np.float64)
    except (ValueError, TypeError, OverflowError):
        return None
    if array.size % 2 or array.ndim > 2 or (array.ndim == 2 and array.shape[1] != 2):
        return None
    if not (np.abs(array) < FARTHEST).all():  # nor is NaN
        return None
    return array.reshape(-1, 2)


def are_shares(rings: Sequence[Polygon]) -> bool:
    """Whether coordinates that should be pixels are shares of the sides, as in YOLO: all within 0 to 1."""
    return all(len(ring) > 0 and ring.min() >= 0 and ring.max() <= 1 for ring in rings)


def side_lengths(width: object, height: object) -> tuple[float, float] | None:
    """Size of an image as given in its label file; None if it is missing or 0."""
    given = number(width), number(height)
    return (given[0], given[1]) if given[0] and given[1] else None


def are_wrong(width: object, height: object) -> bool:
    """Whether a label file gives an invalid image size."""
    return any(side is not None and (number(side) is None or (number(side) or 0) < 0) for side in (width, height))


def number(value: object) -> float | None:
    """Parse a number of reasonable size, also from text; None for anything else, e.g. NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if abs(found) < FARTHEST else None
