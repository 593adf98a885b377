"""Decode BMP files: plain rows of pixels here, run lengths by Pillow."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL.BmpImagePlugin import BmpImageFile

from inspector.imaging.errors import Unsupported, UnsupportedCompression, check_size
from inspector.imaging.pillow import to_bgr
from inspector.imaging.scaling import Decoded, coloured

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FILE_HEADER = 14
_PLAIN, _RLE8, _RLE4, _MASKS, _JPEG, _PNG, _ALPHA_MASKS = range(7)
_OS2_SIZES = (12, 16, 64)
_DEFAULT_MASKS = {16: (0x7C00, 0x3E0, 0x1F), 32: (0xFF0000, 0xFF00, 0xFF)}


class _Header(NamedTuple):
    size: int
    width: int
    height: int
    top_down: bool
    bits: int
    compression: int
    masks: tuple[int, ...]
    palette: int  # offset
    colours: int
    pixels: int  # offset


def decode(data: bytes) -> Decoded | bytes:
    """Decode; if the file only wraps a JPEG or PNG, return that.

    Raises:
        ValueError: it is truncated, or holds more than its header states.
        Unsupported: an OS/2 compression that no library reads.
    """
    header = _read(data)
    check_size(header.width, header.height)
    if header.compression in (_JPEG, _PNG):
        return data[header.pixels :]
    if header.compression in (_RLE8, _RLE4):
        moved = data[:10] + struct.pack("<I", header.pixels) + data[14:]
        image: Any = BmpImageFile(io.BytesIO(moved))
        return Decoded(to_bgr(image))
    stride = (header.width * header.bits + 31) // 32 * 4
    _check_stated(data, header, stride)
    rows = np.frombuffer(data, np.uint8, stride * header.height, header.pixels).reshape(header.height, stride)
    return Decoded(_colours(rows if header.top_down else rows[::-1], header, data))


def _read(data: bytes) -> _Header:
    place, size = struct.unpack_from("<II", data, 10)
    if size == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = used = 0
    else:
        width, height, _, bits = struct.unpack_from("<iiHH", data, 18)
        compression, used = 0, 0
        if size >= 40:
            compression, used = struct.unpack_from("<I", data, 30)[0], struct.unpack_from("<I", data, 46)[0]
    if size in _OS2_SIZES and compression in (3, 4):
        raise UnsupportedCompression("OS/2 Huffman or RLE24")
    if compression > _ALPHA_MASKS or bits not in (1, 2, 4, 8, 16, 24, 32, 0):
        raise Unsupported(f"{bits}-bit BMP of compression {compression}")
    masks, after = _DEFAULT_MASKS.get(bits, ()), _FILE_HEADER + size
    if compression in (_MASKS, _ALPHA_MASKS):
        masks = struct.unpack_from("<III", data, 54)
        after += (12 if compression == _MASKS else 16) if size == 40 else 0
    colours = min(used, 2**bits) or 2**bits if 0 < bits <= 8 else 0
    if place < after:  # impossible within the header: some programs write 0
        place = after + (colours if bits <= 8 else used) * (3 if size == 12 else 4)
    return _Header(size, width, abs(height), height < 0, bits, compression, masks, after, colours, place)


def _check_stated(data: bytes, header: _Header, stride: int) -> None:
    """Refuse a file that contains more rows than its header states.

    Raises:
        ValueError: so it is.
    """
    stated = struct.unpack_from("<I", data, 34)[0] if header.size >= 40 else 0
    file_size = struct.unpack_from("<I", data, 2)[0]
    profile = header.size >= 124 and struct.unpack_from("<I", data, 14 + 116)[0] > 0  # follows the pixels
    if file_size <= len(data) and not profile:
        stated = max(stated, file_size - header.pixels)
    if header.pixels + stated <= len(data) and stated >= stride * (header.height + 1):
        raise ValueError("more rows than the header states")


def _colours(rows: NDArray[np.uint8], header: _Header, data: bytes) -> NDArray[np.uint8]:
    width, bits = header.width, header.bits
    if bits == 24:
        return rows[:, : width * 3].reshape(header.height, width, 3).copy()
    if bits in (16, 32):
        if bits == 32 and header.masks == _DEFAULT_MASKS[32]:
            return np.ascontiguousarray(rows[:, : width * 4].reshape(header.height, width, 4)[..., :3])
        values = np.ascontiguousarray(rows).view(f"<u{bits // 8}")[:, :width]
        return np.dstack([_channel(values, mask) for mask in reversed(header.masks)])
    entry = 3 if header.size == 12 else 4
    # The palette may hold fewer colours than possible: the pixels begin right after it.
    colours = min(header.colours, (header.pixels - header.palette) // entry)
    palette = np.frombuffer(data, np.uint8, colours * entry, header.palette).reshape(colours, entry)[:, :3]
    if bits < 8:
        single = np.unpackbits(rows, axis=1).reshape(header.height, -1, bits)
        rows = single @ (1 << np.arange(bits - 1, -1, -1, dtype=np.uint8))
    indices = rows[:, :width]
    return coloured(indices, palette)


def _channel(values: NDArray[Any], mask: int) -> NDArray[np.uint8]:
    if not mask:
        return np.zeros(values.shape, np.uint8)
    shift = (mask & -mask).bit_length() - 1
    most = mask >> shift
    part = (values & values.dtype.type(mask)) >> values.dtype.type(shift)
    return np.asarray(part if most == 255 else np.rint(part * (255 / most)), np.uint8)
