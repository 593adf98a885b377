"""Tables of any length in a workbook, in openpyxl's write-only mode, which keeps memory flat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from openpyxl import Workbook
from openpyxl.drawing.image import Image as SheetImage
from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, TwoCellAnchor
from openpyxl.utils import get_column_letter
from openpyxl.utils.units import pixels_to_EMU

from inspector.api import Text

from .._shared.result_rows import VERDICT, Column, Value
from .cells import column_cells, fit_to_width, header_cell, placed, verdict_cells

ROW_LIMIT = 1_048_576  # of a sheet, the header included


class Table:
    """Rows under one header, on as many sheets as needed: ``Defects``, ``Defects 2``, …

    Args:
        index: position of the first sheet; None: the last one.
    """

    def __init__(
        self, book: Workbook, title: Text, columns: Sequence[Column], language: str, index: int | None = None
    ) -> None:
        self._book, self._title, self._columns, self._language = book, title.read(language), columns, language
        self._letters = [get_column_letter(number) for number in range(1, len(columns) + 1)]
        self._sheets: list[Any] = []
        self._index = index
        self._start()

    def append(self, values: Sequence[Value], image: SheetImage | None = None, column: int = 0) -> None:
        """Append a row; ``image`` is put into the cell with index ``column``, and the row made high enough."""
        if self._rows == ROW_LIMIT:
            self._start()
        self._rows += 1
        sheet = self._sheets[-1]
        if image is not None:
            sheet.row_dimensions[self._rows].height = image.height * 0.75 + 3  # px to points
            image.anchor = _anchor(image, self._rows, column)
            sheet.add_image(image)
        sheet.append([make(value) for make, value in zip(self._makers, values, strict=True)])
        sheet.auto_filter.ref = f"A1:{self._letters[-1]}{self._rows}"

    def _start(self) -> None:
        number = len(self._sheets) + 1
        index = self._book.index(self._sheets[-1]) + 1 if self._sheets else self._index
        sheet = self._book.create_sheet(self._title if number == 1 else f"{self._title} {number}", index)
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


def _anchor(image: SheetImage, row: int, column: int) -> TwoCellAnchor:
    """Anchor an image to its cell, so that it is sorted and filtered with its row."""
    corners = (
        AnchorMarker(col=column, colOff=pixels_to_EMU(2 + x), row=row - 1, rowOff=pixels_to_EMU(2 + y))
        for x, y in ((0, 0), (image.width, image.height))
    )
    return TwoCellAnchor("twoCell", *corners)
