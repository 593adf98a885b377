"""Checks a job and starts it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from inspector.api import LayerSpec, Model, ModelSpec, check_options
from inspector.domain import InputError, Job
from inspector.engine.run import Catalogue, Journal, Listener, ModelOpener, Run


class Engine:
    """Starts runs.

    Args:
        catalogue: where specs come from.
        journal: opens the history; called on the writer's thread.
        version: of the program, kept with each run.
        log_to: opens a log file for a run, closed at its end.
        open_model: ``open_model(spec, weights, device, layers, options) -> Model``, where a run shall not
            open its own.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        journal: Callable[[], Journal],
        version: str,
        log_to: Callable[[Path], AbstractContextManager[Any]] | None = None,
        open_model: ModelOpener | None = None,
    ) -> None:
        self.catalogue, self.journal, self.version = catalogue, journal, version
        self.log_to = log_to or (lambda path: nullcontext())
        self.open_model = open_model or _open

    def start(self, job: Job, output: Path | None, title: str = "", on_result: Listener | None = None) -> Run:
        """Check the job and start it.

        Args:
            job: what to do.
            output: folder for the files; a second name is used if it exists and is not empty. None writes no files.
            title: what a person calls this run.
            on_result: called on the writer's thread with each inspection or skipped picture once it is kept.

        Raises:
            InputError: for an unknown id, a wrong option, or sources that cannot be combined.
        """
        if not job.sources:
            raise InputError("There is nothing to inspect: name a picture, a folder, a video or a camera")
        sources = []
        for choice in job.sources:
            spec = self.catalogue.source(choice.id)
            sources.append((spec, check_options(spec.options, choice.options, f"Source {spec.id}")))
        if len(sources) > 1 and any(spec.droppable for spec, _ in sources):
            raise InputError("A camera cannot be combined with other sources in one run; start a run for each")
        model = self.catalogue.model(job.model.id)
        model_options = check_options(model.options, job.model.options, f"Model {model.id}")
        exporters = []
        for choice in job.exporters:
            exporter = self.catalogue.exporter(choice.id)
            exporters.append((exporter, check_options(exporter.options, choice.options, f"Exporter {exporter.id}")))
        return Run(self, job, sources, model, model_options, exporters, output, title, on_result)


def _open(
    spec: ModelSpec, weights: Path | None, device: str, layers: Sequence[LayerSpec], options: Mapping[str, Any]
) -> Model:
    return spec.open(weights, device, layers=layers, **options)
