"""YOLO's segmentation layout as others write it: a data.yaml with folders, lists or neither, and a .txt a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from inspector.conversion.labels import SPLITS, Labelled, Labels, Notes, Shape, points
from inspector.conversion.source import Source, exists
from inspector.domain import InputError
from inspector.paths import long_path

_KEYS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}


def speaks(source: Source) -> bool:
    """There is a data.yaml, or a classes.txt."""
    return bool(source.descriptions or source.class_lists)


def read(source: Source, notes: Notes) -> Labels:
    """All pictures of the splits that the data.yaml names, or all there are; one without a label file has no defect.

    A split is a folder, a text file with one picture a line (CVAT), a picture, or a list of these; ``../train/images``
    may also mean ``train/images`` beside the file (Roboflow). Where train and val are the same, there is no split.

    Raises:
        InputError: nothing names the classes.
    """
    if source.descriptions:
        file, description = next(iter(source.descriptions.items()))
        names = _names(file, description["names"])
        splits = _splits(source, file, description, notes)
    elif source.class_lists:
        file = source.class_lists[0]
        lines = _text(file)
        if lines is None:
            raise InputError(f"{file.name} is no text in UTF-8; save it as such")
        names = dict(enumerate(line.strip() for line in lines.splitlines() if line.strip()))
        splits = dict.fromkeys(source.pictures)
    else:
        raise InputError(
            f"{source.folder} has no data.yaml that names the classes; write one with the line names: ['Defect']"
        )
    labels = Labels(names=list(dict.fromkeys(names.values())), seen=set(source.pictures))
    expected = set()
    for picture, split in splits.items():
        label = next((one for one in _label_files(picture) if long_path(one).is_file()), None)
        if label is None:
            notes.add("taken_as_good", source.relative(picture))
            text: str | None = ""
        else:
            expected.add(label)
            text = _text(label)
        if text is None:
            notes.add("unreadable_label", source.relative(picture))
            continue
        shapes = tuple(_shape(line, names) for line in text.splitlines() if line.strip())
        labels.pictures.append(Labelled(picture, picture.name, shapes, (1.0, 1.0), split))
    for folder in {label.parent for label in expected if label.parent.name != "images"}:
        for label in sorted(folder.glob("*.txt")):
            if label not in expected and label.stem.lower() not in ("classes", "train", "val", "test", "readme"):
                notes.add("orphan_label", source.relative(label))
    return labels


def _names(file: Path, given: object) -> dict[int, str]:
    if isinstance(given, list):
        given = dict(enumerate(given))
    if not isinstance(given, Mapping) or not given or not all(str(key).isdecimal() for key in given):
        raise InputError(f"{file.name} names no classes; write a line such as names: ['Defect']")
    return {int(str(key)): str(name).strip() for key, name in sorted(given.items(), key=lambda one: int(str(one[0])))}


def _splits(source: Source, file: Path, description: Mapping[str, Any], notes: Notes) -> dict[Path, str | None]:
    """Every picture with its split; None where the description does not divide them."""
    base = file.parent
    if isinstance(description.get("path"), str) and exists(base / description["path"]):
        base = base / description["path"]
    found: dict[str, list[Path]] = {}
    for split in SPLITS:
        given = next((description[key] for key in _KEYS[split] if description.get(key)), None)
        places = [str(one) for one in (given if isinstance(given, list) else [given] if given else [])]
        if places:
            found[split] = list(dict.fromkeys(_pictures(source, base, split, places, notes)))
    divided = {split: pictures for split, pictures in found.items() if pictures}
    if not divided:
        return dict.fromkeys(source.pictures)
    if "val" in divided and set(divided["val"]) == set(divided.get("train", ())):
        return {**dict.fromkeys(divided["train"]), **dict.fromkeys(divided.get("test", ()), "test")}
    chosen: dict[Path, str | None] = {}
    for split in reversed(SPLITS):
        for picture in divided.get(split, ()):
            if chosen.setdefault(picture, split) != split:
                notes.add("two_splits", source.relative(picture))
    return {picture: chosen[picture] for split in SPLITS for picture in divided.get(split, ())}


def _pictures(source: Source, base: Path, split: str, places: list[str], notes: Notes) -> Iterator[Path]:
    for text in places:
        there = [one.resolve() for one in _places(base, text) if exists(one)]
        inside = (one for one in there if one.is_relative_to(source.folder.resolve()))
        place = next(inside, there[0] if there else None)
        if place is None:
            notes.add("missing_split", f"{split}: {text}")
        elif place.is_dir():
            known = [picture for picture in source.pictures if picture.resolve().is_relative_to(place)]
            yield from known or Source(place).pictures
        elif place.suffix.lower() == ".txt":
            for line in filter(None, map(str.strip, (_text(place) or "").splitlines())):
                picture = source.picture(line, base, split)
                if picture is None:
                    notes.add("missing_picture", line)
                else:
                    yield picture
        else:
            yield next((picture for picture in source.pictures if picture.resolve() == place), place)


def _places(base: Path, text: str) -> Iterator[Path]:
    """Where a folder or list may lie: as it says, or with less and less of the way there, which was another's."""
    yield base / text
    parts = [part for part in PurePosixPath(text.replace("\\", "/")).parts if part not in ("..", "/")]
    last = len(parts) if text.lower().endswith(".txt") or len(parts) == 1 else len(parts) - 1
    yield from (base.joinpath(*parts[number:]) for number in range(last))


def _label_files(picture: Path) -> Iterator[Path]:
    """Where its labels may lie: ``labels`` in place of the last folder ``images``; beside it."""
    parts = list(picture.parts)
    for number in range(len(parts) - 2, -1, -1):
        if parts[number] == "images":
            yield Path(*parts[:number], "labels", *parts[number + 1 :]).with_suffix(".txt")
            break
    yield picture.with_suffix(".txt")


def _text(file: Path) -> str | None:
    try:
        return long_path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None


def _shape(line: str, names: Mapping[int, str]) -> Shape:
    try:
        numbers = [float(word) for word in line.split()]
    except ValueError:
        return Shape("", problem="malformed")
    if numbers[0] % 1 or int(numbers[0]) not in names:
        return Shape("", problem="unknown_class")
    label, ring = names[int(numbers[0])], points(numbers[1:])
    if ring is None:
        return Shape(label, problem="malformed")
    if len(ring) == 2:
        return Shape(label, problem="no_outline")
    return Shape(label, (ring,)) if len(ring) > 2 else Shape(label, problem="degenerate")
