"""The open exporters of a run or of an export from the history. One that fails is closed and reported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from inspector.api import Exporter, ExporterSpec, PartExporter, Pixels, RunInfo
from inspector.domain import Inspection, Part, describe, message
from inspector.engine.error_boundary import ErrorBoundary


class Exporters:
    """Opened, used and closed on one thread.

    Args:
        report: called with a sentence, the error and the exporter's id when one fails; the others continue.

    Attributes:
        files: written files of closed exporters.
    """

    def __init__(self, report: Callable[[str, BaseException, str], None]) -> None:
        self._report = report
        self._opened: list[tuple[ExporterSpec, Exporter]] = []
        self._pixels: dict[str, Pixels] = {}
        self.files: list[Path] = []

    @property
    def any_open(self) -> bool:
        """Whether at least one exporter has not failed."""
        return bool(self._opened)

    @property
    def use_pixels(self) -> bool:
        """Whether an open exporter reads the images."""
        return any(self._pixels[spec.id] != "unused" for spec, _ in self._opened)

    def open(self, specs: Iterable[tuple[ExporterSpec, Mapping[str, Any]]], folder: Path, info: RunInfo) -> None:
        """Open exporters with their checked options; ``folder`` exists."""
        for spec, options in specs:
            with self._boundary(spec):
                self._pixels[spec.id] = spec.pixels(**options) if callable(spec.pixels) else spec.pixels
                self._opened.append((spec, spec.open(folder, info, **options)))

    def write(self, inspection: Inspection, image_missing: bool = False) -> None:
        """Pass an inspection to all exporters.

        Args:
            image_missing: its image is black, so exporters that need it are skipped.
        """
        for opened in tuple(self._opened):
            spec, exporter = opened
            if image_missing and self._pixels[spec.id] == "needed":
                continue
            with self._boundary(spec) as boundary:
                exporter.write(inspection)
            if boundary.failed:
                self._close(opened)

    def write_part(self, part: Part) -> None:
        """Pass a part to the exporters that write parts, after its inspections."""
        for opened in tuple(self._opened):
            spec, exporter = opened
            if not isinstance(exporter, PartExporter):
                continue
            with self._boundary(spec) as boundary:
                exporter.write_part(part)
            if boundary.failed:
                self._close(opened)

    def close(self) -> None:
        """Close all exporters and collect their files."""
        for opened in tuple(self._opened):
            self._close(opened)

    def _close(self, opened: tuple[ExporterSpec, Exporter]) -> None:
        self._opened.remove(opened)
        spec, exporter = opened
        with self._boundary(spec):
            self.files += exporter.close()

    def _boundary(self, spec: ExporterSpec) -> ErrorBoundary:
        return ErrorBoundary(
            lambda error: self._report(
                message("Exporter {id} failed: {reason}", id=spec.id, reason=describe(error)), error, spec.id
            )
        )
