"""Decode JPEG files: 8 bits with OpenCV, CMYK with Pillow, 12 bits, lossless JPEG and JPEG-LS with imagecodecs.

Missing pixels are detected here: libjpeg paints them mid-grey (128), or without detail in a progressive file, and does
not report it. So is data beyond the size in the header: a damaged height would hide the rest of the part.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL.JpegImagePlugin import JpegImageFile

from inspector.domain import message
from inspector.imaging.errors import Unsupported, check_size
from inspector.imaging.pillow import ORIENTATION, as_bgr, turned
from inspector.imaging.scaling import Decoded

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A marker; 00 and D0 to D7 belong to the entropy-coded data.
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
_FILLER = bytes(range(254, 0, -1)) * 8  # ones first: libjpeg reads missing bits as zeros
_END = b"\xff\xd9"
_TAIL = 64  # bytes at the end of a scan without which its last blocks are incomplete
_LOST = bytes(64)
_JPEG_LS = 55
_PROCESSES = {
    5: "differential", 6: "differential", 7: "differential", 11: "arithmetic-coded lossless", 13: "differential",
    14: "differential", 15: "differential",
}  # fmt: skip


@dataclass(frozen=True)
class Header:
    """Content of a JPEG's markers.

    Attributes:
        process: number of the SOF marker, 0 (baseline) to 15; 55 is JPEG-LS.
        bits: per sample.
        width, height: pixels.
        end: position of the end marker; None if there is none.
        exif: content of APP1, "" if there is none.
        zeros: whether coded data may contain long runs of zero bytes: the shortest code means "nothing more".
        scan: beginning and end of the coded data of the first scan.
        scans: number of scans.
    """

    process: int
    bits: int
    width: int
    height: int
    components: int
    end: int | None
    exif: bytes
    zeros: bool
    scan: tuple[int, int]
    scans: int


def header_of(data: bytes) -> Header:
    """Read the markers.

    Raises:
        ValueError: it is truncated before the pixels begin.
    """
    place, size, exif, zeros, end = 2, None, b"", True, None
    scans: list[int] = []  # where their coded data begin
    until = len(data)
    while marker := _MARKER.search(data, place):
        code, place = marker[1][0], marker.end()
        if len(scans) == 1:
            until = min(until, marker.start())
        if code == 0xD9:
            end = marker.start()
            break
        if code in (0x01, 0xD8):
            continue
        length = int.from_bytes(data[place : place + 2], "big")
        content = data[place + 2 : place + length]
        if code == 0xF7 or (0xC0 <= code <= 0xCF and code not in (0xC4, 0xC8, 0xCC)):
            if size is None and len(content) >= 6:
                size = code - 0xC0, content[0], int.from_bytes(content[3:5]), int.from_bytes(content[1:3]), content[5]
        elif code == 0xC4:
            zeros = zeros and _zeros_end_a_block(content)
        elif code == 0xE1 and content.startswith(b"Exif\0\0"):
            exif = content
        elif code == 0xDA:
            scans.append(place + length)
        place += length
        if size is not None and size[0] == _JPEG_LS and code == 0xDA:  # its data may look like markers
            last = data.rfind(_END)
            end = last if last > place else None
            break
    if size is None:
        raise ValueError("no frame header")
    return Header(*size, end, exif, zeros, (scans[0] if scans else until, until), len(scans))


def _zeros_end_a_block(tables: bytes) -> bool:
    """Whether the all-zero code means "nothing more" in each of these Huffman tables."""
    while len(tables) > 17:
        if tables[17] != 0:
            return False
        tables = tables[17 + sum(tables[1:17]) :]
    return True


def decode(data: bytes) -> Decoded:
    """Decode a JPEG file.

    Raises:
        ValueError: pixels are missing.
        Unsupported: a process that no library here decodes.
    """
    header = header_of(data)
    check_size(header.width, header.height)
    decoded = _decoded(data, header)
    if header.exif:
        exif = Pillow.Exif()
        exif.load(header.exif)
        number = exif.get(ORIENTATION, 1)
        if header.bits != 8 or header.process not in (0, 1, 2, 9, 10):  # the others were rotated by their decoder
            decoded = Decoded(turned(decoded.pixels, number), white=decoded.white)
        if number in range(2, 9):
            decoded = decoded.noted(message("rotated by its EXIF orientation ({number})", number=number))
    return decoded


def _decoded(data: bytes, header: Header) -> Decoded:
    if header.process == _JPEG_LS:
        from imagecodecs import jpegls_decode

        return Decoded(_by_imagecodecs(jpegls_decode, data, header), white=2**header.bits - 1)
    if header.process == 3:
        from imagecodecs import ljpeg_decode

        return Decoded(_by_imagecodecs(ljpeg_decode, data, header), white=2**header.bits - 1)
    if header.process in _PROCESSES or (header.bits, header.process > 2) not in ((8, False), (8, True), (12, False)):
        raise Unsupported(f"{header.bits}-bit {_PROCESSES.get(header.process, '')} JPEG".replace("  ", " "))
    if header.bits == 12:
        from imagecodecs import jpeg8_decode

        return Decoded(_by_imagecodecs(jpeg8_decode, data, header), white=4095)
    if header.end is None:
        if not any(data[-8:]) or is_lost(data, header) or not is_complete(data, header, _by_pillow):
            raise ValueError("cut off")
        return Decoded(_eight_bits(data + _END, header)).noted(
            message("its end marker is missing, but all pixels are there")
        )
    if _has_more(data, header):
        raise ValueError("it holds more than its header states")
    pixels = _eight_bits(data, header)
    corners = (pixels[rows, columns] for rows in (np.s_[:8], np.s_[-8:]) for columns in (np.s_[:8], np.s_[-8:]))
    suspicious = header.process in (2, 10) or any((corner == 128).all() for corner in corners)
    if is_lost(data, header) or (suspicious and not is_complete(data, header, _by_pillow)):
        raise ValueError("pixels are missing")
    return Decoded(pixels)


def _has_more(data: bytes, header: Header) -> bool:
    """Whether an 8-bit file holds more than its header states: its pixels are complete without its last bytes.

    They are decoded at an eighth of the size, which is quick.
    """
    begin, end = header.scan
    if header.scans == 1 and header.process < 3:
        part = _eighth(data[: _without_tail(data, begin, end)])
        untouched = bytes(range(251)) * (part.width * 4 // 251 + 1)  # the last row as it is before something is written
        canvas = Pillow.new(part.mode, part.size)
        last = Pillow.frombytes(part.mode, (part.width, 1), untouched[: part.width * len(part.getbands())])
        canvas.paste(last, (0, part.height - 1))
        part.im = canvas.im
        with suppress(OSError):  # it has no end; libjpeg has written the rows that were complete
            part.load()
        row = Pillow.Image()._new(part.im).crop((0, part.height - 1, part.width, part.height))
        return row.tobytes() != last.tobytes()
    # Of several scans the first, which has all blocks: roughly in a progressive file, else those of one component.
    if end - begin < _TAIL:
        return False
    other = _FILLER + _END
    try:
        whole, cut, none = (
            np.asarray(_eighth(part))
            for part in (data[:end] + _END, data[: _without_tail(data, begin, end)] + other, data[:begin] + other)
        )
    except OSError:
        return False
    return np.array_equal(whole, cut) and not np.array_equal(whole, none)


def _without_tail(data: bytes, begin: int, end: int) -> int:
    """End of a scan without its last bytes and the padding that some cameras append."""
    coded = len(data[begin:end].rstrip(b"\0\xff"))
    return begin + max(0, coded - min(_TAIL, coded // 4 + 1))


def _eighth(data: bytes) -> JpegImageFile:
    part = JpegImageFile(io.BytesIO(data))
    part.draft("L", (1, 1))
    return part


def _eight_bits(data: bytes, header: Header) -> NDArray[Any]:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if header.components < 4 else None
    # CMYK, and whatever OpenCV was built without.
    return as_bgr(JpegImageFile(io.BytesIO(data))) if pixels is None else pixels


def _by_pillow(data: bytes) -> NDArray[Any]:
    return np.asarray(JpegImageFile(io.BytesIO(data)))


def _by_imagecodecs(decoder: Callable[[bytes], NDArray[Any]], data: bytes, header: Header) -> NDArray[Any]:
    if header.end is None:  # checked first: the decoder spends many seconds on damaged JPEG-LS
        raise ValueError("cut off")
    pixels = decoder(data)
    if pixels.shape[:2] != (header.height, header.width):
        raise ValueError("another size than stated")
    if header.process != _JPEG_LS and not is_complete(data, header, decoder):  # the decoder reports it for JPEG-LS
        raise ValueError("pixels are missing")
    if header.process != _JPEG_LS and _is_surplus(data, header, decoder):
        raise ValueError("it holds more than its header states")
    if pixels.ndim == 3 and pixels.shape[2] not in (1, 3):
        raise Unsupported(f"{header.bits}-bit JPEG with {pixels.shape[2]} channels")
    if pixels.ndim == 3:
        return pixels[..., ::-1] if pixels.shape[2] == 3 else pixels[..., 0]
    return pixels


def _is_surplus(data: bytes, header: Header, decoder: Callable[[bytes], NDArray[Any]]) -> bool:
    """Whether the last bytes of the coded data make no difference."""
    other = data[: _without_tail(data, *header.scan)] + _FILLER + _END
    try:
        return np.array_equal(decoder(data), decoder(other))
    except Exception:  # noqa: BLE001 - the filler is nonsense
        return False


def is_lost(data: bytes, header: Header) -> bool:
    """Whether there are zeros in place of coded data, as after a broken copy."""
    place = -1 if header.zeros else data.find(_LOST)
    while place >= 0:
        # Within a marker's content (a profile, a maker note) zeros are normal; it follows FF xx length.
        last = data.rfind(b"\xff\xda", 0, place)
        if last >= 0 and (header.end is None or place < header.end):
            return True
        place = data.find(_LOST, place + len(_LOST))
    return False


def is_complete(data: bytes, header: Header, decoder: Callable[[bytes], NDArray[Any]]) -> bool:
    """Whether all pixels are there.

    Filler bytes are inserted before the end: a decoder that had all its data ignores them, one that ran out decodes
    them.
    """
    end = len(data.rstrip(b"\xff")) if header.end is None else header.end
    more = data[:end] + _FILLER + _END
    try:
        return np.array_equal(decoder(data[:end] + _END), decoder(more))
    except Exception:  # noqa: BLE001 - the additional bytes were needed, and are nonsense
        return False
