"""Reads a folder of pictures with labels in one of the known formats, and writes it as a data set for training."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import yaml

from inspector.conversion import coco, labelme, yolo
from inspector.conversion.fitting import Ready, fitted
from inspector.conversion.labels import FORMATS, LOSING, SPLITS, Labelled, Labels, Notes
from inspector.conversion.source import Source
from inspector.conversion.splitting import deal
from inspector.domain import InputError
from inspector.paths import long_path, safe_name

_ASIDE = "pictures-from-json"  # in the folder that is being built
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Summary:
    """What was written.

    Attributes:
        folder: absolute.
        format: labelme, coco or yolo.
        names: of the classes.
        pictures: split -> pictures.
        good: split -> pictures without a defect.
        defects: split -> class name -> defects.
        notes: what a user should know, by kind with counts.
        warnings: the same as sentences.
        lost: pictures were left out that should have been used.
    """

    folder: Path
    format: str
    names: tuple[str, ...]
    pictures: dict[str, int]
    good: dict[str, int]
    defects: dict[str, dict[str, int]]
    notes: dict[str, int]
    warnings: tuple[str, ...]
    lost: bool


def convert(
    source: Path,
    folder: Path,
    *,
    format: str = "auto",
    val: float = 0.2,
    test: float = 0.0,
    seed: int = 0,
    group: str | None = None,
    classes: Sequence[str] | None = None,
    single: str | None = None,
    unlabelled_are_good: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Write the pictures and labels in ``source`` to ``folder`` as images, labels and data.yaml.

    A split that the source has is kept. One that it lacks is drawn from the rest by chance, the same for the same seed;
    pictures with the same pixels stay together.

    Args:
        source: folder, or the COCO .json or data.yaml in it.
        folder: must not exist or be empty; complete or not there at all.
        format: labelme, coco, yolo or auto.
        val, test: shares of pictures, 0 to 1.
        group: regular expression; pictures whose relative paths agree in its match (or in its first group) stay
            together.
        classes: only these, in this order.
        single: all classes become this one.
        unlabelled_are_good: pictures that no label file names are without a defect; otherwise they are left out.
        progress: called with the number of pictures read, and of all.

    Raises:
        InputError: an argument is out of range, nothing can be used, or the folder cannot be written.
    """
    pattern = _check(format, val, test, seed, group, classes, single)
    given = Source(source)
    folder = Path(folder).absolute()
    _refuse_used(folder)
    notes = Notes()
    if format == "auto":
        format = _detected(given)
    labels = _read(format, given, notes)
    for picture in given.pictures:
        if picture not in labels.seen:
            notes.add("taken_as_good" if unlabelled_are_good else "unlabelled", given.relative(picture))
            if unlabelled_are_good:
                labels.pictures.append(Labelled(picture, picture.name, ()))
    if not labels.pictures:
        raise InputError(_nothing(given, format, notes))
    labels = _renamed(labels, classes, single, notes)
    try:
        building = _building(folder)
        try:
            ready = _prepared(labels, building, given, notes, progress)
            if not any(one.lines for one in ready):
                raise InputError(_nothing(given, format, notes))
            splits = _splits(ready, given, {"val": val, "test": test}, seed, pattern, notes)
            summary = _write(building, folder, format, labels.names, ready, splits, notes)
            shutil.rmtree(building / _ASIDE, ignore_errors=True)
            if folder.exists():
                folder.rmdir()
            building.replace(folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    except OSError as error:
        raise InputError(f"Cannot write to {folder}: {error.strerror or error}. Choose another folder.") from error
    return summary


def _check(
    format: str,
    val: float,
    test: float,
    seed: int,
    group: str | None,
    classes: Sequence[str] | None,
    single: str | None,
) -> re.Pattern[str] | None:
    if format not in ("auto", *FORMATS):
        raise InputError(f"The format is '{format}', but must be auto, {', '.join(FORMATS)}.")
    if not (0 < val < 1 and 0 <= test < 1 and val + test < 1):
        raise InputError(
            f"The shares are val {val:g} and test {test:g}, but val must be above 0 and both together below 1."
        )
    if seed < 0:
        raise InputError(f"The seed is {seed}, but must be 0 or more.")
    if classes is not None and single is not None:
        raise InputError("Either choose classes or make them a single one, not both.")
    for name in classes or ():
        if not name.strip() or (classes is not None and list(classes).count(name) > 1):
            raise InputError(f"The classes are {', '.join(classes or ())}, but each must be named once.")
    if (classes is not None and not classes) or (single is not None and not single.strip()):
        raise InputError("A class must have a name.")
    try:
        return re.compile(group) if group is not None else None
    except re.error as error:
        raise InputError(f"The group {group!r} is not a regular expression: {error}.") from None


def _refuse_used(folder: Path) -> None:
    try:
        used = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as error:
        raise InputError(f"Cannot write to {folder}: {error.strerror or error}. Choose another folder.") from error
    if used:
        raise InputError(f"{folder} exists and is not empty. Choose a new or an empty folder.")


def _building(folder: Path) -> Path:
    """A new hidden folder beside ``folder``, to be renamed when all is written."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    building.chmod(0o755)
    return building


def _detected(source: Source) -> str:
    found = {
        "labelme": any(map(labelme.speaks, source.documents.values())),
        "coco": any(map(coco.speaks, source.documents.values())),
        "yolo": yolo.speaks(source),
    }
    formats = [name for name, there in found.items() if there]
    if len(formats) > 1:
        raise InputError(
            f"{source.folder} holds labels of several formats ({', '.join(formats)}); choose one with --format, or "
            "name the folder or file of one"
        )
    if not formats:
        broken = f"; {source.relative(source.broken[0])} cannot be read as JSON" if source.broken else ""
        raise InputError(
            f"{source.folder} holds no labels of labelme (.json), COCO (.json) or YOLO (data.yaml){broken}"
        )
    return formats[0]


def _read(format: str, source: Source, notes: Notes) -> Labels:
    read = {"labelme": labelme.read, "coco": coco.read, "yolo": yolo.read}[format]
    return read(source, notes)


def _nothing(source: Source, format: str, notes: Notes) -> str:
    reasons = notes.sentences([kind for kind in notes.counts() if kind in LOSING]) or notes.sentences()
    return f"No defect that can be used is labelled in {source.folder} as {format}" + (
        f": {reasons[0]}" if reasons else ""
    )


def _renamed(labels: Labels, classes: Sequence[str] | None, single: str | None, notes: Notes) -> Labels:
    """With the classes that were asked for, and their names complete."""
    if single is not None:
        pictures = [
            replace(one, shapes=tuple(replace(shape, label=single) for shape in one.shapes)) for one in labels.pictures
        ]
        return Labels(pictures, [single], labels.seen)
    if classes is not None:
        pictures = []
        for one in labels.pictures:
            kept = tuple(shape for shape in one.shapes if not shape.label or shape.label in classes)
            for shape in one.shapes:
                if shape not in kept:
                    notes.add("other_class", f"{shape.label} on {one.name}")
            pictures.append(replace(one, shapes=kept))
        return Labels(pictures, list(classes), labels.seen)
    others = {shape.label for one in labels.pictures for shape in one.shapes if shape.label} - set(labels.names)
    return Labels(labels.pictures, [*labels.names, *sorted(others)], labels.seen)


def _prepared(labels: Labels, building: Path, source: Source, notes: Notes, progress: Progress | None) -> list[Ready]:
    """Every picture read, its polygons fitted to it; those that cannot be used are told."""
    numbers = {name: number for number, name in enumerate(labels.names)}
    (building / _ASIDE).mkdir()
    tasks = [(number, one) for number, one in enumerate(labels.pictures)]
    ready: list[Ready] = []

    def look(task: tuple[int, Labelled]) -> tuple[Ready | None, list[tuple[str, str]]]:
        return fitted(*task, numbers, building / _ASIDE, source)

    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        for done, (one, found) in enumerate(pool.map(look, tasks), 1):
            for kind, example in found:
                notes.add(kind, example)
            if one is not None:
                ready.append(one)
            if progress is not None:
                progress(done, len(tasks))
    finally:
        pool.shutdown(cancel_futures=True)
    return ready


def _splits(
    ready: Sequence[Ready],
    source: Source,
    shares: dict[str, float],
    seed: int,
    pattern: re.Pattern[str] | None,
    notes: Notes,
) -> list[str]:
    """The split of each picture: the source's own where it has several, the missing ones drawn from the others."""
    known = {one.split for one in ready if one.split}
    fixed = {number for number, one in enumerate(ready) if one.split in ("val", "test")} if len(known) > 1 else set()
    free = [number for number in range(len(ready)) if number not in fixed]
    if not free:
        raise InputError(f"{source.folder} holds no pictures to train on, only such of {' and '.join(sorted(known))}")
    wanted = {split: share for split, share in shares.items() if share > 0 and not (split in known and fixed)}
    common = Counter(kind for one in ready for kind in {kind for kind, _ in one.lines})
    rank = {kind: place for place, (kind, _) in enumerate(common.most_common())}
    marks = []
    for number in free:
        one = ready[number]
        found = pattern.search(one.path) if pattern else None
        if pattern and found is None:
            notes.add("ungrouped", one.path)
        key = found.group(1 if found.re.groups else 0) if found else None
        marks.append([*([f"group {key}"] if key is not None else []), one.digest])
    kinds = [max((rank[kind] for kind, _ in ready[number].lines), default=-1) for number in free]
    dealt = deal(marks, kinds, wanted, seed)
    splits = [one.split or "train" for one in ready]
    for number, split in zip(free, dealt, strict=True):
        splits[number] = split
    where: dict[str, tuple[str, str]] = {}
    for one, split in zip(ready, splits, strict=True):
        first, name = where.setdefault(one.digest, (split, one.path))
        if first != split:
            notes.add("shared", f"{name} in {first} and {one.path} in {split}")
    return splits


def _write(
    building: Path,
    folder: Path,
    format: str,
    names: Sequence[str],
    ready: Sequence[Ready],
    splits: Sequence[str],
    notes: Notes,
) -> Summary:
    used = [split for split in SPLITS if split in splits]
    for split in used:
        for part in ("images", "labels"):
            (building / part / split).mkdir(parents=True)
    taken: dict[str, set[str]] = {split: set() for split in used}
    defects = {split: dict.fromkeys(names, 0) for split in used}
    for one, split in zip(ready, splits, strict=True):
        stem = _unused(one, taken[split])
        shutil.copyfile(long_path(one.picture), long_path(building / "images" / split / (stem + one.suffix)))
        text = "".join(f"{number} {numbers}\n" for number, numbers in one.lines)
        long_path(building / "labels" / split / f"{stem}.txt").write_text(text, encoding="ascii", newline="\n")
        for number, _ in one.lines:
            defects[split][names[number]] += 1
    for name in names:
        if not any(counts[name] for counts in defects.values()):
            notes.add("absent_class", name)
    description = {**{split: f"images/{split}" for split in used}, "nc": len(names), "names": dict(enumerate(names))}
    text = yaml.safe_dump(description, allow_unicode=True, sort_keys=False)
    (building / "data.yaml").write_text(text, encoding="utf-8", newline="\n")
    return Summary(
        folder=folder,
        format=format,
        names=tuple(names),
        pictures={split: list(splits).count(split) for split in used},
        good={
            split: sum(own == split and not one.lines for one, own in zip(ready, splits, strict=True)) for split in used
        },
        defects=defects,
        notes=notes.counts(),
        warnings=tuple(notes.sentences()),
        lost=notes.lost,
    )


def _unused(one: Ready, taken: set[str]) -> str:
    """The stem of the picture's name, with its folder's name or a number where there was one like it."""
    stem = safe_name(Path(one.name).stem).lstrip(".") or "picture"
    folder = safe_name(PurePosixPath(one.path).parent.name)
    number, unique = 1, stem
    while unique.casefold() in taken:
        unique = f"{folder}_{stem}" if number == 1 else f"{stem}-{number}"
        number += 1
    taken.add(unique.casefold())
    return unique
