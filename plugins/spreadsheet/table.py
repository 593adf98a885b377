"""Tables of any length in a workbook in openpyxl's write-only mode, which keeps memory flat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from openpyxl import Workbook
from openpyxl.drawing.image import Image as Picture
from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, TwoCellAnchor
from openpyxl.utils import get_column_letter
from openpyxl.utils.units import pixels_to_EMU

from inspector.api import Text

from .._shared.rows import VERDICT, Column, Value
from .cells import column_cells, fit_to_width, header_cell, placed, verdict_cells

ROW_LIMIT = 1_048_576  # of a sheet, the header included


class Table:
    """Rows under one header, on as many sheets as they need: ``Defects``, ``Defects 2``, …"""

    def __init__(self, book: Workbook, title: Text, columns: Sequence[Column], language: str) -> None:
        self._book, self._title, self._columns, self._language = book, title.read(language), columns, language
        self._letters = [get_column_letter(number) for number in range(1, len(columns) + 1)]
        self._sheets: list[Any] = []
        self._start()

    def append(self, values: Sequence[Value], picture: Picture | None = None, place: int = 0) -> None:
        """Add a row; ``picture`` is put into its cell number ``place``, and the row made high enough."""
        if self._rows == ROW_LIMIT:
            self._start()
        self._rows += 1
        sheet = self._sheets[-1]
        if picture is not None:
            sheet.row_dimensions[self._rows].height = picture.height * 0.75 + 3  # px to points
            picture.anchor = _anchor(picture, self._rows, place)
            sheet.add_image(picture)
        sheet.append([make(value) for make, value in zip(self._makers, values, strict=True)])
        sheet.auto_filter.ref = f"A1:{self._letters[-1]}{self._rows}"

    def _start(self) -> None:
        number = len(self._sheets) + 1
        place = self._book.index(self._sheets[-1]) + 1 if self._sheets else None
        sheet = self._book.create_sheet(self._title if number == 1 else f"{self._title} {number}", place)
        for letter, column in zip(self._letters, self._columns, strict=True):
            sheet.column_dimensions[letter].width = column.width
        sheet.row_dimensions[1].height = 32  # points: two lines
        sheet.freeze_panes = "A2"
        sheet.auto_filter.ref = f"A1:{self._letters[-1]}1"
        sheet.print_title_rows = "1:1"
        fit_to_width(sheet, landscape=True)
        sheet.append([header_cell(sheet, column.title.read(self._language)) for column in self._columns])
        self._makers = [
            verdict_cells(sheet) if column is VERDICT else column_cells(sheet, column.format)
            for column in self._columns
        ]
        sheet._values_to_row = placed
        self._sheets.append(sheet)
        self._rows = 1


def _anchor(picture: Picture, row: int, place: int) -> TwoCellAnchor:
    """Fixes a picture in its cell, so that it is sorted and filtered away with its row."""
    corners = (
        AnchorMarker(col=place, colOff=pixels_to_EMU(2 + x), row=row - 1, rowOff=pixels_to_EMU(2 + y))
        for x, y in ((0, 0), (picture.width, picture.height))
    )
    return TwoCellAnchor("twoCell", *corners)
