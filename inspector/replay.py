"""Earlier inspections, exported again: what the history kept goes through any exporter, without a model."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspector.api import Exporter, ExporterSpec, Pixels, RunInfo, Text, check_options
from inspector.domain import (
    Detection,
    Frame,
    InputError,
    Inspection,
    InspectorError,
    Job,
    Mask,
    ModelInfo,
    Reason,
    Timings,
    Verdict,
)
from inspector.paths import taken

if TYPE_CHECKING:
    from inspector.history import RunEntry

logger = logging.getLogger(__name__)
Record = Mapping[str, Any]
"""As :meth:`inspector.history.History.get` returns it."""
_SELECTION = Text("Selection", "所选结果")


@dataclass(frozen=True)
class Result:
    """What came of it.

    Attributes:
        folder: of the files; gone where it was cancelled.
        files: what was written.
        written: number of inspections that were exported.
        missing: a sentence for each picture that could not be read again.
        problems: a sentence for each exporter that failed.
        cancelled: nothing was left.
    """

    folder: Path
    files: tuple[Path, ...]
    written: int
    missing: tuple[str, ...]
    problems: tuple[str, ...]
    cancelled: bool = False


def replay(
    records: Iterable[Record],
    runs: Sequence[RunEntry],
    exporters: Sequence[tuple[ExporterSpec, Mapping[str, Any]]],
    folder: Path,
    find_frame: Callable[[Record], Frame],
    *,
    title: str = "",
    language: str = "",
    progress: Callable[[int], object] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Result:
    """Write ``records`` with ``exporters``; for a worker's thread. Skipped pictures are passed over.

    Inspections of one run keep their numbers; those of several are numbered from 1. A failing exporter is closed and
    reported, and the others go on. What a picture that is gone means to an exporter, its ``pixels`` says.

    Args:
        runs: those that the records come from, the newest first, as :meth:`inspector.history.History.runs_of` finds
            them.
        exporters: with the options that were chosen.
        folder: new or empty. Where the work is cancelled or raises, it is removed with all that is in it.
        find_frame: the picture of a record, of the size that it had; or it raises InputError.
        title: of the whole; by default the run's.
        language: of what is written, ``en`` or ``zh``; by default the newest run's.
        progress: called after each record with the number of records so far.
        cancelled: asked before each record.

    Raises:
        InputError: the folder is in use, an option is refused, or there is nothing to export.
    """
    if not runs:
        raise InputError("There is nothing to export; choose other inspections")
    chosen = [(spec, check_options(spec.options, given, f"Exporter {spec.id}")) for spec, given in exporters]
    work = _Work(runs, find_frame)
    with _taken(folder):
        complete = False
        try:
            work.open(chosen, folder, run_info(runs, title, language))
            try:
                for done, record in enumerate(records, 1):
                    if (cancelled is not None and cancelled()) or not work.opened:
                        break
                    work.write(record)
                    if progress is not None:
                        progress(done)
            finally:
                work.close()
            complete = cancelled is None or not cancelled()
        finally:
            if not complete:
                shutil.rmtree(folder, ignore_errors=True)
    files = tuple(work.files) if complete else ()
    return Result(folder, files, work.written, tuple(work.missing), tuple(work.problems), not complete)


def run_info(runs: Sequence[RunEntry], title: str = "", language: str = "") -> RunInfo:
    """What exporters are told of inspections from ``runs``, the newest first: its job and model, from the first start
    to the last end.
    """
    newest = runs[0]
    job = Job.from_json(newest.job)
    if language:
        job = replace(job, language="zh" if language == "zh" else "en")
    title = title or (newest.title if len(runs) == 1 else _SELECTION.read(job.language))
    started = min((run.started for run in runs), key=datetime.fromisoformat)
    ended = max((run.ended for run in runs if run.ended), key=datetime.fromisoformat, default="")
    return RunInfo(job, newest.model, title, started, ended=ended)


def rebuild(record: Record, model: ModelInfo, frame: Frame) -> Inspection:
    """The inspection that was kept as ``record``, with ``frame`` for its picture.

    Args:
        record: of an inspection, not of a skipped picture.
        model: of its run: class numbers follow its names.
    """
    place = {key: record[key] for key in ("name", "path", "index", "seconds")}
    ms = record["ms"]
    return Inspection(
        frame=replace(frame, **place, read_ms=ms["read"]),
        detections=tuple(_detection(found, model.names) for found in record["detections"]),
        verdict=Verdict(record["verdict"], tuple(Reason(**reason) for reason in record["reasons"])),
        model=model,
        timings=Timings(ms["read"], ms["infer"], ms["total"]),
        number=record["number"],
        confidence=record["confidence"],
        iou=record["iou"],
        time=record["time"],
    )


def blank_frame(record: Record) -> Frame:
    """A black picture of the record's size that takes no memory and cannot be written to."""
    import numpy as np

    return Frame(np.broadcast_to(np.uint8(0), (record["height"], record["width"], 3)), record["index"], record["name"])


def _detection(found: Record, names: Sequence[str]) -> Detection:
    label, rle = found["label"], found["rle"]
    x1, y1, x2, y2 = found["box"]
    mask = None if rle is None else Mask.from_rle(rle)
    return Detection(
        label, found["score"], (x1, y1, x2, y2), mask, names.index(label) if label in names else len(names)
    )


@dataclass(frozen=True, eq=False)
class _Opened:
    spec: ExporterSpec
    exporter: Exporter
    pixels: Pixels


class _Work:
    """The exporters at work."""

    def __init__(self, runs: Sequence[RunEntry], find_frame: Callable[[Record], Frame]) -> None:
        self.opened: list[_Opened] = []
        self.files: list[Path] = []
        self.missing: list[str] = []
        self.problems: list[str] = []
        self.written = 0
        self._models = {run.id: run.model for run in runs}
        self._find_frame = find_frame

    def open(self, chosen: Iterable[tuple[ExporterSpec, Mapping[str, Any]]], folder: Path, info: RunInfo) -> None:
        for spec, options in chosen:
            with self._guard(f"Exporter {spec.id} failed", self.problems):
                pixels = spec.pixels(**options) if callable(spec.pixels) else spec.pixels
                self.opened.append(_Opened(spec, spec.open(folder, info, **options), pixels))

    def write(self, record: Record) -> None:
        if record["verdict"] is None:
            return
        frame = self._frame(record)
        inspection = rebuild(record, self._models[record["run"]], frame or blank_frame(record))
        self.written += 1
        if len(self._models) > 1:
            inspection = replace(inspection, number=self.written)
        for opened in tuple(self.opened):
            if frame is None and opened.pixels == "needed":
                continue
            failed = len(self.problems)
            with self._guard(f"Exporter {opened.spec.id} failed", self.problems):
                opened.exporter.write(inspection)
            if len(self.problems) > failed:
                self._close(opened)

    def close(self) -> None:
        for opened in tuple(self.opened):
            self._close(opened)

    def _close(self, opened: _Opened) -> None:
        self.opened.remove(opened)
        with self._guard(f"Exporter {opened.spec.id} failed", self.problems):
            self.files += opened.exporter.close()

    def _frame(self, record: Record) -> Frame | None:
        """The picture where an exporter looks at it; None where it cannot be read, or nobody does."""
        if any(opened.pixels != "unused" for opened in self.opened):
            with self._guard(record["name"], self.missing):
                return self._find_frame(record)
        return None

    @contextmanager
    def _guard(self, what: str, told: list[str]) -> Iterator[None]:
        try:
            yield
        except (Exception, SystemExit) as error:  # the guard of plugins: exporters and sources
            known = isinstance(error, InspectorError)
            sentence = f"{error}" if known else f"{type(error).__name__}: {error}".rstrip(": ")
            told.append(sentence if known and told is self.missing else f"{what}: {sentence}")
            logger.warning("%s", told[-1], exc_info=None if known else error)


@contextmanager
def _taken(folder: Path) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(taken(folder))
        except OSError as error:
            if isinstance(error, FileExistsError) and folder.is_dir():
                raise InputError(f"The folder {folder} is not empty; choose another for the export") from None
            raise InputError(f"The folder {folder} cannot be made ({error.strerror}); choose another") from None
        yield
