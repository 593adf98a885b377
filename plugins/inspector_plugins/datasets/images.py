"""Unique names, class numbers and image files, shared by the dataset exporters."""

from __future__ import annotations

import re
import shutil
from functools import partial
from pathlib import Path

from inspector.api import Detection, Frame, safe_name, write_image

from .._shared.atomic_files import write_atomically
from .._shared.unique_stems import StemIndex

_SUFFIX = re.compile(r"\.(?=\w*[A-Za-z])(\w{1,5})$")
_COPIED = {"JPEG": (".jpg", ".jpeg"), "PNG": (".png",), "BMP": (".bmp",)}
_ORIENTATION = 0x0112


class UniqueNames:
    """Unique, stable file names without suffix: ``a``, ``a-2`` for an ``a.jpg`` of another folder, ``turning_000012``.

    If there are a.jpg and a.bmp in one folder, they are ``a_jpg`` and ``a_bmp``, whichever comes first. The same
    images in the same order get the same names, in every exporter.
    """

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}
        self._stems = StemIndex()

    def stem(self, frame: Frame) -> str:
        ending = "" if frame.seconds is None else f"_{frame.index:06d}"
        shown = _SUFFIX.sub(r"_\1" if self._stems.is_ambiguous(frame) else "", frame.name)
        name = safe_name(shown) + ending
        number, unique = self._taken.get(name.casefold(), 0) + 1, name
        while number > 1 and (unique := f"{name}-{number}").casefold() in self._taken:
            number += 1
        self._taken[name.casefold()] = number
        self._taken.setdefault(unique.casefold(), 1)
        return unique


class ClassNumbers:
    """Class numbers from 0, as in the model; labels that the model does not list are added at the end."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = list(names)

    def number(self, detection: Detection) -> int:
        number = detection.class_id
        if 0 <= number < len(self.names) and self.names[number] == detection.label:
            return number
        if detection.label not in self.names:
            self.names.append(detection.label)
        return self.names.index(detection.label)


def suffix_of(frame: Frame) -> str:
    """Suffix of the file that :func:`save_image` writes: the original's, ``.jpg`` for a video frame, else ``.png``."""
    return _suffix(frame, _original(frame))


def _suffix(frame: Frame, original: Path | None) -> str:
    if original is not None:
        return original.suffix.lower()
    return ".png" if frame.seconds is None else ".jpg"


def save_image(frame: Frame, stem: Path) -> Path:
    """Save the image as ``stem`` plus a suffix; labels refer to its pixels as they were inspected.

    An image file is copied byte for byte if every reader decodes it to these pixels: JPEG, PNG or BMP, 8 bits, one
    page, not rotated by EXIF. Others are saved as PNG without loss, frames of videos as JPEG with quality 95.
    """
    original = _original(frame)
    final = stem.with_name(stem.name + _suffix(frame, original))
    if original is None:
        return write_image(final, frame.image, quality=95)
    return write_atomically(final, partial(shutil.copyfile, original))


def _original(frame: Frame) -> Path | None:
    """The file, if its header guarantees that every reader shows the frame's pixels."""
    from PIL import Image

    if frame.path is None or frame.seconds is not None:
        return None
    path = Path(frame.path)
    try:
        with Image.open(path) as header:
            same = (
                path.suffix.lower() in _COPIED.get(header.format or "", ())
                and header.mode in ("RGB", "L")
                and header.size == (frame.width, frame.height)
                and header.getexif().get(_ORIENTATION, 1) == 1
            )
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    return path if same else None
