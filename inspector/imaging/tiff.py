"""Decode TIFF files with tifffile and imagecodecs; every strip and tile is checked, colours are converted here."""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np

from inspector.domain import message
from inspector.imaging import jpeg
from inspector.imaging.compact import check_jpeg_2000, check_webp
from inspector.imaging.errors import TooLarge, Unsupported, UnsupportedCompression, check_size
from inspector.imaging.pillow import ORIENTATION, cmyk_to_bgr, lab_to_bgr, to_bgr, turned
from inspector.imaging.scaling import Decoded, coloured, to_8_bits

if TYPE_CHECKING:
    from numpy.typing import NDArray

logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)  # we check what it would log

_MOST_BYTES = 8 * 2**30  # of all channels, as stored
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_NONE, _OLD_JPEG, _JPEG = 1, 6, {7, 33007, 34892}
_JPEG_2000, _WEBP = {33003, 33004, 33005, 34712}, 50001
_PLAIN = {
    5,
    8,
    32946,
    32773,
    34925,
    50000,
}  # LZW, Deflate, PackBits, LZMA, Zstandard: a decoder yields the stored bytes
_FAX = {2, 3, 4, 32771}
_COMPRESSIONS = {
    _OLD_JPEG: "old-style JPEG", 9: "JBIG", 10: "JBIG", 34661: "JBIG", 34676: "SGI LogLuv", 34677: "SGI LogLuv",
    34712: "JPEG 2000", 33003: "JPEG 2000", 33005: "JPEG 2000", 34887: "LERC", 34925: "LZMA", 50000: "Zstandard",
    50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL", 34933: "PNG", 34934: "JPEG XR", 22610: "JPEG XR",
    32809: "ThunderScan", 32766: "NeXT", 34713: "Nikon NEF", 32767: "Sony ARW", 34718: "MDI", 65535: "Pentax PEF",
    65000: "EER", 65001: "EER", 65002: "EER",
}  # fmt: skip
_PHOTOMETRICS = {
    32803: "raw data of a colour filter array", 34892: "linear raw data of a camera", 10: "ITU L*a*b* colours",
    32844: "LogL luminance", 32845: "LogLuv colours", 51177: "depth map",
}  # fmt: skip


def decode(data: bytes) -> Decoded:
    """Decode the first page that is neither a preview nor a mask.

    Raises:
        Unsupported: its compression or its kind of pixels is not supported.
        ValueError (or what the codecs raise): it is damaged.
    """
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        number, page = _chosen(file)
        many = len(file.pages)
        decoded = _page(data, page)
        orientation = int(page.tags.valueof(ORIENTATION, 1) or 1)
        if many > 1:
            decoded = decoded.noted(message("page {number} of {total}", number=number, total=many))
        if orientation in range(2, 9):
            turn = turned(decoded.pixels, orientation)
            note = message("rotated by its EXIF orientation ({orientation})", orientation=orientation)
            decoded = Decoded(**{**vars(decoded), "pixels": turn}).noted(note)
        return decoded


def _chosen(file: Any) -> tuple[int, Any]:
    """The number, from 1, and the page with the whole image: not a preview, not a mask."""
    best: tuple[int, int, Any] | None = None
    for number, page in enumerate(file.pages, 1):
        for one in (page, *_below(page)):
            kind = int(one.subfiletype)
            if kind & _MASK or int(one.photometric or 0) == 4:
                continue
            if not kind & _REDUCED:
                return number, one
            size = int(one.imagewidth) * int(one.imagelength)
            if best is None or size > best[0]:
                best = size, number, one
    if best is None:
        raise ValueError("no page holds an image")
    return best[1], best[2]


def _below(page: Any) -> Iterator[Any]:
    if page.subifds and page.pages is not None:
        yield from page.pages


def _page(data: bytes, page: Any) -> Decoded:
    _check_tags(data, page)
    check_size(int(page.imagewidth), int(page.imagelength))
    photometric = int(page.photometric) if page.photometric is not None else 1
    if photometric in _PHOTOMETRICS:
        raise Unsupported(f"TIFF with {_PHOTOMETRICS[photometric]}")
    pixels = _interchanged(data, page) if int(page.compression) == _OLD_JPEG else None
    if pixels is None:
        pixels = _samples(data, page)
    elif pixels.ndim == 3:
        return Decoded(pixels)
    return _coloured(pixels, page, photometric)


def _check_tags(data: bytes, page: Any) -> None:
    """Refuse a file whose standard tags (below 32768) cannot all be read."""
    tiff = page.parent.tiff
    order: Literal["little", "big"] = "little" if tiff.byteorder == "<" else "big"
    first = page.offset + tiff.tagnosize
    many = int.from_bytes(data[page.offset : first], order)
    for place in range(first, first + many * tiff.tagsize, tiff.tagsize):
        code = int.from_bytes(data[place : place + 2], order)
        if code < 32768 and code not in page.tags:
            raise ValueError(f"tag {code} cannot be read")


def _interchanged(data: bytes, page: Any) -> NDArray[Any] | None:
    """The whole JPEG that old-style compression usually stores in one piece; None if it does not."""
    place, length = page.tags.valueof(513), page.tags.valueof(514)
    whole = data[int(place or 0) : int(place or 0) + int(length or 0)]
    if not whole.startswith(b"\xff\xd8"):
        return None
    decoded = jpeg.decode(whole)
    if decoded.pixels.shape[:2] != (page.imagelength, page.imagewidth):
        raise ValueError("a JPEG of another size")
    return decoded.pixels


def _samples(data: bytes, page: Any) -> NDArray[Any]:
    """Decode (H, W) or (H, W, channels) as stored: every strip or tile must be there and complete."""
    samples, planes = int(page.samplesperpixel), int(page.planarconfig) == 2
    dtype = page._dtype
    if dtype is None or dtype.kind not in "buif":
        form = {2: "signed ", 3: "floating-point ", 5: "complex ", 6: "complex "}.get(int(page.sampleformat), "")
        raise Unsupported(f"TIFF with {page.bitspersample}-bit {form}values")
    if math.prod(page.shaped) * dtype.itemsize > _MOST_BYTES:
        raise TooLarge(int(page.imagewidth), int(page.imagelength))
    if page.is_tiled:
        check_size(int(page.tilewidth), int(page.tilelength))
    pieces = math.prod(page.chunked)
    if len(page.dataoffsets) != pieces or len(page.databytecounts) != pieces:
        raise ValueError("strips or tiles are missing")
    _check_listed(data, page, pieces)
    if int(page.compression) == _NONE and page.is_contiguous:
        result = _contiguous(data, page)
    else:
        result = np.empty(page.shaped, dtype)
        for index in range(pieces):
            _put(result, page, index, _piece(data, page, index))
    result = result[:, 0]  # the first plane of a volume
    if samples > 1:
        return np.moveaxis(result[..., 0], 0, -1) if planes else result[0]
    return result[0, ..., 0]


def _check_listed(data: bytes, page: Any, pieces: int) -> None:
    """Refuse a page that lists more strips, tiles or rows than its size asks for, which would hide the rest.

    Raises:
        ValueError: so it is.
    """
    for code in (273, 324):  # StripOffsets, TileOffsets
        if code in page.tags and page.tags[code].count > pieces:
            raise ValueError("more strips or tiles than the size asks for")
    if int(page.compression) == _NONE and _may_hold_more(page):
        row = math.prod(page.shaped) * page._dtype.itemsize // int(page.imagelength)
        place, length = int(page.dataoffsets[0]), _several(page, 279)[0]
        if isinstance(length, int) and place + length <= len(data) and length >= row * (int(page.imagelength) + 1):
            raise ValueError("more rows than the size asks for")


def _may_hold_more(page: Any) -> bool:
    """Whether all rows are in one strip that may hold more of them than the image has."""
    rows = page.tags.valueof(278)
    return not page.is_tiled and page.chunked[0] == 1 and (rows is None or int(rows) > int(page.imagelength))


def _contiguous(data: bytes, page: Any) -> NDArray[Any]:
    if int(page.dataoffsets[0]) == 0:  # offset 0 is the file header; a sparse file has no pixels there
        raise ValueError("strip or tile 0 is missing")
    stored = np.dtype(page.parent.byteorder + page._dtype.char)
    # Raises ValueError if there are fewer bytes.
    pixels = np.frombuffer(data, stored, math.prod(page.shaped), int(page.dataoffsets[0])).reshape(page.shaped)
    if int(page.predictor or 1) != 1 or int(page.fillorder or 1) != 1:
        pixels = page.asarray(squeeze=False)
    return pixels.astype(page._dtype, copy=False)


def _piece(data: bytes, page: Any, index: int) -> bytes:
    place, length = int(page.dataoffsets[index]), int(page.databytecounts[index])
    raw = data[place : place + length]
    if place == 0 or not raw or len(raw) < length:
        raise ValueError(f"strip or tile {index} is missing")
    return raw


def _put(result: NDArray[Any], page: Any, index: int, raw: bytes) -> None:
    """Decode one strip or tile into ``result``."""
    compression = int(page.compression)
    more: dict[str, Any] = {}
    if compression in _JPEG or compression == _OLD_JPEG:
        more = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader}
        _check_jpeg(raw, int(page.imagelength) if _may_hold_more(page) else None)
    elif compression in _JPEG_2000:
        check_jpeg_2000(raw)
    elif compression == _WEBP:
        check_webp(raw)
    try:
        segment, (plane, depth, row, column, _), _ = page.decode(raw, index, **more)
    except (NotImplementedError, ImportError) as error:
        raise _unsupported(page, error) from error
    except ValueError as error:
        if _is_unknown(page):
            raise _unsupported(page, error) from error
        raise
    if segment.dtype != page._dtype and compression not in _FAX:
        raise ValueError(f"{segment.dtype} instead of {page._dtype}")
    if compression in _FAX:
        _check_fax(page, index, raw, segment)
    if compression in _PLAIN and _may_hold_more(page):
        import tifffile

        if len(tifffile.TIFF.DECOMPRESSORS[compression](raw)) > segment.nbytes:
            raise ValueError("more rows than the size asks for")
    part = segment[: page.imagedepth - depth, : page.imagelength - row, : page.imagewidth - column]
    place = result[plane, depth : depth + part.shape[0], row : row + part.shape[1], column : column + part.shape[2]]
    if place.shape != part.shape:
        raise ValueError("a strip or tile of another size")
    place[...] = part


def _check_jpeg(raw: bytes, rows: int | None) -> None:
    """Refuse a strip or tile that is cut off, or has more than ``rows``; None: it may be filled up."""
    if not raw.startswith(b"\xff\xd8"):
        return  # a strip of old-style JPEG
    header = jpeg.header_of(raw)
    if header.end is None or jpeg.is_lost(raw, header):
        raise ValueError("a JPEG is cut off")
    if rows is not None and header.height > rows:
        raise ValueError("more rows than the size asks for")


def _check_fax(page: Any, index: int, raw: bytes, segment: NDArray[Any]) -> None:
    """The fax decoder fills missing data with white rows: if it ran out, additional bytes change its output."""
    if bytes(16) in raw or not np.array_equal(page.decode(raw + b"\x35\xa9" * 64, index)[0], segment):
        raise ValueError("fax data are missing")


def _is_unknown(page: Any) -> bool:
    import tifffile

    compression, predictor = int(page.compression), int(page.predictor or 1)
    if page.decode.__name__.startswith("decode_raise"):  # tifffile cannot decode pages of this kind at all
        return True
    try:
        known = compression == _NONE or callable(tifffile.TIFF.DECOMPRESSORS[compression])
        known = known and (predictor == 1 or callable(tifffile.TIFF.UNPREDICTORS[predictor]))
    except KeyError:
        return True
    return not known or page._dtype is None or (page.tags.get(339) is not None and len(set(_several(page, 339))) > 1)


def _several(page: Any, tag: int) -> tuple[Any, ...]:
    value = page.tags.valueof(tag)
    return tuple(value) if isinstance(value, tuple) else (value,)


def _unsupported(page: Any, error: Exception) -> Unsupported:
    if page.is_subsampled and not isinstance(error, ImportError):
        return Unsupported("TIFF with subsampled colours (YCbCr) outside of JPEG")
    compression = int(page.compression)
    return UnsupportedCompression(_COMPRESSIONS.get(compression, getattr(page.compression, "name", str(compression))))


def _coloured(pixels: NDArray[Any], page: Any, photometric: int) -> Decoded:
    """Convert to grey or BGR, with the meaning of the values from the tags."""
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    white, assumed = _white(page, pixels)
    if photometric == 3 and channels >= 1:
        return Decoded(_palette(pixels if pixels.ndim == 2 else pixels[..., 0], page))
    if photometric == 5:
        if channels < 4:
            raise Unsupported(f"TIFF of {channels} inks")
        inks = np.ascontiguousarray(np.stack([_eight_bits(pixels[..., i], white) for i in range(4)], axis=2))
        return Decoded(cmyk_to_bgr(inks, page.iccprofile))
    if photometric in (8, 9):
        return _lab(pixels, photometric)
    if photometric == 6 and channels >= 3 and int(page.compression) not in {_OLD_JPEG, *_JPEG}:
        return Decoded(_from_ycbcr(pixels, page, white))
    if photometric in (2, 6) and channels >= 3:
        return _numbers(_bgr(pixels), page, white, assumed)
    notes = []
    if pixels.ndim == 3:
        if channels > 2 or not _several(page, 338)[0]:
            notes.append(message("channel 1 of {channels}", channels=channels))
        pixels = np.ascontiguousarray(pixels[..., 0])
    return _numbers(pixels, page, white, assumed, photometric == 0).noted(*notes)


def _bgr(pixels: NDArray[Any]) -> NDArray[Any]:
    if pixels.shape[2] == 3 and pixels.flags.c_contiguous and pixels.dtype in (np.uint8, np.uint16, np.float32):
        return cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    return np.ascontiguousarray(pixels[..., 2::-1])


def _numbers(pixels: NDArray[Any], page: Any, white: int | None, assumed: bool, white_is_zero: bool = False) -> Decoded:
    limits = None
    low, high = _several(page, 340)[0], _several(page, 341)[0]  # SMinSampleValue, SMaxSampleValue
    if pixels.dtype.kind in "if" and low is not None and high is not None and float(low) < float(high):
        limits = float(low), float(high)
    return Decoded(pixels, white, assumed, white_is_zero, _nodata(page), limits)


def _nodata(page: Any) -> float | None:
    """The no-data value written by GDAL."""
    text = page.tags.valueof(42113)
    try:
        return float(str(text).strip("\0 ").replace(",", ".")) if text is not None else None
    except ValueError:
        return None


def _white(page: Any, pixels: NDArray[Any]) -> tuple[int | None, bool]:
    """The white value stated in the tags, and whether it differs from the number of bits."""
    bits = page.bitspersample
    if pixels.dtype.kind != "u" or not isinstance(bits, int):
        return None, False
    if bits not in (8, 16, 32):
        return 2**bits - 1, False
    if bits != 16:
        return None, False
    for tag in (281, 341):  # MaxSampleValue, SMaxSampleValue
        stated = _several(page, tag)[0]
        if isinstance(stated, int | float) and 255 <= stated < 65535:
            return 2 ** int(stated).bit_length() - 1, True
    return None, False


def _eight_bits(plane: NDArray[Any], white: int | None) -> NDArray[np.uint8]:
    return to_8_bits(Decoded(plane, 65535 if white is None and plane.dtype == np.uint16 else white), "")[0][..., 0]


def _palette(indices: NDArray[Any], page: Any) -> NDArray[np.uint8]:
    colours: NDArray[Any] = np.asarray(page.tags.valueof(320), np.uint16).reshape(3, -1)
    if colours.max() > 255:
        colours = colours >> 8
    return coloured(indices, colours[::-1].T.astype(np.uint8))


def _lab(pixels: NDArray[Any], photometric: int) -> Decoded:
    if pixels.ndim != 3 or pixels.shape[2] < 3 or pixels.dtype.itemsize > 2 or pixels.dtype.kind not in "ui":
        raise Unsupported(f"TIFF with {pixels.dtype} L*a*b* colours")
    lab = pixels[..., :3].view(f"u{pixels.dtype.itemsize}")
    if lab.dtype == np.uint16:
        lab = (lab >> 8).astype(np.uint8)
    if photometric == 9:
        lab = lab ^ np.array([0, 128, 128], np.uint8)  # a and b have 128 for zero
    return Decoded(lab_to_bgr(lab))


def _from_ycbcr(pixels: NDArray[Any], page: Any, white: int | None) -> NDArray[np.uint8]:
    from PIL import Image

    planes = np.stack([_eight_bits(pixels[..., i], white) for i in range(3)], axis=2)
    return to_bgr(Image.frombytes("YCbCr", planes.shape[1::-1], planes.tobytes()))
