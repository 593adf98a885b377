"""Exports earlier inspections from the history with any exporter, without running a model."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspector.api import ExporterSpec, RunInfo, Scope, Text, check_options
from inspector.domain import (
    Calibration,
    Detection,
    Frame,
    InputError,
    Inspection,
    InspectorError,
    Job,
    Mask,
    Measures,
    ModelInfo,
    Part,
    PartView,
    Reason,
    RecipeInfo,
    Timings,
    Verdict,
    describe,
    message,
    plain_frame,
    shorten,
)
from inspector.engine.error_boundary import ErrorBoundary
from inspector.engine.exporters import Exporters
from inspector.engine.part_tracker import part_of_its_own
from inspector.reexport.scope import write_scope
from inspector.system.paths import taken

if TYPE_CHECKING:
    from inspector.history import RunEntry

logger = logging.getLogger(__name__)
Record = Mapping[str, Any]
"""An inspection as :meth:`inspector.history.History.get` returns it."""
_SELECTION = Text("Selection", "所选结果")


@dataclass(frozen=True)
class ReexportResult:
    """Result of :func:`reexport`.

    Attributes:
        folder: of the files; removed if the export was cancelled.
        files: written files.
        written: number of exported inspections.
        missing: a sentence for each image that could not be read.
        problems: a sentence for each exporter that failed.
        cancelled: nothing is left.
    """

    folder: Path
    files: tuple[Path, ...]
    written: int
    missing: tuple[str, ...]
    problems: tuple[str, ...]
    cancelled: bool = False


def reexport(
    records: Iterable[Record],
    runs: Sequence[RunEntry],
    exporters: Sequence[tuple[ExporterSpec, Mapping[str, Any]]],
    folder: Path,
    find_frame: Callable[[Record], Frame],
    *,
    title: str = "",
    language: str = "",
    scope: Scope | None = None,
    progress: Callable[[int], object] | None = None,
    cancelled: Callable[[], bool] | None = None,
    part_of: Callable[[int], Part | None] | None = None,
) -> ReexportResult:
    """Write ``records`` with ``exporters``; for a worker thread. Images that could not be read are left out.

    Inspections of one run keep their numbers; those of several runs are numbered from 1. A failing exporter is closed
    and reported, and the others continue. Missing images are treated as :class:`inspector.api.ExporterSpec` says.

    Args:
        runs: of the records, the newest first; see :meth:`inspector.history.History.runs_of`.
        exporters: with their options.
        folder: new or empty. If the export is cancelled or fails, it is removed with its contents.
        find_frame: returns the image of a record in its original size, or raises InputError.
        title: of the export; by default that of the run.
        language: ``en`` or ``zh``; by default that of the newest run.
        scope: of the records: for the exporters and for ``scope.json`` next to their files.
        progress: called after each record with the number of records so far.
        cancelled: called before each record; True cancels the export.
        part_of: returns the part of an inspection, see :meth:`inspector.history.History.part_of`; None: parts of
            several images are not written.

    Raises:
        InputError: the folder is in use, an option is refused, or there is nothing to export.
    """
    if not runs:
        raise InputError("There is nothing to export; choose other inspections")
    chosen = [
        (spec, check_options(spec.options, options, message("Exporter {id}", id=spec.id)))
        for spec, options in exporters
    ]
    export = _Reexport(runs, find_frame, part_of)
    with _reserved(folder):
        complete = False
        try:
            export.exporters.open(chosen, folder, replace(run_info(runs, title, language), scope=scope))
            try:
                for done, record in enumerate(records, 1):
                    if (cancelled is not None and cancelled()) or not export.exporters.any_open:
                        break
                    export.write(record)
                    if progress is not None:
                        progress(done)
                export.write_parts()
            finally:
                export.exporters.close()
            complete = cancelled is None or not cancelled()
            if complete and scope is not None:
                export.write_scope(folder, scope, runs)
        finally:
            if not complete:
                shutil.rmtree(folder, ignore_errors=True)
    files = tuple(export.exporters.files) if complete else ()
    return ReexportResult(folder, files, export.written, tuple(export.missing), tuple(export.problems), not complete)


def run_info(runs: Sequence[RunEntry], title: str = "", language: str = "") -> RunInfo:
    """Return the information for exporters of inspections from ``runs``, the newest first.

    Job and model are those of the newest run, but lot, operator and station only if all runs have the same. The period
    is from the first start to the last end.
    """
    newest = runs[0]
    job = Job.from_json(newest.job)
    lot, operator, station = (_common(runs, fact) for fact in ("lot", "operator", "station"))
    job = replace(job, lot=lot, operator=operator, station=station)
    if language:
        job = replace(job, language="zh" if language == "zh" else "en")
    title = title or (newest.title if len(runs) == 1 else _SELECTION.read(job.language))
    started = min((run.started for run in runs), key=datetime.fromisoformat)
    ended = max((run.ended for run in runs if run.ended), key=datetime.fromisoformat, default="")
    return RunInfo(job, newest.model, title, started, ended=ended)


def _common(runs: Sequence[RunEntry], fact: str) -> str:
    """A text of the job that all runs have; "" if they differ."""
    texts = {str(run.job.get(fact) or "") for run in runs}
    return texts.pop() if len(texts) == 1 else ""


def rebuild(record: Record, model: ModelInfo, frame: Frame) -> Inspection:
    """Rebuild an inspection from its record, with the image of ``frame``.

    Args:
        record: with a verdict.
        model: of its run; class numbers are indices of its names.
    """
    position = {key: record[key] for key in ("name", "path", "index", "seconds")}
    ms = record["ms"]
    return Inspection(
        frame=plain_frame(replace(frame, **position, read_ms=ms["read"], notes=tuple(record["notes"]))),
        detections=tuple(_detection(detection, model.names) for detection in record["detections"]),
        verdict=Verdict(record["verdict"], tuple(Reason(**reason) for reason in record["reasons"])),
        model=model,
        timings=Timings(ms["read"], ms["infer"], ms["total"]),
        number=record["number"],
        confidence=record["confidence"],
        iou=record["iou"],
        time=record["time"],
        rules_sha256=record["rules_sha256"] or "",
        recipe=None if record["recipe"] is None else RecipeInfo(**record["recipe"]),
        part=_part_view(record),
        lot=record["lot"] or "",
        operator=record["operator"] or "",
        station=record["station"] or "",
        calibration=None if record["calibration"] is None else Calibration.from_json(record["calibration"]),
    )


def _part_view(record: Record) -> PartView | None:
    """Its place among the parts; None if it is a part of its own."""
    part = record["part"]
    if part is None or not record["grouped"]:
        return None
    return PartView(part["id"], part["view"], part["views"], record["serial"] or "", record["lot"] or "")


def blank_frame(record: Record) -> Frame:
    """Return a black, read-only image of the record's size that takes no memory."""
    import numpy as np

    return Frame(np.broadcast_to(np.uint8(0), (record["height"], record["width"], 3)), record["index"], record["name"])


def _detection(record: Record, names: Sequence[str]) -> Detection:
    label, rle = record["label"], record["rle"]
    x1, y1, x2, y2 = record["box"]
    mask = None if rle is None else Mask.from_rle(rle)
    number = names.index(label) if label in names else len(names)
    measures = Measures.from_json(record)
    return Detection(label, record["score"], (x1, y1, x2, y2), mask, number, measures, record["region"])


class _Reexport:
    """An export in progress."""

    def __init__(
        self,
        runs: Sequence[RunEntry],
        find_frame: Callable[[Record], Frame],
        part_of: Callable[[int], Part | None] | None = None,
    ) -> None:
        self.missing: list[str] = []
        self.problems: list[str] = []
        self.written = 0
        self.exporters = Exporters(self._exporter_failed)
        self._models = {run.id: run.model for run in runs}
        self._find_frame, self._part_of = find_frame, part_of
        self._grouped: dict[tuple[int, str], tuple[str, int]] = {}  # run and id -> id here, and one of its inspections
        self._times: Counter[str] = Counter()  # parts of several runs with the same id

    def write(self, record: Record) -> None:
        if record["verdict"] is None:
            return
        frame = self._frame(record)
        inspection = rebuild(record, self._models[record["run"]], frame or blank_frame(record))
        self.written += 1
        if len(self._models) > 1:
            inspection = replace(inspection, number=self.written)
        if inspection.part is not None:
            inspection = replace(inspection, part=replace(inspection.part, id=self._part_id(record)))
        self.exporters.write(inspection, image_missing=frame is None)
        if inspection.part is None:
            self.exporters.write_part(part_of_its_own(inspection))

    def write_parts(self) -> None:
        """Write the parts of several images, of which not all need be among the records."""
        for id, inspection in self._grouped.values():
            part = None if self._part_of is None else self._part_of(inspection)
            if part is not None:
                self.exporters.write_part(replace(part, id=id))

    def _part_id(self, record: Record) -> str:
        """The id of a part of several images, unique among all runs."""
        key = record["run"], record["part"]["id"]
        if key not in self._grouped:
            self._times[key[1]] += 1
            times = self._times[key[1]]
            self._grouped[key] = (key[1] if times == 1 else f"{key[1]}#{times}", record["id"])
        return self._grouped[key][0]

    def write_scope(self, folder: Path, scope: Scope, runs: Sequence[RunEntry]) -> None:
        def failed(error: BaseException) -> None:
            _report(self.problems, message("scope.json could not be written: {reason}", reason=describe(error)), error)

        with ErrorBoundary(failed):
            self.exporters.files.append(write_scope(folder / "scope.json", scope, runs))

    def _frame(self, record: Record) -> Frame | None:
        """The image, if an exporter reads it; None if it cannot be read or is not needed."""

        def failed(error: BaseException) -> None:
            sentence = describe(error)
            if not isinstance(error, InspectorError):
                sentence = message("{name}: {reason}", name=record["name"], reason=sentence)
            _report(self.missing, sentence, error)

        if self.exporters.use_pixels:
            with ErrorBoundary(failed):
                return self._find_frame(record)
        return None

    def _exporter_failed(self, sentence: str, error: BaseException, exporter: str) -> None:
        _report(self.problems, sentence, error)


def _report(sentences: list[str], sentence: str, error: BaseException) -> None:
    sentences.append(sentence)
    logger.warning("%s", sentence, exc_info=None if isinstance(error, InspectorError) else error)


@contextmanager
def _reserved(folder: Path) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(taken(folder))
        except OSError as error:
            if isinstance(error, FileExistsError) and folder.is_dir():
                raise InputError(
                    "The folder {folder} is not empty; choose another for the export", folder=folder
                ) from None
            raise InputError(
                "The folder {folder} cannot be created ({reason}); choose another",
                folder=shorten(str(folder)),
                reason=error.strerror,
            ) from None
        yield
