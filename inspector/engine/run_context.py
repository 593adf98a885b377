"""The environment of runs, and the checked job of one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from inspector.api import ExporterSpec, LayerSpec, Model, ModelSpec, SourceSpec
from inspector.domain import Job
from inspector.engine.result_writer import ResultStore

ModelOpener = Callable[[ModelSpec, "Path | None", str, Sequence[LayerSpec], Mapping[str, Any]], Model]


class PluginCatalog(Protocol):
    """The specs of the active plugins (the registry)."""

    @property
    def layers(self) -> Mapping[str, LayerSpec]: ...
    def model(self, id: str) -> ModelSpec: ...
    def source(self, id: str) -> SourceSpec: ...
    def exporter(self, id: str) -> ExporterSpec: ...


@dataclass(frozen=True)
class RunContext:
    """The environment of runs.

    Attributes:
        catalog: the specs of the active plugins.
        open_store: opens the history; called on the writer's thread.
        open_model: opens the model; called on the model's thread.
        open_log: opens the log file of a run, closed at its end.
        version: of the program, recorded with each run.
    """

    catalog: PluginCatalog
    open_store: Callable[[], ResultStore]
    open_model: ModelOpener
    open_log: Callable[[Path], AbstractContextManager[Any]]
    version: str


@dataclass(frozen=True)
class ResolvedJob:
    """A job whose ids have been looked up in the catalog, and whose options have been checked."""

    job: Job
    sources: Sequence[tuple[SourceSpec, Mapping[str, Any]]]
    model: ModelSpec
    model_options: Mapping[str, Any]
    exporters: Sequence[tuple[ExporterSpec, Mapping[str, Any]]]
