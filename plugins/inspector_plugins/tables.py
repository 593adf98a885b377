"""Results as plain tables: ``results.jsonl`` for programs, ``inspections.csv`` and ``defects.csv`` for spreadsheets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from inspector.api import (
    Exporter,
    ExporterSpec,
    Inspection,
    Part,
    PartExporter,
    RunInfo,
    Text,
    hookimpl,
    spreadsheet_text,
)

if TYPE_CHECKING:
    from ._shared.result_rows import Column, Value

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
        ExporterSpec("jsonl", Text("JSON Lines", "JSON Lines"), JsonLines, default=True, pixels="unused"),
        ExporterSpec("csv", Text("CSV tables", "CSV 表格"), CsvTables, pixels="unused"),
    ]


class JsonLines(PartExporter):
    """``results.jsonl``: one inspection per line, with the keys of :meth:`Inspection.record`, and ``image``
    if an annotated one was written; ``parts.jsonl``: one part per line, with the keys of :meth:`Part.record`."""

    def __init__(self, folder: Path, run: RunInfo) -> None:
        from ._shared.annotated_images import annotated_image
        from ._shared.atomic_files import AtomicTextFile, dumps

        self._dumps, self._annotated_image = dumps, annotated_image
        self._file = AtomicTextFile(folder / "results.jsonl")
        self._parts = AtomicTextFile(folder / "parts.jsonl")
        self._open: dict[str, int] = {}  # number of views of parts that was not known when their lines were written

    def write(self, inspection: Inspection) -> None:
        image = self._annotated_image(inspection)
        self._file.write(self._dumps(inspection.record() | ({"image": image} if image else {})) + "\n")
        if inspection.part_view.views is None:
            self._open.setdefault(inspection.part_view.id, 0)

    def write_part(self, part: Part) -> None:
        self._parts.write(self._dumps(part.record()) + "\n")
        if part.id in self._open:
            self._open[part.id] = len(part.views)

    def close(self) -> Iterable[Path]:
        try:
            if self._open:
                self._file.rewrite(self._with_views)
            return [self._file.publish(), self._parts.publish()]
        finally:
            self._file.discard()
            self._parts.discard()

    def _with_views(self, line: str) -> str:
        """Return a line of results.jsonl with the number of views of its part."""
        if '"views": null}' not in line:
            return line
        record = json.loads(line)
        record["part"]["views"] = self._open.get(record["part"]["id"]) or None
        return self._dumps(record) + "\n"


class CsvTables(Exporter):
    """``inspections.csv`` and ``defects.csv``: UTF-8 with byte order mark, comma, CR LF, English headings.

    A spreadsheet program takes a cell that begins with ``=`` or similar for a formula, quoted or not: such *texts* are
    prefixed with an apostrophe, see :func:`inspector.api.spreadsheet_text`. Numbers are unchanged.
    """

    def __init__(self, folder: Path, run: RunInfo) -> None:
        from ._shared.result_rows import DEFECTS, INSPECTIONS, rows

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
            first = self._inspections.file.publish()
        finally:
            second = self._defects.file.publish()
        return [first, second]


class _Csv:
    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        import csv

        from ._shared.atomic_files import AtomicTextFile

        self.file = AtomicTextFile(path, encoding="utf-8-sig", newline="")
        self._writer = csv.writer(self.file)
        self._writer.writerow([column.csv or column.title.en for column in columns])

    def append(self, row: Sequence[Value]) -> None:
        self._writer.writerow([_cell(value) for value in row])


def _cell(value: Value) -> object:
    if isinstance(value, str):
        return spreadsheet_text(value.replace("\0", "\N{REPLACEMENT CHARACTER}"))
    return value.isoformat(sep=" ") if isinstance(value, datetime) else value
