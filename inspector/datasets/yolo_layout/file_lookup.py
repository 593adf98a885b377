"""Find files under names that others wrote: other case, percent-encoded, backslashes, paths of other computers."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from inspector.domain.image_formats import IMAGE_SUFFIXES, UNREAD_SUFFIXES
from inspector.system.paths import long_path

MOST_PARTS = 64
"""Parts of a path; no real one has more."""


def is_image(name: str) -> bool:
    """Whether the suffix is that of an image, supported or not; hidden files are none."""
    return not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES | UNREAD_SUFFIXES


def key(name: str) -> str:
    """Comparison key: equal for names that differ only in case or in Unicode form."""
    return unicodedata.normalize("NFC", name).casefold()


def parts(text: str) -> tuple[str, ...]:
    """Split a path or address of any system, without the drive; empty if it cannot be a path."""
    text = text.strip().strip("\"'").replace("\\", "/")
    scheme, colon, rest = text.partition("://")
    if colon and scheme.isalpha():
        text = rest.partition("?")[0]
    elif len(text) > 1 and text[1] == ":" and text[0].isalpha():
        text = text[2:]
    found = PurePosixPath(text).parts
    return found if "\0" not in text and len(found) <= MOST_PARTS else ()


def is_absolute(text: str) -> bool:
    """Whether it begins at a root, a drive or a host of any system."""
    text = text.strip().strip("\"'").replace("\\", "/")
    return text.startswith("/") or "://" in text or (len(text) > 1 and text[1] == ":")


def spellings(text: str) -> list[str]:
    """The text itself, and decoded if it is percent-encoded."""
    decoded = unquote(text) if "%" in text else text
    return [text] if decoded == text or "\ufffd" in decoded else [text, decoded]


def exists(path: Path) -> bool:
    """Whether the path exists; False for impossible names, e.g. one of 5000 characters."""
    try:
        return long_path(path).exists()
    except (OSError, ValueError):
        return False


def walk(folder: Path) -> Iterator[Path]:
    """List all files sorted by folder, without hidden ones."""
    for place, inner, names in os.walk(long_path(folder)):
        inner[:] = sorted(name for name in inner if not name.startswith(".") and name != "__MACOSX")
        yield from (Path(place) / name for name in sorted(names) if not name.startswith("."))


class Folders:
    """Looks up names in folders; each folder is listed once."""

    def __init__(self) -> None:
        self._listings: dict[Path, dict[str, list[str]]] = {}
        self._stems: dict[Path, dict[str, list[str]]] = {}

    def listing(self, folder: Path) -> dict[str, list[str]]:
        """:func:`key` -> the names in the folder that have it; empty if there is no such folder."""
        if folder not in self._listings:
            found: dict[str, list[str]] = {}
            try:
                for file in sorted(long_path(folder).iterdir()):
                    found.setdefault(key(file.name), []).append(file.name)
            except (OSError, ValueError):
                found = {}
            self._listings[folder] = found
        return self._listings[folder]

    def named(self, folder: Path, name: str) -> list[str]:
        """The matching names in the folder: exact, else decoded or in another case; several if ambiguous."""
        for spelt in spellings(name):
            alike = self.listing(folder).get(key(spelt), [])
            if spelt in alike:
                return [spelt]
            if alike:
                return alike
        return []

    def find(self, folder: Path, way: Sequence[str]) -> Path | None:
        """Follow the parts in ``way`` from the folder; None if nothing is there or it is ambiguous."""
        place = folder
        for part in way:
            if part == "..":
                place = place.parent
                continue
            names = self.named(place, part)
            if len(names) != 1:
                return None
            place = place / names[0]
        return place

    def beside(self, file: Path) -> list[Path]:
        """The images in its folder with the same stem; only the exact match if there is one."""
        stems = self._stems.get(file.parent)
        if stems is None:
            stems = self._stems[file.parent] = {}
            for names in self.listing(file.parent).values():
                for name in filter(is_image, names):
                    stems.setdefault(key(Path(name).stem), []).append(name)
        alike = stems.get(key(file.stem), [])
        exact = [name for name in alike if Path(name).stem == file.stem]
        return [file.parent / name for name in exact or alike]
