"""Render charts as images: PNG files, and pages of a PDF for printing."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from inspector.domain import InputError
from inspector.system.paths import assets, long_path, publish, temporary_beside
from inspector.ui.kit import theme
from inspector.ui.kit.charts.figure import Figure
from inspector.ui.kit.charts.layout import Font, Item, Line, Rect, Text, draw

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

DPI = 300
_SIZE = (9.0, 5.0)  # inches
_PAGE = (11.69, 8.27)  # inches: A4 landscape
_SIZES: dict[Font, float] = {"body": 10, "caption": 9, "head": 13}  # points


@cache
def _font_file() -> bytes:
    return (assets() / "fonts" / "NotoSansCJKsc-Regular-subset.otf").read_bytes()


@lru_cache(maxsize=8)
def _font(size: int) -> FreeTypeFont:
    from PIL import ImageFont

    # Read into memory: FreeType cannot open every path on Windows.
    return ImageFont.truetype(io.BytesIO(_font_file()), size, layout_engine=ImageFont.Layout.BASIC)


def font_of(points: float) -> FreeTypeFont:
    """The program's font at this size, for a page of ``DPI``."""
    return _font(round(points * DPI / 72))


class _Paper:
    """Measure texts for an image of ``DPI``."""

    unit = DPI / 96

    def font(self, font: Font) -> FreeTypeFont:
        return font_of(_SIZES[font])

    def width(self, text: str, font: Font) -> float:
        return self.font(font).getlength(text)

    def height(self, font: Font) -> float:
        ascent, descent = self.font(font).getmetrics()
        return ascent + descent


def render(figure: Figure) -> PillowImage:
    """The chart with its title on white, 9 x 5 inches at 300 dpi."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    paper = _Paper()
    width, height = (round(inches * DPI) for inches in _SIZE)
    title = paper.height("head") + 10 * paper.unit
    drawing = draw(figure, width, height - title, paper)
    page = Pillow.new("RGB", (width, height), "white")
    painter = ImageDraw.Draw(page)
    painter.text((12 * paper.unit, 8 * paper.unit), figure.title, "black", paper.font("head"))
    colours = theme.paper()
    for item in drawing.items:
        _put(page, painter, item, title, paper, getattr(colours, item.colour))
    return page


def _put(page: PillowImage, painter: ImageDraw, item: Item, down: float, paper: _Paper, colour: str) -> None:
    if isinstance(item, Line):
        painter.line([(x, y + down) for x, y in item.points], colour, max(1, round(item.width)), joint="curve")
    elif isinstance(item, Rect):
        painter.rectangle(
            (round(item.left), round(item.top + down), round(item.right) - 1, round(item.bottom + down) - 1), colour
        )
    elif item.upright:
        _put_upright(page, item, down, paper, colour)
    else:
        anchors = {"w": "lm", "e": "rm", "n": "ma", "s": "md", "center": "mm", "nw": "la"}
        painter.text((item.at[0], item.at[1] + down), item.text, colour, paper.font(item.font), anchors[item.anchor])


def _put_upright(page: PillowImage, item: Text, down: float, paper: _Paper, colour: str) -> None:
    from PIL import Image as Pillow
    from PIL import ImageDraw

    size = round(paper.width(item.text, item.font)) + 4, round(paper.height(item.font)) + 4
    mask = Pillow.new("L", size)
    ImageDraw.Draw(mask).text((2, size[1] / 2), item.text, 255, paper.font(item.font), "lm")
    turned = mask.transpose(Pillow.Transpose.ROTATE_90)
    page.paste(colour, (round(item.at[0] - turned.width / 2), round(item.at[1] + down - turned.height / 2)), turned)


def save_png(figure: Figure, path: Path) -> Path:
    """Write the chart as a PNG of 300 dpi.

    Raises:
        InputError: it cannot be written.
    """
    return _write(render(figure), path, "PNG", dpi=(DPI, DPI))


def save_all_png(figures: Sequence[tuple[str, Figure]], folder: Path) -> list[Path]:
    """Write each chart into ``folder``, named by its first part; files that are there are overwritten."""
    return [save_png(figure, folder / f"{name}.png") for name, figure in figures]


def save_pdf(figures: Sequence[Figure], path: Path) -> Path:
    """Write charts as a PDF, one per A4 landscape page.

    Raises:
        InputError: it cannot be written.
    """
    from PIL import Image as Pillow

    pages = []
    for figure in figures:
        page = Pillow.new("RGB", (round(_PAGE[0] * DPI), round(_PAGE[1] * DPI)), "white")
        chart = render(figure)
        page.paste(chart, ((page.width - chart.width) // 2, (page.height - chart.height) // 3))
        pages.append(page)
    return write_page(pages, path)


def write_page(pages: Sequence[PillowImage], path: Path) -> Path:
    """Write pages of ``DPI`` as a PDF.

    Raises:
        InputError: it cannot be written.
    """
    return _write(pages[0], path, "PDF", resolution=DPI, save_all=True, append_images=list(pages[1:]))


def _write(page: PillowImage, path: Path, kind: str, **how: object) -> Path:
    try:
        temporary = temporary_beside(path)
        try:
            page.save(long_path(temporary), kind, **how)
            return publish(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            "{path} cannot be written ({reason}); choose another folder", path=path, reason=error.strerror
        ) from None
