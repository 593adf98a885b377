"""The one builder of jobs: for the window, the command line and recipes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from inspector.api import ExporterSpec, ModelSpec
from inspector.domain import Calibration, Choice, Grouping, Job, Rules
from inspector.history import originals
from inspector.jobs.models import find_model
from inspector.jobs.options import saved_options, to_json_options, with_saved_options
from inspector.jobs.sources import has_live_source
from inspector.registry import Registry
from inspector.settings import Settings
from inspector.system import paths

WAIT = "wait"  # option of sources that can wait for their device
_NO_FACTS: Mapping[str, str] = MappingProxyType({})
_NO_OVERRIDES: Mapping[str, Mapping[str, Any]] = MappingProxyType({})


def build_job(
    catalogue: Registry,
    settings: Settings,
    language: str,
    *,
    base: Job | None = None,
    model: tuple[ModelSpec, str | None] | None = None,
    sources: Sequence[Choice] | None = None,
    exporters: Iterable[str] | None = None,
    device: str | None = None,
    confidence: float | None = None,
    iou: float | None = None,
    rules: Rules | None = None,
    overrides: Mapping[str, Mapping[str, Any]] = _NO_OVERRIDES,
    recipe: Job | None = None,
    parts: Grouping | None = None,
    calibration: Calibration | None = None,
    facts: Mapping[str, str] = _NO_FACTS,
    wait_for_sources: bool = False,
) -> Job:
    """Build a job: from the arguments, then from ``base``, then from the settings.

    Args:
        language: ``en`` or ``zh``.
        base: job of a recipe or of an earlier run. Without it, the settings choose device, thresholds and exporters
            (``exporters``, ``keep_camera_pictures``); with it, its own exporters are written.
        model: spec and weights file, see :func:`inspector.jobs.models.find_model`; by default the bundled model.
        sources: completed with the options in the settings.
        exporters: ids.
        confidence, iou: thresholds, 0 to 1.
        overrides: options that win over all others, by id of the spec.
        recipe: job whose recipe the new job follows as long as both inspect alike; by default ``base``.
        parts: how images group into parts; by default as in ``base``.
        calibration: size of a pixel; by default as in ``base``.
        facts: ``lot``, ``operator`` and ``station``, as far as they are known.
        wait_for_sources: wait for cameras that are off at the start; else the run ends.

    Raises:
        InputError: the model cannot be found, or an id is unknown.
    """
    if model is None and base is not None:
        chosen, weights = base.model, base.weights
    else:
        spec, weights = model or find_model(catalogue)
        own = base is not None and base.model.id == spec.id
        chosen = base.model if own and base else Choice(spec.id, saved_options(settings, spec.id, spec.options))
    if sources is not None:
        inputs = with_saved_options(catalogue, settings, sources)
    else:
        inputs = () if base is None else base.sources
    if exporters is not None:
        before = {} if base is None else {choice.id: choice for choice in base.exporters}
        outputs = tuple(before.get(id) or _saved_exporter(catalogue, settings, id) for id in exporters)
    elif base is not None:
        outputs = base.exporters
    else:
        outputs = usual_exporters(catalogue, settings, inputs)
    job = Job(
        sources=tuple(_overridden(choice, overrides) for choice in inputs),
        model=_overridden(chosen, overrides),
        weights=weights,
        device=device or (settings.get("device") if base is None else base.device),
        confidence=_first(confidence, settings.get("confidence") if base is None else base.confidence),
        iou=_first(iou, settings.get("iou") if base is None else base.iou),
        exporters=tuple(_overridden(choice, overrides) for choice in outputs),
        rules=rules if rules is not None or base is None else base.rules,
        language="zh" if language == "zh" else "en",
        parts=parts if parts is not None or base is None else base.parts,
        calibration=calibration if calibration is not None or base is None else base.calibration,
        lot=facts.get("lot", ""),
        operator=facts.get("operator", ""),
        station=facts.get("station", ""),
    )
    followed = recipe or base
    if followed is not None and job.same_inspection(followed):
        job = replace(job, recipe=followed.recipe, image_size=followed.image_size)
    if wait_for_sources:
        job = replace(job, sources=tuple(_waiting(catalogue, choice) for choice in job.sources))
    return job


def usual_exporters(catalogue: Registry, settings: Settings, sources: Iterable[Choice]) -> tuple[Choice, ...]:
    """Return the exporters of the setting ``exporters`` (empty: the default ones), with their saved options.

    ``originals`` is added for sources without an end if the user wants their images kept (``keep_camera_pictures``).
    """
    ids = chosen_exporters(settings.get("exporters"), catalogue.exporters)
    if _keeps_originals(catalogue, settings, sources):
        ids.append(originals.FOLDER)
    return tuple(_saved_exporter(catalogue, settings, id) for id in dict.fromkeys(ids))


def chosen_exporters(setting: str, known: Mapping[str, ExporterSpec]) -> list[str]:
    """Return the ids in the setting ``exporters``: a list, ``none``, or empty for the default ones.

    They are in the order of ``known``, since tables name the images that were written before. An exporter that is not
    known is left out: its plugin may be disabled.
    """
    if not setting.strip():
        return [id for id, spec in known.items() if spec.default]
    wanted = {id.strip() for id in setting.split(",")}
    return [id for id in known if id in wanted]


def run_title(job: Job, texts: Sequence[str] = ()) -> str:
    """Return a title for the run: the first source, and the number of further ones.

    Args:
        texts: sources as the user typed them; by default the first text among each source's options.
    """
    texts = texts or [
        next((v for v in choice.options.values() if isinstance(v, str) and v), choice.id) for choice in job.sources
    ]
    if not texts:
        return ""
    _, address, rest = texts[0].partition("://")
    # Of an address neither user and password nor the query, which may hold a token: the title names a folder.
    name = rest.rpartition("@")[2].partition("?")[0] if address else Path(texts[0].rstrip("/\\")).name
    return f"{name or texts[0]} +{len(texts) - 1}" if len(texts) > 1 else name or texts[0]


def default_output(settings: Settings, title: str) -> Path:
    """Return a path for a new results folder, for example ``2026-11-23 101500 parts``; it is not created."""
    folder = settings.get("output_folder") or paths.results_folder()
    return Path(folder) / paths.safe_name(f"{datetime.now():%Y-%m-%d %H%M%S} {title}")


def _keeps_originals(catalogue: Registry, settings: Settings, sources: Iterable[Choice]) -> bool:
    """Whether the images of these sources are to be kept: they are in no files, and the user wants it."""
    return (
        bool(settings.get("keep_camera_pictures"))
        and originals.FOLDER in catalogue.exporters
        and has_live_source(catalogue, sources)
    )


def _saved_exporter(catalogue: Registry, settings: Settings, id: str) -> Choice:
    return Choice(id, saved_options(settings, id, catalogue.exporter(id).options))


def _overridden(choice: Choice, overrides: Mapping[str, Mapping[str, Any]]) -> Choice:
    return Choice(choice.id, to_json_options({**choice.options, **overrides.get(choice.id, {})}))


def _waiting(catalogue: Registry, choice: Choice) -> Choice:
    options = {option.key for option in catalogue.source(choice.id).options}
    return replace(choice, options={**choice.options, WAIT: True}) if WAIT in options else choice


def _first(value: float | None, fallback: float) -> float:
    return fallback if value is None else value
