"""The files of a folder with labels, and which format they are in."""

from __future__ import annotations

import itertools
import json
import os
import unicodedata
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from inspector.domain import InputError
from inspector.paths import long_path

PICTURES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".tif", ".tiff", ".webp"}
_OTHER_PICTURES = {".heic", ".heif", ".gif", ".avif"}  # to be told as unreadable


class Source:
    """A folder with pictures and labels, or one label file (COCO's JSON, a data.yaml) in it.

    Attributes:
        folder: absolute.
        pictures: files, sorted; hidden files and folders are left out, as everywhere here.

    Raises:
        InputError: there is no such folder.
    """

    def __init__(self, path: Path) -> None:
        path = path.absolute()
        if not path.exists():
            raise InputError(f"{path} does not exist; give the folder with the pictures and their labels")
        if path.is_file() and path.suffix.lower() not in (".json", ".yaml", ".yml"):
            hint = "; unpack it first" if path.suffix.lower() in (".zip", ".rar", ".7z", ".gz", ".tar") else ""
            raise InputError(f"{path.name} is not a folder with labels, a COCO .json or a data.yaml{hint}")
        self._only = path if path.is_file() else None
        self.folder = path.parent if self._only else path
        self._files = sorted(_files(self.folder))
        self.pictures = [file for file in self._files if file.suffix.lower() in PICTURES | _OTHER_PICTURES]
        self.broken: list[Path] = []  # JSON files that cannot be read

    def relative(self, file: Path) -> str:
        """What a person calls a file of the folder, with slashes."""
        return file.relative_to(self.folder).as_posix() if file.is_relative_to(self.folder) else file.as_posix()

    def _labels(self, *suffixes: str) -> list[Path]:
        if self._only is not None:
            return [self._only] if self._only.suffix.lower() in suffixes else []
        return [file for file in self._files if file.suffix.lower() in suffixes]

    @cached_property
    def documents(self) -> dict[Path, dict[str, Any]]:
        """Every JSON file that holds an object; of a picture in it only remains that it is there."""
        found = {}
        for file in self._labels(".json"):
            try:
                document = read_json(file)
            except (OSError, ValueError, RecursionError):
                self.broken.append(file)
                continue
            if isinstance(document, dict):
                if document.get("imageData"):
                    document["imageData"] = True
                found[file] = document
        return found

    @cached_property
    def descriptions(self) -> dict[Path, dict[str, Any]]:
        """Every YAML file that names classes, the one nearest to the top first."""
        found = {}
        for file in self._labels(".yaml", ".yml"):
            try:
                document = yaml.safe_load(long_path(file).read_text(encoding="utf-8-sig"))
            except (OSError, UnicodeDecodeError, yaml.YAMLError):
                continue
            if isinstance(document, dict) and "names" in document:
                found[file] = document
        return dict(sorted(found.items(), key=lambda item: (len(item[0].parts), item[0])))

    @cached_property
    def class_lists(self) -> list[Path]:
        """Files ``classes.txt`` with one class name a line."""
        return [file for file in self._files if file.name.lower() == "classes.txt"] if self._only is None else []

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for file in self.pictures:
            found.setdefault(_key(file.name), []).append(file)
        return found

    def picture(self, name: str, near: Path, hint: str = "") -> Path | None:
        """The picture that a label file calls ``name``.

        Args:
            near: folder of the label file.
            hint: a folder that it preferably lies in, such as train.
        """
        direct = named(name, near)
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if direct is not None or not parts:
            return direct
        found = self._by_name.get(_key(parts[-1]), [])
        wanted = [_key(part) for part in parts]

        def fit(file: Path) -> tuple[int, bool, int]:
            own = [_key(part) for part in file.parts]
            same = 0
            while same < min(len(own), len(wanted)) and own[-1 - same] == wanted[-1 - same]:
                same += 1
            shared = sum(
                1
                for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(file.parts, near.parts, strict=False))
            )
            return same, _key(hint) in own, shared

        return max(found, key=fit, default=None)


def exists(path: Path) -> bool:
    """It is there; not so where it cannot even be asked for, as a name of 5000 characters."""
    try:
        return long_path(path).exists()
    except (OSError, ValueError):
        return False


def named(name: str, near: Path) -> Path | None:
    """The file that ``name`` leads to from the folder ``near``; None where there is none."""
    file = near.joinpath(*PurePosixPath(name.replace("\\", "/")).parts)
    return Path(os.path.normpath(file)) if exists(file) and file.is_file() else None


def read_json(file: Path) -> Any:
    """Of a file in UTF-8.

    Raises:
        OSError, ValueError, RecursionError: it cannot be read.
    """
    return json.loads(long_path(file).read_text(encoding="utf-8-sig"))


def _files(folder: Path) -> Iterator[Path]:
    for place, inner, names in os.walk(long_path(folder)):
        inner[:] = [name for name in inner if not name.startswith(".") and name != "__MACOSX"]
        yield from (Path(place) / name for name in names if not name.startswith("."))


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
