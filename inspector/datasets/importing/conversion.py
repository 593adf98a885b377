"""Convert a folder of images with labels in a known format to a dataset for training."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import yaml

from inspector.datasets.importing import coco, foreign, labelme, yolo
from inspector.datasets.importing.prepare import PreparedImage, prepare_image
from inspector.datasets.importing.source import Source
from inspector.datasets.importing.splitting import split_by_group
from inspector.datasets.yolo_layout.report import DOUBTFUL, FATAL, FORMATS, SPLITS, ConversionReport, Labelled, Labels
from inspector.datasets.yolo_layout.text_files import shown
from inspector.domain import InputError, join_messages, message, quote
from inspector.system.paths import long_path, replace_patiently, safe_name

_OF_UNKNOWN_IMAGES = ("missing_picture", "unclear_picture", "unreadable_label", "orphan_shape", "unclear_id")
_ASIDE = "pictures-from-json"  # in the folder being built
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Summary:
    """Summary of a conversion. Field names are keys of the JSON output.

    Attributes:
        folder: absolute.
        format: labelme, coco or yolo.
        names: class names.
        pictures: split -> number of images.
        good: split -> number of images without a defect.
        defects: split -> class name -> number of defects.
        notes: kind -> count of everything the user should know.
        warnings: the notes as sentences.
        lost: images were left out that should have been used.
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
    images_from_anywhere: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Write the images and labels in ``source`` to ``folder``: images, labels and data.yaml.

    Splits of the source are kept. Missing ones are drawn at random from the rest, reproducibly for the same seed;
    images with the same pixels stay together.

    Args:
        source: folder, or the COCO .json or data.yaml in it.
        folder: must not exist or be empty; it appears only when complete.
        format: labelme, coco, yolo or auto.
        val, test: shares of images, 0 to 1.
        group: regular expression; images whose relative paths agree in its match (or in its first group) stay
            together.
        classes: keep only these, in this order.
        single: merge all classes into this one.
        unlabelled_are_good: images without a label file count as good; otherwise they are left out.
        images_from_anywhere: also use images outside ``source`` and the folders next to it.
        progress: called with the number of images read and the total.

    Raises:
        InputError: an argument is out of range, nothing can be used, or the folder cannot be written.
    """
    pattern = _check(format, val, test, seed, group, classes, single)
    files = Source(source, images_from_anywhere)
    folder = Path(folder).absolute()
    _refuse_used(folder)
    notes = ConversionReport()
    format, labels = _read_source(format, files, notes)
    for image, unclear in _unlabelled(files, labels, notes):
        good = "unclear_good" if unclear else "taken_as_good"
        notes.add(good if unlabelled_are_good else "unlabelled", files.relative(image))
        if unlabelled_are_good and not unclear:
            labels.images.append(Labelled(image, image.name, ()))
    if not labels.images:
        raise InputError(_nothing_usable(files, format, notes))
    labels = _with_classes(labels, classes, single, notes)
    try:
        building = _make_building_folder(folder)
        try:
            prepared = _prepare_images(labels, building, files, notes, progress)
            if not any(image.lines for image in prepared):
                raise InputError(_nothing_usable(files, format, notes))
            splits = _assign_splits(prepared, files, {"val": val, "test": test}, seed, pattern, notes)
            summary = _write(building, folder, format, labels.names, prepared, splits, notes)
            shutil.rmtree(building / _ASIDE, ignore_errors=True)
            if folder.exists():
                folder.rmdir()
            replace_patiently(building, folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    except OSError as error:
        raise InputError(
            "Cannot write to {folder}: {reason}. Choose another folder.", folder=folder, reason=error.strerror or error
        ) from error
    return summary


def unlabelled_images(source: Path, *, format: str = "auto", images_from_anywhere: bool = False) -> list[Path]:
    """List the images of ``source`` without a label file, which :func:`convert` can take as good parts.

    Raises:
        InputError: the labels cannot be read at all.
    """
    files, notes = Source(source, images_from_anywhere), ConversionReport()
    _, labels = _read_source(format, files, notes)
    return [image for image, unclear in _unlabelled(files, labels, notes) if not unclear]


def _read_source(format: str, files: Source, notes: ConversionReport) -> tuple[str, Labels]:
    """Return the format and the content of the label files."""
    if format == "auto":
        format = _detect_format(files)
    labels = _read(format, files, notes)
    if fatal := notes.sentences([kind for kind in notes.counts() if kind in FATAL]):
        raise InputError("{folder}: {reason}", folder=shown(files.folder), reason=fatal[0])
    return format, labels


def _unlabelled(files: Source, labels: Labels, notes: ConversionReport) -> Iterator[tuple[Path, bool]]:
    """Yield images without a label file, and whether a label file may mean them; note those from elsewhere."""
    unknown = any(map(notes.count, _OF_UNKNOWN_IMAGES))
    for image in files.images:
        if image not in labels.seen:
            if files.is_allowed(image):
                yield image, unknown or image in files.unclear
            else:
                notes.add("elsewhere", files.relative(image))


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
        raise InputError(
            "The format is '{format}', but must be auto, {formats}.", format=format, formats=", ".join(FORMATS)
        )
    if not (0 < val < 1 and 0 <= test < 1 and val + test < 1):
        raise InputError(
            "The shares are val {val:g} and test {test:g}, but val must be above 0 and both together below 1.",
            val=val,
            test=test,
        )
    if seed < 0:
        raise InputError("The seed is {seed}, but must be 0 or more.", seed=seed)
    if classes is not None and single is not None:
        raise InputError("Either choose classes or make them a single one, not both.")
    for name in classes or ():
        if not name.strip() or (classes is not None and list(classes).count(name) > 1):
            raise InputError(
                "The classes are {classes}, but each must be named once.", classes=", ".join(classes or ())
            )
    if (classes is not None and not classes) or (single is not None and not single.strip()):
        raise InputError("A class must have a name.")
    try:
        return re.compile(group) if group is not None else None
    except re.error as error:
        raise InputError(
            "The group {group} is not a regular expression: {reason}.", group=quote(group), reason=error
        ) from None


def _refuse_used(folder: Path) -> None:
    try:
        used = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as error:
        raise InputError(
            "Cannot write to {folder}: {reason}. Choose another folder.", folder=folder, reason=error.strerror or error
        ) from error
    if used:
        raise InputError("{folder} exists and is not empty. Choose a new or an empty folder.", folder=folder)


def _make_building_folder(folder: Path) -> Path:
    """Create a hidden folder next to ``folder``, to be renamed when everything is written."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    building.chmod(0o755)
    return building


def _detect_format(source: Source) -> str:
    found = {
        "labelme": any(map(labelme.can_read, source.documents.values())),
        "coco": any(map(coco.can_read, source.documents.values())),
        "yolo": yolo.can_read(source),
    }
    formats = [name for name, there in found.items() if there]
    if len(formats) > 1:
        raise InputError(
            "{folder} contains labels of several formats ({formats}); choose one format, or the folder or file of one",
            folder=shown(source.folder),
            formats=", ".join(formats),
            cli_hint="--format",
        )
    if not formats:
        if (hint := foreign.explain(source)) is not None:
            raise InputError(hint)
        nothing = message(
            "{folder} contains no labels of labelme (.json), COCO (.json) or YOLO (data.yaml)",
            folder=shown(source.folder),
        )
        raise InputError(join_messages("; ", [nothing, *itertools.islice(source.broken.values(), 1)]))
    return formats[0]


def _read(format: str, source: Source, notes: ConversionReport) -> Labels:
    read = {"labelme": labelme.read, "coco": coco.read, "yolo": yolo.read}[format]
    return read(source, notes)


def _nothing_usable(source: Source, format: str, notes: ConversionReport) -> str:
    reasons = notes.sentences([kind for kind in notes.counts() if kind in DOUBTFUL])
    if not reasons and (hint := foreign.explain(source)) is not None:
        return hint
    reasons = reasons or notes.sentences()
    place = {"folder": shown(source.folder), "format": format}
    if reasons:
        return message(
            "No defect that can be used is labelled in {folder} as {format}: {reason}", reason=reasons[0], **place
        )
    return message("No defect that can be used is labelled in {folder} as {format}", **place)


def _with_classes(labels: Labels, classes: Sequence[str] | None, single: str | None, notes: ConversionReport) -> Labels:
    """Return the labels with the requested classes and a complete list of names."""
    if single is not None:
        images = [
            replace(image, shapes=tuple(replace(shape, label=single) for shape in image.shapes))
            for image in labels.images
        ]
        return Labels(images, [single], labels.seen)
    if classes is not None:
        images = []
        for image in labels.images:
            kept = tuple(shape for shape in image.shapes if not shape.label or shape.label in classes)
            for shape in image.shapes:
                if shape not in kept:
                    notes.add("other_class", f"{shape.label} on {image.name}")
            images.append(replace(image, shapes=kept))
        return Labels(images, list(classes), labels.seen)
    others = {shape.label for image in labels.images for shape in image.shapes if shape.label} - set(labels.names)
    return Labels(labels.images, [*labels.names, *sorted(others)], labels.seen)


def _prepare_images(
    labels: Labels, building: Path, source: Source, notes: ConversionReport, progress: Progress | None
) -> list[PreparedImage]:
    """Read every image and fit its polygons; images that cannot be used are noted."""
    numbers = {name: number for number, name in enumerate(labels.names)}
    (building / _ASIDE).mkdir()
    tasks = [(number, image) for number, image in enumerate(labels.images)]
    prepared: list[PreparedImage] = []

    def prepare(task: tuple[int, Labelled]) -> tuple[PreparedImage | None, list[tuple[str, str]]]:
        return prepare_image(*task, numbers, building / _ASIDE, source)

    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        for done, (image, found) in enumerate(pool.map(prepare, tasks), 1):
            for kind, example in found:
                notes.add(kind, example)
            if image is not None:
                prepared.append(image)
            if progress is not None:
                progress(done, len(tasks))
    finally:
        pool.shutdown(cancel_futures=True)
    return prepared


def _assign_splits(
    prepared: Sequence[PreparedImage],
    source: Source,
    shares: dict[str, float],
    seed: int,
    pattern: re.Pattern[str] | None,
    notes: ConversionReport,
) -> list[str]:
    """Assign each image a split: the source's own if it has several; missing splits are drawn from the others."""
    known = {image.split for image in prepared if image.split}
    fixed = (
        {number for number, image in enumerate(prepared) if image.split in ("val", "test")} if len(known) > 1 else set()
    )
    free = [number for number in range(len(prepared)) if number not in fixed]
    if not free:
        raise InputError(
            "{folder} contains no images to train on, only images of {splits}",
            folder=source.folder,
            splits=" and ".join(sorted(known)),
        )
    wanted = {split: share for split, share in shares.items() if share > 0 and not (split in known and fixed)}
    common = Counter(kind for image in prepared for kind in {kind for kind, _ in image.lines})
    rank = {kind: place for place, (kind, _) in enumerate(common.most_common())}
    marks = []
    for number in free:
        image = prepared[number]
        found = pattern.search(image.path) if pattern else None
        if pattern and found is None:
            notes.add("ungrouped", image.path)
        key = found.group(1 if found.re.groups else 0) if found else None
        marks.append([*([f"group {key}"] if key is not None else []), image.digest])
    kinds = [max((rank[kind] for kind, _ in prepared[number].lines), default=-1) for number in free]
    assigned = split_by_group(marks, kinds, wanted, seed)
    splits = [image.split or "train" for image in prepared]
    for number, split in zip(free, assigned, strict=True):
        splits[number] = split
    where: dict[str, tuple[str, str]] = {}
    for image, split in zip(prepared, splits, strict=True):
        first, name = where.setdefault(image.digest, (split, image.path))
        if first != split:
            notes.add("shared", f"{name} in {first} and {image.path} in {split}")
    return splits


def _write(
    building: Path,
    folder: Path,
    format: str,
    names: Sequence[str],
    prepared: Sequence[PreparedImage],
    splits: Sequence[str],
    notes: ConversionReport,
) -> Summary:
    used = [split for split in SPLITS if split in splits]
    for split in used:
        for part in ("images", "labels"):
            (building / part / split).mkdir(parents=True)
    taken: dict[str, set[str]] = {split: set() for split in used}
    defects = {split: dict.fromkeys(names, 0) for split in used}
    for image, split in zip(prepared, splits, strict=True):
        stem = _unique_stem(image, taken[split])
        shutil.copyfile(long_path(image.file), long_path(building / "images" / split / (stem + image.suffix)))
        text = "".join(f"{number} {numbers}\n" for number, numbers in image.lines)
        long_path(building / "labels" / split / f"{stem}.txt").write_text(text, encoding="ascii", newline="\n")
        for number, _ in image.lines:
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
            split: sum(own == split and not image.lines for image, own in zip(prepared, splits, strict=True))
            for split in used
        },
        defects=defects,
        notes=notes.counts(),
        warnings=tuple(notes.sentences()),
        lost=notes.lost,
    )


def _unique_stem(image: PreparedImage, used: set[str]) -> str:
    """A unique stem: the image's name, with its folder's name or a number if needed."""
    stem = safe_name(Path(image.name).stem).lstrip(".") or "picture"
    folder = safe_name(PurePosixPath(image.path).parent.name)
    number, unique = 1, stem
    while unique.casefold() in used:
        unique = f"{folder}_{stem}" if number == 1 else f"{stem}-{number}"
        number += 1
    used.add(unique.casefold())
    return unique
