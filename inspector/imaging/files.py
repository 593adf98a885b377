"""Read and write image files with any path: Chinese, blanks, emoji, more than 260 characters."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from inspector.domain import InputError, InspectorError, message
from inspector.domain.image_formats import HEAD_BYTES, IMAGE_FORMATS, format_of_suffix, image_format
from inspector.imaging.decoding import decode, unsupported
from inspector.system.paths import long_path, publish, temporary_beside

if TYPE_CHECKING:
    from inspector.domain import Image

_WRITTEN = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
_LARGEST_SIDE = {"JPEG": 65_500, "WEBP": 16_383}


def read_image(path: Path) -> tuple[Image, tuple[str, ...]]:
    """Read an image, recognised by its content and not by its suffix.

    Returns:
        (H, W, 3) uint8 BGR as :func:`inspector.imaging.decoding.decode` makes it, and notes for the user,
        e.g. "page 1 of 3".

    Raises:
        InputError: it does not exist, is a folder, empty, truncated, damaged, too large or not an image.
    """
    name = path.name or str(path)
    try:
        mode = long_path(path).stat().st_mode
        if stat.S_ISDIR(mode):
            raise InputError("{name} is a folder, not an image", name=name)
        if not stat.S_ISREG(mode):
            raise InputError("{name} is a device or a pipe, not an image file", name=name)
        with open(long_path(path), "rb") as file:
            data = file.read(HEAD_BYTES)
            kind = image_format(data)
            if kind in IMAGE_FORMATS:
                data += file.read()
    except FileNotFoundError:
        raise InputError("{name} does not exist in {folder}", name=name, folder=path.parent) from None
    except (OSError, ValueError) as error:
        raise InputError(
            "{name} cannot be read ({reason})", name=name, reason=getattr(error, "strerror", None) or error
        ) from None
    except MemoryError:
        raise InputError("{name} is larger than the free memory", name=name) from None
    if not data:
        raise InputError("{name} is empty (0 bytes); copy it again from its source", name=name)
    if kind is None or kind not in IMAGE_FORMATS:
        other = kind or format_of_suffix(path.suffix)
        if other is not None and other not in IMAGE_FORMATS:
            raise InputError(unsupported(name, other))
        raise InputError("{name} contains no image in a supported format, for example JPEG, PNG or TIFF", name=name)
    image, notes = decode(data, name)
    if path.suffix.lower() not in IMAGE_FORMATS[kind]:
        notes = (message("is really a {kind}", kind=kind), *notes)
    return image, notes


def write_image(path: Path, image: Image, quality: int = 92) -> Path:
    """Write (H, W, 3) uint8 BGR completely or not at all, in the format of the suffix.

    Args:
        quality: of JPEG and WebP, 1 to 100.

    Returns:
        Its path: next to ``path`` under a second name if that is open in another program.

    Raises:
        InputError: the suffix is not an image's, or the image is too large for its format.
        InspectorError: the file cannot be written.
    """
    suffix = path.suffix.lower()
    kind = next((kind for kind in _WRITTEN if suffix in IMAGE_FORMATS[kind]), None)
    if kind is None:
        raise InputError("{path} has no image suffix; use .jpg, .png, .bmp, .tif or .webp", path=path.name)
    largest = _LARGEST_SIDE.get(kind)
    if largest is not None and max(image.shape[:2]) > largest:
        raise InputError(
            "{path}: {suffix} images have {largest} pixels a side at most; use png",
            path=path.name,
            suffix=suffix[1:],
            largest=largest,
        )
    settings = {"JPEG": [cv2.IMWRITE_JPEG_QUALITY, quality], "WEBP": [cv2.IMWRITE_WEBP_QUALITY, quality]}
    _, encoded = cv2.imencode(IMAGE_FORMATS[kind][0], image, settings.get(kind, []))
    try:
        temporary = temporary_beside(long_path(path))
        try:
            temporary.write_bytes(encoded.data)
            return path.with_name(publish(temporary, long_path(path)).name)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise InspectorError("{path} cannot be written ({reason})", path=path, reason=error.strerror or error) from None
