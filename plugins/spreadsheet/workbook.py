"""The Excel workbook, streamed: its rows wait in the system's folder for temporary files until it is saved."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import openpyxl

from inspector.api import Inspection, RunInfo, Text, __version__, publish, temporary_beside

from .._shared.rows import DEFECTS, INSPECTIONS, Column, rows
from .cells import clean
from .summary import Totals, write_summary
from .table import Table
from .thumbnail import WIDTH, thumbnail

_PICTURE = 1  # place of the small pictures' column


class Workbook:
    """``results.xlsx``: Summary, Inspections, Defects.

    Args:
        thumbnails: a small picture in each row of the inspections.
        thumbnail_limit: how many at most; they wait in memory until the workbook is saved.
    """

    def __init__(self, folder: Path, run: RunInfo, thumbnails: bool = False, thumbnail_limit: int = 1000) -> None:
        self._path, self._run, self._language = folder / "results.xlsx", run, run.job.language
        self._thumbnails, self._limit = thumbnails, thumbnail_limit
        self._totals, self._broken = Totals(), False
        self._temporary = temporary_beside(self._path)  # now, so that a folder that refuses is known at the start
        self._book = openpyxl.Workbook(write_only=True)
        self._book.properties.creator = f"Bearing Inspector {__version__}"
        self._book.properties.title = clean(run.title)
        self._summary = self._book.create_sheet(
            Text("Summary", "汇总").read(self._language)
        )  # first; filled at the end
        inspections = list(INSPECTIONS)
        if thumbnails:
            inspections.insert(_PICTURE, Column(Text("Picture", "图片"), width=WIDTH // 7 + 1))
        self._inspections = Table(self._book, Text("Inspections", "检测"), inspections, self._language)
        self._defects = Table(self._book, Text("Defects", "缺陷"), DEFECTS, self._language)

    def write(self, inspection: Inspection) -> None:
        try:
            self._append(inspection)
        except OSError:
            self._broken = True  # a piece of a row may be in the temporary files
            raise

    def _append(self, inspection: Inspection) -> None:
        row, defects = rows(inspection, self._language)
        number = self._totals.add(inspection)
        if not self._thumbnails:
            self._inspections.append(row)
        elif number <= self._limit:
            row.insert(_PICTURE, None)
            self._inspections.append(row, thumbnail(inspection), _PICTURE)
        else:
            row.insert(_PICTURE, self._limit_words() if number == self._limit + 1 else None)
            self._inspections.append(row)
        for defect in defects:
            self._defects.append(defect)

    def close(self) -> Iterable[Path]:
        """Save the workbook.

        Raises:
            OSError: it cannot be written completely, such as on a full disk.
        """
        try:
            if self._broken:
                raise OSError(f"{self._path.name} could not be written completely and was not kept")
            passed = self._thumbnails and self._totals.inspected > self._limit
            write_summary(self._summary, self._run, self._totals, self._limit_words() if passed else None)
            self._book.save(self._temporary)
            return [publish(self._temporary, self._path)]
        finally:
            for sheet in self._book.worksheets:
                with contextlib.suppress(OSError, StopIteration):  # of a sheet whose writing failed
                    if not sheet.closed:
                        sheet.close()
            self._temporary.unlink(missing_ok=True)

    def _limit_words(self) -> str:
        return Text(
            f"Only the first {self._limit} inspections have a picture (option thumbnail_limit)",
            f"仅前 {self._limit} 条检测带图片（选项 thumbnail_limit）",
        ).read(self._language)
