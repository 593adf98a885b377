"""Read a YOLO dataset: the images of each split, and the label file of each image.

The only reader, so that import, check and evaluation agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspector.datasets.yolo_layout.data_yaml import Classes, read_class_list, read_description
from inspector.datasets.yolo_layout.file_lookup import Folders, is_absolute, is_image, key, parts, walk
from inspector.datasets.yolo_layout.report import SPLITS
from inspector.datasets.yolo_layout.text_files import LARGEST_LIST, read_text, shown
from inspector.domain import InputError, message
from inspector.system.paths import long_path

_OTHER_TEXTS = {"classes", "labels", "notes", "readme", "train", "val", "test"}  # .txt files that are not labels
_MOST_IMAGES = 1_000_000  # in a list


@dataclass(frozen=True)
class YoloImage:
    """An image of a dataset.

    Attributes:
        file: absolute.
        label: its label file; None if there is none.
        problem: why it cannot be used, of :data:`report.KINDS`; empty if nothing is known.
    """

    file: Path
    label: Path | None = None
    problem: str = ""


@dataclass(frozen=True)
class YoloDataset:
    """The images that a data.yaml refers to.

    Attributes:
        file: the data.yaml, absolute.
        classes: of the labels.
        places: split -> its folders and lists, absolute.
        images: split -> its images, each once.
        notes: for the user: kind of :data:`report.KINDS`, split, example.
    """

    file: Path
    classes: Classes
    places: Mapping[str, tuple[Path, ...]]
    images: Mapping[str, tuple[YoloImage, ...]]
    notes: tuple[tuple[str, str, str], ...] = ()

    @property
    def names(self) -> list[str]:
        """Class names."""
        return list(self.classes.names)

    def description(self) -> dict[str, Any]:
        """Return a data.yaml for ultralytics, with absolute paths."""
        places = {split: [str(path) for path in own] for split, own in self.places.items()}
        return {**places, "nc": len(self.classes.names), "names": self.names}


def read_yolo_dataset(file: Path, needed: Sequence[str] = ("train", "val")) -> YoloDataset:
    """Read a data.yaml and find the images and label files of its splits; image files are not opened.

    A split is a folder, a text file with one image per line (CVAT's export), an image, or a list of these.
    ``../train/images`` may also mean ``train/images`` next to the file (Roboflow's export), and a path of another
    computer is matched by its last folders. Names may differ in case or be percent-encoded. A ``test:`` whose folder is
    missing or empty is noted and ignored.

    Args:
        needed: splits that must exist.

    Raises:
        InputError: it cannot be read, its classes are not clear, or a split is missing.
    """
    given = read_description(file)
    folders = Folders()
    home = given.file.parent
    base = folders.find(home, parts(given.base)) if given.base and not is_absolute(given.base) else None
    if given.base and base is None:
        base = _locate(given.base, (home,), folders)
    bases = [base, home] if base is not None and base != home and long_path(base).is_dir() else [home]
    for split in needed:
        if not given.splits.get(split):
            raise InputError(
                "{file} has no line {split}: with the folder of the {split} images; a conversion makes a "
                "dataset with train and val out of it",
                file=shown(given.file),
                split=split,
                cli_hint="bearing-inspector convert",
            )
    places: dict[str, tuple[Path, ...]] = {}
    found: dict[str, list[YoloImage]] = {}
    notes = [(kind, "", example) for kind, example in given.classes.notes]
    for split, texts in given.splits.items():
        own, images = [], []
        for text in texts:
            path = _locate(text, bases, folders)
            if path is None and split != "test":
                raise InputError(
                    "{file}: the {split} folder {text} does not exist",
                    file=shown(given.file),
                    split=split,
                    text=_there(text, bases),
                )
            inside = list(_images(path, bases, folders)) if path is not None else []
            if path is not None and not inside and split != "test":
                raise InputError(
                    "{file}: the {split} folder {path} contains no images",
                    file=shown(given.file),
                    split=split,
                    path=shown(path),
                )
            if path is None or not inside:
                notes.append(("missing_split", split, message("{split}: {text}", split=split, text=text)))
                continue
            own.append(path)
            images += inside
        if images:
            places[split], found[split] = tuple(own), sorted(dict.fromkeys(images), key=lambda one: str(one.file))
    matched = match_labels(found, folders)
    notes += orphans(matched, folders) + _other_names(given.file, given.classes, matched, folders)
    return YoloDataset(given.file, given.classes, places, matched, tuple(notes))


def _there(text: str, bases: Sequence[Path]) -> str:
    """List where a split was looked for."""
    return shown(text if is_absolute(text) else bases[0].joinpath(*parts(text)))


def _locate(text: str, bases: Sequence[Path], folders: Folders) -> Path | None:
    """Locate a folder or file, preferably within the dataset rather than where the path literally leads."""
    way = parts(text)
    if not way:
        return bases[0] if text.strip("\"' ").rstrip("/\\") in (".", "") else None
    found = []
    if is_absolute(text):
        literal = Path(text.strip())
        if literal.is_absolute() and _exists(literal):
            found.append(literal)
    else:
        found += [path for base in bases if (path := folders.find(base, way)) is not None]
    tail = [part for part in way if part not in ("..", "/")]
    least = 1 if len(tail) == 1 or is_image(tail[-1]) or tail[-1].lower().endswith(".txt") else 2
    for number in range(max(len(tail) - least, 0) + 1):
        found += [path for base in bases if (path := folders.find(base, tail[number:])) is not None]
    inside = (path for path in found if any(path.is_relative_to(base) for base in bases))
    return next(inside, found[0] if found else None)


def _exists(path: Path) -> bool:
    try:
        return long_path(path).exists()
    except (OSError, ValueError):
        return False


def _images(path: Path, bases: Sequence[Path], folders: Folders) -> Iterator[YoloImage]:
    """List the images of a folder or a list, or the image itself."""
    if long_path(path).is_dir():
        yield from map(YoloImage, images_in(path))
    elif is_image(path.name):
        yield YoloImage(path)
    else:
        homes = list(dict.fromkeys((path.parent, *bases, path.parent.parent)))
        lines = [line.strip() for line in read_text(path, LARGEST_LIST).splitlines()]
        if len(lines) > _MOST_IMAGES:
            raise InputError("{path} has more than {limit} lines; divide it", path=shown(path), limit=_MOST_IMAGES)
        if not any(is_image(parts(line)[-1]) for line in lines if parts(line)):
            return  # another text file
        for line in lines:
            if line and not line.startswith("#"):
                file = _locate(line, homes, folders)
                if file is None or not is_image(file.name):
                    yield YoloImage(path.parent / shown(line), None, "missing_picture")
                else:
                    yield YoloImage(file)


def images_in(folder: Path) -> list[Path]:
    """List the images in a folder and its subfolders, sorted, without hidden ones."""
    return [file for file in walk(folder) if is_image(file.name)]


def label_candidates(image: Path) -> Iterator[tuple[Path, str]]:
    """Candidates for a label: folder ``labels`` in place of the last folder ``images``, then the image's folder."""
    folders = list(image.parent.parts)
    name = f"{image.stem}.txt"
    for number in range(len(folders) - 1, -1, -1):
        if key(folders[number]) == "images":
            labels = "labels" if folders[number].islower() else "Labels"
            yield Path(*folders[:number], labels, *folders[number + 1 :]), name
            break
    yield image.parent, name


def match_labels(
    splits: Mapping[str, Iterable[YoloImage]], folders: Folders | None = None
) -> dict[str, tuple[YoloImage, ...]]:
    """Match the images of each split with their label files; a label shared by several images is a problem of each."""
    folders = folders or Folders()
    owners: dict[Path, set[Path]] = {}
    chosen: dict[Path, tuple[Path | None, bool]] = {}
    every = {image.file: image for images in splits.values() for image in images if not image.problem}
    for exactly in (True, False):
        for file in every:
            if chosen.get(file, (None, False))[0] is not None:
                continue
            labels = _labels_of(file, folders, exactly)
            labels = labels if exactly else [one for one in labels if one not in owners]
            chosen[file] = (labels[0] if labels else None, len(labels) > 1)
        owners = {}
        for file, (label, _) in chosen.items():
            if label is not None:
                owners.setdefault(label, set()).add(file)
    matched: dict[str, tuple[YoloImage, ...]] = {}
    for split, images in splits.items():
        own = []
        for image in images:
            label, several = chosen.get(image.file, (None, False))
            shared = several or (label is not None and len(owners[label]) > 1)
            own.append(image if image.problem else YoloImage(image.file, label, "shared_label" if shared else ""))
        matched[split] = tuple(own)
    return matched


def _labels_of(image: Path, folders: Folders, exactly: bool) -> list[Path]:
    """The label files in the first candidate folder that has any."""
    for folder, name in label_candidates(image):
        path = folder if exactly else _existing_case(folder, folders)
        names = folders.listing(path).get(key(name), []) if exactly else folders.named(path, name)
        found = [name] if name in names else ([] if exactly else names)
        if found:
            return [path / one for one in found]
    return []


def _existing_case(folder: Path, folders: Folders) -> Path:
    """The folder ``labels``, in whatever case it is spelled."""
    if folders.listing(folder):
        return folder
    for number in range(len(folder.parts) - 1, 0, -1):
        if key(folder.parts[number]) == "labels":
            return folders.find(Path(*folder.parts[:number]), folder.parts[number:]) or folder
    return folder


def orphans(matched: Mapping[str, Sequence[YoloImage]], folders: Folders | None = None) -> list[tuple[str, str, str]]:
    """Yield label files without an image in the folders of the others: kind, split, example."""
    folders = folders or Folders()
    used = {image.label for images in matched.values() for image in images}
    beside: dict[Path, dict[Path, None]] = {}  # folder of labels -> folders of images
    split_of: dict[Path, str] = {}
    for split, images in matched.items():
        for image in images:
            if image.problem == "missing_picture":
                continue
            for path, _ in label_candidates(image.file):
                beside.setdefault(path, {})[image.file.parent] = None
                split_of.setdefault(path, split)
    notes = []
    for folder, of_images in sorted(beside.items()):
        stems = {
            key(Path(name).stem)
            for path in (*of_images, folder)
            for names in folders.listing(path).values()
            for name in names
            if is_image(name)
        }
        for names in folders.listing(folder).values():
            for name in names:
                file = folder / name
                stem = Path(name).stem
                if (
                    file.suffix.lower() == ".txt"
                    and file not in used
                    and key(stem) not in stems
                    and stem.lower() not in _OTHER_TEXTS
                    and not name.startswith(".")
                    and (content := _has_content(file, folder in of_images)) is not None
                ):
                    notes.append(("orphan_label" if content else "orphan_empty", split_of[folder], name))
    return notes


def _has_content(file: Path, among_images: bool) -> bool | None:
    """Whether something is labelled; None if it is not a label file, but some other text."""
    try:
        with open(long_path(file), "rb") as opened:
            words = opened.read(4096).split()
    except OSError:
        return True
    if not words:
        return False
    if not among_images:
        return True
    try:
        return len([float(word) for word in words[:5]]) == 5
    except ValueError:
        return None


def _other_names(
    file: Path, classes: Classes, matched: Mapping[str, Sequence[YoloImage]], folders: Folders
) -> list[tuple[str, str, str]]:
    """Yield files classes.txt that name other classes than data.yaml."""
    places = {file.parent: None}
    places |= {image.label.parent: None for images in matched.values() for image in images if image.label is not None}
    notes = []
    for path in places:
        for name in folders.named(path, "classes.txt"):
            try:
                listed = read_class_list(path / name)
            except (InputError, OSError):
                continue
            mine = [classes.names[one] for one in classes.places.values()]
            if [listed.names[one] for one in listed.places.values()] != mine:
                notes.append(("other_names", "", str(path / name)))
    return notes


def splits_of(matched: Mapping[str, Sequence[YoloImage]]) -> Iterator[tuple[str, YoloImage]]:
    """Yield every image with its split, in the order of the splits."""
    for split in SPLITS:
        yield from ((split, image) for image in matched.get(split, ()))
