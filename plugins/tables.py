"""Results as plain tables: ``results.jsonl`` for programs, ``inspections.csv`` and ``defects.csv`` for spreadsheets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from inspector.api import Exporter, ExporterSpec, Inspection, RunInfo, Text, hookimpl

if TYPE_CHECKING:
    from ._shared.rows import Column, Value

PLUGIN = {
    "id": "tables",
    "version": "1.0",
    "api": 1,
    "kinds": ["exporter"],
    "description": "Results as JSON lines and as CSV files",
    "description_zh": "JSON Lines 与 CSV 表格",
}


@hookimpl
def inspector_exporters() -> Iterable[ExporterSpec]:
    return [
        ExporterSpec("jsonl", Text("JSON lines", "JSON 行"), JsonLines, default=True, pixels="unused"),
        ExporterSpec("csv", Text("CSV tables", "CSV 表格"), CsvTables, pixels="unused"),
    ]


class JsonLines(Exporter):
    """``results.jsonl``: one inspection a line, with the keys of :meth:`Inspection.record`."""

    def __init__(self, folder: Path, run: RunInfo) -> None:
        from ._shared.drafts import Draft, dumps

        self._dumps, self._draft = dumps, Draft(folder / "results.jsonl")

    def write(self, inspection: Inspection) -> None:
        self._draft.write(self._dumps(inspection.record()) + "\n")

    def close(self) -> Iterable[Path]:
        return [self._draft.publish()]


class CsvTables(Exporter):
    """``inspections.csv`` and ``defects.csv``: UTF-8 with byte order mark, comma, CR LF, English headings.

    A spreadsheet program takes a cell that begins with ``= + - @``, tab or carriage return for a formula, quoted or
    not: such *texts* get an apostrophe in front. Numbers stay as they are.
    """

    def __init__(self, folder: Path, run: RunInfo) -> None:
        from ._shared.rows import DEFECTS, INSPECTIONS, rows

        self._rows = rows
        self._inspections = _Csv(folder / "inspections.csv", INSPECTIONS)
        self._defects = _Csv(folder / "defects.csv", DEFECTS)

    def write(self, inspection: Inspection) -> None:
        row, defects = self._rows(inspection, "en")
        self._inspections.append(row)
        for defect in defects:
            self._defects.append(defect)

    def close(self) -> Iterable[Path]:
        try:
            first = self._inspections.draft.publish()
        finally:
            second = self._defects.draft.publish()
        return [first, second]


class _Csv:
    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        import csv

        from ._shared.drafts import Draft

        self.draft = Draft(path, encoding="utf-8-sig", newline="")
        self._writer = csv.writer(self.draft)
        self._writer.writerow([column.title.en for column in columns])

    def append(self, row: Sequence[Value]) -> None:
        self._writer.writerow([_cell(value) for value in row])


def _cell(value: Value) -> object:
    if isinstance(value, str):
        value = value.replace("\0", "\N{REPLACEMENT CHARACTER}")
        return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
    return value.isoformat(sep=" ") if isinstance(value, datetime) else value
