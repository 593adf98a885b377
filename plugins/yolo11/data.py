"""A data set in YOLO's layout: its description is read, and its pictures and labels are checked, before a training.

A picture with a line that cannot be used is left out as a whole, as ultralytics does: its defects would be learned as
background. Nothing is written beside the user's files.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from inspector.api import InputError, long_path, read_image

Tell = Callable[[str], None]
SPLITS = ("train", "val", "test")
_PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}
_OTHER_TEXTS = {"classes", "labels", "notes", "readme"}  # files .txt that are no picture's label
_TOLERANCE = 0.01  # of a side, by which a polygon may pass the picture's border; ultralytics allows the same
_THINNEST = 1e-3  # pixels; points that lie closer to one line enclose nothing
_SMALLEST = 10  # pixels a side, as in ultralytics
_SHOWN = 3  # examples in a sentence
_KEPT = 20  # examples in the document


def read_data(path: Path) -> dict[str, Any]:
    """The data set that a ``data.yaml`` describes, its paths absolute, checked to exist.

    A split is a folder, a text file with one picture a line (CVAT's export), or a list of these. ``../train/images``
    may also mean ``train/images`` beside the file (Roboflow's export). A ``download:`` line is ignored, and so is a
    ``test:`` whose folder is missing or empty.

    Returns:
        ``train`` and ``val`` (and ``test`` where given) as lists of absolute paths, ``nc`` and ``names``.

    Raises:
        InputError: naming what is missing.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; give the data.yaml of a data set in YOLO's layout") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder; give the data.yaml in it") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read as YAML ({' '.join(str(error).split())})") from None
    if not isinstance(data, Mapping):
        raise InputError(f"{path} must hold train, val and names")
    names = _names(path, data.get("names"))
    if data.get("nc", len(names)) != len(names):
        raise InputError(f"{path} says nc: {data['nc']} but names {len(names)} classes; make them agree")
    base = path.resolve().parent
    if isinstance(data.get("path"), str):
        base = base / data["path"]
    found: dict[str, Any] = {}
    for split in SPLITS:
        given = data.get(split)
        if given is None and split == "test":
            continue
        places = [_place(base, str(part)) for part in (given if isinstance(given, list) else [given] if given else [])]
        if not places:
            raise InputError(
                f"{path} has no line {split}: with the folder of the {split} pictures; "
                "'bearing-inspector convert' makes a data set with train and val out of it"
            )
        missing = [place for place in places if not place.exists()]
        empty = [place for place in places if place not in missing and next(_pictures([place], base), None) is None]
        if split == "test" and (missing or empty):
            continue
        if missing:
            raise InputError(f"{path}: the {split} folder {missing[0]} does not exist")
        if empty:
            raise InputError(f"{path}: the {split} folder {empty[0]} holds no pictures")
        found[split] = [str(place) for place in places]
    return {**found, "nc": len(names), "names": names}


def _names(path: Path, given: object) -> list[str]:
    if isinstance(given, Mapping):
        if set(given) != set(range(len(given))):
            raise InputError(f"{path} numbers its classes {', '.join(map(str, given))}; number them 0, 1, 2, …")
        given = [given[number] for number in range(len(given))]
    if not isinstance(given, list) or not given:
        raise InputError(f"{path} names no classes; add a line such as names: ['Defect']")
    return [str(name) for name in given]


def _place(base: Path, given: str) -> Path:
    place = (base / given).resolve()
    beside = (base / given.removeprefix("../")).resolve()
    return beside if not place.exists() and beside.exists() else place


def _pictures(places: Sequence[Path], base: Path) -> Iterator[Path]:
    """The picture files of folders and lists, hidden ones left out; those of a list need not exist."""
    for place in places:
        if place.is_dir():
            for folder, inner, files in os.walk(long_path(place)):
                inner[:] = sorted(name for name in inner if not name.startswith("."))
                for name in sorted(files):
                    if not name.startswith(".") and Path(name).suffix.lower() in _PICTURES:
                        yield Path(folder) / name
        else:
            try:
                lines = long_path(place).read_text(encoding="utf-8-sig").splitlines()
            except (OSError, UnicodeDecodeError):
                raise InputError(f"{place} is neither a folder nor a list of pictures in UTF-8") from None
            for line in filter(None, map(str.strip, lines)):
                if Path(line).suffix.lower() in _PICTURES:
                    homes = (place.parent, base, place.parent.parent)
                    yield next((home / line for home in homes if (home / line).exists()), place.parent / line)


def label_file(picture: Path) -> Path:
    """Where a picture's label lies: ``labels`` in place of the last folder ``images``, the suffix ``.txt``."""
    parts = list(picture.parts)
    for number in range(len(parts) - 2, -1, -1):
        if parts[number] == "images":
            parts[number] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture that is used, with what is labelled on it.

    Attributes:
        file: absolute.
        height, width: pixels, upright.
        classes: of each defect.
        polygons: of each defect, (points, 2) float32, x and y as shares of width and height.
    """

    file: Path
    height: int
    width: int
    classes: tuple[int, ...]
    polygons: tuple[NDArray[np.float32], ...]


@dataclass
class Finding:
    """Something that a user should know of a data set.

    Attributes:
        kind: such as ``unreadable_picture``.
        split: train, val, test, or two of them.
        noun: what is counted, such as ``picture``; empty where nothing is.
        text: what is said of it.
        fatal: training is impossible.
        count: how many.
        examples: files, with a line number where there is one.
    """

    kind: str
    split: str
    noun: str
    text: str
    fatal: bool = False
    count: int = 0
    examples: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        plural = {"class": "classes"}.get(self.noun, f"{self.noun}s") if self.count != 1 else self.noun
        counted = f"{self.count} {plural} " if self.noun else ""
        shown = "; ".join(self.examples[:_SHOWN]) + ("; …" if len(self.examples) > _SHOWN else "")
        return f"{self.split}: {counted}{self.text}" + (f" ({shown})" if shown else "")


@dataclass(frozen=True)
class Report:
    """What a check found.

    Attributes:
        names: of the classes.
        pictures: split -> the pictures that are used.
        totals: split -> all pictures.
        findings: what is wrong or worth knowing.
    """

    names: tuple[str, ...]
    pictures: Mapping[str, tuple[Picture, ...]]
    totals: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def refusal(self) -> str | None:
        """Why nothing can be trained on it, in one sentence; None where it can."""
        return next((finding.sentence() for finding in self.findings if finding.fatal), None)

    def objects(self, split: str) -> dict[str, int]:
        """Class name -> labelled defects."""
        counts = Counter(number for picture in self.pictures[split] for number in picture.classes)
        return {name: counts[number] for number, name in enumerate(self.names)}

    def sentences(self) -> list[str]:
        """For people: what each split holds, then the findings."""
        lines = []
        for split, used in self.pictures.items():
            objects = self.objects(split)
            without = sum(not picture.classes for picture in used)
            lines.append(
                f"{split}: {len(used)} of {self.totals[split]} pictures are used, {without} of them without a defect; "
                f"{sum(objects.values())} defects ({', '.join(f'{name} {count}' for name, count in objects.items())})"
            )
        return [*lines, *(finding.sentence() for finding in self.findings)]

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "usable": self.refusal is None,
            "refusal": self.refusal,
            "sentences": self.sentences(),
            "names": list(self.names),
            "splits": {
                split: {
                    "pictures": self.totals[split],
                    "used": len(used),
                    "without_defect": sum(not picture.classes for picture in used),
                    "defects": self.objects(split),
                }
                for split, used in self.pictures.items()
            },
            "findings": [
                {
                    "kind": finding.kind,
                    "split": finding.split,
                    "fatal": finding.fatal,
                    "count": finding.count,
                    "sentence": finding.sentence(),
                    "examples": finding.examples,
                }
                for finding in self.findings
            ],
        }


_KINDS = {  # kind -> what is counted, what is said of it
    "unreadable_picture": ("picture", "left out as unreadable"),
    "small_picture": ("picture", f"left out as smaller than {_SMALLEST} pixels"),
    "unlabelled": ("picture", "without a label file, taken as without a defect"),
    "unreadable_label": ("label file", "left out with their pictures, not being text in UTF-8"),
    "malformed_line": ("label line", "left out with the picture, not being a class number and pairs of coordinates"),
    "box_only": ("label line", "left out with the picture, being a box where a polygon is needed"),
    "outside": ("polygon", "left out with the picture, which it leaves; coordinates are shares of its sides, 0 to 1"),
    "degenerate": ("polygon", "left out, with less than three points or no area"),
    "repeated_line": ("label line", "counted once, standing twice in its file"),
    "wrong_class": ("label line", "with a class that data.yaml does not have; correct the labels or the names"),
    "orphan_label": ("label file", "ignored, having no picture"),
}
_FATAL = {"wrong_class"}
_LOSING = {"unreadable_label", "malformed_line", "box_only", "outside", "wrong_class"}  # the whole picture
_LOST_BY = {*_LOSING, "unreadable_picture", "small_picture", "degenerate"}


@dataclass(frozen=True)
class _Examined:
    picture: Picture | None
    digest: bytes
    findings: tuple[tuple[str, str], ...]  # kind, example


def check(description: Mapping[str, Any], tell: Tell | None = None) -> Report:
    """Read every picture and label that :func:`read_data` found; all are decoded, on all cores.

    Args:
        tell: called with a line every few seconds while it lasts.
    """
    names = tuple(description["names"])
    found = {split: files(description[split]) for split in SPLITS if split in description}
    total, done, spoken = sum(map(len, found.values())), 0, time.monotonic()
    findings: dict[tuple[str, str], Finding] = {}
    digests: dict[str, dict[bytes, Path]] = {}
    pictures: dict[str, tuple[Picture, ...]] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for split, mine in found.items():
            used: list[Picture] = []
            digests[split] = {}
            for file, seen in zip(mine, pool.map(lambda file: examine(file, len(names)), mine), strict=True):
                for kind, example in seen.findings:
                    _note(findings, kind, split, example)
                if seen.picture is not None:
                    used.append(seen.picture)
                    digests[split].setdefault(seen.digest, file)
                done += 1
                if tell is not None and time.monotonic() - spoken > 5:
                    spoken = time.monotonic()
                    tell(f"checking the data set: {done} of {total} pictures")
            pictures[split] = tuple(used)
    for split, mine in found.items():
        for file in _orphans(mine):
            _note(findings, "orphan_label", split, file.name)
    whole = [*findings.values(), *_shared(digests), *_absent(names, pictures)]
    totals = {split: len(mine) for split, mine in found.items()}
    impossible = _impossible(pictures, whole, found)
    return Report(names, pictures, totals, tuple(sorted([*whole, *impossible], key=lambda one: not one.fatal)))


def files(places: Sequence[str]) -> list[Path]:
    """The picture files of a split as :func:`read_data` tells it, in ultralytics' order, each once."""
    paths = [Path(place) for place in places]
    return sorted(set(_pictures(paths, paths[0].parent)), key=str)


def _note(findings: dict[tuple[str, str], Finding], kind: str, split: str, example: str) -> None:
    finding = findings.setdefault((split, kind), Finding(kind, split, *_KINDS[kind], kind in _FATAL))
    finding.count += 1
    if len(finding.examples) < _KEPT:
        finding.examples.append(example)


def examine(file: Path, classes: int) -> _Examined:
    try:
        pixels, _ = read_image(file)
    except InputError as error:
        return _Examined(None, b"", (("unreadable_picture", str(error).partition(";")[0]),))
    height, width = pixels.shape[:2]
    if min(height, width) < _SMALLEST:
        return _Examined(None, b"", (("small_picture", f"{file.name}, {width} x {height}"),))
    digest = hashlib.blake2b(pixels.data, digest_size=16, person=b"%d %d" % (height, width)).digest()
    label = label_file(file)
    try:
        text = long_path(label).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return _Examined(Picture(file, height, width, (), ()), digest, (("unlabelled", file.name),))
    except (OSError, UnicodeDecodeError):
        return _Examined(None, digest, (("unreadable_label", label.name),))
    findings: list[tuple[str, str]] = []
    defects: dict[tuple[int, bytes], NDArray[np.float32]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        kind, defect = _defect(line, classes, max(height, width))
        if defect is not None:
            key = defect[0], defect[1].tobytes()
            kind = "repeated_line" if key in defects else kind
            defects[key] = defect[1]
        if kind:
            findings.append((kind, f"{label.name} line {number}"))
    if any(kind in _LOSING for kind, _ in findings):
        return _Examined(None, digest, tuple(findings))
    picture = Picture(file, height, width, tuple(key[0] for key in defects), tuple(defects.values()))
    return _Examined(picture, digest, tuple(findings))


def _defect(line: str, classes: int, side: int) -> tuple[str, tuple[int, NDArray[np.float32]] | None]:
    """Class and polygon of a label line, or what is wrong with it."""
    try:
        numbers = np.array(line.split(), np.float32)
    except ValueError:
        return "malformed_line", None
    if len(numbers) < 3 or len(numbers) % 2 == 0 or not np.isfinite(numbers).all():
        return "malformed_line", None
    if numbers[0] % 1 or not 0 <= numbers[0] < classes:
        return "wrong_class", None
    if len(numbers) == 5:
        return "box_only", None
    points = numbers[1:].reshape(-1, 2)
    if points.min() < -_TOLERANCE or points.max() > 1 + _TOLERANCE:
        return "outside", None
    if len(points) < 3 or _thickness(points) * side < _THINNEST:
        return "degenerate", None
    return "", (int(numbers[0]), points)


def _thickness(points: NDArray[np.float32]) -> float:
    """How far points (n, 2) lie from the line through the first and the one farthest from it."""
    away = (points - points[0]).astype(np.float64)
    far = away[np.hypot(*away.T).argmax()]
    length = float(np.hypot(*far))
    return float(np.abs(away[:, 0] * far[1] - away[:, 1] * far[0]).max()) / length if length else 0.0


def _orphans(files: Sequence[Path]) -> list[Path]:
    """Label files in the pictures' label folders that belong to none of them."""
    expected = {label_file(file) for file in files}
    folders = sorted({label.parent for label in expected})
    found = (label for folder in folders if folder.is_dir() for label in sorted(folder.glob("*.txt")))
    of_files = {file.with_suffix("") for file in files}
    return [
        label
        for label in found
        if label not in expected and label.stem.lower() not in _OTHER_TEXTS and label.with_suffix("") not in of_files
    ]


def _shared(digests: Mapping[str, Mapping[bytes, Path]]) -> Iterator[Finding]:
    """Pictures of one split that, pixel for pixel, are also in another."""
    for one, other in itertools.combinations(digests, 2):
        both = sorted(digests[one].keys() & digests[other].keys(), key=lambda key: str(digests[one][key]))
        if both:
            text = "the same in both, so that the figures will look too good"
            pairs = [f"{digests[one][key].name} = {digests[other][key].name}" for key in both[:_KEPT]]
            yield Finding("shared_picture", f"{one} and {other}", "picture", text, False, len(both), pairs)


def _absent(names: Sequence[str], pictures: Mapping[str, Sequence[Picture]]) -> Iterator[Finding]:
    """Classes without a single defect."""
    for split, effect in (("train", "which nothing can learn"), ("val", "which gets no figures")):
        present = {number for picture in pictures[split] for number in picture.classes}
        absent = [name for number, name in enumerate(names) if number not in present]
        if absent and present:
            yield Finding("absent_class", split, "class", f"without any defect, {effect}", False, len(absent), absent)
    if pictures["val"] and not any(picture.classes for picture in pictures["val"]):
        text = "no defect is labelled, so that all figures will be zero and no model can be told to be the best"
        yield Finding("no_defects", "val", "", text)


def _impossible(
    pictures: Mapping[str, Sequence[Picture]], findings: Sequence[Finding], files: Mapping[str, Sequence[Path]]
) -> Iterator[Finding]:
    """What leaves nothing to train on or to measure with."""
    for split in ("train", "val"):
        losses = [finding for finding in findings if finding.split == split and finding.kind in _LOST_BY]
        most = max(losses, key=lambda finding: finding.count, default=None)
        because = most.sentence().removeprefix(f"{split}: ") if most else ""
        if not pictures[split]:
            yield Finding("no_pictures", split, "", f"no picture can be used: {because}", True)
        elif split == "train" and not any(picture.classes for picture in pictures[split]):
            first = files[split][0]
            looked = "all label files are empty"
            if not long_path(label_file(first)).exists():
                looked = f"the label of {first.name} is looked for as {label_file(first)}"
            where = because or looked
            yield Finding("no_labels", split, "", f"no defect is labelled: {where}", True)
