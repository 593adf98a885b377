"""Read the ``data.yaml`` of a YOLO dataset, and ``classes.txt``: classes and the paths of the splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspector.datasets.yolo_layout.report import SPLITS
from inspector.datasets.yolo_layout.text_files import (
    LARGEST_LABEL,
    LARGEST_YAML,
    explain_yaml,
    read_text,
    read_yaml,
    shown,
)
from inspector.domain import InputError, message

_KEYS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
_NOTHING = ("", "~", "null", "Null", "NULL")
_LARGEST_NUMBER = 1_000_000  # of a class


@dataclass(frozen=True)
class Classes:
    """Classes of a dataset.

    Attributes:
        names: each once, ordered by number.
        places: class number in the label files -> index in ``names``.
        notes: for the user: kind of :data:`inspector.datasets.yolo_layout.report.KINDS`, example.
    """

    names: tuple[str, ...]
    places: Mapping[int, int]
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Description:
    """Content of a data.yaml.

    Attributes:
        file: the data.yaml, absolute.
        classes: of the labels.
        base: the folder of its line ``path``, as written; empty if there is none.
        splits: train, val and test -> folders and lists as written; splits without a line are missing.
    """

    file: Path
    classes: Classes
    base: str
    splits: Mapping[str, tuple[str, ...]]


def read_description(file: Path) -> Description:
    """Read a data.yaml. A line ``download:`` and all others not named here are ignored.

    Raises:
        InputError: it cannot be read, or its classes are ambiguous.
    """
    file = file.absolute()
    if file.is_dir():
        raise InputError("{file} is a folder; give the data.yaml in it", file=shown(file))
    try:
        content = read_yaml(file)
    except FileNotFoundError:
        raise InputError(
            "{file} does not exist; give the data.yaml of a dataset in YOLO's layout", file=shown(file)
        ) from None
    if not isinstance(content, Mapping):
        hint = explain_yaml(read_text(file, LARGEST_YAML)) or message("it must hold train, val and names")
        raise InputError("{file} is not a dataset description: {hint}", file=shown(file), hint=hint)
    if "kpt_shape" in content:
        raise InputError(
            "{file} describes keypoints (YOLO pose), which are not read; export polygons or masks "
            "(YOLO segmentation or COCO)",
            file=shown(file),
        )
    classes = _classes(file, content.get("names"), content.get("nc"))
    splits = {}
    for split in SPLITS:
        given = next((content[key] for key in _KEYS[split] if content.get(key) not in (None, *_NOTHING)), None)
        if given is not None:
            splits[split] = tuple(_places(file, split, given))
    base = content.get("path")
    return Description(file, classes, base if isinstance(base, str) and base not in _NOTHING else "", splits)


def read_class_list(file: Path) -> Classes:
    """Read a ``classes.txt``, one class name per line.

    Raises:
        InputError: it cannot be read, or is empty.
    """
    lines = [line.strip() for line in read_text(file, LARGEST_LABEL).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise InputError("{file} names no classes; write one name a line", file=shown(file))
    return _merged(file, dict(enumerate(lines)))


def _places(file: Path, split: str, value: Any) -> list[str]:
    places = value if isinstance(value, list) else [value]
    if not all(isinstance(place, str) for place in places):
        raise InputError(
            "{file}: the line {split}: must hold a folder, a list file, or several of them",
            file=shown(file),
            split=split,
        )
    return [place.strip() for place in places if place.strip() not in _NOTHING]


def _classes(file: Path, names: Any, count: Any) -> Classes:
    name = shown(file)
    if isinstance(names, str) and names not in _NOTHING and (hint := explain_yaml(names)) is not None:
        raise InputError("{name} names no classes: {hint}", name=name, hint=hint)
    if isinstance(names, list):
        names = {str(number): one for number, one in enumerate(names)}
    if not isinstance(names, Mapping) or not names:
        hint = explain_yaml(read_text(file, LARGEST_YAML)) if names is None else None
        raise InputError(
            "{name} names no classes: {hint}", name=name, hint=hint or message("add a line such as names: [Defect]")
        )
    numbers: dict[int, str] = {}
    for key, one in names.items():
        if not (key.isascii() and key.isdecimal()) or len(key) > 7 or int(key) > _LARGEST_NUMBER:
            raise InputError("{name} numbers a class '{key}'; number them 0, 1, 2, …", name=name, key=shown(key, 40))
        if not isinstance(one, str) or one.strip() in ("", "~"):
            raise InputError(
                "{name} gives class {key} no name; write one word or text for each class", name=name, key=key
            )
        if int(key) in numbers:
            raise InputError("{name} gives two names to class {key}; number them 0, 1, 2, …", name=name, key=int(key))
        numbers[int(key)] = one.strip()
    numbers = dict(sorted(numbers.items()))
    if count is not None and count not in _NOTHING:
        text = str(count)
        stated = int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else None
        if stated not in (len(numbers), max(numbers) + 1):
            raise InputError(
                "{name} says nc: {text} but names {count} classes; make them agree",
                name=name,
                text=shown(text, 40),
                count=len(numbers),
            )
    return _merged(file, numbers)


def _merged(file: Path, numbers: Mapping[int, str]) -> Classes:
    """Merge classes of the same name, with a note."""
    if not all(numbers.values()):
        empty = next(number for number, name in numbers.items() if not name)
        raise InputError(
            "{file} gives class {empty} no name; write one word or text for each class", file=shown(file), empty=empty
        )
    of_name: dict[str, list[int]] = {}
    for number, name in numbers.items():
        of_name.setdefault(name, []).append(number)
    notes = [
        ("same_name", f"{shown(name, 40)}: {', '.join(map(str, own[:10]))}")
        for name, own in of_name.items()
        if len(own) > 1
    ]
    if list(numbers) != list(range(len(numbers))):
        notes.append(("odd_numbers", ", ".join(map(str, list(numbers)[:10]))))
    places = {number: place for place, own in enumerate(of_name.values()) for number in own}
    return Classes(tuple(of_name), places, tuple(notes))
