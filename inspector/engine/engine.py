"""Checks a job and starts its run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from inspector.api import SourceSpec, check_options
from inspector.domain import Grouping, InputError, Job, message
from inspector.engine import opening
from inspector.engine.alarms import Alarm
from inspector.engine.reader import EarlierRun
from inspector.engine.result_writer import ResultStore
from inspector.engine.run import Listener, Run
from inspector.engine.run_context import ModelOpener, PluginCatalog, ResolvedJob, RunContext
from inspector.engine.watchdog import QUIET_AFTER
from inspector.system import credentials


class Engine:
    """Starts runs.

    Args:
        catalog: the specs of the active plugins.
        open_store: opens the history; called on the writer's thread.
        version: of the program, recorded with each run.
        open_log: opens the log file of a run, closed at its end; None: no log file.
        open_model: ``open_model(spec, weights, device, layers, options) -> Model``; None: each run opens its own.
    """

    def __init__(
        self,
        catalog: PluginCatalog,
        open_store: Callable[[], ResultStore],
        version: str,
        open_log: Callable[[Path], AbstractContextManager[Any]] | None = None,
        open_model: ModelOpener | None = None,
    ) -> None:
        open_log = open_log or (lambda path: nullcontext())
        self.context = RunContext(catalog, open_store, open_model or opening.open_model, open_log, version)

    def start(
        self,
        job: Job,
        output: Path | None,
        title: str = "",
        on_result: Listener | None = None,
        on_alarm: Callable[[Alarm], None] | None = None,
        quiet_after: float = QUIET_AFTER,
        earlier: EarlierRun | None = None,
    ) -> Run:
        """Check the job and start it.

        Args:
            job: sources, model, thresholds, rules and exporters.
            output: results folder; another name is used if it exists and is not empty. None: no files are written.
            title: for the history and the files.
            on_result: called on the writer's thread with each result once it is written.
            on_alarm: called at once on the thread that raises or ends an alarm.
            quiet_after: seconds without a new result after which a live source's last verdict is no longer current;
                0: never.
            earlier: earlier results of a run that is resumed; ``output`` is then its folder.

        Raises:
            InputError: for an unknown id, a wrong option, or sources that cannot be combined.
        """
        if not job.sources:
            raise InputError("There is nothing to inspect: choose an image, a folder, a video or a camera")
        job = replace(job, sources=tuple(map(credentials.conceal_choice, job.sources)))
        sources = []
        for choice in job.sources:
            spec = self.context.catalog.source(choice.id)
            sources.append((spec, check_options(spec.options, choice.options, message("Source {id}", id=spec.id))))
        if len(sources) > 1 and any(spec.droppable for spec, _ in sources):
            raise InputError("A camera cannot be combined with other sources in one run; start a run for each")
        if earlier is not None and any(spec.droppable for spec, _ in sources):
            raise InputError("A run from a camera cannot be resumed, since its images no longer exist; start a new run")
        _check_parts(job.parts, [spec for spec, _ in sources])
        if job.rules is not None:
            job.rules.check_calibration(job.calibration)
            job.rules.check_regions(())  # this version has no regions
        model = self.context.catalog.model(job.model.id)
        model_options = check_options(model.options, job.model.options, message("Model {id}", id=model.id))
        exporters = []
        for choice in job.exporters:
            exporter = self.context.catalog.exporter(choice.id)
            exporters.append(
                (exporter, check_options(exporter.options, choice.options, message("Exporter {id}", id=exporter.id)))
            )
        resolved = ResolvedJob(job, sources, model, model_options, exporters)
        return Run(self.context, resolved, output, title, on_result, on_alarm, quiet_after, earlier)


def _check_parts(grouping: Grouping | None, sources: Sequence[SourceSpec]) -> None:
    """Refuse parts that these sources cannot give.

    Raises:
        InputError: a pattern for a camera, or a key for files.
    """
    if grouping is None:
        return
    live = any(spec.droppable for spec in sources)
    if live and grouping.pattern:
        raise InputError(
            "The images of a camera have no names that a pattern could group; use a trigger or a fixed number of images"
        )
    if not live and grouping.trigger is not None and grouping.trigger.kind == "key":
        raise InputError("A key triggers a camera only; for a video use a timer or a still image as the trigger")
