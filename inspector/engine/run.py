"""A job at work: the three stages and what may be asked of them meanwhile."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from inspector.api import (
    ExporterSpec,
    LayerSpec,
    ManyAtOnce,
    Model,
    ModelSpec,
    ParallelModel,
    RunInfo,
    Source,
    SourceSpec,
)
from inspector.channel import Channel
from inspector.domain import Frame, InputError, Inspection, InspectorError, Job, ModelInfo, Skipped
from inspector.engine.exporting import Exporters
from inspector.engine.gate import Gate
from inspector.engine.guards import close, describe
from inspector.engine.pace import Pace
from inspector.engine.record import Counts, new_folder, now, save_run
from inspector.engine.work import Batch, Item

if TYPE_CHECKING:
    from inspector.engine.engine import Engine

logger = logging.getLogger(__name__)
_WAITING_BYTES = 8 * 2**20
_TICK = 0.2  # seconds
Listener = Callable[["Inspection | Skipped"], None]
ModelOpener = Callable[[ModelSpec, "Path | None", str, Sequence[LayerSpec], Mapping[str, Any]], Model]


class Catalogue(Protocol):
    """Where specs come from (the registry)."""

    @property
    def layers(self) -> Mapping[str, LayerSpec]: ...
    def model(self, id: str) -> ModelSpec: ...
    def source(self, id: str) -> SourceSpec: ...
    def exporter(self, id: str) -> ExporterSpec: ...


class Journal(Protocol):
    """What keeps the results (the history). Used on the writer's thread only."""

    @property
    def pending(self) -> int:
        """Rows that were added but are not yet safe on disk."""

    def begin(self, job: Job, model: ModelInfo, title: str, output: Path | None, started: str) -> int: ...
    def add(self, run: int, inspection: Inspection) -> None: ...
    def add_skipped(self, run: int, skipped: Skipped) -> None: ...
    def tick(self) -> None: ...
    def finish(self, run: int, state: str, counts: Mapping[str, int]) -> None: ...
    def close(self) -> None: ...


class Run:
    """A job at work. Its methods may be called from any thread; its attributes are read-only from outside.

    Attributes:
        state: ``starting``, ``running``, ``done``, ``stopped`` or ``failed``.
        counts: how far it has come.
        total: number of pictures, or None where unknown.
        history_id: of the run in the history, once it has begun there.
        problems: sentences on what went wrong while the run went on.
        changes: of the thresholds while it was at work, each with the number of the first picture.
        failure: what ended the run.
        files: what was written.
        output: the folder of the files.
        model: what the opened model says of itself.
    """

    def __init__(
        self,
        engine: Engine,
        job: Job,
        sources: Sequence[tuple[SourceSpec, Mapping[str, Any]]],
        model: ModelSpec,
        model_options: Mapping[str, Any],
        exporters: Sequence[tuple[ExporterSpec, Mapping[str, Any]]],
        output: Path | None,
        title: str,
        on_result: Listener | None,
    ) -> None:
        self.job, self.output, self.title = job, output, title
        self.state = "starting"
        self.counts = Counts()
        self.total: int | None = None
        self.history_id: int | None = None
        self.problems: list[str] = []
        self.failure: Exception | None = None
        self._exporters = Exporters(self._report)
        self.files = self._exporters.files
        self.model: ModelInfo | None = None
        self.started = now()
        self.ended = ""
        self._engine, self._sources, self._model_spec, self._model_options = engine, sources, model, model_options
        self._exporter_specs, self._on_result = exporters, on_result
        self._thresholds = self._used = (job.confidence, job.iou)
        self.changes: list[dict[str, float]] = []
        self._opened = False  # the sources; a later failure leaves something to save
        self._stopping = threading.Event()
        self._gate, self._pace = Gate(), Pace()
        self._reader_ready = threading.Event()
        self._model_ready = threading.Event()
        self._live = any(spec.droppable for spec, _ in sources)
        self._frames: Channel[Item] = Channel(_WAITING_BYTES, lambda item: item.bytes, latest=self._live)
        # Each core may be at work on a picture of its own.
        behind = _WAITING_BYTES * min(16, os.cpu_count() or 1)
        self._results: Channel[Batch] = Channel(behind, lambda batch: batch.bytes)
        stages = (self._read, self._infer, self._write)
        self._threads = [threading.Thread(target=stage, name=stage.__name__, daemon=True) for stage in stages]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End within one frame; what was inspected is saved."""
        self._stopping.set()
        self._gate.open()
        self._frames.close()

    def pause(self) -> None:
        """Halt before the next frame. What a camera sees meanwhile is neither inspected nor counted as dropped."""
        self._gate.shut()
        self._pace.halt()

    def resume(self) -> None:
        self._gate.open()
        if self.state == "running":
            self._pace.go()

    def step(self) -> None:
        """While paused: inspect the next picture, of a camera the newest, and halt again."""
        self._gate.step()

    @property
    def paused(self) -> bool:
        return not self._gate.is_open

    @property
    def rate(self) -> float:
        """Pictures a second over the last seconds; 0 before the second picture."""
        return self._pace.rate

    @property
    def elapsed(self) -> float:
        """Seconds at work, without those in which it was paused."""
        return self._pace.elapsed

    @property
    def remaining(self) -> float | None:
        """Seconds that the rest will take at this rate; None where that is unknown."""
        if self.total is None or not self.rate:
            return None
        return max(0, self.total - self.counts.inspected - self.counts.skipped) / self.rate

    def set_thresholds(self, confidence: float, iou: float) -> None:
        """Confidence and IoU from the next frame on, each 0 to 1."""
        self._thresholds = (confidence, iou)

    def wait(self, timeout: float | None = None) -> bool:
        """True once the run has ended; waits ``timeout`` seconds at most."""
        self._threads[-1].join(timeout)
        return not self._threads[-1].is_alive()

    # reader

    def _read(self) -> None:
        opened: list[tuple[SourceSpec, Source]] = []
        try:
            opened = self._open_sources()
            every = [source for _, source in opened]
            self.total = _total(every)
            self._opened = True
            self._reader_ready.set()
            before = 0  # pictures of earlier sources: still ones are numbered through the run
            while opened and not self._stopping.is_set():
                spec, source = opened[0]
                stills = 0
                for content in self._contents(source):
                    if isinstance(content, Frame) and content.seconds is None:
                        stills = max(stills, content.index + 1)
                        content = replace(content, index=before + content.index) if before else content
                    if not self._frames.put(Item(source, content)):
                        return
                before += stills
                opened.pop(0)
                self.total = _total(every)  # a file may have held more or less than it stated
                close(source, f"Source {spec.id}")
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the guard of this stage
            self._fail(error, "The source failed")
        finally:
            self._reader_ready.set()
            self._frames.finish()
            for spec, source in opened:
                close(source, f"Source {spec.id}")

    def _open_sources(self) -> list[tuple[SourceSpec, Source]]:
        opened: list[tuple[SourceSpec, Source]] = []
        refused: list[str] = []
        for spec, options in self._sources:
            if self._stopping.is_set():
                break
            try:
                opened.append((spec, spec.open(**options)))
            except InputError as error:
                refused.append(str(error))
        if refused and not opened:
            raise InputError(refused[0])
        for sentence in refused:
            self._report(sentence)
        return opened

    def _contents(self, source: Source) -> Iterator[Frame | Skipped]:
        """What the source yields until the run is stopped; what a camera sees while it is paused is left out."""
        for content in source:
            if self._stopping.is_set():
                return
            if content is not None and (not self._live or self._gate.passable):
                yield content

    # model

    def _infer(self) -> None:
        model: Model | None = None
        try:
            spec = self._model_spec
            weights = None if self.job.weights is None else Path(self.job.weights)
            layers = tuple(self._engine.catalogue.layers.values())
            model = self._engine.open_model(spec, weights, self.job.device, layers, self._model_options)
            if self.job.rules is not None:
                self.job.rules.check_names(model.info.names)
            self.model = replace(model.info, plugin=spec.id)
            self._model_ready.set()
            most = max(1, model.batch)
            if isinstance(model, ParallelModel) and not self._live:
                self._infer_many(model.many(), self.model, most)
            else:
                for items in self._admitted(most):
                    batch = Batch(items, *self._thresholds)
                    self._inspect(model, self.model, batch)
                    if not self._results.put(batch):
                        break
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the guard of this stage
            self._fail(error, "The model failed")
        finally:
            self._model_ready.set()
            self._frames.close()
            self._results.finish()
            if model is not None:
                close(model, f"Model {self._model_spec.id}")

    def _infer_many(self, model: ManyAtOnce, info: ModelInfo, most: int) -> None:
        """Look at pictures from several threads; what comes of them is handed over in their order."""
        free = threading.Semaphore(model.streams)
        with ThreadPoolExecutor(model.streams, "_infer_many") as threads:
            for items in self._admitted(most):
                free.acquire()
                if self._stopping.is_set():
                    break
                batch = Batch(items, *self._thresholds)
                batch.results.add_done_callback(lambda _: free.release())
                threads.submit(self._inspect, model, info, batch)
                if not self._results.put(batch):
                    break

    def _admitted(self, most: int) -> Iterator[Sequence[Item]]:
        """What comes from the reader, ``most`` at once, halting while the run is paused, ending when it is stopped."""
        while items := self._frames.take(most):
            while items:
                if self._live and not self._gate.passable:
                    break  # seen before the pause; a step is to show what is there now
                many = self._gate.go_through(len(items))
                if self._stopping.is_set():
                    return
                yield items[:many]
                items = items[many:]

    def _inspect(self, model: Model | ManyAtOnce, info: ModelInfo, batch: Batch) -> None:
        """Find the batch's results; none where the model fails, which ends the run."""
        results: list[Inspection | Skipped] = []
        try:
            results += batch.inspected(model, info, self.job.rules)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the guard of this stage
            self._fail(error, "The model failed")
            self._frames.close()
        finally:
            batch.results.set_result(results)

    # writer

    def _write(self) -> None:
        self._reader_ready.wait()
        self._model_ready.wait()
        try:
            if self._opened and self.model is not None:
                with ExitStack() as stack:
                    self._keep(self.model, stack)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the guard of this stage
            self._fail(error, "The results could not be kept")
        finally:
            self._results.close()
            self._frames.close()
            for thread in self._threads[:-1]:
                thread.join()
            self.state = "failed" if self.failure else "stopped" if self._stopping.is_set() else "done"

    def _keep(self, model: ModelInfo, stack: ExitStack) -> None:
        journal = self._engine.journal()
        stack.callback(journal.close)
        if self.output is not None:
            with new_folder(self.output) as self.output:
                stack.enter_context(self._engine.log_to(self.output / "run.log"))
        what = (self.title, model.file, model.architecture, model.device, model.runtime)
        logger.info("Run of %s with %s (%s) on %s with %s", *what)
        self.history_id = run = journal.begin(self.job, model, self.title, self.output, self.started)
        self.state = "running"
        if not self.paused:
            self._pace.go()
        self._save_run("running")
        if self.output is not None:
            info = RunInfo(self.job, model, self.title, self.started, self.total)
            self._exporters.open(self._exporter_specs, self.output, info)
        unsafe: list[Item] = []  # added, but not yet on disk

        def idle() -> None:
            journal.tick()
            _acknowledge(journal, unsafe)

        try:
            for item, result in self._arriving(idle):
                if isinstance(result, Skipped):
                    journal.add_skipped(run, result)
                    self._report(result.reason if result.name in result.reason else f"{result.name}: {result.reason}")
                else:
                    journal.add(run, result)
                    self._exporters.write(result)
                if hasattr(item.source, "done"):
                    unsafe.append(item)
                _acknowledge(journal, unsafe)
                self._count(result)
                if self._on_result is not None:
                    self._on_result(result)
        finally:
            self._exporters.close()
            self.ended = now()
            self._pace.halt()
            state = "failed" if self.failure else "stopped" if self._stopping.is_set() else "done"
            journal.finish(run, state, asdict(self.counts))
            _acknowledge(journal, unsafe)
            self._save_run(state)

    def _arriving(self, idle: Callable[[], None]) -> Iterator[tuple[Item, Inspection | Skipped]]:
        """Results in the order of their pictures, numbered and dated; ``idle`` is called while there are none."""
        number = 0
        while True:
            try:
                batch = self._results.get(_TICK)
            except TimeoutError:
                idle()
                continue
            if batch is None:
                return
            while not wait([batch.results], _TICK).done:
                idle()
            for item, result in zip(batch.items, batch.results.result(), strict=False):
                if isinstance(result, Inspection):
                    number += 1
                    result = replace(result, number=number, time=now())
                    self._note_thresholds(result)
                yield item, result

    def _note_thresholds(self, inspection: Inspection) -> None:
        """Keep from which picture on other thresholds were in force than those of the job."""
        used = (inspection.confidence, inspection.iou)
        if used != self._used:
            self._used = used
            self.changes.append({"number": inspection.number, "confidence": used[0], "iou": used[1]})
            logger.info("From picture %d on: confidence %g, IoU %g", inspection.number, *used)

    def _count(self, result: Inspection | Skipped) -> None:
        self._pace.count()
        self.counts = self.counts.after(result, self._frames.dropped)

    def _save_run(self, state: str) -> None:
        if self.output is not None:
            save_run(self, self.output, state, self._engine.version)

    # all stages

    def _report(self, sentence: str, error: Exception | SystemExit | None = None) -> None:
        logger.warning("%s", sentence, exc_info=error if error and not isinstance(error, InspectorError) else None)
        self.problems.append(sentence)

    def _fail(self, error: Exception | SystemExit, what: str) -> None:
        if not isinstance(error, InspectorError):
            # Whoever started the run tells the person; here it goes to the log only.
            logger.error("%s: %s", what, error, exc_info=error, extra={"told": True})
            error = InspectorError(f"{what}: {describe(error)}")
        if self.failure is None:
            self.failure = error
        if self.state != "starting":
            self.problems.append(str(error))


def _acknowledge(journal: Journal, unsafe: list[Item]) -> None:
    """Tell the sources that wish to know it which pictures are safe on disk now."""
    if journal.pending:
        return
    for item in unsafe:
        item.source.done(item.content)  # type: ignore[attr-defined]
    unsafe.clear()


def _total(sources: Sequence[Source]) -> int | None:
    totals = [source.total for source in sources]
    return None if None in totals else sum(total or 0 for total in totals)
