"""What the readers of label formats hand on, and how they tell what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Polygon = NDArray[np.float64]  # (n, 2) as x, y
FORMATS = ("labelme", "coco", "yolo")
SPLITS = ("train", "val", "test")
_SHOWN = 3  # examples in a sentence
_FARTHEST = 1e7  # px; no coordinate of a picture


@dataclass(frozen=True, eq=False)
class Shape:
    """One labelled defect.

    Attributes:
        label: class name.
        rings: polygons whose union it is, in the units of :attr:`Labelled.size`; holes are bridged in.
        problem: of :data:`KINDS`, why there are no rings; empty where there are.
        bridged: it is a mask with holes or in several pieces.
    """

    label: str
    rings: tuple[Polygon, ...] = ()
    problem: str = ""
    bridged: bool = False


@dataclass(frozen=True, eq=False)
class Labelled:
    """One picture with its labels.

    Attributes:
        picture: its file; a JSON file that holds the picture itself where there is no other.
        name: its file name, for the copy.
        shapes: what is labelled on it.
        size: width and height to which the coordinates refer; None: the picture's own.
        split: train, val or test; None where the source does not say.
    """

    picture: Path
    name: str
    shapes: tuple[Shape, ...]
    size: tuple[float, float] | None = None
    split: str | None = None


@dataclass
class Labels:
    """All that a source holds.

    Attributes:
        pictures: with labels, or known to be without a defect.
        names: classes in their order; empty where the format knows none.
        seen: pictures that a label file speaks of, usable or not.
    """

    pictures: list[Labelled] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    seen: set[Path] = field(default_factory=set)


KINDS = {  # kind -> what is counted, what is said of it
    "missing_picture": (
        "picture",
        "not found though labelled; export them too, or put them beside the labels",
    ),
    "unreadable_picture": ("picture", "left out as unreadable"),
    "other_size": ("picture", "left out, having another shape than the labels say"),
    "unreadable_label": ("label file", "left out with the picture, as unreadable"),
    "malformed": ("shape", "left out with the picture, being no class with pairs of numbers"),
    "no_outline": ("shape", "left out with the picture, being a box, line or point where an outline is needed"),
    "damaged_mask": ("shape", "left out with the picture, its mask being damaged or of another size"),
    "unknown_class": ("shape", "left out with the picture, of a class without a name"),
    "degenerate": ("shape", "left out, with less than three points or no area"),
    "outside": ("shape", "left out, lying outside the picture"),
    "clipped": ("shape", "cut off at the picture's border"),
    "repeated": ("shape", "counted once, standing twice on a picture"),
    "other_class": ("shape", "left out, not being of the classes asked for"),
    "crowd": ("shape", "marked iscrowd, taken as one defect each"),
    "bridged": ("shape", "with holes or in several pieces, kept as one polygon with bridges of no width"),
    "scaled": ("picture", "larger or smaller than the labels say, to which these were scaled"),
    "unlabelled": (
        "picture",
        "that no label file names, left out; --unlabelled-are-good takes them in as good",
    ),
    "taken_as_good": ("picture", "without a label file, taken as without a defect"),
    "orphan_label": ("label file", "ignored, having no picture"),
    "orphan_shape": ("shape", "ignored, being of no picture in its file"),
    "two_splits": ("picture", "named in several splits, taken into one"),
    "missing_split": ("split", "named in the data set's description but not there"),
    "shared": ("picture", "the same in several splits, which were kept; figures on them will look too good"),
    "ungrouped": ("picture", "whose name --group does not match, dealt out one by one"),
    "empty_class": ("class", "left out, heading the others without a shape of its own"),
    "absent_class": ("class", "without any defect"),
}
LOSING = {"missing_picture", "unreadable_picture", "other_size", "unreadable_label", "malformed", "no_outline"}
LOSING |= {"damaged_mask", "unknown_class"}  # the whole picture: its defects would be learned as background


class Notes:
    """What a user should know, counted by kind."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._examples: dict[str, list[str]] = {}

    def add(self, kind: str, example: str) -> None:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        examples = self._examples.setdefault(kind, [])
        if len(examples) <= _SHOWN and example not in examples:
            examples.append(example)

    @property
    def lost(self) -> bool:
        """A picture was left out that should have been used."""
        return bool(LOSING & self._counts.keys())

    def counts(self) -> dict[str, int]:
        """By kind, in the order of :data:`KINDS`."""
        return {kind: self._counts[kind] for kind in KINDS if kind in self._counts}

    def sentences(self, kinds: Sequence[str] = tuple(KINDS)) -> list[str]:
        return [self._sentence(kind) for kind in kinds if kind in self._counts]

    def _sentence(self, kind: str) -> str:
        noun, text = KINDS[kind]
        count, examples = self._counts[kind], self._examples[kind]
        plural = noun if count == 1 else {"class": "classes"}.get(noun, f"{noun}s")
        return f"{count} {plural} {text} ({'; '.join(examples[:_SHOWN])}{'; …' if len(examples) > _SHOWN else ''})"


def points(numbers: object) -> Polygon | None:
    """(n, 2) of a list of pairs or of numbers one after the other; None where it is no such thing."""
    try:
        array = np.array(numbers, np.float64)
    except (ValueError, TypeError, OverflowError):
        return None
    if array.size % 2 or array.ndim > 2 or (array.ndim == 2 and array.shape[1] != 2):
        return None
    if not (np.abs(array) < _FARTHEST).all():  # nor is NaN
        return None
    return array.reshape(-1, 2)


def side_lengths(width: object, height: object) -> tuple[float, float] | None:
    """The size of a picture as its label file says; None where it does not."""
    if isinstance(width, int | float) and isinstance(height, int | float) and width > 0 and height > 0:
        return float(width), float(height)
    return None
