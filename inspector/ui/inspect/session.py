"""State of the inspect page: model, thresholds, source and run. Does not use Tk.

Its methods are called on the Tk thread and never block; results of threads come back through ``tasks``.
"""

from __future__ import annotations

import functools
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from inspector import __version__, registry
from inspector.api import Choice, ModelSpec, check_options
from inspector.domain import Calibration, Grouping, InputError, Inspection, Job, ModelInfo, Part, Rules, Skipped
from inspector.engine import Engine, Run
from inspector.engine.alarms import Alarm
from inspector.engine.model_cache import ModelCache
from inspector.jobs import resume
from inspector.jobs.build import build_job, default_output, run_title
from inspector.jobs.models import find_model
from inspector.jobs.options import saved_options
from inspector.jobs.recipes import Lock, Recipe
from inspector.jobs.recovery import open_history
from inspector.jobs.resume import Resumable
from inspector.jobs.sources import has_live_source, resolve_sources
from inspector.registry import Registry
from inspector.settings import Settings
from inspector.system import credentials, logs
from inspector.training import model_name
from inspector.ui.inspect.live_preview import LivePreview, PreviewRequest, PreviewResult
from inspector.ui.kit import strings
from inspector.ui.kit.tasks import BackgroundTasks


@dataclass(frozen=True)
class ChosenModel:
    """A chosen model; opened once ``info`` is set."""

    name: str
    spec: ModelSpec
    weights: Path | None
    info: ModelInfo | None = None


class Session:
    """State of the inspection.

    Attributes:
        model: last chosen model that could be opened; None before the first.
        loading: name of the model being opened, or "".
        confidence, iou, rules, device: used from the next frame.
        parts: how the images of the next run group into parts.
        calibration: size of a pixel in the next run.
        facts: ``lot``, ``operator`` and ``station`` of the next run.
        sources: sources of the next run.
        text: the source as shown to the user.
        run: the last run; ``active`` while it is running.
        index, total: position of the previewed image, from 0, and number of images in all sources.
        counts: defects of the run by label.
        recipe: name of the recipe that was opened last; see :attr:`recipe_name`.
        model_choice: model options of a recipe, used with its model instead of those in the settings.
    """

    def __init__(self, catalogue: Registry, settings: Settings, tasks: BackgroundTasks) -> None:
        self.catalogue, self.settings, self._tasks = catalogue, settings, tasks
        self.device: str = settings.get("device")
        self._device_in_force = self.device  # device of the open model
        self.confidence: float = settings.get("confidence")
        self.iou: float = settings.get("iou")
        self.rules: Rules | None = None
        self._trial: tuple[Rules | None] | None = None
        self.parts: Grouping | None = None
        self.calibration: Calibration | None = None
        self.facts: Mapping[str, str] = {}
        self.model: ChosenModel | None = None
        self.loading = ""
        self.sources: tuple[Choice, ...] = ()
        self.text = ""
        self.index, self.total = 0, 0
        self.run: Run | None = None
        self.counts: Counter[str] = Counter()
        self._opens: list[Callable[[], Any]] = []
        self.recipe = ""
        self._recipe: Recipe | None = None
        self.model_choice: Choice | None = None
        self._requested_model: str | None = None  # the model chosen last
        self._request_id = 0  # only the result of the last request counts
        self._model_cache = ModelCache()
        self._live_preview = LivePreview(
            lambda result: tasks.post(self._on_preview, result), lambda error: tasks.post(self.on_error, error)
        )
        # Set by the page.
        self.on_error: Callable[[BaseException], None] = lambda error: None
        self.on_model: Callable[[], None] = lambda: None
        self.on_preview: Callable[[PreviewResult], None] = lambda result: None
        self.on_alarm: Callable[[Alarm], None] = lambda alarm: None
        self.on_rules: Callable[[], None] = self.preview

    def use(self, catalogue: Registry, settings: Settings) -> None:
        """Use newly loaded plugins and settings."""
        self.catalogue, self.settings = catalogue, settings

    def settings_changed(self, key: str) -> None:
        """Apply a changed setting."""
        if key == "device":
            self.choose_device(self.settings.get(key))

    @property
    def active(self) -> bool:
        return self.run is not None and not self.run.wait(0)

    # the model

    def choose_model(self, text: str | None) -> None:
        """Open a model by name or path in the background; calls ``on_model``, or ``on_error`` if it fails."""
        self._request_id += 1
        self._requested_model = text
        self.loading = model_name(Path(text)) if text else "…"
        order = self._request_id
        self._tasks.run(
            self._open,
            text,
            self.device,
            done=functools.partial(self._opened, order),
            failed=functools.partial(self._refused, order),
        )

    def preload_model(self, text: str | None) -> None:
        """Start opening a model that will be chosen soon; errors are reported when it is chosen."""
        self._tasks.run(self._open, text, self.device, failed=lambda error: None)

    def _open(self, text: str | None, device: str) -> ChosenModel:
        spec, weights = find_model(self.catalogue, text)
        place = None if weights is None else Path(weights)
        name = next((name for name, file in spec.bundled.items() if file == place), None)
        name = name or (model_name(place) if place else spec.id)
        chosen = ChosenModel(name, spec, place)
        model = self._acquire_model(chosen, device)
        try:
            return replace(chosen, info=model.info)
        finally:
            model.close()

    def _opened(self, order: int, chosen: ChosenModel) -> None:
        if order == self._request_id:
            self.model, self.loading = chosen, ""
            self._device_in_force = self.device
            self.on_model()
            self.preview()

    def _refused(self, order: int, error: BaseException) -> None:
        if order == self._request_id:
            self.loading = ""
            if self.model is not None:
                self.device = self._device_in_force
            self.on_error(error)
            self.on_model()

    def _acquire_model(self, chosen: ChosenModel, device: str) -> Any:
        choice = self.model_choice
        options = check_options(
            chosen.spec.options,
            choice.options
            if choice is not None and choice.id == chosen.spec.id
            else saved_options(self.settings, chosen.spec.id, chosen.spec.options),
            f"Model {chosen.spec.id}",
        )
        layers = tuple(self.catalogue.layers.values())
        return self._model_cache.acquire(chosen.spec, chosen.weights, device, layers, options)

    def choose_device(self, device: str) -> None:
        """Use ``auto``, ``cpu`` or ``cuda:N`` from the next run, and immediately for the preview."""
        if device != self.device:
            self.device = device
            if self.loading:
                self.choose_model(self._requested_model)
            elif self.model is not None:
                self.choose_model(str(self.model.weights) if self.model.weights else self.model.name)

    def devices(self) -> list[tuple[str, str]]:
        """Return ``(device, name)`` of devices other than the CPU. May take seconds; not for the Tk thread."""
        devices = registry.devices(self.catalogue, tuple(self.catalogue.models.values()))
        return list(dict.fromkeys((device, name) for _, device, name in devices))

    # the source

    def open(self, texts: Sequence[str]) -> None:
        """Open sources that the user named: paths, ``camera:0``, addresses.

        Raises:
            InputError: no plugin opens it.
        """
        choices = [choice for text in texts for choice in resolve_sources(self.catalogue, text)]
        more = f" +{len(texts) - 1}" if len(texts) > 1 else ""
        self.open_choices(choices, f"{texts[0]}{more}")

    def open_choices(self, choices: Sequence[Choice], text: str) -> None:
        """Open these sources.

        Raises:
            InputError: an option is invalid; the source is not changed.
        """
        opens: list[Callable[[], Any]] = []
        choices, text = [credentials.conceal_choice(choice) for choice in choices], credentials.conceal(text)
        for choice in choices:
            spec = self.catalogue.source(choice.id)
            options = check_options(spec.options, choice.options, f"Source {spec.id}")
            if not spec.droppable and "path" in options:
                opens.append(functools.partial(spec.open, **options))
        self.sources, self.text, self._opens = tuple(choices), text, opens
        if not self.active:
            self.run = None
        self.index, self.total = 0, 0
        self.preview()

    @property
    def live(self) -> bool:
        """Whether the source has no end: a camera, a stream, a watched folder."""
        return has_live_source(self.catalogue, self.sources)

    @property
    def source_kind(self) -> Literal["camera", "folder", ""]:
        """``camera`` for cameras and streams, ``folder`` for watched folders, else empty."""
        for choice in self.sources:
            if self.catalogue.source(choice.id).droppable:
                return "camera"
            if "folder" in choice.options:
                return "folder"
        return ""

    def use_recipe(self, recipe: Recipe | None, follow: bool = True) -> None:
        """Remember the recipe that is set up; None: none.

        Args:
            follow: runs count as runs of the recipe; not if its model file has changed.
        """
        self.recipe = "" if recipe is None else recipe.info.name
        self._recipe = recipe if follow else None

    @property
    def lock(self) -> Lock | None:
        """The lock of the recipe that is set up: its limits must not be changed."""
        return None if self._recipe is None else self._recipe.lock

    @property
    def recipe_name(self) -> str:
        """Name of the current recipe, with a star if something was changed since; empty for none."""
        if self._recipe is None or not self.recipe:
            return ""
        job = self._recipe.job
        sources = tuple(credentials.conceal_choice(choice) for choice in job.sources)
        now = (self.sources, self.rules, self.confidence, self.iou, self.parts, self.calibration)
        if self.lock is not None:  # of which the sources are no part
            sources = self.sources
        asked = (sources or self.sources, job.rules, job.confidence, job.iou, job.parts, job.calibration)
        same = now == asked and self._has_model_of(job)
        return self.recipe if same else f"{self.recipe} *"

    def _has_model_of(self, job: Job) -> bool:
        """Whether the model of ``job`` is open, or still being opened."""
        model = self.model
        if self.loading or model is None:
            return True
        if job.weights is None:
            return job.model.id == model.spec.id and (model.weights is None or model.name in model.spec.bundled)
        return job.weights in (model.name, str(model.weights))

    def preview(self, index: int | None = None) -> None:
        """Preview one image of the source without saving; does nothing during a run."""
        if index is not None:
            self.index = index
        if not self._opens or self.active:
            return
        chosen, device = self.model, self.device
        acquire = None if chosen is None or self.loading else functools.partial(self._acquire_model, chosen, device)
        self._live_preview.request(
            PreviewRequest(
                self._opens, self.index, acquire, self.confidence, self.iou, self.shown_rules, self.calibration
            )
        )

    def _on_preview(self, result: PreviewResult) -> None:
        if not self.active:
            self.index, self.total = result.index, result.total
            self.on_preview(result)

    # the run

    def job(self) -> Job:
        """Build the job of a run with the current state.

        Raises:
            InputError: there is no source or no model yet.
        """
        if not self.sources:
            raise InputError("There is nothing to inspect: choose an image, a folder, a video or a camera")
        if self.model is None:
            raise InputError("No model is open; choose one")
        weights = None if self.model.weights is None else str(self.model.weights)
        spec, recipe = self.model.spec, None if self._recipe is None else self._recipe.job
        own = self.model_choice is not None and self.model_choice.id == spec.id
        job = build_job(
            self.catalogue,
            self.settings,
            strings.language(),
            model=(spec, weights),
            sources=self.sources,
            device=self.device,
            confidence=self.confidence,
            iou=self.iou,
            rules=self.rules,
            recipe=recipe,
            overrides={spec.id: self.model_choice.options} if own and self.model_choice else {},
            parts=self.parts,
            calibration=self.calibration,
            facts=self.facts,
            wait_for_sources=True,  # at a station there is no one to restart the run
        )
        if recipe is not None and recipe.exporters:
            job = replace(job, exporters=recipe.exporters)
        if self._recipe is not None and recipe is not None and self._has_model_of(recipe):
            self._recipe.check_lock(replace(job, weights=recipe.weights))
        elif self._recipe is not None:
            self._recipe.check_lock(job)
        return job

    def start(self, resumable: Resumable | None = None) -> Run:
        """Start a run, or resume one.

        Raises:
            InputError: it cannot be started.
        """
        days = self.settings.get("history_days")
        engine = Engine(
            self.catalogue, lambda: open_history(days), __version__, logs.run_log, open_model=self._model_cache.acquire
        )
        self.counts = Counter()
        watched = (lambda alarm: self._tasks.post(self.on_alarm, alarm), self.settings.get("quiet_after"))
        if resumable is not None:
            self.run = resume.start(engine, resumable, self._result, *watched)
            return self.run
        job = self.job()
        title = run_title(job)
        self.run = engine.start(job, default_output(self.settings, title), title, self._result, *watched)
        return self.run

    def _result(self, result: Inspection | Skipped | Part) -> None:
        """Count defects by label. Called on the writer's thread."""
        if isinstance(result, Inspection):
            self.counts.update(detection.label for detection in result.detections)

    def take_latest(self) -> Inspection | Skipped | None:
        """Return the newest result not taken yet, unless it is from before an interruption of the source."""
        return None if self.run is None else self.run.take_newest()

    def set_thresholds(self, confidence: float, iou: float) -> None:
        """Set the thresholds from the next frame of a run; a preview is updated immediately."""
        self.confidence, self.iou = confidence, iou
        if self.run is not None and self.active:
            self.run.set_thresholds(confidence, iou)
        else:
            self.preview()

    def save_thresholds(self) -> None:
        """Save the current thresholds in the settings. Writes a file; not for the Tk thread."""
        for key, value in {"confidence": self.confidence, "iou": self.iou}.items():
            if self.settings.get(key) != value:
                self.settings.set(key, value)

    def set_rules(self, rules: Rules | None) -> None:
        """Set the rules from the next run; the image shown is judged again immediately."""
        self.rules = rules
        self._trial = None
        self.on_rules()

    def try_rules(self, rules: Rules | None) -> None:
        """Judge the image shown by other rules while they are edited; runs use :attr:`rules`."""
        self._trial = None if rules == self.rules else (rules,)
        self.on_rules()

    @property
    def shown_rules(self) -> Rules | None:
        """The rules of the image shown outside of a run."""
        return self.rules if self._trial is None else self._trial[0]

    def stop(self) -> None:
        if self.run is not None:
            self.run.stop()

    def close(self) -> None:
        """End the threads without waiting; a running inspection is asked to stop and keeps its model until then."""
        self.stop()
        self._live_preview.close()
        threading.Thread(target=self._close_model_cache, name="closing", daemon=True).start()

    def _close_model_cache(self) -> None:
        if self.run is not None:
            self.run.wait(30)
        self._model_cache.close(timeout=0)
