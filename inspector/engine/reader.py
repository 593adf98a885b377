"""The first stage: reads the sources, checks and numbers their images, and matches them with earlier results."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from inspector.api import AcknowledgingSource, SeekableSource, Source, SourceSpec
from inspector.domain import Frame, InputError, InspectorError, Skipped, SourceStatus, message, plain_frame, quote
from inspector.engine.batch import EarlierResult, QueuedFrame
from inspector.engine.error_boundary import close_quietly
from inspector.engine.seen_files import SeenFiles
from inspector.engine.triggers import TriggerGate
from inspector.system import credentials

Specs = Sequence[tuple[SourceSpec, Mapping[str, Any]]]


class EarlierRun(Protocol):
    """The results that a resumed run already has. Used on the reader's thread, except for the attributes."""

    run: int
    """Id of the run in the history."""
    started: str
    thresholds: tuple[float, float]
    """Confidence and IoU that were in force last."""

    def take(self, frame: Frame) -> Sequence[EarlierResult]:
        """Return the earlier results to pass on now: those whose images are missing, and last that of ``frame``.

        The inspection of ``frame`` has the index of ``frame``.
        """

    def rest(self) -> Sequence[EarlierResult]:
        """Return the results that were not taken."""

    def close(self) -> None: ...

    def begun(self, output: Path | None) -> None:
        """Prepare the results folder; called on the writer's thread before anything is written.

        Raises:
            InputError: the folder cannot be written.
        """

    def ended(self, output: Path | None) -> None:
        """Clean up the results folder; called on the writer's thread after all files are written."""


class SourceReader:
    """Reads all sources of a run. Opened, used and closed on the reader's thread.

    Args:
        specs: the sources with their checked options.
        ended: returns whether the run is to end.
        can_pass: returns whether an image of a live source may pass (the run is not paused).
        report: called with a sentence about each problem.
        status: called when a source loses its input and when it has it again.
        interruptions: returns the number of interruptions so far.
        earlier: of a resumed run.
        gate: of the triggers.
        passed_over: called with each image that no trigger takes.
    """

    def __init__(
        self,
        specs: Specs,
        ended: Callable[[], bool],
        can_pass: Callable[[], bool],
        report: Callable[[str], None],
        status: Callable[[SourceStatus], None],
        interruptions: Callable[[], int],
        earlier: EarlierRun | None,
        gate: TriggerGate,
        passed_over: Callable[[Frame], None],
    ) -> None:
        self._specs, self._ended, self._can_pass, self._report = specs, ended, can_pass, report
        self._earlier, self._status, self._interruptions = earlier, status, interruptions
        self._gate, self._passed_over = gate, passed_over
        self._live = any(spec.droppable for spec, _ in specs)
        self._opened: list[tuple[SourceSpec, Source]] = []
        self._all: list[Source] = []
        self._seen = SeenFiles()

    @property
    def total(self) -> int | None:
        """Number of images of all sources, or None if unknown; it may change while they are read."""
        totals = [source.total for source in self._all]
        return None if None in totals else max(0, sum(int(total or 0) for total in totals) - self._seen.repeated)

    @property
    def endless(self) -> bool:
        """Whether a source has no end: a camera or a watched folder."""
        return self._live or any(isinstance(source, AcknowledgingSource) for source in self._all)

    def open(self) -> None:
        """Open all sources; those that cannot be opened are reported as long as one can.

        Raises:
            InputError: none can be opened, a run of one of them cannot be resumed, or a trigger is to take stills.
        """
        refused: list[str] = []
        for spec, options in self._specs:
            if self._ended():
                break
            try:
                self._opened.append((spec, spec.open(**credentials.reveal_options(options))))
            except InputError as error:
                refused.append(str(error))
        self._all = [source for _, source in self._opened]
        for source in self._all:
            if self._gate.active and isinstance(source, SeekableSource) and source.total:
                self._gate.check(source.frame(0))
        if refused and not self._opened:
            raise InputError(refused[0])
        for sentence in refused:
            self._report(sentence)
        if self._earlier is not None and any(isinstance(source, AcknowledgingSource) for source in self._all):
            raise InputError("A watched folder has no end and continues where it was by itself; start a new run for it")

    def items(self) -> Iterator[QueuedFrame]:
        """Yield all images in order; each source is closed after its last. Stills are numbered through the run."""
        before = 0
        while self._opened and not self._ended():
            spec, source = self._opened[0]
            done = source.done if isinstance(source, AcknowledgingSource) else None
            stills = 0
            self._seen.next_source()
            self._gate.next_source()
            for yielded in self._contents(spec, source):
                if done is None and self._seen.is_repeated(yielded):
                    continue
                content = yielded
                if isinstance(content, Frame) and content.seconds is None:
                    stills = max(stills, content.index + 1)
                    content = replace(content, index=before + content.index) if before else content
                yield from self._with_earlier(content, None if done is None else functools.partial(done, yielded))
            before += stills
            self._opened.pop(0)
            close_quietly(source, f"Source {spec.id}")
        if self._earlier is not None and not self._ended():
            yield from self._missing(self._earlier.rest())

    def close(self) -> None:
        """Close the sources that are still open."""
        for spec, source in self._opened:
            close_quietly(source, f"Source {spec.id}")
        if self._earlier is not None:
            self._earlier.close()

    def _with_earlier(self, content: Frame | Skipped, on_saved: Callable[[], object] | None) -> Iterator[QueuedFrame]:
        """``content`` with its earlier result, after earlier results whose images are missing."""
        earlier = () if self._earlier is None or isinstance(content, Skipped) else self._earlier.take(content)
        yield from self._missing([result for result in earlier if result.image_missing])
        own = next((result for result in earlier if not result.image_missing), None)
        yield QueuedFrame(content, own, self._interruptions(), on_saved, self._gate.number)

    def _missing(self, earlier: Sequence[EarlierResult]) -> Iterator[QueuedFrame]:
        for result in earlier:
            assert result.inspection is not None
            name = result.inspection.frame.name
            self._report(message("{name} no longer exists; its result was saved without its image", name=name))
            yield QueuedFrame(result.inspection.frame, result)

    def _contents(self, spec: SourceSpec, source: Source) -> Iterator[Frame | Skipped]:
        """Images of a source until the run is stopped; those of a camera are dropped while the run is paused."""
        for content in source:
            if self._ended():
                return
            if isinstance(content, SourceStatus):
                self._status(content)
            elif content is not None and (not self._live or self._can_pass()):
                if isinstance(content, Frame):
                    frame = plain_frame(content)
                    if self._gate.lets_pass(frame):
                        yield frame
                    else:
                        self._passed_over(frame)
                elif isinstance(content, Skipped):
                    yield content
                else:
                    raise InspectorError(
                        "Source {id} gave {content} instead of an image", id=spec.id, content=quote(content)
                    )
