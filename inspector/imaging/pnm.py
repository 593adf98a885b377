"""Decode PBM, PGM, PPM, PAM and PFM files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from inspector.imaging.errors import Unsupported, check_size
from inspector.imaging.scaling import Decoded

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WORD = re.compile(rb"(?:\s|#[^\n\r]*)*([^\s#]+)")
_PAM_END = re.compile(rb"^ENDHDR[ \t\r]*\n", re.MULTILINE)
_MORE = "more pixels than the header states"
_COMMENT = re.compile(rb"#[^\n\r]*")


def decode(data: bytes) -> Decoded:
    """Decode a PNM file.

    Raises:
        ValueError: it is truncated, holds more than its header states, or its header is invalid.
        Unsupported: a PAM with a number of channels other than 1 to 4.
    """
    kind = data[1:2]
    if kind == b"7":
        return _pam(data)
    words, place = [], 2
    for _ in range(2 if kind in b"14" else 3):
        word = _WORD.match(data, place)
        if word is None:
            raise ValueError("no header")
        words.append(word[1])
        place = word.end()
    width, height = int(words[0]), int(words[1])
    check_size(width, height)
    place += 1  # the single blank before the pixels
    if kind in b"Ff":
        return _pfm(data, place, width, height, 3 if kind == b"F" else 1, float(words[2]))
    channels, white = (3 if kind in b"36" else 1), (1 if kind in b"14" else int(words[2]))
    if not 0 < white < 65536:
        raise ValueError("a wrong largest value")
    if kind == b"4":
        rows = np.frombuffer(data, np.uint8, height * ((width + 7) // 8), place).reshape(height, -1)
        _check_rest(data, place + rows.size)
        return Decoded(np.unpackbits(rows, axis=1)[:, :width] == 0)
    if kind == b"1":
        digits = [digit for digit in _COMMENT.sub(b"", data[place - 1 :]) if digit in b"01"]
        if len(digits) > width * height:
            raise ValueError(_MORE)
        return Decoded(np.array(digits, np.uint8).reshape(height, width) == ord("0"))
    if kind in b"23":
        many = width * height * channels
        numbers = _COMMENT.sub(b"", data[place - 1 :]).split(None, many)
        if len(numbers) > many:
            raise ValueError(_MORE)
        return _shaped(np.array(numbers).astype(np.uint64), width, height, channels, white)
    return _shaped(_binary(data, place, width * height * channels, white), width, height, channels, white)


def _binary(data: bytes, offset: int, count: int, white: int) -> NDArray[Any]:
    stored = np.dtype(np.uint8 if white < 256 else ">u2")
    _check_rest(data, offset + count * stored.itemsize)
    return np.frombuffer(data, stored, count, offset).astype(np.uint8 if white < 256 else np.uint16)


def _check_rest(data: bytes, end: int) -> None:
    """Refuse what follows the pixels, unless it is another image, as the format allows, or blank."""
    rest = data[end : end + 64].strip(b"\0 \t\r\n\x1a")
    if rest and not re.match(rb"P[1-7FfZ]\s", rest):
        raise ValueError(_MORE)


def _shaped(pixels: NDArray[Any], width: int, height: int, channels: int, white: int) -> Decoded:
    pixels = pixels.reshape(height, width, channels)
    if int(pixels.max()) > white:
        raise ValueError("a value above the largest")
    pixels = pixels.astype(np.uint8 if white < 256 else np.uint16, copy=False)
    if channels > 2:
        return Decoded(np.ascontiguousarray(pixels[..., 2::-1]), white=white)
    return Decoded(np.ascontiguousarray(pixels[..., 0]), white=white)


def _pam(data: bytes) -> Decoded:
    end = _PAM_END.search(data)
    if end is None:
        raise ValueError("no header")
    lines = (line.split(None, 1) for line in data[: end.start()].splitlines()[1:] if not line.startswith(b"#"))
    said = {words[0].upper(): words[1].strip() for words in lines if len(words) == 2}
    width, height, channels = (int(said[key]) for key in (b"WIDTH", b"HEIGHT", b"DEPTH"))
    white = int(said[b"MAXVAL"])
    check_size(width, height)
    if not 1 <= channels <= 4:
        raise Unsupported(f"PAM of {channels} channels")
    if not 0 < white < 65536:
        raise ValueError("a wrong largest value")
    return _shaped(_binary(data, end.end(), width * height * channels, white), width, height, channels, white)


def _pfm(data: bytes, offset: int, width: int, height: int, channels: int, scale: float) -> Decoded:
    stored = np.dtype("<f4" if scale < 0 else ">f4")
    pixels = np.frombuffer(data, stored, width * height * channels, offset).astype(np.float32)
    _check_rest(data, offset + pixels.nbytes)
    pixels = pixels.reshape(height, width, channels)[::-1]  # the lowest row comes first
    return Decoded(np.ascontiguousarray(pixels[..., ::-1] if channels == 3 else pixels[..., 0]))
