"""Cells of a streamed sheet: texts that remain texts, and their styles."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import Cell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.worksheet.properties import PageSetupProperties

from inspector.api import spreadsheet_text

from .._shared.result_rows import Value

Maker: TypeAlias = Callable[[Value], Cell | None]
"""Makes the cell for a value; None if the cell is empty."""
TEXT_LIMIT = 32_767  # of a cell, in UTF-16 units
_CUT = " … (cut)"
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")  # not allowed in XML, or changed by it
_ESCAPE = re.compile("_(?=x[0-9A-Fa-f]{4}_)")  # Excel reads _x0041_ as A
_COLOURS = {"OK": ("C6EFCE", "006100"), "WARN": ("FFEB9C", "7F6000"), "NG": ("FFC7CE", "9C0006")}
_VERDICTS = {
    status: (PatternFill("solid", fgColor=back), Font(bold=True, color=ink), Alignment("center", "top"))
    for status, (back, ink) in _COLOURS.items()
}
_HEADER = (
    PatternFill("solid", fgColor="1F3864"),
    Font(bold=True, color="FFFFFF"),
    Alignment("center", "center", wrap_text=True),
)


def clean(text: str) -> str:
    """Prepare ``text`` for a cell: control characters replaced, cut with a mark if it is too long."""
    text = _ESCAPE.sub("_x005F_", _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text))
    if 2 * len(text) > TEXT_LIMIT and len(encoded := text.encode("utf-16-le")) > 2 * TEXT_LIMIT:
        text = encoded[: 2 * (TEXT_LIMIT - len(_CUT))].decode("utf-16-le", "ignore") + _CUT
    return text


def _would_be_parsed(text: str) -> bool:
    """Whether Excel would take ``text`` for a formula, an error value or a number when it is edited."""
    return text.startswith(("#", "+", "-")) or spreadsheet_text(text) != text


def make_cell(sheet: Any, value: Value, number_format: str = "") -> Cell:
    """Make a cell of ``sheet``. Texts, also ``=1+1.jpg`` or ``#N/A``, remain texts, even when edited."""
    cell = WriteOnlyCell(sheet, clean(value) if isinstance(value, str) else value)
    if isinstance(value, str):
        cell.data_type = "s"
        if _would_be_parsed(value):
            cell.quotePrefix = True
    if number_format:
        cell.number_format = number_format
    return cell


def column_cells(sheet: Any, number_format: str = "") -> Maker:
    """Make the cells of a column as :func:`make_cell` does. Styling takes longer than writing, so one cell is reused:
    append it before the next is made.
    """
    cell = make_cell(sheet, None, number_format)

    def make(value: Value) -> Cell | None:
        if value is None or value == "":
            return None
        if isinstance(value, str) and _would_be_parsed(value):
            return make_cell(sheet, value, number_format)
        cell.value = clean(value) if isinstance(value, str) else value
        return cell

    return make


def verdict_cells(sheet: Any) -> Maker:
    """The same for verdicts, each in its colour."""
    cells = {status: verdict_cell(sheet, status) for status in _VERDICTS}
    return lambda value: cells[str(value)]


def placed(row: Iterable[Cell | None], number: int) -> Iterator[Cell]:
    """The cells of a row with their positions, for a streamed sheet's ``_values_to_row``.

    openpyxl's own method would also do, but tries each cell as a value and makes another one: half the time of a row.
    """
    for column, cell in enumerate(row, 1):
        if cell is not None:
            cell.row, cell.column = number, column
            yield cell


def verdict_cell(sheet: Any, status: str) -> Cell:
    return _styled(make_cell(sheet, status), _VERDICTS[status])


def header_cell(sheet: Any, title: str) -> Cell:
    return _styled(make_cell(sheet, title), _HEADER)


def _styled(cell: Cell, style: tuple[PatternFill, Font, Alignment]) -> Cell:
    cell.fill, cell.font, cell.alignment = style
    return cell


def fit_to_width(sheet: Any, landscape: bool) -> None:
    """Print all columns on the width of one A4 page."""
    sheet.page_setup.orientation = "landscape" if landscape else "portrait"
    sheet.page_setup.paperSize = 9
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
