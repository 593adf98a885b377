"""Resumes runs that ended early.

Earlier inspections are taken from the history and exported again, and the remaining images are inspected, so that the
results folder ends up as without the interruption.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from inspector.domain import Frame, InputError, Job, quote
from inspector.engine import EarlierResult, Engine, Run
from inspector.engine.alarms import Alarm
from inspector.engine.run import Listener
from inspector.engine.watchdog import QUIET_AFTER
from inspector.history import History, Query, RunEntry
from inspector.jobs import recipes
from inspector.jobs.sources import exists
from inspector.reexport.reexport import blank_frame, rebuild
from inspector.registry import Registry
from inspector.system import paths

logger = logging.getLogger(__name__)
_ASIDE = ".before-resume"  # in the run's folder: its earlier files until new ones are written
_KEPT_IN_PLACE = ("run.json", "run.log", "originals", _ASIDE)
_READ_AHEAD = 500  # inspections read from the history at once
ENDED_EARLY = ("interrupted", "stopped", "failed")


@dataclass(frozen=True)
class Resumable:
    """A run that can be resumed.

    Attributes:
        entry: of the history.
        job: as the run was started.
        output: its results folder.
    """

    entry: RunEntry
    job: Job
    output: Path


def looks_resumable(catalogue: Registry, entry: RunEntry) -> bool:
    """Whether a run can probably be resumed; quick. :func:`find` checks it."""
    try:
        sources = [catalogue.source(choice.id) for choice in Job.from_json(entry.job).sources]
    except InputError:
        return False
    live = any(spec.droppable or any(option.key == "folder" for option in spec.options) for spec in sources)
    return bool(entry.output) and entry.state in ENDED_EARLY and not live


def find(catalogue: Registry, text: str) -> Resumable:
    """Find the run to resume by its results folder, its ``run.json``, or its number in the history.

    Raises:
        InputError: there is no such run, it cannot be resumed, or its model has changed.
    """
    with History.open() as history:
        entry = find_entry(history, text)
    _, folder = _parse(text)
    output = folder or (Path(entry.output) if entry.output else None)
    if output is None:
        raise InputError("Run {id} wrote no files; there is nothing to resume", id=entry.id)
    if entry.state == "running":
        raise InputError("Run {id} is still running; it cannot be resumed", id=entry.id)
    if entry.state not in ENDED_EARLY:
        raise InputError("Run {id} is complete; there is nothing to resume", id=entry.id)
    job = Job.from_json(entry.job)
    _check(catalogue, entry, job)
    return Resumable(entry, job, output.absolute())


def find_entry(history: History, text: str) -> RunEntry:
    """Return a run by its results folder, its ``run.json``, or its number in the history.

    Raises:
        InputError: there is no such run.
    """
    number, folder = _parse(text)
    entries = history.runs() if number is None else history.runs(number)
    if folder is not None:
        entries = _runs_of_folder(folder, entries)
    if not entries:
        raise InputError("The history has no run {run}", run=number, cli_hint="history search")
    return entries[0]


def _parse(text: str) -> tuple[int | None, Path | None]:
    if text.isascii() and text.isdecimal() and len(text) < 19 and not exists(text):
        return int(text), None
    path = Path(text).absolute()
    if not text.strip() or not exists(text):
        raise InputError(
            "The run {text} does not exist; give its results folder, its run.json or its number", text=quote(text)
        )
    return None, path.parent if path.name == "run.json" else path


def _runs_of_folder(folder: Path, entries: Sequence[RunEntry]) -> list[RunEntry]:
    """The runs with the start time and title in the folder's run.json; the folder may have been moved since."""
    file = folder / "run.json"
    try:
        document: Any = paths.read_json(file)
        started, title = document["started"], document["title"]
    except (FileNotFoundError, NotADirectoryError):
        raise InputError("{folder} contains no run.json; give the results folder of a run", folder=folder) from None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputError(
            "{file} cannot be read ({reason}); give the run's number in the history instead", file=file, reason=error
        ) from None
    runs = [entry for entry in entries if entry.started == started and entry.title == title]
    if not runs:
        raise InputError(
            "The history on this computer does not contain the run of {folder}; use the computer, and the user, "
            "that started it",
            folder=folder,
        )
    return runs


def _check(catalogue: Registry, entry: RunEntry, job: Job) -> None:
    """Refuse runs that could not be continued alike, before anything is changed."""
    catalogue.model(job.model.id)
    for choice in job.exporters:
        catalogue.exporter(choice.id)
    for choice in job.sources:
        spec = catalogue.source(choice.id)
        if spec.droppable:
            raise InputError("A run from a camera cannot be resumed, since its images no longer exist; start a new run")
    if job.weights:
        try:
            if recipes.Recipe(job, (entry.model.file, entry.model.sha256)).model_changed():
                raise InputError(
                    "its model {weights} has changed since (SHA-256); restore the former file", weights=job.weights
                )
        except InputError as error:
            raise InputError("Run {id} cannot be resumed: {reason}", id=entry.id, reason=error) from None


def start(
    engine: Engine,
    resumable: Resumable,
    on_result: Listener | None = None,
    on_alarm: Callable[[Alarm], None] | None = None,
    quiet_after: float = QUIET_AFTER,
) -> Run:
    """Resume a run; its earlier files stay until they are replaced.

    Raises:
        InputError: one of its plugins is missing.
    """
    earlier = ResumedRun(resumable)
    title = resumable.entry.title
    return engine.start(resumable.job, resumable.output, title, on_result, on_alarm, quiet_after, earlier)


class ResumedRun:
    """The earlier results of a resumed run; implements :class:`inspector.engine.EarlierRun`.

    They are matched by file, in a video also by frame number (see :func:`_key`).
    """

    def __init__(self, resumable: Resumable) -> None:
        entry = resumable.entry
        self.run, self.started = entry.id, entry.started
        self._model = entry.model
        self._history: History | None = None
        self._ids: list[int] = []
        self._paths: dict[int, str | None] = {}
        self._ids_by_key: dict[tuple[Any, ...], deque[int]] = {}
        self._position: dict[int, int] = {}  # id -> index in _ids
        self._taken: set[int] = set()
        self._next = 0  # index of the first id that was not taken
        self._records: dict[int, dict[str, Any]] = {}
        with History.open() as history:
            last = history.search(Query(run=self.run, limit=1)).entries
            record = next((history.get(entry.id) for entry in last if entry.verdict is not None), None)
        confidence, iou = (record["confidence"], record["iou"]) if record else (None, None)
        self.thresholds = (
            resumable.job.confidence if confidence is None else confidence,
            resumable.job.iou if iou is None else iou,
        )

    def take(self, frame: Frame) -> Sequence[EarlierResult]:
        self._open()
        waiting = self._ids_by_key.get(_key(frame.path, frame.name, frame.index, frame.seconds))
        if not waiting:
            return ()
        id = waiting.popleft()
        self._taken.add(id)
        results = [*self._missing_before(id), self._result(id, frame)]
        self._advance()
        return results

    def rest(self) -> Sequence[EarlierResult]:
        self._open()
        return [self._without_image(id) for id in self._ids if id not in self._taken]

    def close(self) -> None:
        if self._history is not None:
            self._history.close()

    def begun(self, output: Path | None) -> None:
        logger.info("Run %d is resumed", self.run)
        if output is not None:
            put_aside(output)

    def ended(self, output: Path | None) -> None:
        if output is not None:
            restore_unreplaced(output)

    def _open(self) -> None:
        """On the reader's thread, at the first frame."""
        if self._history is not None:
            return
        self._history = History.open()
        for id, path, name, index, seconds in self._history.inspected(self.run):
            self._position[id] = len(self._ids)
            self._ids.append(id)
            self._paths[id] = path
            self._ids_by_key.setdefault(_key(path, name, index, seconds), deque()).append(id)

    def _missing_before(self, until: int) -> list[EarlierResult]:
        """Results before ``until`` whose files do not exist any more."""
        results = []
        for id in self._ids[self._next : self._position[until]]:
            path = self._paths[id]
            if id not in self._taken and path is not None and not exists(path):
                self._taken.add(id)
                results.append(self._without_image(id))
        return results

    def _advance(self) -> None:
        while self._next < len(self._ids) and self._ids[self._next] in self._taken:
            self._records.pop(self._ids[self._next], None)
            self._next += 1

    def _result(self, id: int, frame: Frame) -> EarlierResult:
        record = self._record(id)
        if (frame.width, frame.height) != (record["width"], record["height"]) or _changed(frame.path, record["time"]):
            logger.info("%s has changed since it was inspected, and is inspected again", frame.name)
            return EarlierResult(id, None)
        inspection = rebuild({**record, "index": frame.index}, self._model, frame)
        return EarlierResult(id, replace(inspection, frame=replace(frame, read_ms=inspection.frame.read_ms)))

    def _without_image(self, id: int) -> EarlierResult:
        record = self._record(id)
        return EarlierResult(id, rebuild(record, self._model, blank_frame(record)), image_missing=True)

    def _record(self, id: int) -> dict[str, Any]:
        if id not in self._records:
            assert self._history is not None
            start = self._position[id]
            for record in self._history.records_of(self._ids[start : start + _READ_AHEAD]):
                self._records[record["id"]] = record
        return self._records.pop(id)


def _key(path: str | None, name: str, index: int | None, seconds: float | None) -> tuple[Any, ...]:
    """Identity of an image: its file, in a video with the frame number. Bytes that are no text are escaped as in the
    history.
    """
    text = (path or name).encode("utf-8", "backslashreplace").decode()
    return (text,) if seconds is None else (text, index)


def _changed(path: str | None, time: str) -> bool:
    """Whether a file was written after an image of it was inspected at ``time``."""
    if path is None:
        return False
    try:
        return Path(path).stat().st_mtime > datetime.fromisoformat(time).timestamp()
    except (OSError, ValueError, OverflowError):
        return False


# The run's folder


def put_aside(output: Path) -> None:
    """Move the files of the run aside before it is resumed, since they are written again.

    Raises:
        InputError: the folder cannot be created or written.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        aside = output / _ASIDE
        for left in output.rglob(".tmp-*"):
            left.unlink(missing_ok=True)
        for entry in sorted(output.iterdir()):
            if entry.name not in _KEPT_IN_PLACE:
                _move(entry, aside / entry.name)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            "The results folder {folder} cannot be written ({reason}); make it writable", folder=output, reason=reason
        ) from None


def restore_unreplaced(output: Path) -> None:
    """Move earlier files that the resumed run did not write again back to their places."""
    aside = output / _ASIDE
    if not aside.is_dir():
        return
    with suppress(OSError):
        for entry in sorted(aside.iterdir()):
            _move(entry, output / entry.name)
    shutil.rmtree(aside, ignore_errors=True)


def _move(entry: Path, target: Path) -> None:
    """Move a file, or the files of a folder, unless the target exists."""
    if entry.is_dir() and not entry.is_symlink():
        for inner in sorted(entry.iterdir()):
            _move(inner, target / inner.name)
        with suppress(OSError):  # it still holds a file
            entry.rmdir()
    elif not os.path.lexists(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        paths.replace_patiently(entry, target)
    elif _ASIDE in target.parts:
        entry.unlink()
