"""Convert pixel values of any number type to 8 bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from inspector.domain import InputError, message

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from inspector.domain import Image

# Values that programs write for missing measurements, besides the one that a file states.
_SENTINELS = (-9999.0, -99999.0, -999.0, -32768.0, -32767.0, -2147483648.0)
_HUGE = 1e30  # no camera measures more; -FLT_MAX and 9.97e36 are written for "no value"


@dataclass(frozen=True)
class Decoded:
    """Result of a decoder.

    Attributes:
        pixels: (H, W) grey or (H, W, 3) BGR, in the number type of the file.
        white: the integer that means white; None if the file does not state it.
        assumed: ``white`` differs from what the number type implies, which is worth a note.
        white_is_zero: small values are bright.
        nodata: the value that marks a pixel without a measurement.
        limits: values that mean black and white, if the file states them for numbers that are not unsigned.
        notes: remarks on the reading.
    """

    pixels: NDArray[Any]
    white: int | None = None
    assumed: bool = False
    white_is_zero: bool = False
    nodata: float | None = None
    limits: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()

    def noted(self, *notes: str) -> Decoded:
        return replace(self, notes=(*self.notes, *notes))


def coloured(indices: NDArray[Any], palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Look up (H, W) indices in a palette (N, 3): (H, W, 3) BGR, or (H, W) if it has shades of grey only.

    Raises:
        ValueError: an index is beyond the palette.
    """
    if int(indices.max()) >= len(palette):
        raise ValueError("a colour beyond the palette")
    if indices.dtype != np.uint8:
        return np.asarray(palette[indices])
    if (palette == palette[:, :1]).all():
        shades = np.zeros(256, np.uint8)
        shades[: len(palette)] = palette[:256, 0]
        same = np.array_equal(shades, np.arange(256))
        return np.asarray(indices if same else cv2.LUT(np.ascontiguousarray(indices), shades))
    table = np.zeros((256, 1, 3), np.uint8)
    table[: len(palette), 0] = palette[:256]
    return np.asarray(cv2.LUT(cv2.cvtColor(np.ascontiguousarray(indices), cv2.COLOR_GRAY2BGR), table))


def to_8_bits(decoded: Decoded, name: str) -> tuple[Image, tuple[str, ...]]:
    """Convert to (H, W, 3) uint8 BGR, and collect all notes.

    - 16 bits are divided by 257, or scaled from the white that the file states. If it states none and no value
      is above 4095 (a 12-bit camera), 0 to 4095 is scaled, with a note.
    - Float, 32-bit and signed numbers: 0 to 1 of a float, else the range of the image, becomes 0 to 255, with a note.
    - Pixels without a valid value (NaN, -inf, "no data") are black and are ignored for the range; +inf is white.

    Raises:
        InputError: no pixel has a valid value.
    """
    pixels, notes = decoded.pixels, list(decoded.notes)
    image: NDArray[Any]
    invalid: NDArray[np.bool_] | None = None
    more: Sequence[str]
    if pixels.dtype == np.bool_:
        image = np.where(pixels, np.uint8(255), np.uint8(0))
    elif pixels.dtype == np.uint8:
        image = pixels
        if decoded.white not in (None, 0, 255):
            image = cv2.LUT(image, _table(decoded.white or 255))
    elif pixels.dtype == np.uint16:
        invalid = _marked(pixels, decoded.nodata)
        white, more = _white(pixels, invalid, decoded)
        notes += more
        image = cv2.convertScaleAbs(np.ascontiguousarray(pixels), alpha=255 / white)
    else:
        image, invalid, more = _stretched(pixels, decoded, name)
        notes += more
    if decoded.white_is_zero:
        image = 255 - image
    if invalid is not None and (many := int(np.count_nonzero(invalid))):
        if many == invalid.size:
            raise InputError(
                "{name} contains no valid pixel: all are marked as having no value; record it again", name=name
            )
        image = np.where(invalid if image.ndim == 2 else invalid[..., None], np.uint8(0), image)
        notes.append(message("pixels without a valid value: {total}, shown black", total=many))
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return np.ascontiguousarray(image), tuple(notes)


def _table(white: int) -> NDArray[np.uint8]:
    """The 8-bit value of each value from 0 to 255 if ``white`` is 255."""
    table: NDArray[np.uint8] = np.rint(np.minimum(np.arange(256) * (255 / white), 255)).astype(np.uint8)
    return table


def _marked(pixels: NDArray[Any], nodata: float | None) -> NDArray[np.bool_] | None:
    """(H, W): which pixels have the no-data value in all channels; None if there are none."""
    if nodata is None:
        return None
    marked = pixels == nodata
    marked = marked if marked.ndim == 2 else marked.all(axis=2)
    return marked if marked.any() else None


def _white(
    pixels: NDArray[np.uint16], invalid: NDArray[np.bool_] | None, decoded: Decoded
) -> tuple[int, tuple[str, ...]]:
    """The 16-bit value that is white, and notes on how that is known."""
    valid = pixels if invalid is None else pixels[~invalid]
    largest = int(valid.max()) if valid.size else 0
    if decoded.white is not None and largest <= decoded.white:
        if not decoded.assumed:
            return decoded.white, ()
        return decoded.white, (_scaled(decoded.white),)
    if not 0 < largest <= 16383:
        return 65535, ()
    if largest > 4095:
        return 65535, (_unknown(largest, 16, 14),)
    return 4095, (_scaled(4095), *([_unknown(largest, 12, 10)] if largest <= 1023 else []))


def _scaled(white: int) -> str:
    return message(
        "{bits}-bit values in a 16-bit file: 0 to {maximum} was scaled to 0 to 255",
        bits=white.bit_length(),
        maximum=white,
    )


def _unknown(largest: int, used: int, possible: int) -> str:
    return message(
        (
            "no value above {largest} in a 16-bit file that does not state its bit depth: taken as {taken}-bit; "
            "if the camera gives {possible} bits, the image is too dark"
        ),
        largest=largest,
        taken=used,
        possible=possible,
    )


def _stretched(
    pixels: NDArray[Any], decoded: Decoded, name: str
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], list[str]]:
    """Float, 32-bit and signed numbers as 8 bits, which pixels have no valid value, and notes."""
    is_float = pixels.dtype.kind == "f"
    numbers = pixels.astype(np.float64)
    bad = ~np.isfinite(numbers) | (np.abs(numbers) > _HUGE)
    bright = np.isposinf(numbers)
    if decoded.nodata is not None and not np.isnan(decoded.nodata):
        bad |= numbers == decoded.nodata
    bad |= _sentinels(numbers, bad)
    invalid = bad & ~bright
    one = np.asarray(invalid if invalid.ndim == 2 else invalid.all(axis=2))
    if bad.all() and not bright.any():
        return np.zeros(pixels.shape, np.uint8), np.ones(one.shape, np.bool_), []
    valid = numbers[~bad]
    low, high = (float(valid.min()), float(valid.max())) if valid.size else (0.0, 1.0)
    if decoded.limits is not None and decoded.limits[0] <= low and high <= decoded.limits[1]:
        low, high = decoded.limits
    elif is_float and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    numbers[bad] = low
    numbers = (numbers - low) * (255 / (high - low)) if high > low else np.clip(numbers, 0, 255)
    numbers[bright] = 255
    notes: list[str] = [
        message("{dtype} values: {low:g} to {high:g} was scaled to 0 to 255", dtype=pixels.dtype, low=low, high=high)
    ]
    if bright.any():
        notes.append(message("infinite values: {count}, shown white", count=int(np.count_nonzero(bright))))
    return np.rint(numbers).astype(np.uint8), one, notes


def _sentinels(numbers: NDArray[np.float64], bad: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the smallest values if they mean no measurement and are far from all others."""
    found = np.zeros(numbers.shape, np.bool_)
    while True:
        rest = numbers[~(bad | found)]
        if not rest.size:
            return found
        smallest = float(rest.min())
        if smallest not in _SENTINELS:
            return found
        others = rest[rest != smallest]
        if others.size and float(others.min()) - smallest <= float(others.max()) - float(others.min()):
            return found
        if not others.size and smallest not in _SENTINELS[:2]:
            return found  # all remaining pixels have this one value
        found |= numbers == smallest
