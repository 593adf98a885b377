"""The bytes of a picture file become pixels. OpenCV decodes; Pillow reads headers and what OpenCV gets wrong.

- Ordinary 8-bit pictures are exactly what ``cv2.imdecode(…, cv2.IMREAD_COLOR)`` gives: EXIF orientation is applied,
  transparency is dropped and the colours below it kept, colour profiles are ignored.
- 16 bits are divided by 257. Where no value is above 4095 (a 12-bit camera) 0 to 4095 is scaled, with a note.
- Other numbers (float, 32-bit, signed): 0 to 1 of a float, else the range that occurs, becomes 0 to 255, with a note.
- CMYK goes through the embedded profile where there is one, else by the plain formula.
- Of several pages or frames the first is read, with a note.
- A file that is cut off or damaged is refused, never returned half grey.
"""

from __future__ import annotations

import contextlib
import io
import re
import struct
import warnings
import zlib
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageCms, ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from inspector.domain import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inspector.domain import Image

MOST_PIXELS = 400_000_000
SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
# Called directly, not through Image.open, whose limit on pixels is one setting for the whole process.
_HEADERS: dict[str, type[ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "WEBP": WebPImageFile,
}
_PILLOW_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    OverflowError,
    struct.error,
    Pillow.DecompressionBombError,
)
# A JPEG marker; 00 and D0 to D7 belong to the entropy-coded data.
_JPEG_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")

# What a bad file makes the libraries say on stderr, we say in a sentence.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
warnings.filterwarnings("ignore", module=r"PIL\.")


def kind_of(head: bytes) -> str | None:
    """``JPEG``, ``PNG``, ``BMP``, ``TIFF`` or ``WEBP`` by the first bytes; None for anything else."""
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    starts = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n\x1a\n", "BMP": b"BM"}
    return next((kind for kind, start in starts.items() if head.startswith(start)), None)


def decode(data: bytes, name: str) -> tuple[Image, tuple[str, ...]]:
    """Decode a picture file of a known kind.

    Args:
        data: the whole file.
        name: what messages call it.

    Returns:
        (H, W, 3) uint8 BGR, contiguous; and the notes.

    Raises:
        InputError: cut off, damaged or too large.
    """
    kind = kind_of(data) or ""
    damaged = InputError(f"{name} is cut off or damaged; copy it again from where it came")
    notes: list[str] = []
    try:
        header = _header(data, kind)
        if header is not None:
            width, height = header.size
            if width * height > MOST_PIXELS:
                raise InputError(
                    f"{name} has {width} x {height} pixels, and {MOST_PIXELS // 10**6} megapixels are the most that "
                    "can be read; cut it into parts"
                )
            pages = int(getattr(header, "n_frames", 1))
            if pages > 1:
                notes.append(f"{'page' if kind == 'TIFF' else 'frame'} 1 of {pages}")
        if kind == "PNG":
            data = _checked_png(data)
        pixels = _decode(data, kind, header)
        if kind == "JPEG":
            _check_jpeg(data, pixels, header)
    except _PILLOW_ERRORS:
        raise damaged from None
    except (cv2.error, MemoryError) as error:
        if isinstance(error, MemoryError) or error.code == cv2.Error.StsNoMem:
            raise InputError(f"{name} needs more memory than is free; close other programs or cut it") from None
        raise damaged from None
    image, note = _to_8_bits(pixels)
    if kind == "TIFF" and header is not None and _white_is_zero(header) and pixels.dtype != np.uint8:
        image = 255 - image  # OpenCV does it for 8 bits only
    return np.ascontiguousarray(image), (*notes, *([note] if note else []))


def _header(data: bytes, kind: str) -> Any:
    """Pillow's view of the file, its pixels not decoded; None where Pillow does not know the layout."""
    try:
        return _HEADERS[kind](io.BytesIO(data))
    except (SyntaxError, Pillow.DecompressionBombError):
        return None


def _white_is_zero(header: Any) -> bool:
    return bool(header.tag_v2.get(262) == 0)


def _decode(data: bytes, kind: str, header: Any) -> NDArray[Any]:
    """(H, W, 3) BGR or (H, W) grey of whatever number type the file has."""
    buffer = np.frombuffer(data, np.uint8)
    pixels: NDArray[Any] | None = cv2.imdecode(buffer, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if pixels is None and kind == "TIFF":
        pixels = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
        if pixels is None and header is not None:
            return _decode_by_pillow(header)
    if pixels is None:
        raise ValueError("not decodable")
    # OpenCV ignores CMYK profiles, and darkens the colours of a TIFF by their transparency.
    by_pillow = {"TIFF": ("CMYK", "RGBA", "LA"), "JPEG": ("CMYK",)}.get(kind, ())
    if header is not None and header.mode in by_pillow and pixels.dtype == np.uint8:
        return _decode_by_pillow(header)
    colours: NDArray[Any] = pixels[..., :3] if pixels.ndim == 3 else pixels
    return colours


def _decode_by_pillow(header: Any) -> NDArray[Any]:
    picture: Any = ImageOps.exif_transpose(header)
    profile = header.info.get("icc_profile") if picture.mode == "CMYK" else None
    if profile:
        with contextlib.suppress(ImageCms.PyCMSError):  # an unusable profile counts as none
            picture = ImageCms.profileToProfile(
                picture, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
    if picture.mode[0] in "IF":
        return np.asarray(picture)
    return np.asarray(picture.convert("RGB"))[..., ::-1]


def _checked_png(data: bytes) -> bytes:
    """The file without what libpng would grumble about on stderr.

    Raises:
        ValueError: it ends early, or the checksum of a critical chunk is wrong.
    """
    view, place, start, parts = memoryview(data), 8, 0, []
    while True:
        if place + 12 > len(data):
            raise ValueError("cut off")
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + 12 + length
        if end > len(data):
            raise ValueError("cut off")
        intact = zlib.crc32(view[place + 4 : end - 4]) == int.from_bytes(view[end - 4 : end], "big")
        if not intact and kind[:1].isupper():
            raise ValueError("wrong checksum")
        if not intact or kind == b"iCCP":
            parts.append(view[start:place])
            start = end
        if kind == b"IEND":
            return b"".join([*parts, view[start:end]]) if parts else data
        place = end


def _check_jpeg(data: bytes, pixels: NDArray[Any], header: Any) -> None:
    """Find data that ran out although OpenCV decoded something.

    libjpeg paints what is missing in mid-grey (128), or without detail in a progressive file, and goes on. So where a
    corner is exactly that grey, more bytes are put before the end: a decoder that had all it needs ignores them, one
    that ran out decodes them.

    Raises:
        ValueError: no end marker (the rest is filled with zeros, say), or pixels are missing.
    """
    place = 2
    while True:
        marker = _JPEG_MARKER.search(data, place)
        if marker is None:
            raise ValueError("no end marker")
        if marker[1] == b"\xd9":
            break
        place = marker.end()
        if marker[1] not in b"\x01\xd8":
            place += int.from_bytes(data[place : place + 2], "big")
    corners = (pixels[rows, columns] for rows in (np.s_[:8], np.s_[-8:]) for columns in (np.s_[:8], np.s_[-8:]))
    progressive = header is not None and "progressive" in header.info
    if not progressive and not any((corner == 128).all() for corner in corners):
        return
    more = bytes(range(1, 255)) * 8
    as_is, longer = (
        np.asarray(JpegImageFile(io.BytesIO(content)))
        for content in (data, data[: marker.start()] + more + data[marker.start() :])
    )
    if not np.array_equal(as_is, longer):
        raise ValueError("pixels are missing")


def _to_8_bits(pixels: NDArray[Any]) -> tuple[Image, str | None]:
    """(H, W, 3) uint8 by the rules of this module, and the note they ask for."""
    note = None
    if pixels.dtype == np.uint16:
        twelve_bits = 0 < int(pixels.max()) <= 4095
        pixels = cv2.convertScaleAbs(pixels, alpha=255 / 4095 if twelve_bits else 1 / 257)
        note = "12-bit values in a 16-bit file: 0 to 4095 was scaled to 0 to 255" if twelve_bits else None
    elif pixels.dtype != np.uint8:
        is_float = pixels.dtype.kind == "f"
        numbers = np.nan_to_num(pixels.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
        low, high = float(numbers.min()), float(numbers.max())
        if is_float and low >= 0 and high <= 1:
            low, high = 0.0, 1.0
        numbers = (numbers - low) * (255 / (high - low)) if high > low else np.clip(numbers, 0, 255)
        note = f"{pixels.dtype} values: {low:g} to {high:g} was scaled to 0 to 255"
        pixels = np.rint(numbers).astype(np.uint8)
    if pixels.ndim == 2:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    return pixels, note
