"""Decode PNG files: 8-bit colours and grey values with Pillow, others with OpenCV; their chunks are read here.

Pillow's decoder reports when it has all rows, so that compressed data beyond them are noticed: a header that states
fewer rows than the file holds would hide the rest of the part.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image as Pillow

from inspector.domain import message
from inspector.imaging.errors import check_size
from inspector.imaging.pillow import ORIENTATION, turned
from inspector.imaging.scaling import Decoded

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PALETTE = 3  # the colour type
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # a pixel, by colour type
# (bits, colour type) -> Pillow's mode, how the file stores it, and OpenCV's conversion.
_BY_PILLOW = {
    (8, 0): ("L", "L", None),
    (8, 2): ("RGB", "RGB", cv2.COLOR_RGB2BGR),
    (8, 6): ("RGBA", "RGBA", cv2.COLOR_RGBA2BGR),
    (16, 0): ("I;16", "I;16B", None),
}
# Of an interlaced file: first column and row, and the steps from there, of each pass.
_PASSES = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2),
)  # fmt: skip
_TAIL = 16  # bytes at the end of the compressed data without which the last row is incomplete


@dataclass
class _Chunks:
    header: bytes = b""
    significant: bytes = b""
    exif: bytes = b""
    frames: int = 1
    colours: int = 0
    parts: list[memoryview] = field(default_factory=list)
    coded: list[memoryview] = field(default_factory=list)


def decode(data: bytes) -> Decoded:
    """Decode a PNG file.

    Raises:
        ValueError: it ends early, holds more than its header states, or the checksum of a critical chunk is wrong.
    """
    chunks = _read(data)
    width, height, bits, colours, _, _, interlaced = struct.unpack(">IIBBBBB", chunks.header)
    check_size(width, height)
    coded = b"".join(chunks.coded)
    by_pillow = (bits, colours) in _BY_PILLOW and not interlaced
    if by_pillow:
        pixels = _by_pillow(coded, width, height, *_BY_PILLOW[bits, colours])
    else:
        _check_length(coded, _length(width, height, bits * _SAMPLES[colours], bool(interlaced)))
        pixels = _by_opencv(b"".join(chunks.parts) if len(chunks.parts) > 1 else data)
    if colours == _PALETTE:
        _check_indices(data, chunks.colours)
    decoded = Decoded(pixels)
    if bits == 16 and chunks.significant:
        decoded = _with_significant_bits(pixels, max(chunks.significant))
    if chunks.frames > 1:
        decoded = decoded.noted(message("frame 1 of {total}", total=chunks.frames))
    if chunks.exif:
        exif = Pillow.Exif()
        exif.load(b"Exif\0\0" + chunks.exif)
        if (number := exif.get(ORIENTATION, 1)) in range(2, 9):
            if by_pillow:  # OpenCV turns by itself
                decoded = replace(decoded, pixels=turned(decoded.pixels, number))
            decoded = decoded.noted(message("rotated by its EXIF orientation ({number})", number=number))
    return decoded


def _by_pillow(coded: bytes, width: int, height: int, mode: str, stored: str, conversion: int | None) -> NDArray[Any]:
    """Decode the rows of a non-interlaced image to (H, W) or (H, W, 3) BGR."""
    image = Pillow.new(mode, (width, height))
    decoder = Pillow._getdecoder(mode, "zip", (stored, 0))
    try:
        decoder.setimage(image.im, (0, 0, width, height))
        head = max(0, len(coded) - _TAIL)
        taken, error = decoder.decode(coded[:head])
        if taken < 0 and not error:  # all rows are there; what follows is the end of the data, or more rows
            _check_length(coded, _length(width, height, {"L": 8, "I;16": 16, "RGB": 24, "RGBA": 32}[mode], False))
        elif not error:
            taken, error = decoder.decode(coded[taken:])
        if taken >= 0 or error:
            raise ValueError("rows are missing")
    finally:
        decoder.cleanup()
    pixels: NDArray[Any] = np.asarray(image)
    return pixels.copy() if conversion is None else cv2.cvtColor(pixels, conversion)


def _by_opencv(data: bytes) -> NDArray[Any]:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if pixels is None:
        raise ValueError("not decodable")
    return pixels


def _length(width: int, height: int, bits: int, interlaced: bool) -> int:
    """Number of bytes of all rows, each with its filter byte; ``bits`` per pixel."""
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    sizes = [(-((left - width) // across), -((top - height) // down)) for left, top, across, down in passes]
    return sum(rows * (1 + (columns * bits + 7) // 8) for columns, rows in sizes if columns > 0 < rows)


def _check_length(coded: bytes, length: int) -> None:
    """Refuse compressed data of a length other than ``length`` bytes."""
    try:
        rows = zlib.decompressobj().decompress(coded, length + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if len(rows) != length:
        raise ValueError(f"{'more' if len(rows) > length else 'fewer'} rows than the header states")


def _check_indices(data: bytes, colours: int) -> None:
    """Refuse pixels whose colour is not in the palette: libpng makes them black."""
    with Pillow.open(io.BytesIO(data), formats=["PNG"]) as image:
        if image.mode == "P" and int(np.asarray(image).max()) >= colours:
            raise ValueError("a pixel has a colour that the palette does not have")


def _with_significant_bits(pixels: np.ndarray, bits: int) -> Decoded:
    """Scale values to 16 bits as the standard demands; cameras store raw values and state their significant bits."""
    white = 2**bits - 1
    spread = not (pixels & (2 ** (16 - bits) - 1)).any()
    if not 8 <= bits < 16 or int(pixels.max()) > white or (spread and pixels.any()):
        return Decoded(pixels, white=65535)
    return Decoded(pixels, white=white, assumed=True)


def _read(data: bytes) -> _Chunks:
    """Read the chunks; also return the file without those that libpng complains about on stderr."""
    found = _Chunks()
    view, place, start = memoryview(data), 8, 0
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
        content = bytes(view[place + 8 : end - 4]) if intact and kind != b"IDAT" else b""
        if kind == b"IHDR":
            found.header = content
        elif kind == b"IDAT":
            found.coded.append(view[place + 8 : end - 4])
        elif kind == b"PLTE":
            found.colours = length // 3
        elif kind == b"sBIT":
            found.significant = content
        elif kind == b"eXIf":
            found.exif = content
        elif kind == b"acTL" and len(content) >= 4:
            found.frames = int.from_bytes(content[:4], "big")
        if not intact or kind == b"iCCP":
            found.parts.append(view[start:place])
            start = end
        if kind == b"IEND":
            found.parts.append(view[start:end])
            return found
        place = end
