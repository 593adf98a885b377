"""The exporters of a run. One that fails is closed and reported, and the others go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from inspector.api import Exporter, ExporterSpec, RunInfo
from inspector.domain import Inspection
from inspector.engine.guards import Guard, describe


class Exporters:
    """Opens, writes and closes on one thread.

    Args:
        report: told a sentence and the error when an exporter fails.

    Attributes:
        files: what was written.
    """

    def __init__(self, report: Callable[[str, Exception | SystemExit], None]) -> None:
        self._report = report
        self._opened: list[tuple[ExporterSpec, Exporter]] = []
        self.files: list[Path] = []

    def open(self, specs: Iterable[tuple[ExporterSpec, Mapping[str, Any]]], folder: Path, info: RunInfo) -> None:
        for spec, options in specs:
            with self._guard(spec):
                self._opened.append((spec, spec.open(folder, info, **options)))

    def write(self, inspection: Inspection) -> None:
        for opened in tuple(self._opened):
            spec, exporter = opened
            with self._guard(spec) as guard:
                exporter.write(inspection)
            if guard.failed:
                self._close(opened)

    def close(self) -> None:
        for opened in tuple(self._opened):
            self._close(opened)

    def _close(self, opened: tuple[ExporterSpec, Exporter]) -> None:
        self._opened.remove(opened)
        spec, exporter = opened
        with self._guard(spec):
            self.files += exporter.close()

    def _guard(self, spec: ExporterSpec) -> Guard:
        return Guard(lambda error: self._report(f"Exporter {spec.id} failed: {describe(error)}", error))
