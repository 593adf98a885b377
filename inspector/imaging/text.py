"""Latin and Chinese text as small images, drawn with the bundled font and cached for the next frame."""

from __future__ import annotations

import io
from bisect import bisect_right
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from inspector.system.paths import assets

if TYPE_CHECKING:
    from inspector.domain import Image

Colour = tuple[int, int, int]
BLACK, WHITE = (0, 0, 0), (255, 255, 255)


@cache
def _font_file() -> bytes:
    return (assets() / "fonts" / "NotoSansCJKsc-Regular-subset.otf").read_bytes()


@lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont:
    # From memory: FreeType cannot open every path on Windows.
    return ImageFont.truetype(io.BytesIO(_font_file()), size, layout_engine=ImageFont.Layout.BASIC)


def ink_on(background: Colour) -> Colour:
    """Black or white, whichever is more legible on ``background`` (BGR)."""
    blue, green, red = background
    return BLACK if 0.114 * blue + 0.587 * green + 0.299 * red > 140 else WHITE


@lru_cache(maxsize=1024)
def text_tile(text: str, size: int, background: Colour, widest: int) -> Image:
    """Draw one line of text on a filled rectangle; the result is cached, so copy it before changing it.

    Args:
        size: of the font, px.
        background: BGR.
        widest: px; a longer text is cut and ends with "…".

    Returns:
        (h, w, 3) uint8 BGR; h is the same for every text of one size.
    """
    font = _font(size)
    text = " ".join(text.split())
    margin = max(2, size // 4)

    def width(line: str) -> int:
        return round(font.getlength(line)) + 2 * margin

    wide = width(text)
    if wide > widest:
        shown = bisect_right(range(1, len(text)), widest, key=lambda count: width(text[:count] + "…"))
        text = text[:shown] + "…"
        wide = width(text)
    height = round(size * 1.3)
    canvas = Pillow.new("L", (wide, height))
    # "ms" places the baseline: capitals are 0.73 em high, so this centres them.
    ImageDraw.Draw(canvas).text((margin, height / 2 + 0.36 * size), text, fill=255, font=font, anchor="ls")
    return np.take(_inks(background), np.asarray(canvas), axis=0)


@lru_cache(maxsize=64)
def _inks(background: Colour) -> Image:
    """(256, 3): the colour for each ink strength on ``background``."""
    part = np.arange(256, dtype=np.float32)[:, None] / 255
    ink = np.array(ink_on(background), np.float32)
    inks: Image = np.rint(part * ink + (1 - part) * np.array(background, np.float32)).astype(np.uint8)
    return inks
