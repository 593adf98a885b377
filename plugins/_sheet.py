"""Tables of any length in a workbook: openpyxl makes the workbook, the rows are streamed past it.

openpyxl builds each cell as an XML element, about 0.1 ms of it for one row of ten. So it makes all but the rows
(styles, headers, widths, filters, pictures); the rows go to a spool file as they come, ready-made, and :func:`save`
puts them into the finished sheets. Memory stays flat, and texts are texts always: ``=1+1.jpg`` is no formula.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from openpyxl import Workbook
from openpyxl.cell.cell import Cell
from openpyxl.drawing.image import Image as Picture
from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, TwoCellAnchor
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import to_excel
from openpyxl.utils.units import pixels_to_EMU
from openpyxl.worksheet.properties import PageSetupProperties

from inspector.api import Text

from ._rows import VERDICT, Column, Value

ROW_LIMIT = 1_048_576  # of a sheet, the header included
TEXT_LIMIT = 32_767  # of a cell, in UTF-16 units
_CUT = " … (cut)"
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")  # not allowed in XML, or changed by it
_ESCAPE = re.compile("_(?=x[0-9A-Fa-f]{4}_)")  # Excel reads _x0041_ as A
_EXTENT = re.compile(rb"<dimension [^>]*>")  # readers trust it
_COLOURS = {"OK": ("C6EFCE", "006100"), "WARN": ("FFEB9C", "7F6000"), "NG": ("FFC7CE", "9C0006")}


def clean(text: str) -> str:
    """``text`` as a cell can hold it: control characters replaced, cut with a mark where it is too long."""
    text = _ESCAPE.sub("_x005F_", _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text))
    if 2 * len(text) > TEXT_LIMIT and len(encoded := text.encode("utf-16-le")) > 2 * TEXT_LIMIT:
        text = encoded[: 2 * (TEXT_LIMIT - len(_CUT))].decode("utf-16-le", "ignore") + _CUT
    return text


def looks_like_formula(text: str) -> bool:
    """Whether Excel would make a formula or an error of it when somebody edits the cell."""
    return text.startswith(("=", "+", "-", "@", "#"))


def style_verdict(cell: Cell, status: str) -> Cell:
    back, ink = _COLOURS[status]
    cell.fill, cell.font = PatternFill("solid", fgColor=back), Font(bold=True, color=ink)
    cell.alignment = Alignment(horizontal="center", vertical="top")
    return cell


def style_header(cell: Cell) -> Cell:
    cell.fill, cell.font = PatternFill("solid", fgColor="1F3864"), Font(bold=True, color="FFFFFF")
    cell.alignment = Alignment(horizontal="center", vertical="center", wrap_text=True)
    return cell


def fit_to_width(sheet: Any, landscape: bool) -> None:
    """Print all columns on one page's width, A4."""
    sheet.page_setup.orientation = "landscape" if landscape else "portrait"
    sheet.page_setup.paperSize = 9
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)


class Table:
    """Rows under one header, on as many sheets as they need: ``Defects``, ``Defects 2``, …

    Attributes:
        sheets: with the spool of the rows of each.
        broken: a row could not be written completely, such as on a full disk.
    """

    def __init__(self, book: Workbook, title: Text, columns: Sequence[Column], language: str) -> None:
        self._book, self._title, self._columns, self._language = book, title.read(language), columns, language
        self._letters = [get_column_letter(number + 1) for number in range(len(columns))]
        self.sheets: list[tuple[Any, Any]] = []
        self.broken = False
        self._start()
        cell = self._template
        self._formats = [cell(number_format=column.format).style_id if column.format else 0 for column in columns]
        self._quoted = cell(quotePrefix=True).style_id
        self._verdicts = {status: style_verdict(cell(), status).style_id for status in _COLOURS}
        self._verdict = columns.index(VERDICT) if VERDICT in columns else -1

    def append(self, values: Sequence[Value], picture: Picture | None = None, place: int = 0) -> None:
        """Add a row; ``picture`` is put into its cell number ``place``, and the row made high enough."""
        if self._rows == ROW_LIMIT:
            self._start()
        self._rows += 1
        row = self._rows
        height = f' ht="{picture.height * 0.75 + 3}" customHeight="1"' if picture else ""
        parts = [f'<row r="{row}"{height}>']
        for number, value in enumerate(values):
            if value is None or value == "":
                continue
            if isinstance(value, str):
                style = self._verdicts[value] if number == self._verdict else self._quoted * looks_like_formula(value)
                text = f'<is><t xml:space="preserve">{escape(clean(value))}</t></is>'
                parts.append(f'<c r="{self._letters[number]}{row}" s="{style}" t="inlineStr">{text}</c>')
            else:
                value = to_excel(value) if isinstance(value, datetime) else value
                parts.append(f'<c r="{self._letters[number]}{row}" s="{self._formats[number]}"><v>{value}</v></c>')
        parts.append("</row>")
        sheet, spool = self.sheets[-1]
        try:
            spool.write("".join(parts).encode("utf-8"))
        except OSError:
            self.broken = True  # a piece of the row may be in the spool
            raise
        if picture is not None:
            picture.anchor = _anchor(picture, row, place)
            sheet.add_image(picture)
        sheet.auto_filter.ref = f"A1:{self._letters[-1]}{row}"

    def _start(self) -> None:
        number = len(self.sheets) + 1
        place = self._book.index(self.sheets[-1][0]) + 1 if self.sheets else None
        sheet = self._book.create_sheet(self._title if number == 1 else f"{self._title} {number}", place)
        for letter, column in zip(self._letters, self._columns, strict=True):
            sheet.column_dimensions[letter].width = column.width
            style_header(sheet[f"{letter}1"]).value = column.title.read(self._language)
        sheet.row_dimensions[1].height = 32  # points: two lines
        sheet.freeze_panes = "A2"
        sheet.auto_filter.ref = f"A1:{self._letters[-1]}1"
        sheet.print_title_rows = "1:1"
        fit_to_width(sheet, landscape=True)
        self.sheets.append((sheet, tempfile.TemporaryFile()))  # noqa: SIM115 - closed by save
        self._rows = 1

    def _template(self, **styles: Any) -> Cell:
        """A cell that stands on no sheet, for its style's number."""
        cell = Cell(self.sheets[0][0], row=1, column=1)
        for name, value in styles.items():
            setattr(cell, name, value)
        return cell


def _anchor(picture: Picture, row: int, place: int) -> TwoCellAnchor:
    """Fixes a picture in its cell, so that it is sorted and filtered away with its row."""
    corners = (
        AnchorMarker(col=place, colOff=pixels_to_EMU(2 + x), row=row - 1, rowOff=pixels_to_EMU(2 + y))
        for x, y in ((0, 0), (picture.width, picture.height))
    )
    return TwoCellAnchor("twoCell", *corners)


def save(book: Workbook, tables: Sequence[Table], path: Path) -> None:
    """Write the workbook with the tables' rows.

    Raises:
        OSError: it cannot be written completely.
    """
    if any(table.broken for table in tables):
        raise OSError("The workbook could not be written completely and was not kept")
    with tempfile.TemporaryFile() as skeleton:
        book.save(skeleton)
        streamed = {sheet.path.lstrip("/"): (sheet, spool) for table in tables for sheet, spool in table.sheets}
        with zipfile.ZipFile(skeleton) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
            for item in source.infolist():
                data = source.read(item)
                if item.filename not in streamed:
                    target.writestr(item, data)
                    continue
                sheet, rows = streamed[item.filename]
                extent = f'<dimension ref="{sheet.auto_filter.ref}"/>'.encode()
                head, end, tail = _EXTENT.sub(extent, data).partition(b"</sheetData>")
                with rows as spool:
                    item.file_size = len(data) + spool.tell()  # decides on ZIP64, which Excel dislikes without need
                    spool.seek(0)
                    with target.open(item, "w") as file:
                        file.write(head)
                        shutil.copyfileobj(spool, file, 2**20)
                        file.write(end + tail)
