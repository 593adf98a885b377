"""Reasons other than damage why an image cannot be decoded; and the limit on its size."""

from __future__ import annotations

MOST_PIXELS = 400_000_000

_LOST = bytes(64)


class Unsupported(Exception):
    """An intact image of an unsupported kind; the text names the kind, e.g. "12-bit arithmetic-coded JPEG"."""


class UnsupportedCompression(Unsupported):
    """The same if only its compression is unsupported; the text names it, e.g. "JBIG"."""


class TooLarge(Exception):
    """More pixels than allowed; the arguments are width and height."""


def check_size(width: int, height: int) -> None:
    """Refuse images that would not fit into memory, before anything is decoded.

    Raises:
        TooLarge: more than :data:`MOST_PIXELS`.
        ValueError: a side is not positive.
    """
    if width < 1 or height < 1:
        raise ValueError("no pixels")
    if width * height > MOST_PIXELS:
        raise TooLarge(width, height)


def check_coded(data: bytes, start: int = 0, end: int | None = None) -> None:
    """Refuse arithmetic-coded data with a long run of zeros, as left by a broken copy; coders never write one.

    The decoders would silently produce an image.

    Raises:
        ValueError: there is such a run between ``start`` and ``end``.
    """
    if data.find(_LOST, start, end) >= 0:
        raise ValueError("coded data are missing")
