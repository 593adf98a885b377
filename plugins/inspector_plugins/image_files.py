"""Images from files: one image, a folder, a glob such as ``part*/*.png``, or a text file with one path per line.

Images are recognised by their content. Unreadable images, images of unsupported kinds and images without an image's
suffix are reported, and the run continues. The order is natural (img2 before img10) on every system. Hidden files are
left out. Animated GIFs, and everything named like a video, are left to the source of videos.
"""

from __future__ import annotations

import glob
import logging
import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from inspector.api import (
    HEAD_BYTES,
    IMAGE_SUFFIXES,
    UNREAD_SUFFIXES,
    VIDEO_SUFFIXES,
    Frame,
    InputError,
    Option,
    Skipped,
    SourceSpec,
    Text,
    hookimpl,
    image_format,
    long_path,
    message,
    misnamed_image,
)
from inspector_plugins._shared.natural_sort import natural_key

PLUGIN = {
    "id": "image_files",
    "version": "1.0",
    "api": 1,
    "kinds": ["source"],
    "description": "Images from a file, a folder, a glob or a list: jpg, png, bmp, tif, webp, heic, avif and more",
    "description_zh": "图片来源：单张、文件夹、通配符或列表（jpg、png、bmp、tif、webp、heic、avif 等）",
}

SUFFIXES = tuple(sorted((IMAGE_SUFFIXES | UNREAD_SUFFIXES) - VIDEO_SUFFIXES))
LIST_SUFFIX = ".txt"
logger = logging.getLogger(__name__)


@hookimpl
def inspector_sources() -> Sequence[SourceSpec]:
    options = (
        Option(
            "path",
            str,
            "",
            Text("Images", "图片"),
            Text(
                "an image, a folder, a glob, or a .txt file with one path per line",
                "图片、文件夹、通配符，或每行一个路径的 .txt 文件",
            ),
        ),
        Option("recursive", bool, False, Text("Include subfolders", "包含子文件夹")),
    )
    return [SourceSpec("image_files", Text("Image files", "图片文件"), ImageFiles, options, claim)]


def claim(text: str) -> Mapping[str, Any] | None:
    """Accept an image by suffix or first bytes, a folder, a glob that names images, or a ``.txt`` list.

    Files named like a video are not accepted, whatever their first bytes: Motion JPEG begins like an image.

    Missing files are accepted by their suffix, so that :class:`ImageFiles` reports them.
    """
    if not text or "://" in text:
        return None
    path = Path(text).expanduser()
    try:
        if long_path(path).is_dir():
            files = list(long_path(path).iterdir())
            mine = not any(file.suffix.lower() in VIDEO_SUFFIXES for file in files) or any(
                _is_image(file.name) or misnamed_image(file) for file in files
            )
        elif long_path(path).is_file():
            suffix = path.suffix.lower()
            mine = suffix in (*SUFFIXES, LIST_SUFFIX) or (suffix not in VIDEO_SUFFIXES and _starts_like_image(path))
        elif glob.has_magic(text):
            mine = _is_image(path.name) or bool(_matches(path))
        else:
            mine = path.suffix.lower() in (*SUFFIXES, LIST_SUFFIX)
    except PermissionError:
        mine = True  # opening it reports the error
    except (OSError, ValueError):
        return None
    return {"path": text} if mine else None


class ImageFiles:
    """A source of still images.

    Args:
        path: an image (with any suffix), a folder, a glob (``**`` for any depth), or a ``.txt`` list in UTF-8 or
            GB 18030 whose paths may be relative to the list. Folders and globs yield files with an image's suffix, and
            Skipped for other files that contain an image.
        recursive: include subfolders of a folder; links are followed, no folder is visited twice.

    Attributes:
        total: number of images found, including unreadable ones.

    Raises:
        InputError: there are none.
    """

    def __init__(self, path: str = "", recursive: bool = False) -> None:
        if not path:
            raise InputError("image_files needs a path: an image, a folder, a glob or a .txt list")
        place = Path(path).expanduser().absolute()
        try:
            self._files = _find_images(place, recursive)
        except (OSError, ValueError) as error:
            raise InputError(
                "{path} cannot be read ({reason})", path=path, reason=getattr(error, "strerror", None) or error
            ) from None
        self.total: int | None = len(self._files)

    def __iter__(self) -> Iterator[Frame | Skipped | None]:
        """Yield frames and Skipped in order; ``index`` counts all files, so a bad file does not shift the others."""
        return map(self.frame, range(len(self._files)))

    def frame(self, index: int) -> Frame | Skipped:
        """The image at ``index``, from 0; Skipped if it cannot be read."""
        from inspector.api import read_image  # imports OpenCV, which listing the plugins must not wait for

        name, path = self._files[index]
        if len(self._files) > 1 and (kind := misnamed_image(long_path(path))) is not None:
            reason = message(
                "{name} contains a {kind} image, but its suffix says otherwise; give it the suffix of an image",
                name=name,
                kind=kind,
            )
            return Skipped(name, reason, str(path))
        start = time.perf_counter()
        try:
            image, notes = read_image(path)
        except InputError as error:
            return Skipped(name, str(error), str(path))
        read_ms = (time.perf_counter() - start) * 1000
        return Frame(image, index, name, path=str(path), read_ms=read_ms, notes=notes)

    def close(self) -> None:
        """Nothing is held open."""


def _find_images(path: Path, recursive: bool) -> list[tuple[str, Path]]:
    """Names and paths of the images that ``path`` refers to, at least one."""
    if long_path(path).is_dir():
        files = [("/".join(parts), path.joinpath(*parts)) for parts in _walk(path, recursive)]
        if not files:
            if not recursive and any(_is_folder(entry) for entry in os.scandir(long_path(path))):
                raise InputError(
                    "The folder {path} contains no images that can be read, for example JPEG, PNG or TIFF; its "
                    "subfolders are searched with the option recursive",
                    path=path,
                )
            raise InputError(
                "The folder {path} contains no images that can be read, for example JPEG, PNG or TIFF", path=path
            )
        return files
    if long_path(path).exists():
        is_list = path.suffix.lower() == LIST_SUFFIX and long_path(path).is_file()
        if is_list and not _starts_like_image(path):
            return _listed(path)
        return [(path.name, path)]
    if glob.has_magic(str(path)):
        files = _matches(path)
        if not files:
            raise InputError("No image matches {path}; put the glob in quotes and check its folder", path=path)
        return files
    raise InputError("{path} does not exist; check the path", path=path)


def _walk(folder: Path, recursive: bool) -> list[tuple[str, ...]]:
    """Images below ``folder`` as path parts, in natural order."""
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
            # Sorted, so that of two paths to one folder the same is taken on every system.
            entries = sorted(os.scandir(here), key=lambda entry: natural_key((entry.name,)), reverse=True)
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
            elif _is_image(entry.name) or misnamed_image(here / entry.name):
                found.append((*parts, entry.name))
    return sorted(found, key=natural_key)


def _matches(pattern: Path) -> list[tuple[str, Path]]:
    """Images that match a glob, in natural order; the suffix in any case, as on Windows.

    Names are relative to the part of the pattern before the first wildcard.
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
        for names in sorted(found, key=natural_key)
        if not any(name.startswith(".") for name in names)
        and (_is_image(names[-1]) or misnamed_image(long_path(folder.joinpath(*names))))
    ]
    return [("/".join(names), path) for names, path in files if not long_path(path).is_dir()]


def _listed(file: Path) -> list[tuple[str, Path]]:
    """The paths in a list, one per line, in its order."""
    data = long_path(file).read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = data.decode("gb18030")
        except UnicodeDecodeError:
            raise InputError("The list {file} is not text in UTF-8; save it as UTF-8", file=file) from None
    paths = [file.parent / Path(line.strip()).expanduser() for line in text.splitlines() if line.strip()]
    if not paths:
        raise InputError("The list {file} names no images; write one path a line", file=file)
    if any(_is_same(path, file) for path in paths):
        raise InputError("The list {file} names itself; write the paths of images into it", file=file)
    return [(path.name, path) for path in paths]


def _is_same(path: Path, other: Path) -> bool:
    try:
        return long_path(path).samefile(long_path(other))
    except (OSError, ValueError):  # missing, or not a file name
        return False


def _is_image(name: str) -> bool:
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


def _starts_like_image(path: Path) -> bool:
    if not long_path(path).is_file():
        return False
    with open(long_path(path), "rb") as file:
        return image_format(file.read(HEAD_BYTES)) is not None
