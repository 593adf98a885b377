"""What the inspect page works with: the model, the thresholds, the source, the run. Knows no Tk.

Its methods are called on the Tk thread and never wait; what threads find out comes back through ``tasks``.
"""

from __future__ import annotations

import functools
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from inspector import __version__, jobs, logs
from inspector.api import Choice, ModelSpec, check_options
from inspector.desk import ModelDesk
from inspector.domain import InputError, Inspection, Job, ModelInfo, Rules, Skipped
from inspector.engine import Engine, Run
from inspector.registry import Registry
from inspector.settings import Settings
from inspector.ui import texts
from inspector.ui.looking import Looker, Sight, Wish
from inspector.ui.work import Tasks


@dataclass(frozen=True)
class Chosen:
    """A model that was chosen: opened once ``info`` is there."""

    name: str
    spec: ModelSpec
    weights: Path | None
    info: ModelInfo | None = None


class Session:
    """The state of inspecting.

    Attributes:
        model: what was chosen last and could be opened; None before the first.
        loading: name of the model that is being opened, or "".
        confidence, iou, rules, device: in force for the next frame.
        sources: what is inspected by the next run.
        text: what a person calls the source.
        run: the last run; ``active`` while it works.
        counts: defects of the run by label.
    """

    def __init__(self, catalogue: Registry, settings: Settings, tasks: Tasks) -> None:
        self.catalogue, self.settings, self._tasks = catalogue, settings, tasks
        self.device: str = settings.get("device")
        self._device_in_force = self.device  # with which a model was opened
        self.confidence: float = settings.get("confidence")
        self.iou: float = settings.get("iou")
        self.rules: Rules | None = None
        self.model: Chosen | None = None
        self.loading = ""
        self.sources: tuple[Choice, ...] = ()
        self.text = ""
        self.index, self.total = 0, 0
        self.run: Run | None = None
        self.counts: Counter[str] = Counter()
        self._opens: list[Callable[[], Any]] = []
        self._latest: deque[Inspection | Skipped] = deque(maxlen=1)
        self._wanted: str | None = None  # the model that was chosen last
        self._order = 0  # of model choices: only the last one counts
        self._desk = ModelDesk()
        self._looker = Looker(
            lambda sight: tasks.post(self._sight, sight), lambda error: tasks.post(self.on_error, error)
        )
        # Set by the page.
        self.on_error: Callable[[BaseException], None] = lambda error: None
        self.on_model: Callable[[], None] = lambda: None
        self.on_sight: Callable[[Sight], None] = lambda sight: None

    def use(self, catalogue: Registry, settings: Settings) -> None:
        """Go on with newly loaded plugins."""
        self.catalogue, self.settings = catalogue, settings

    def settings_changed(self, key: str) -> None:
        """Take over a setting that has changed."""
        if key == "device":
            self.choose_device(self.settings.get(key))

    @property
    def active(self) -> bool:
        return self.run is not None and not self.run.wait(0)

    # the model

    def choose_model(self, text: str | None) -> None:
        """Open a model by name or path in the background; ``on_model`` tells, a refusal goes to ``on_error``."""
        self._order += 1
        self._wanted = text
        self.loading = Path(text).name if text else "…"
        order = self._order
        self._tasks.run(
            self._open,
            text,
            self.device,
            done=functools.partial(self._opened, order),
            failed=functools.partial(self._refused, order),
        )

    def warm(self, text: str | None) -> None:
        """Begin to open this model, which will be chosen soon; choosing it tells what is wrong with it."""
        self._tasks.run(self._open, text, self.device, failed=lambda error: None)

    def _open(self, text: str | None, device: str) -> Chosen:
        spec, weights = jobs.find_model(self.catalogue, text)
        place = None if weights is None else Path(weights)
        name = next((name for name, file in spec.bundled.items() if file == place), place.name if place else spec.id)
        chosen = Chosen(name, spec, place)
        model = self._lend(chosen, device)
        try:
            return replace(chosen, info=model.info)
        finally:
            model.close()

    def _opened(self, order: int, chosen: Chosen) -> None:
        if order == self._order:
            self.model, self.loading = chosen, ""
            self._device_in_force = self.device
            self.on_model()
            self.look()

    def _refused(self, order: int, error: BaseException) -> None:
        if order == self._order:
            self.loading = ""
            if self.model is not None:
                self.device = self._device_in_force
            self.on_error(error)
            self.on_model()

    def _lend(self, chosen: Chosen, device: str) -> Any:
        options = check_options(
            chosen.spec.options,
            jobs.kept(self.settings, chosen.spec.id, chosen.spec.options),
            f"Model {chosen.spec.id}",
        )
        layers = tuple(self.catalogue.layers.values())
        return self._desk.lend(chosen.spec, chosen.weights, device, layers, options)

    def choose_device(self, device: str) -> None:
        """Compute on ``auto``, ``cpu`` or ``cuda:N`` from the next run on, and at once on a still picture."""
        if device != self.device:
            self.device = device
            if self.loading:
                self.choose_model(self._wanted)
            elif self.model is not None:
                self.choose_model(str(self.model.weights) if self.model.weights else self.model.name)

    def devices(self) -> list[tuple[str, str]]:
        """``(device, name)`` of what can compute beside the CPU. May take seconds; not for the Tk thread."""
        found = [pair for spec in self.catalogue.models.values() if spec.devices for pair in spec.devices()]
        return list(dict.fromkeys(found))

    # the source

    def open(self, texts_: Sequence[str]) -> None:
        """Inspect what a person named: paths, ``camera:0``, addresses.

        Raises:
            InputError: nothing here opens it.
        """
        choices = [choice for text in texts_ for choice in jobs.claim(self.catalogue, text)]
        more = f" +{len(texts_) - 1}" if len(texts_) > 1 else ""
        self.open_choices(choices, f"{texts_[0]}{more}")

    def open_choices(self, choices: Sequence[Choice], text: str) -> None:
        """Inspect these sources from now on.

        Raises:
            InputError: an option is refused; the source stays the one that it was.
        """
        opens: list[Callable[[], Any]] = []
        for choice in choices:
            spec = self.catalogue.source(choice.id)
            options = check_options(spec.options, choice.options, f"Source {spec.id}")
            if not spec.droppable and "path" in options:
                opens.append(functools.partial(spec.open, **options))
        self.sources, self.text, self._opens = tuple(choices), text, opens
        if not self.active:
            self.run = None
            self._latest.clear()
        self.index, self.total = 0, 0
        self.look()

    @property
    def live(self) -> bool:
        """True where the source has no end: a camera, a stream, a watched folder."""
        return any(self.catalogue.source(choice.id).droppable or "folder" in choice.options for choice in self.sources)

    def look(self, index: int | None = None) -> None:
        """Look at one picture of the source without keeping anything; not while a run is at work."""
        if index is not None:
            self.index = index
        if not self._opens or self.active:
            return
        chosen, device = self.model, self.device
        lend = None if chosen is None or self.loading else functools.partial(self._lend, chosen, device)
        self._looker.look(Wish(self._opens, self.index, lend, self.confidence, self.iou, self.rules))

    def _sight(self, sight: Sight) -> None:
        if not self.active:
            self.index, self.total = sight.index, sight.total
            self.on_sight(sight)

    # the run

    def job(self) -> Job:
        """What a run would do now.

        Raises:
            InputError: there is no source or no model yet.
        """
        if not self.sources:
            raise InputError("There is nothing to inspect: name a picture, a folder, a video or a camera")
        if self.model is None:
            raise InputError("No model is open; choose one")
        spec = self.model.spec
        exporters = self._exporters()
        return Job(
            sources=jobs.set_up(self.catalogue, self.settings, self.sources),
            model=Choice(spec.id, jobs.kept(self.settings, spec.id, spec.options)),
            weights=None if self.model.weights is None else str(self.model.weights),
            device=self.device,
            confidence=self.confidence,
            iou=self.iou,
            exporters=tuple(
                Choice(id, jobs.kept(self.settings, id, self.catalogue.exporter(id).options)) for id in exporters
            ),
            rules=self.rules,
            language=texts.language(),
        )

    def _exporters(self) -> list[str]:
        """What a run writes: as the settings say, else the usual; of live sources also the pictures themselves."""
        wanted = [id.strip() for id in self.settings.get("exporters").split(",") if id.strip()]
        defaults = [spec.id for spec in self.catalogue.exporters.values() if spec.default]
        ids = [] if wanted == ["none"] else [id for id in wanted or defaults if id in self.catalogue.exporters]
        if self.live and self.settings.get("keep_camera_pictures") and "originals" in self.catalogue.exporters:
            ids.append("originals")
        return list(dict.fromkeys(ids))

    def start(self) -> Run:
        """Start a run of what is set up.

        Raises:
            InputError: it cannot be started.
        """
        job = self.job()
        title = jobs.title(job)
        days = self.settings.get("history_days")
        engine = Engine(
            self.catalogue, lambda: jobs.open_history(days), __version__, logs.run_log, open_model=self._desk.lend
        )
        self.counts = Counter()
        self._latest.clear()
        self.run = engine.start(job, jobs.default_output(self.settings, title), title, self._result)
        return self.run

    def _result(self, result: Inspection | Skipped) -> None:
        """On the writer's thread: the newest is shown, and the defects are counted."""
        if isinstance(result, Inspection):
            self.counts.update(detection.label for detection in result.detections)
        self._latest.append(result)

    def take_latest(self) -> Inspection | Skipped | None:
        """The newest result that was not taken yet."""
        return self._latest.popleft() if self._latest else None

    def set_thresholds(self, confidence: float, iou: float) -> None:
        """From the next frame of a run on; a still picture is looked at again at once."""
        self.confidence, self.iou = confidence, iou
        if self.run is not None and self.active:
            self.run.set_thresholds(confidence, iou)
        else:
            self.look()

    def keep_thresholds(self) -> None:
        """Make the thresholds of the moment those of the next start. Writes a file; not for the Tk thread."""
        for key, value in {"confidence": self.confidence, "iou": self.iou}.items():
            if self.settings.get(key) != value:
                self.settings.set(key, value)

    def set_rules(self, rules: Rules | None) -> None:
        """From the next run on; a still picture is judged again at once."""
        self.rules = rules
        self.look()

    def stop(self) -> None:
        if self.run is not None:
            self.run.stop()

    def close(self) -> None:
        """End the threads without waiting; a run that still works is told to stop, and keeps its model until then."""
        self.stop()
        self._looker.close()
        threading.Thread(target=self._close_desk, name="closing", daemon=True).start()

    def _close_desk(self) -> None:
        if self.run is not None:
            self.run.wait(30)
        self._desk.close(timeout=0)
