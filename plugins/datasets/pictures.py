"""What the data set exporters share: unique names, class numbers, and the pictures themselves."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from inspector.api import Detection, Frame, publish, safe_name, temporary_beside, write_image

_SUFFIX = re.compile(r"\.(?=\w*[A-Za-z])\w{1,5}$")
_COPIED = {"JPEG": (".jpg", ".jpeg"), "PNG": (".png",), "BMP": (".bmp",)}
_ORIENTATION = 0x0112


class Names:
    """Unique, stable file names without suffix: ``a``, ``a-2`` for an ``a.jpg`` of another folder, ``turning_000012``.

    The same pictures in the same order get the same names, in every exporter.
    """

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    def stem(self, frame: Frame) -> str:
        ending = "" if frame.seconds is None else f"_{frame.index:06d}"
        name = safe_name(_SUFFIX.sub("", frame.name)) + ending
        number, unique = self._taken.get(name.casefold(), 0) + 1, name
        while number > 1 and (unique := f"{name}-{number}").casefold() in self._taken:
            number += 1
        self._taken[name.casefold()] = number
        self._taken.setdefault(unique.casefold(), 1)
        return unique


class Classes:
    """Class numbers from 0, as the model counts; a label that it does not name is added at the end."""

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
    """Of the file that :func:`save_picture` writes: the original's, ``.jpg`` for a video's frame, else ``.png``."""
    return _suffix(frame, _original(frame))


def _suffix(frame: Frame, original: Path | None) -> str:
    if original is not None:
        return original.suffix.lower()
    return ".png" if frame.seconds is None else ".jpg"


def save_picture(frame: Frame, stem: Path) -> Path:
    """Put the picture at ``stem`` plus a suffix; labels refer to its pixels as they were inspected.

    A picture file is copied byte for byte if everybody decodes it to these pixels: JPEG, PNG or BMP, 8 bits, one
    page, not rotated by EXIF. Any other is written as a PNG without loss, a frame of a video as a JPEG of quality 95.
    """
    original = _original(frame)
    final = stem.with_name(stem.name + _suffix(frame, original))
    if original is None:
        return write_image(final, frame.image, quality=95)
    temporary = temporary_beside(final)
    try:
        shutil.copyfile(original, temporary)
        return publish(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)


def _original(frame: Frame) -> Path | None:
    """The file that, by its header, shows the frame's pixels to any reader."""
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
