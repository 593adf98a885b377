"""The Excel workbook, streamed: its rows wait in the system's temporary folder until it is saved."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import openpyxl

from inspector.api import Inspection, Part, RunInfo, Text, __version__, publish, temporary_beside

from .._shared.result_rows import DEFECTS, INSPECTIONS, PARTS, Column, part_row, rows
from .archive import save
from .cells import clean
from .summary import Totals, write_scope, write_summary
from .table import Table
from .thumbnail import WIDTH, thumbnail

_IMAGE_COLUMN = 1  # index of the thumbnails' column


class Workbook:
    """``results.xlsx``: Summary, Scope, Parts (if parts have several images), Inspections, Defects.

    Args:
        thumbnails: a thumbnail in each row of the inspections.
        thumbnail_limit: their maximum number; they wait in memory until the workbook is saved.
    """

    def __init__(self, folder: Path, run: RunInfo, thumbnails: bool = False, thumbnail_limit: int = 1000) -> None:
        self._path, self._run, self._language = folder / "results.xlsx", run, run.job.language
        self._thumbnails, self._limit = thumbnails, thumbnail_limit
        self._totals, self._broken = Totals(), False
        self._temporary = temporary_beside(self._path)  # now, so that an unwritable folder is noticed at the start
        self._book = openpyxl.Workbook(write_only=True)
        self._book.properties.creator = f"Bearing Inspector {__version__}"
        self._book.properties.title = clean(run.title)
        self._summary = self._book.create_sheet(
            Text("Summary", "汇总").read(self._language)
        )  # first sheet; filled at the end
        self._scope = self._book.create_sheet(Text("Scope", "范围").read(self._language))
        inspections = list(INSPECTIONS)
        if thumbnails:
            inspections.insert(_IMAGE_COLUMN, Column(Text("Image", "图片"), width=WIDTH // 7 + 1))
        self._inspections = Table(self._book, Text("Inspections", "检测"), inspections, self._language)
        self._defects = Table(self._book, Text("Defects", "缺陷"), DEFECTS, self._language)
        self._parts: Table | None = None
        self._grouped: set[str] = set()  # ids of parts that may have several images, until they are written
        grouping = run.job.parts
        if grouping is not None and not grouping.single:
            self._parts = self._parts_table()

    def write(self, inspection: Inspection) -> None:
        try:
            self._append(inspection)
        except OSError:
            self._broken = True  # part of a row may be in the temporary files
            raise

    def write_part(self, part: Part) -> None:
        try:
            self._totals.add_part(part)
            if self._parts is None and part.id in self._grouped:
                self._parts = self._parts_table()
            if self._parts is not None and (self._run.scope is None or part.id in self._grouped):
                self._parts.append(part_row(part, self._language))
            self._grouped.discard(part.id)
        except OSError:
            self._broken = True
            raise

    def _parts_table(self) -> Table:
        return Table(self._book, Text("Parts", "零件"), PARTS, self._language, index=2)

    def _append(self, inspection: Inspection) -> None:
        if inspection.part is not None:
            self._grouped.add(inspection.part.id)
        row, defects = rows(inspection, self._language)
        number = self._totals.add(inspection)
        if not self._thumbnails:
            self._inspections.append(row)
        elif number <= self._limit:
            row.insert(_IMAGE_COLUMN, None)
            self._inspections.append(row, thumbnail(inspection), _IMAGE_COLUMN)
        else:
            row.insert(_IMAGE_COLUMN, self._limit_words() if number == self._limit + 1 else None)
            self._inspections.append(row)
        for defect in defects:
            self._defects.append(defect)

    def close(self) -> Iterable[Path]:
        """Save the workbook.

        Raises:
            OSError: it cannot be written completely, e.g. on a full disk.
        """
        try:
            if self._broken:
                raise OSError(f"{self._path.name} could not be written completely and was not kept")
            passed = self._thumbnails and self._totals.inspected > self._limit
            write_summary(self._summary, self._run, self._totals, self._limit_words() if passed else None)
            write_scope(self._scope, self._run, self._totals)
            save(self._book, self._temporary)
            return [publish(self._temporary, self._path)]
        finally:
            for sheet in self._book.worksheets:
                with contextlib.suppress(OSError, StopIteration):  # of a sheet whose writing failed
                    if not sheet.closed:
                        sheet.close()
            self._temporary.unlink(missing_ok=True)

    def _limit_words(self) -> str:
        return Text(
            f"Only the first {self._limit} inspections have a thumbnail (option thumbnail_limit)",
            f"仅前 {self._limit} 条检测带图片（选项 thumbnail_limit）",
        ).read(self._language)
