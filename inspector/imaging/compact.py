"""Decode WebP, GIF, AVIF, HEIF, JPEG XL and JPEG 2000, each with the library that reads it best."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL.AvifImagePlugin import AvifImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.WebPImagePlugin import WebPImageFile

from inspector.domain import message
from inspector.imaging.errors import Unsupported, check_coded, check_size
from inspector.imaging.pillow import ORIENTATION, as_bgr
from inspector.imaging.scaling import Decoded

if TYPE_CHECKING:
    from numpy.typing import NDArray


def webp(data: bytes) -> Decoded:
    header = WebPImageFile(io.BytesIO(data))
    check_size(*header.size)
    check_webp(data)
    if _holds_more(data):
        raise ValueError("it holds more than its header states")
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError("not decodable")
    return _noted(Decoded(pixels), header)


def _holds_more(data: bytes) -> bool:
    """Whether a lossy image is decoded without the last bytes of its coded data, which its header does not ask for."""
    start = data.find(b"VP8 ", 12)
    if start < 0:
        return False
    size = int.from_bytes(data[start + 4 : start + 8], "little")
    size -= min(64, size // 4)
    size -= size % 2
    short = b"RIFF" + struct.pack("<I", size + 12) + b"WEBPVP8 " + struct.pack("<I", size)
    try:
        WebPImageFile(io.BytesIO(short + data[start + 8 : start + 8 + size])).load()
    except (OSError, EOFError, ValueError):
        return False
    return True


def check_webp(data: bytes) -> None:
    """Refuse a file whose first image lacks coded data.

    Raises:
        ValueError: it does.
    """
    start = max(data.find(b"VP8 "), data.find(b"VP8L")) if data.find(b"VP8X") < 0 else data.find(b"VP8", 20)
    if start >= 0:
        check_coded(data, start + 8, start + 8 + int.from_bytes(data[start + 4 : start + 8], "little"))


def gif(data: bytes) -> Decoded:
    header = GifImageFile(io.BytesIO(data))
    check_size(*header.size)
    decoded = Decoded(as_bgr(header))
    many = header.n_frames
    header.seek(0)
    return decoded.noted(message("frame 1 of {total}", total=many)) if many > 1 else decoded


def avif(data: bytes) -> Decoded:
    header = AvifImageFile(io.BytesIO(data))
    check_size(*header.size)
    return _noted(Decoded(as_bgr(header)), header)


def heif(data: bytes) -> Decoded:
    """Decode HEVC with libheif; a HEIF that holds AV1 is an AVIF of another name."""
    if b"av01" in data[:4096]:
        return avif(data[:8] + b"avif" + data[12:])
    try:
        import pillow_heif
    except ImportError:
        raise Unsupported("HEIF") from None
    file = pillow_heif.open_heif(io.BytesIO(data))
    check_size(*file.size)
    decoded = Decoded(as_bgr(file.to_pillow()))
    return decoded.noted(message("image 1 of {total}", total=len(file))) if len(file) > 1 else decoded


def _noted(decoded: Decoded, header: Any) -> Decoded:
    many = int(getattr(header, "n_frames", 1))
    if many > 1:
        decoded = decoded.noted(message("frame 1 of {total}", total=many))
    number = header.getexif().get(ORIENTATION, 1) if header.info.get("exif") else 1
    return (
        decoded.noted(message("rotated by its EXIF orientation ({number})", number=number))
        if number in range(2, 9)
        else decoded
    )


def jpeg_xl(data: bytes) -> Decoded:
    from imagecodecs import jpegxl_decode

    width, height, bits = _jpeg_xl_header(data)
    check_size(width, height)
    pixels = jpegxl_decode(data)
    notes: tuple[str, ...] = ()
    if pixels.ndim == 4 or (pixels.ndim == 3 and pixels.shape[2] > 4):
        notes = (message("frame 1 of {total}", total=pixels.shape[0]),)
        pixels = pixels[0]
    white = 2**bits - 1 if pixels.dtype in (np.uint8, np.uint16) and bits else None
    return Decoded(_channels(pixels), white=white, notes=notes)


def jpeg_2000(data: bytes) -> Decoded:
    from imagecodecs import jpeg2k_decode

    start = data.find(b"\xff\x4f\xff\x51")
    if start < 0:
        raise ValueError("no codestream")
    corner = [int.from_bytes(data[start + place : start + place + 4], "big") for place in (8, 12, 16, 20)]
    check_size(corner[0] - corner[2], corner[1] - corner[3])
    check_jpeg_2000(data, start)
    bits = (data[start + 42] & 0x7F) + 1
    pixels = jpeg2k_decode(data)
    if pixels.dtype.kind == "i":
        return Decoded(_channels(pixels))
    return Decoded(_channels(pixels), white=2**bits - 1 if pixels.dtype in (np.uint8, np.uint16) else None)


def check_jpeg_2000(data: bytes, start: int = 0) -> None:
    """Refuse a codestream, beginning at ``start``, that lacks coded data.

    Raises:
        ValueError: it does.
    """
    end = data.rfind(b"\xff\xd9", start)  # coded data never contain the end marker
    if end < 0:
        raise ValueError("cut off")
    check_coded(data, start, end)


def _channels(pixels: NDArray[Any]) -> NDArray[Any]:
    """Grey or BGR of (H, W), (H, W, 1 to 4) with transparency last."""
    if pixels.ndim == 2:
        return pixels
    if pixels.ndim != 3 or pixels.shape[2] > 4:
        raise Unsupported(f"image of {pixels.shape[-1]} channels")
    return np.ascontiguousarray(pixels[..., 2::-1] if pixels.shape[2] > 2 else pixels[..., 0])


_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}


def _jpeg_xl_header(data: bytes) -> tuple[int, int, int | None]:
    """Width, height and bits per sample stated in the codestream; None for a header of a rarer kind."""
    if not data.startswith(b"\xff\x0a"):
        box = next((place for name in (b"jxlc", b"jxlp") if (place := data.find(name)) >= 0), -1)
        place = data.find(b"\xff\x0a", box) if box >= 0 else -1
        if place < 0:
            raise ValueError("no codestream")
        data = data[place:]
    bits, at = int.from_bytes(data[2:18], "little"), 0

    def take(count: int) -> int:
        nonlocal at
        value = bits >> at & (1 << count) - 1
        at += count
        return value

    small = take(1)

    def side() -> int:
        return (take(5) + 1) * 8 if small else take((9, 13, 18, 30)[take(2)]) + 1

    height = side()
    ratio = take(3)
    width = side() if ratio == 0 else height * _RATIOS[ratio][0] // _RATIOS[ratio][1]
    if take(1):  # defaults for all fields
        return width, height, 8
    if take(1):
        take(3)  # orientation, which the decoder applies
        if take(3):  # a display size, a preview or an animation follows
            return width, height, None
    if take(1):  # float
        return width, height, None
    return width, height, (8, 10, 12, 0)[chosen] if (chosen := take(2)) < 3 else take(6) + 1
