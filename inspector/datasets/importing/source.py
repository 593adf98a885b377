"""List the files of a labelled folder, and find the images that its label files name."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from inspector.datasets.yolo_layout.file_lookup import Folders, is_absolute, is_image, key, parts, spellings, walk
from inspector.datasets.yolo_layout.text_files import read_json, read_yaml, shown
from inspector.domain import InputError

_DESCRIPTIONS = ("data", "dataset")  # stems of YAML files that must be readable
_ARCHIVES = (".zip", ".rar", ".7z", ".gz", ".tar")


class Source:
    """A folder with images and labels, or one label file (COCO's JSON, a data.yaml) in it.

    Args:
        path: to either.
        anywhere: allow images everywhere; otherwise only in the folder and in those next to it.

    Attributes:
        folder: absolute.
        files: sorted; hidden files and folders are left out.
        images: the image files among them, sorted.
        broken: JSON files that cannot be read, with the reason.
        unclear: images that a label file may or may not mean.

    Raises:
        InputError: there is no such folder.
    """

    def __init__(self, path: Path, anywhere: bool = False) -> None:
        path = path.absolute()
        try:
            there, is_file = path.exists(), path.is_file()
        except (OSError, ValueError):
            there = is_file = False
        if not there:
            raise InputError(
                "{path} does not exist; give the folder with the images and their labels", path=shown(path)
            )
        if not path.is_dir() and not (is_file and path.suffix.lower() in (".json", ".yaml", ".yml")):
            if path.suffix.lower() in _ARCHIVES:
                raise InputError("{path} is an archive; unpack it first", path=shown(path.name))
            raise InputError("{path} is not a folder with labels, a COCO .json or a data.yaml", path=shown(path.name))
        self._only = path if is_file else None
        self._anywhere = anywhere
        self.folder = path.parent if is_file else path
        self.files = sorted(walk(self.folder))
        self.images = [file for file in self.files if is_image(file.name)]
        self.broken: dict[Path, str] = {}
        self.unclear: set[Path] = set()
        self.folders = Folders()

    def relative(self, file: Path) -> str:
        """Path relative to the folder, with slashes, as shown to the user."""
        return file.relative_to(self.folder).as_posix() if file.is_relative_to(self.folder) else file.as_posix()

    def labels(self, *suffixes: str) -> list[Path]:
        """Label files with one of these suffixes."""
        if self._only is not None:
            return [self._only] if self._only.suffix.lower() in suffixes else []
        return [file for file in self.files if file.suffix.lower() in suffixes]

    @cached_property
    def contents(self) -> dict[Path, Any]:
        """Parse every readable JSON file; an image embedded in it is reduced to a marker."""
        found = {}
        for file in self.labels(".json"):
            try:
                document = read_json(file)
            except FileNotFoundError:  # a dangling link
                continue
            except InputError as error:
                self.broken[file] = str(error)
                continue
            if isinstance(document, dict) and document.get("imageData"):
                document["imageData"] = True
            found[file] = document
        return found

    @cached_property
    def documents(self) -> dict[Path, dict[str, Any]]:
        """All JSON files that hold an object."""
        return {file: document for file, document in self.contents.items() if isinstance(document, dict)}

    @cached_property
    def descriptions(self) -> list[Path]:
        """All YAML files that name classes, or should; the one nearest to the top first.

        Raises:
            InputError: there are several, and none is called data.yaml.
        """
        found = [file for file in self.labels(".yaml", ".yml") if _describes(file)]
        found.sort(key=lambda file: (len(file.parts), file.stem.lower() not in _DESCRIPTIONS, file))
        if len(found) > 1 and len(found[0].parts) == len(found[1].parts):
            alike = [file.stem.lower() in _DESCRIPTIONS for file in found[:2]]
            if alike[0] == alike[1] and found[0].parent == found[1].parent:
                raise InputError(
                    "{first} and {second} both name classes; choose the one to use",
                    first=self.relative(found[0]),
                    second=self.relative(found[1]),
                )
        return found

    @cached_property
    def class_lists(self) -> list[Path]:
        """Files ``classes.txt`` with one class name per line, the one nearest to the top first."""
        found = [file for file in self.files if file.name.lower() == "classes.txt"] if self._only is None else []
        return sorted(found, key=lambda file: (len(file.parts), file))

    def is_allowed(self, file: Path) -> bool:
        """Whether its real path is in the folder or one next to it; labels from elsewhere may not read other files."""
        if self._anywhere:
            return True
        try:
            place, folder = file.resolve(), self.folder.resolve()
        except (OSError, RuntimeError):
            return False
        beside = folder.parent
        wide = beside not in (Path(beside.anchor), _home())
        return place.is_relative_to(folder) or (wide and place.is_relative_to(beside))

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for file in self.images:
            found.setdefault(key(file.name), []).append(file)
        return found

    def named(self, name: str, near: Path) -> Path | None:
        """Resolve ``name`` relative to the folder ``near``; None if there is no such file."""
        way = parts(name)
        if not way:
            return None
        if is_absolute(name):
            literal = Path(name.strip())
            found = literal if literal.is_absolute() and _is_file(literal) else None
        else:
            found = self.folders.find(near, way)
        return found if found is not None and _is_file(found) else None

    def find_image(self, name: str, near: Path, hint: str = "") -> tuple[Path | None, str]:
        """Find the image that a label file calls ``name``; return it, or None and the kind of problem.

        Args:
            near: folder of the label file.
            hint: preferred folder, e.g. ``train``.
        """
        direct = self.named(name, near)
        if direct is not None and self.is_allowed(direct):
            return direct, ""
        way = parts(name)
        found = next((own for one in spellings(way[-1]) if (own := self._by_name.get(key(one)))), []) if way else []
        wanted = [key(part) for part in way]

        def fit(file: Path) -> tuple[int, bool, int]:
            own = [key(part) for part in file.parts]
            same = 1
            while same < min(len(own), len(wanted)) and own[-1 - same] == wanted[-1 - same]:
                same += 1
            together = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(file.parts, near.parts, strict=False))
            return same, key(hint) in own, sum(1 for _ in together)

        best = max(map(fit, found), default=None)
        fitting = [file for file in found if fit(file) == best and self.is_allowed(file)]
        if len(fitting) == 1:
            return fitting[0], ""
        self.unclear.update(fitting)
        if found or direct is not None:
            return None, "unclear_picture" if len(fitting) > 1 else "elsewhere"
        return None, "missing_picture"


def _describes(file: Path) -> bool:
    try:
        content = read_yaml(file)
    except FileNotFoundError:
        return False
    except InputError:
        return file.stem.lower() in _DESCRIPTIONS
    if file.stem.lower() in _DESCRIPTIONS:
        return True
    return isinstance(content, Mapping) and "names" in content


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _home() -> Path | None:
    try:
        return Path.home().resolve()
    except (OSError, RuntimeError):
        return None
