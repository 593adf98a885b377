"""Read and write picture files by any path: Chinese, blanks, emoji, more than 260 characters."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from inspector.domain import InputError, InspectorError
from inspector.imaging.decoding import SUFFIXES, decode, kind_of
from inspector.paths import long_path, publish, temporary_beside

if TYPE_CHECKING:
    from inspector.domain import Image

_LARGEST_SIDE = {"JPEG": 65_500, "WEBP": 16_383}


def read_image(path: Path) -> tuple[Image, tuple[str, ...]]:
    """Read a picture, judged by its content and not by its suffix.

    Returns:
        (H, W, 3) uint8 BGR as :func:`inspector.imaging.decoding.decode` makes it, and what a user should know of the
        reading, such as "page 1 of 3".

    Raises:
        InputError: it does not exist, is a folder, empty, cut off, damaged, too large or no picture.
    """
    name = path.name or str(path)
    try:
        mode = long_path(path).stat().st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{name} is a folder, not a picture")
        if not stat.S_ISREG(mode):
            raise InputError(f"{name} is a device or a pipe, not a picture file")
        with open(long_path(path), "rb") as file:
            data = file.read(32)
            kind = kind_of(data)
            if kind is not None:
                data += file.read()
    except FileNotFoundError:
        raise InputError(f"{name} does not exist in {path.parent}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{name} cannot be read ({getattr(error, 'strerror', None) or error})") from None
    except MemoryError:
        raise InputError(f"{name} is larger than the free memory") from None
    if not data:
        raise InputError(f"{name} is empty (0 bytes); copy it again from where it came")
    if kind is None:
        raise InputError(f"{name} is not a picture of a known kind (jpg, png, bmp, tif, webp)")
    image, notes = decode(data, name)
    if path.suffix.lower() not in SUFFIXES[kind]:
        notes = (f"is really a {kind}", *notes)
    return image, notes


def write_image(path: Path, image: Image, quality: int = 92) -> Path:
    """Write (H, W, 3) uint8 BGR as a whole or not at all, in the format that the suffix names.

    Args:
        quality: of jpg and webp, 1 to 100.

    Returns:
        Where it lies: beside ``path`` under a second name if that is open elsewhere.

    Raises:
        InputError: a suffix that is no picture's, or a picture too large for its format.
        InspectorError: the file cannot be written.
    """
    suffix = path.suffix.lower()
    kind = next((kind for kind, suffixes in SUFFIXES.items() if suffix in suffixes), None)
    if kind is None:
        raise InputError(f"{path.name} does not end like a picture; use .jpg, .png, .bmp, .tif or .webp")
    largest = _LARGEST_SIDE.get(kind)
    if largest is not None and max(image.shape[:2]) > largest:
        raise InputError(f"{path.name}: {suffix[1:]} pictures have {largest} pixels a side at most; use png")
    settings = {"JPEG": [cv2.IMWRITE_JPEG_QUALITY, quality], "WEBP": [cv2.IMWRITE_WEBP_QUALITY, quality]}
    _, encoded = cv2.imencode(SUFFIXES[kind][0], image, settings.get(kind, []))
    try:
        temporary = temporary_beside(long_path(path))
        try:
            temporary.write_bytes(encoded.data)
            return path.with_name(publish(temporary, long_path(path)).name)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise InspectorError(f"{path} cannot be written ({error.strerror or error})") from None
