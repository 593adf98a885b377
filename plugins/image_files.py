"""Pictures from files: one picture, a folder, a glob such as ``part*/*.png``, or a text file with one path a line.

Pictures are judged by their content; one that cannot be read is reported, and the run goes on. The order is the natural
one (img2 before img10) on every system. Hidden files are left out.
"""

from __future__ import annotations

import glob
import logging
import os
import re
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from inspector.api import Frame, InputError, Option, Skipped, SourceSpec, Text, hookimpl, long_path

PLUGIN = {
    "id": "image_files",
    "version": "1.0",
    "api": 1,
    "kinds": ["source"],
    "description": "Pictures from a file, a folder, a glob or a list: jpg, png, bmp, tif, webp",
    "description_zh": "图片来源：单张、文件夹、通配符或列表（jpg、png、bmp、tif、webp）",
}

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".tif", ".tiff", ".webp")
LIST_SUFFIX = ".txt"
# A folder that holds these and no picture is left to a source of videos.
_VIDEO_SUFFIXES = (".avi", ".mkv", ".mov", ".mp4", ".m4v", ".mpg", ".mpeg", ".ts", ".webm", ".wmv")
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
logger = logging.getLogger(__name__)


@hookimpl
def inspector_sources() -> Sequence[SourceSpec]:
    options = (
        Option(
            "path",
            str,
            "",
            Text("Pictures", "图片"),
            Text(
                "a picture, a folder, a glob, or a .txt file with one path a line",
                "图片、文件夹、通配符，或每行一个路径的 .txt 文件",
            ),
        ),
        Option("recursive", bool, False, Text("With subfolders", "包含子文件夹")),
    )
    return [SourceSpec("image_files", Text("Picture files", "图片文件"), ImageFiles, options, claim)]


def claim(text: str) -> Mapping[str, Any] | None:
    """A picture by its suffix or its first bytes, a folder, a glob that names pictures, a ``.txt`` list.

    What does not exist is claimed by its suffix, for :class:`ImageFiles` to say so.
    """
    if not text or "://" in text:
        return None
    path = Path(text).expanduser()
    try:
        if long_path(path).is_dir():
            names = [file.name for file in long_path(path).iterdir()]
            mine = any(map(_is_picture, names)) or not any(n.lower().endswith(_VIDEO_SUFFIXES) for n in names)
        elif long_path(path).is_file():
            mine = path.suffix.lower() in (*SUFFIXES, LIST_SUFFIX) or _starts_like_picture(path)
        elif glob.has_magic(text):
            mine = _is_picture(path.name) or bool(_matches(path))
        else:
            mine = path.suffix.lower() in (*SUFFIXES, LIST_SUFFIX)
    except PermissionError:
        mine = True  # opening it says so
    except (OSError, ValueError):
        return None
    return {"path": text} if mine else None


class ImageFiles:
    """A source of still pictures.

    Args:
        path: a picture (whatever its suffix), a folder, a glob (``**`` for any depth), or a ``.txt`` list in UTF-8 or
            GB 18030 whose paths may be relative to the list. Folders and globs give files with a picture's suffix.
        recursive: with the subfolders of a folder; links are followed, no folder is visited twice.

    Attributes:
        total: number of pictures found, the unreadable ones included.

    Raises:
        InputError: nothing is there.
    """

    def __init__(self, path: str = "", recursive: bool = False) -> None:
        if not path:
            raise InputError("image_files needs a path: a picture, a folder, a glob or a .txt list")
        place = Path(path).expanduser().absolute()
        try:
            self._files = _found(place, recursive)
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error})") from None
        self.total: int | None = len(self._files)

    def __iter__(self) -> Iterator[Frame | Skipped | None]:
        """Frames and Skipped in order; ``index`` is the place among all files, so that a bad file shifts no other."""
        return map(self.frame, range(len(self._files)))

    def frame(self, index: int) -> Frame | Skipped:
        """The picture at ``index``, from 0; Skipped where it cannot be read."""
        from inspector.api import read_image  # brings OpenCV, which a list of plugins must not wait for

        name, path = self._files[index]
        start = time.perf_counter()
        try:
            image, notes = read_image(path)
        except InputError as error:
            return Skipped(name, str(error), str(path))
        read_ms = (time.perf_counter() - start) * 1000
        return Frame(image, index, name, path=str(path), read_ms=read_ms, notes=notes)

    def close(self) -> None:
        """Nothing is held open."""


def _found(place: Path, recursive: bool) -> list[tuple[str, Path]]:
    """Names and paths of the pictures that ``place`` stands for, at least one."""
    if long_path(place).is_dir():
        files = [("/".join(parts), place.joinpath(*parts)) for parts in _walk(place, recursive)]
        if not files:
            more = ""
            if not recursive and any(_is_folder(entry) for entry in os.scandir(long_path(place))):
                more = "; its subfolders are searched with the option recursive"
            raise InputError(f"The folder {place} holds no pictures (jpg, png, bmp, tif, webp){more}")
        return files
    if long_path(place).exists():
        if place.suffix.lower() == LIST_SUFFIX and not _starts_like_picture(place):
            return _listed(place)
        return [(place.name, place)]
    if glob.has_magic(str(place)):
        files = _matches(place)
        if not files:
            raise InputError(f"No picture matches {place}; put the glob in quotes and check its folder")
        return files
    raise InputError(f"{place} does not exist; check the path")


def _walk(folder: Path, recursive: bool) -> list[tuple[str, ...]]:
    """Pictures below ``folder`` as path parts, in natural order."""
    found: list[tuple[str, ...]] = []
    waiting: list[tuple[str, ...]] = [()]
    visited = set()
    while waiting:
        parts = waiting.pop()
        here = long_path(folder.joinpath(*parts))
        try:
            status = here.stat()
            if (status.st_dev, status.st_ino) in visited:
                continue
            visited.add((status.st_dev, status.st_ino))
            # Sorted, so that of two ways to one folder the same is taken everywhere.
            entries = sorted(os.scandir(here), key=lambda entry: _natural((entry.name,)), reverse=True)
        except OSError as error:
            if not parts:
                raise
            logger.warning("The folder %s cannot be read (%s); it is left out", here, error.strerror or error)
            continue
        for entry in entries:
            if _is_hidden(entry):
                continue
            if _is_folder(entry):
                if recursive:
                    waiting.append((*parts, entry.name))
            elif _is_picture(entry.name):
                found.append((*parts, entry.name))
    return sorted(found, key=_natural)


def _matches(pattern: Path) -> list[tuple[str, Path]]:
    """Pictures that match a glob, in natural order; the suffix in any case, as on Windows.

    Their names are relative to the part of the pattern that stands before the first wildcard.
    """
    parts = pattern.absolute().parts
    fixed = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    folder, wanted = Path(*parts[:fixed]), list(parts[fixed:])
    if wanted[-1] == "**":
        wanted.append("*")
    stem, dot, suffix = wanted[-1].rpartition(".")
    if dot and suffix.isalnum():
        wanted[-1] = stem + dot + "".join(f"[{c.lower()}{c.upper()}]" if c.isalpha() else c for c in suffix)
    found = {path.relative_to(folder).parts for path in folder.glob("/".join(wanted))}
    files = [
        (names, folder.joinpath(*names))
        for names in sorted(found, key=_natural)
        if _is_picture(names[-1]) and not any(name.startswith(".") for name in names)
    ]
    return [("/".join(names), path) for names, path in files if not long_path(path).is_dir()]


def _listed(file: Path) -> list[tuple[str, Path]]:
    """The paths in a list, one a line, in its order."""
    data = long_path(file).read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = data.decode("gb18030")
        except UnicodeDecodeError:
            raise InputError(f"The list {file} is not text in UTF-8; save it as UTF-8") from None
    paths = [file.parent / Path(line.strip()).expanduser() for line in text.splitlines() if line.strip()]
    if not paths:
        raise InputError(f"The list {file} names no pictures; write one path a line")
    return [(path.name, path) for path in paths]


def _natural(parts: Sequence[str]) -> tuple[Any, ...]:
    """A sort key: numbers by their value, letters in any case alike; the names themselves decide a tie."""
    split = [re.split("([0-9]+)", part.casefold()) for part in parts]
    return [[int(p) if p.isdecimal() and p.isascii() else p for p in part] for part in split], tuple(parts)


def _is_picture(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(SUFFIXES)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


def _is_hidden(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith("."):
        return True
    if os.name != "nt":
        return False
    attributes = getattr(entry.stat(follow_symlinks=False), "st_file_attributes", 0)
    return bool(attributes & stat.FILE_ATTRIBUTE_HIDDEN)


def _starts_like_picture(path: Path) -> bool:
    if not long_path(path).is_file():
        return False
    with open(long_path(path), "rb") as file:
        head = file.read(12)
    return head.startswith(_SIGNATURES) or (head[:4] == b"RIFF" and head[8:] == b"WEBP")
