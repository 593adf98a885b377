"""A run: its three stages, and the control of them while it works."""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from pathlib import Path

from inspector.api import (
    ConcurrentPredictor,
    Model,
    ParallelModel,
    RunInfo,
)
from inspector.domain import (
    Frame,
    InputError,
    Inspection,
    InspectorError,
    ModelInfo,
    Part,
    PartProgress,
    Skipped,
    SourceStatus,
    TryAgain,
    describe,
    message,
    quote,
    rules_sha256,
)
from inspector.domain.clock import local_time
from inspector.engine import disk_space
from inspector.engine.alarms import DISK, EXPORTER, FOLDER, HISTORY, MODEL, QUIET, SLOW, SOURCE, SPACE, Alarm, Alarms
from inspector.engine.batch import Batch, QueuedFrame
from inspector.engine.channel import Channel
from inspector.engine.error_boundary import ErrorBoundary, close_quietly
from inspector.engine.exporters import Exporters
from inspector.engine.part_tracker import PartTracker, Placement
from inspector.engine.pause_gate import PauseGate
from inspector.engine.reader import EarlierRun, SourceReader
from inspector.engine.result_writer import ResultStore, ResultWriter
from inspector.engine.run_context import ResolvedJob, RunContext
from inspector.engine.run_folder import Counts, RunRecord, create_run_folder, reopen_run_folder, save_run
from inspector.engine.throughput import Throughput
from inspector.engine.triggers import TriggerGate
from inspector.engine.watchdog import QUIET_AFTER, Watchdog
from inspector.system.paths import data_folder

logger = logging.getLogger(__name__)
_QUEUE_BYTES = 8 * 2**20
_IDLE_INTERVAL = 0.2  # seconds
Listener = Callable[["Inspection | Skipped | Part"], None]
"""Called with each image once its result is written, and with each part once it is final, except parts of one image
that nothing groups."""


class Run:
    """A job at work on threads of its own. Any thread may call its methods and read its attributes.

    Three events join the stages: the writer starts once the sources are open (``_reader_ready``) and the model is
    open (``_model_ready``), so that nothing is written if either fails; ``_stopping`` ends all of them.

    Attributes:
        state: ``starting``, ``running``, ``done``, ``stopped`` or ``failed``.
        counts: results so far.
        total: number of images, or None if unknown.
        history_id: of the run in the history, once it is recorded there.
        problems: sentences about problems that did not end the run.
        alarms: conditions under which verdicts are not current or results are not saved.
        changes: changes of the thresholds during the run, each with the number of the first image.
        failure: the error that ended the run.
        pending: name of an image that has arrived at the source but is not complete yet, or "".
        part: progress of the part of the newest result; None if each image is a part.
        files: written files.
        output: results folder.
        model: information of the opened model.
    """

    def __init__(
        self,
        context: RunContext,
        resolved: ResolvedJob,
        output: Path | None,
        title: str,
        on_result: Listener | None,
        on_alarm: Callable[[Alarm], None] | None = None,
        quiet_after: float = QUIET_AFTER,
        earlier: EarlierRun | None = None,
    ) -> None:
        self.job, self.output, self.title = resolved.job, output, title
        self.state = "starting"
        self.counts = self._saved_counts = Counts()
        self.total: int | None = None
        self.history_id: int | None = None
        self.problems: list[str] = []
        self.failure: Exception | None = None
        self.alarms = Alarms(on_alarm)
        self._exporters = Exporters(self._exporter_failed)
        self.files = self._exporters.files
        self.model: ModelInfo | None = None
        self.pending = ""
        self.part: PartProgress | None = None
        self.started = local_time() if earlier is None else earlier.started
        self.ended = ""
        self._context, self._resolved, self._on_result = context, resolved, on_result
        self._size_reported = self._recipe_size_reported = False
        self._thresholds = self._used = (self.job.confidence, self.job.iou)
        self._earlier = earlier
        if earlier is not None:
            self._thresholds = earlier.thresholds
        self.changes: list[dict[str, float]] = []
        self._opened = False  # the sources; if the run fails later, there are results to save
        self._stopping = threading.Event()
        self._gate, self._throughput = PauseGate(), Throughput()
        self._watchdog = Watchdog(self.alarms, lambda: self.paused, quiet_after)
        self._newest: tuple[int, Inspection | Skipped] | None = None  # with the interruptions when it was read
        self._reader_ready = threading.Event()
        self._model_ready = threading.Event()
        self._live = any(spec.droppable for spec, _ in resolved.sources)
        grouping = self.job.parts
        self._trigger = None if grouping is None else grouping.trigger
        self._triggers = TriggerGate(self._trigger, grouping is not None and grouping.stretch)
        self._passing: Frame | None = None  # newest image that no trigger took
        self._reader = SourceReader(
            resolved.sources,
            lambda: self._stopping.is_set() or self.failure is not None,
            lambda: self._gate.can_pass,
            self._report,
            self._note_source,
            lambda: self.alarms.interruptions,
            earlier,
            self._triggers,
            self._pass_over,
        )
        # An image that a trigger took is inspected, however long that takes; of a stretch, the newest counts.
        latest = self._live and (self._trigger is None or (grouping is not None and grouping.stretch))
        self._frames: Channel[QueuedFrame] = Channel(_QUEUE_BYTES, lambda item: item.bytes, latest=latest)
        # Each core may infer an image of its own, so as many wait for the writer.
        result_bytes = _QUEUE_BYTES * min(16, os.cpu_count() or 1)
        self._results: Channel[Batch] = Channel(result_bytes, lambda batch: batch.bytes)
        stages = (self._read, self._infer, self._write)
        self._threads = [threading.Thread(target=stage, name=stage.__name__, daemon=True) for stage in stages]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the run within one image; finished results are saved."""
        self._stopping.set()
        self._gate.open()
        self._frames.close()

    def pause(self) -> None:
        """Pause before the next image. Images of a camera are then neither inspected nor counted as dropped."""
        self._gate.close()
        self._throughput.pause()

    def resume(self) -> None:
        """Continue after a pause."""
        self._gate.open()
        if self.state == "running":
            self._throughput.start()

    def step(self) -> None:
        """While paused: inspect one more image, the newest of a camera."""
        self._gate.step()

    @property
    def trigger_kind(self) -> str:
        """``key``, ``timer`` or ``still``; "" if no trigger takes the images."""
        return "" if self._trigger is None else self._trigger.kind

    @property
    def counts_frames(self) -> bool:
        """Whether each frame of a stream counts as a part, since nothing says where a part begins."""
        return self._live and (self.job.parts is None or (self.job.parts.single and self._trigger is None))

    def trigger(self) -> None:
        """Take the next image, or begin the next part with it. Without effect unless the trigger is ``key``."""
        if self.trigger_kind == "key" and not self.paused:
            self._triggers.fire()

    @property
    def triggers_waiting(self) -> bool:
        """Whether a key trigger waits for its image, or an image for its result."""
        return self._triggers.pressed > 0 or self._triggers.number > self.counts.inspected

    def take_passing(self) -> Frame | None:
        """Return the newest image that no trigger took, once: a preview that is neither inspected nor counted."""
        passing, self._passing = self._passing, None
        return passing

    @property
    def paused(self) -> bool:
        return not self._gate.is_open

    @property
    def rate(self) -> float:
        """Images per second over the last seconds; 0 before the second image."""
        return self._throughput.rate

    @property
    def elapsed(self) -> float:
        """Working time without pauses, seconds."""
        return self._throughput.elapsed

    @property
    def remaining(self) -> float | None:
        """Estimated time to the end, seconds; None if unknown."""
        if self.total is None or not self.rate:
            return None
        return max(0, self.total - self.counts.inspected - self.counts.skipped) / self.rate

    @property
    def silence(self) -> float:
        """Time since the newest result without pauses, seconds; 0 before the first."""
        return self._watchdog.silence

    def set_thresholds(self, confidence: float, iou: float) -> None:
        """Use these thresholds (confidence and NMS IoU, 0 to 1) from the next image on."""
        self._thresholds = (confidence, iou)

    def take_newest(self) -> Inspection | Skipped | None:
        """Return the newest result once, if it is current: not from before or during an interruption."""
        newest, self._newest = self._newest, None
        if newest is None or newest[0] != self.alarms.interruptions or self.alarms.interrupted:
            return None
        return newest[1]

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end of the run, at most ``timeout`` seconds; return whether it has ended."""
        self._threads[-1].join(timeout)
        return not self._threads[-1].is_alive()

    # reader

    def _read(self) -> None:
        try:
            self._require_space()
            self._reader.open()
            self.total = self._reader.total
            self._watchdog.source(self._live, self.total is None)
            self._opened = True
            self._reader_ready.set()
            for item in self._reader.items():
                self.total = self._reader.total
                self.pending = ""
                if not self._frames.put(item):
                    return
            self.total = self._reader.total
        except BaseException as error:  # noqa: BLE001 - the error boundary of this stage
            self._fail(error, message("The source failed"))
        finally:
            self._reader_ready.set()
            self._frames.finish()
            with ErrorBoundary(lambda error: self._fail(error, message("The source failed"))):
                self._reader.close()

    def _pass_over(self, frame: Frame) -> None:
        self._passing = frame
        self._watchdog.waiting()

    def _note_source(self, status: SourceStatus) -> None:
        self.pending = status.pending
        if not status.available:
            self.alarms.begin(SOURCE, status.message)
        elif self.alarms.end(SOURCE) is not None:
            logger.warning("%s", status.message)

    def _require_space(self) -> None:
        """Refuse to start if nothing can be written; warn if there is little space."""
        if self.output is not None:
            try:
                warning = disk_space.require_space(self._folders())
            except InputError as error:
                self._fail(error, message("The results could not be saved"), FOLDER)
                raise
            if warning:
                self.alarms.begin(SPACE, warning)

    def _folders(self) -> list[Path]:
        return [data_folder(), *([] if self.output is None else [self.output])]

    # model

    def _infer(self) -> None:
        model: Model | None = None
        try:
            spec = self._resolved.model
            weights = None if self.job.weights is None else Path(self.job.weights)
            layers = tuple(self._context.catalog.layers.values())
            options = self._resolved.model_options
            model = self._context.open_model(spec, weights, self.job.device, layers, options)
            if self.job.rules is not None:
                self.job.rules.check_names(model.info.names)
            self.model = replace(model.info, plugin=spec.id)
            self._model_ready.set()
            batch_size = max(1, model.batch)
            if isinstance(model, ParallelModel) and not self._live:
                self._infer_concurrently(model.many(), self.model, batch_size)
            else:
                for items in self._batches(batch_size):
                    batch = Batch(items, *self._thresholds)
                    self._infer_batch(model, self.model, batch)
                    if not self._results.put(batch):
                        break
        except BaseException as error:  # noqa: BLE001 - the error boundary of this stage
            self._fail(error, message("The model failed"))
        finally:
            self._model_ready.set()
            self._frames.close()
            self._results.finish()
            if model is not None:
                close_quietly(model, f"Model {self._resolved.model.id}")

    def _infer_concurrently(self, model: ConcurrentPredictor, info: ModelInfo, batch_size: int) -> None:
        """Infer on several threads. The writer gets the futures of the results in the order of the images."""
        free = threading.Semaphore(model.streams)
        with ThreadPoolExecutor(model.streams, "_infer_concurrently") as threads:
            for items in self._batches(batch_size):
                free.acquire()
                if self._stopping.is_set():
                    break
                batch = Batch(items, *self._thresholds)
                batch.results.add_done_callback(lambda _: free.release())
                threads.submit(self._infer_batch, model, info, batch)
                if not self._results.put(batch):
                    break

    def _batches(self, batch_size: int) -> Iterator[Sequence[QueuedFrame]]:
        """Images from the reader in batches; waits while the run is paused and ends when it is stopped."""
        while items := self._frames.take(batch_size):
            while items:
                if self._live and not self._gate.can_pass:
                    break  # captured before the pause; a step is to show the current image
                count = self._gate.acquire(len(items))
                if self._stopping.is_set():
                    return
                yield items[:count]
                items = items[count:]

    def _infer_batch(self, model: Model | ConcurrentPredictor, info: ModelInfo, batch: Batch) -> None:
        """Set the results of the batch; if the model fails, there are none and the run ends."""
        results: list[Inspection | Skipped] = []
        try:
            with self._watchdog.inference():
                results += batch.infer(model, info, self.job.rules, self.job.calibration)
        except BaseException as error:  # noqa: BLE001 - the error boundary of this stage
            self._fail(error, message("The model failed"))
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
                    self._write_results(self.model, stack)
        except BaseException as error:  # noqa: BLE001 - the error boundary of this stage
            self._fail(error, message("The results could not be saved"))
        finally:
            self._results.close()
            self._frames.close()
            for thread in self._threads[:-1]:
                thread.join()
            self._watchdog.stop()
            self.state = self._outcome

    @property
    def _outcome(self) -> str:
        return "failed" if self.failure else "stopped" if self._stopping.is_set() else "done"

    def _write_results(self, model: ModelInfo, stack: ExitStack) -> None:
        with self._watchdog.history():
            store = self._context.open_store()
        stack.callback(store.close)
        if self.output is not None:
            reserve = create_run_folder if self._earlier is None else reopen_run_folder
            with reserve(self.output) as self.output:
                stack.enter_context(self._context.open_log(self.output / "run.log"))
            self._watchdog.disks(self.output, self._folders())
        facts = (self.title, model.file, model.architecture, model.device, model.runtime)
        logger.info("Run of %s with %s (%s) on %s with %s", *facts)
        if self.counts_frames:
            logger.info("Each frame counts as a part, since nothing says where a part begins")
        for alarm in self.alarms.unrecorded():
            logger.warning("Alarm since %s: %s", alarm.since, alarm.message)  # from before there was a run.log
        with self._watchdog.history():
            if self._earlier is None:
                run = store.begin(self.job, model, self.title, self.output, self.started)
            else:
                run = self._earlier.run
                store.reopen(run, self.output)
        if self._earlier is not None:
            self._earlier.begun(self.output)
        self.history_id = run
        self.state = "running"
        if not self.paused:
            self._throughput.start()
        self._save_run("running")
        if self.output is not None:
            info = RunInfo(self.job, model, self.title, self.started, self.total)
            self._exporters.open(self._resolved.exporters, self.output, info)
        report, withdraw = self._report, self.problems.remove
        writer = ResultWriter(store, run, self._exporters, report, withdraw, self._saved, self._watchdog.history)
        parts = PartTracker(self.job.parts, self.job.lot, self._reader.endless)

        def idle() -> None:
            writer.flush_if_due()
            self._record_alarms(store, run)

        try:
            for item, unplaced in self._ordered_results(idle):
                placement = parts.place(unplaced, item.content, item.stretch)
                result = unplaced
                if isinstance(unplaced, Inspection) and placement.view is not None:
                    result = replace(unplaced, part=placement.view)
                if isinstance(result, Skipped):
                    self._report(
                        result.reason
                        if result.name in result.reason
                        else message("{name}: {reason}", name=result.name, reason=result.reason)
                    )
                writer.add(item, result, placement)
                self._record_alarms(store, run)
                self._count(result, placement)
                self._watchdog.result()
                self.part = None if parts.newest is None else parts.newest.progress
                self._newest = (item.interruptions, result)
                if self._on_result is not None:
                    for told in (result, *placement.finished):
                        self._on_result(told)
            writer.flush()
            self._end_parts(parts, writer)
        except BaseException as error:  # noqa: BLE001 - before run.json and the history record how the run ended
            self._fail(error, message("The results could not be saved"))
            self._save_or_discard(writer, error, parts)
        finally:
            self._exporters.close()
            self.ended = local_time()
            self._throughput.pause()
            if self.failure is None:
                self._end_alarms()
            try:
                with self._watchdog.history():
                    self._record_alarms(store, run)
                    store.finish(run, self._outcome, asdict(self.counts))
            except BaseException as error:  # noqa: BLE001 - run.json still has to record how the run ended
                self._fail(error, message("The results could not be saved"))
            if self._earlier is not None:
                self._earlier.ended(self.output)
            self._save_run(self._outcome)

    def _end_parts(self, parts: PartTracker, writer: ResultWriter) -> None:
        """End the parts that are still open; report what could not be grouped."""
        ended = parts.finish()
        if ended.counts is not None:
            self.counts = self._saved_counts = self.counts.with_parts(ended.counts)
        if parts.newest is not None:
            newest = parts.newest.part()
            self.part = replace(parts.newest.progress, verdict=newest.verdict, final=True)
        writer.end_parts(ended)
        if self._on_result is not None:
            for part in ended.finished:
                self._on_result(part)
        if parts.unmatched:
            self._report(
                message(
                    "Images whose names do not fit the pattern of the parts, {pattern}: {count}; each is a part of its "
                    "own with the verdict WARN at least",
                    pattern=quote(self.job.parts.pattern if self.job.parts else ""),
                    count=parts.unmatched,
                )
            )
        if parts.missed:
            self._report(
                message(
                    "Parts of which no image was inspected, since the next trigger came too soon: {count}; their "
                    "verdict is WARN",
                    count=parts.missed,
                )
            )

    def _save_or_discard(self, writer: ResultWriter, cause: BaseException, parts: PartTracker) -> None:
        """After a failure: save waiting results if possible, else report those that are lost."""
        try:
            if isinstance(cause, TryAgain):
                raise cause
            writer.flush()
            self._end_parts(parts, writer)
        except BaseException:  # noqa: BLE001 - reported already
            if lost := writer.discard_unsaved():
                self._report(
                    message(
                        "{count} inspections are neither in the history nor in the files, from number {number} on; "
                        "resume the run to inspect them again",
                        count=len(lost),
                        number=lost[0].number,
                    )
                )
            self.counts = replace(self._saved_counts, dropped=self.counts.dropped)

    def _ordered_results(self, idle: Callable[[], None]) -> Iterator[tuple[QueuedFrame, Inspection | Skipped]]:
        """Results in the order of the images, numbered and dated; ``idle`` is called while there are none."""
        number, rules, job = 0, rules_sha256(self.job.rules), self.job
        while True:
            try:
                batch = self._results.get(_IDLE_INTERVAL)
            except TimeoutError:
                idle()
                continue
            if batch is None:
                return
            while not wait([batch.results], _IDLE_INTERVAL).done:
                idle()
            for item, result in zip(batch.items, batch.results.result(), strict=False):
                number += 1  # of an image that could not be read too: numbers are positions in the source
                if isinstance(result, Inspection):
                    time = result.time or local_time()  # an earlier result of a resumed run keeps its time
                    result = replace(result, number=number, time=time, rules_sha256=rules, recipe=job.recipe)
                    result = replace(result, part=None, lot=job.lot, operator=job.operator, station=job.station)
                    result = replace(result, calibration=job.calibration)
                    self._check_calibration(result.frame)
                    self._check_image_size(result.frame)
                    self._note_thresholds(result)
                yield item, result

    def _check_calibration(self, frame: Frame) -> None:
        """Report once that the calibration is of images of another size."""
        calibration = self.job.calibration
        if calibration is None or self._size_reported or calibration.fits(frame.width, frame.height):
            return
        self._size_reported = True
        self._report(
            message(
                "The calibration is of images of {known_width}x{known_height} pixels, but {name} has "
                "{width}x{height}: its millimetres may be wrong; calibrate this camera",
                known_width=calibration.width,
                known_height=calibration.height,
                name=quote(frame.name),
                width=frame.width,
                height=frame.height,
            )
        )

    def _check_image_size(self, frame: Frame) -> None:
        """Report once that the recipe was made with images of another size."""
        size = self.job.image_size
        if size is None or self._recipe_size_reported or size == (frame.width, frame.height):
            return
        self._recipe_size_reported = True
        self._report(
            message(
                "The recipe was made with images of {known_width}x{known_height} pixels, but {name} has "
                "{width}x{height}: its limits may not fit; check the camera, or save the recipe with these images",
                known_width=size[0],
                known_height=size[1],
                name=quote(frame.name),
                width=frame.width,
                height=frame.height,
            )
        )

    def _note_thresholds(self, inspection: Inspection) -> None:
        """Record the number of the first image with changed thresholds."""
        used = (inspection.confidence, inspection.iou)
        if used != self._used:
            self._used = used
            self.changes.append({"number": inspection.number, "confidence": used[0], "iou": used[1]})
            logger.info("From image %d on: confidence %g, IoU %g", inspection.number, *used)

    def _saved(self, result: Inspection | Skipped, placement: Placement) -> None:
        self._saved_counts = self._saved_counts.after(result, 0, placement.counts)

    def _count(self, result: Inspection | Skipped, placement: Placement) -> None:
        self._throughput.count()
        self.counts = self.counts.after(result, self._frames.dropped, placement.counts)

    def _record_alarms(self, store: ResultStore, run: int) -> None:
        with suppress(TryAgain):  # recorded as soon as the history can be written
            for alarm in self.alarms.unrecorded():
                with self._watchdog.history():
                    store.add_event(run, alarm.code, alarm.message, alarm.since, alarm.until)
                self.alarms.mark_recorded(alarm)

    def _end_alarms(self) -> None:
        """Problems of the source end with the run; results that were not saved remain so."""
        self._watchdog.stop()
        for code in (SOURCE, QUIET, SLOW, SPACE):
            self.alarms.end(code)

    def _save_run(self, state: str) -> None:
        if self.output is None:
            return
        record = RunRecord(
            title=self.title,
            run=self.history_id,
            state=state,
            started=self.started,
            ended=self.ended,
            job=self.job,
            model=self.model,
            counts=self.counts,
            problems=self.problems,
            alarms=self.alarms.all,
            threshold_changes=self.changes,
            files=self.files,
            version=self._context.version,
        )
        save_run(self.output, record)

    # all stages

    def _report(self, sentence: str, error: BaseException | None = None) -> None:
        logger.warning("%s", sentence, exc_info=error if error and not isinstance(error, InspectorError) else None)
        self.problems.append(sentence)

    def _exporter_failed(self, sentence: str, error: BaseException, exporter: str) -> None:
        self._report(sentence, error)
        self.alarms.begin(_code(error, EXPORTER), sentence, exporter, reported=True)

    def _fail(self, error: BaseException, description: str, code: str = "") -> None:
        cause = error
        if not isinstance(error, InspectorError):
            # The caller reports the failure to the user; here it only goes to the log.
            logger.error("%s: %s", description, error, exc_info=error, extra={"told": True})
            error = InspectorError("{kind}: {reason}", kind=description, reason=describe(error))
        if self.failure is None:
            self.failure = error
            stages = {"The source failed": SOURCE, "The model failed": MODEL}
            self.alarms.begin(
                code or stages.get(description) or _code(cause, HISTORY), str(error), "failed", reported=True
            )
        if self.state != "starting" and str(error) not in self.problems:
            self.problems.append(str(error))


def _code(error: BaseException, default: str) -> str:
    """The code of an alarm: ``disk`` or ``folder`` if the system error says so, else ``default``."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno is not None:
            full, unusable = (errno.ENOSPC, errno.EDQUOT), (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT)
            return DISK if cause.errno in full else FOLDER if cause.errno in unusable else default
        if getattr(cause, "sqlite_errorname", "") == "SQLITE_FULL":
            return DISK
        cause = cause.__cause__ or cause.__context__
    return default
