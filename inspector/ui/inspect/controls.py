"""Left side of the inspect page: source, model, device, thresholds, rules, classes and view."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tkinter import filedialog, ttk
from typing import TYPE_CHECKING, Any, Literal

from inspector.domain import Grouping, InputError, Job, Rules
from inspector.training import model_name
from inspector.ui.inspect.panels import ClassList, ThresholdField
from inspector.ui.inspect.parts_dialog import parts_text
from inspector.ui.kit import theme
from inspector.ui.kit.image_view.compositor import class_swatch
from inspector.ui.kit.image_view.image_view import MASKS_CHANGED, ImageView
from inspector.ui.kit.rule_summary import rule_set, rules_text
from inspector.ui.kit.strings import tr
from inspector.ui.kit.widgets import ScrollFrame, Tooltip

if TYPE_CHECKING:
    from inspector.ui.inspect.host import InspectHost

_RECIPES = 3  # newest recipes, shown as buttons
View = Literal["original", "result", "side_by_side"]


class Controls(ScrollFrame):
    """Controls of the session and of the image view.

    Args:
        open: opens a typed source.
        hidden: called with the classes to hide.
        ready: called when the chosen model is open.
    """

    def __init__(
        self,
        parent: tk.Misc,
        host: InspectHost,
        image_view: ImageView,
        open: Callable[[list[str]], None],
        hidden: Callable[[set[str]], None],
        ready: Callable[[], None],
    ) -> None:
        super().__init__(parent, width=theme.sidebar_width(226, parent))
        self.host, self.session, self.image_view = host, host.session, image_view
        self._open, self._hide, self._ready = open, hidden, ready
        self._hidden_before: set[str] = set()
        self._next_model = ""
        self._devices_known = False
        self._models: dict[str, str] = {}  # recent weights by what the list calls them
        self._build_left(self.body)
        image_view.bind(MASKS_CHANGED, lambda event: self._masks.set(not self._masks.get()))
        self.session.on_model = self.show_model
        self.show_model()

    def _build_left(self, body: ttk.Frame) -> None:
        gap = theme.px(0, 10)
        self._recipes = ttk.Frame(body)
        self._recipes.pack(fill="x")
        self._show_recipes()
        ttk.Label(body, text=tr("Source"), style="Head.TLabel").pack(anchor="w")
        self._source = tk.StringVar(self, self.session.text)
        self.source_box = ttk.Combobox(body, textvariable=self._source, postcommand=self._fill_sources)
        self.source_box.pack(fill="x", pady=gap)
        self.source_box.bind("<Return>", lambda event: self._open_typed())
        self.source_box.bind("<<ComboboxSelected>>", lambda event: self._open_typed())
        Tooltip(self.source_box, tr("A file, a folder, camera:0 or an address; Enter opens it"))
        self._lock_row = ttk.Frame(body)
        self._lock_row.pack(fill="x")
        self._lock_text = ttk.Label(
            self._lock_row, style="Muted.TLabel", wraplength=theme.sidebar_width(220, body), justify="left"
        )
        row = ttk.Frame(body)
        row.pack(fill="x")
        ttk.Label(row, text=tr("Model"), style="Head.TLabel").pack(side="left")
        details = ttk.Button(row, text=tr("Details"), style="Link.TButton", command=self.model_details)
        details.pack(side="right")
        self._model = tk.StringVar(self)
        self.model_box = ttk.Combobox(body, textvariable=self._model, state="readonly", postcommand=self._fill_models)
        self.model_box.pack(fill="x", pady=theme.px(0, 4))
        self.model_box.bind("<<ComboboxSelected>>", lambda event: self._chose_model())
        self._device = tk.StringVar(self, self.session.device)
        self.device_box = ttk.Combobox(body, textvariable=self._device, state="readonly", values=["auto", "cpu"])
        self.device_box.pack(fill="x", pady=gap)
        self.device_box.bind("<<ComboboxSelected>>", lambda event: self._chose_device())
        Tooltip(self.device_box, tr("Device: auto uses a CUDA GPU if available"))
        self.confidence = ThresholdField(
            body,
            tr("Confidence"),
            tr("Detections below this confidence are ignored; applies from the next frame"),
            self.session.confidence,
            lambda value: self._thresholds(),
        )
        self.confidence.pack(fill="x", pady=gap)
        self.iou = ThresholdField(
            body,
            tr("NMS IoU (overlap)"),
            tr("If two detections of a class overlap by more than this, only the more confident one is kept"),
            self.session.iou,
            lambda value: self._thresholds(),
        )
        self.iou.pack(fill="x", pady=gap)
        row = ttk.Frame(body)
        row.pack(fill="x")
        ttk.Label(row, text=tr("Verdict"), style="Head.TLabel").pack(side="left")
        rules = ttk.Button(row, text=tr("Rules…"), style="Link.TButton", command=self.edit_rules)
        rules.pack(side="right")
        self._rules_text = ttk.Label(
            body, style="Muted.TLabel", wraplength=theme.sidebar_width(220, body), justify="left"
        )
        self._rules_text.pack(anchor="w", pady=gap)
        row = ttk.Frame(body)
        row.pack(fill="x")
        ttk.Label(row, text=tr("Parts"), style="Head.TLabel").pack(side="left")
        ttk.Button(row, text=tr("Parts…"), style="Link.TButton", command=self.edit_parts).pack(side="right")
        self._lockable = (self.model_box, *self.confidence.widgets, *self.iou.widgets, rules)
        self._parts_text = ttk.Label(
            body, style="Muted.TLabel", wraplength=theme.sidebar_width(220, body), justify="left"
        )
        self._parts_text.pack(anchor="w", pady=gap)
        ttk.Label(body, text=tr("Classes"), style="Head.TLabel").pack(anchor="w")
        self.classes = ClassList(body, self._hide)
        self.classes.pack(fill="x", pady=gap)
        ttk.Label(body, text=tr("View"), style="Head.TLabel").pack(anchor="w")
        self._view = tk.StringVar(self, "result")
        views: dict[View, str] = {
            "original": tr("Original"),
            "result": tr("Result"),
            "side_by_side": tr("Side by side"),
        }
        for view, name in views.items():
            ttk.Radiobutton(
                body,
                text=name,
                value=view,
                variable=self._view,
                command=lambda view=view: self.set_view(view),  # type: ignore[misc]
            ).pack(anchor="w")
        row = ttk.Frame(body)
        row.pack(fill="x", pady=theme.px(4, 10))
        self._masks = tk.BooleanVar(self, True)
        masks = ttk.Checkbutton(row, text=tr("Masks"), variable=self._masks, command=self._show_masks)
        masks.pack(side="left")
        Tooltip(masks, "M")
        self._opacity = tk.DoubleVar(self, 0.4)
        opacity = ttk.Scale(row, variable=self._opacity, to=1.0, command=lambda text: self._show_masks())
        opacity.pack(side="right", fill="x", expand=True, padx=theme.px(8, 0))
        Tooltip(opacity, tr("Opacity of the masks"))

    def save_state(self) -> dict[str, Any]:
        return {
            "view": self._view.get(),
            "masks": self._masks.get(),
            "opacity": self._opacity.get(),
            "hidden": self.classes.hidden,
        }

    def restore_state(self, state: dict[str, Any]) -> None:
        self._opacity.set(state["opacity"])
        self._masks.set(state["masks"])
        self.set_view(state["view"])
        self._show_masks()
        self._hidden_before = state["hidden"]
        self.show_model()

    # recipes

    def _show_recipes(self) -> None:
        """Show buttons for the newest recipes."""
        for child in self._recipes.winfo_children():
            child.destroy()
        self._recent_recipes = self.host.window_state.recent("recipes")
        if not self._recent_recipes:
            self._recipes.configure(height=1)
            return
        ttk.Label(self._recipes, text=tr("Recipes"), style="Head.TLabel").pack(anchor="w")
        for text in self._recent_recipes[:_RECIPES]:
            path = Path(text)
            button = ttk.Button(
                self._recipes,
                text=path.stem if len(path.stem) <= 24 else f"{path.stem[:23]}…",
                style="Link.TButton",
                command=lambda text=text: self._open([text]),  # type: ignore[misc]
            )
            button.pack(anchor="w")
            Tooltip(button, tr("Set up this recipe: {path}", path=text))
        ttk.Frame(self._recipes, height=theme.px(8)).pack()

    def show_recipe(self) -> None:
        """Update the list after recipes were opened or saved."""
        if self._recent_recipes != self.host.window_state.recent("recipes"):
            self._show_recipes()

    def show_lock(self) -> None:
        """Disable what a locked recipe fixes, and show who locked it."""
        lock = self.session.lock
        for widget in self._lockable:
            widget.state(["disabled" if lock is not None else "!disabled"])
        if lock is None:
            self._lock_text.pack_forget()
            self._lock_row.configure(height=1)
        else:
            text = tr("Recipe locked by {by}: model, thresholds, rules and parts are fixed.", by=lock.by)
            self._lock_text.configure(text=text)
            self._lock_text.pack(anchor="w", pady=theme.px(0, 10))

    def _locked(self) -> bool:
        """Whether a locked recipe forbids a change; reports it."""
        lock = self.session.lock
        if lock is not None:
            text = tr("Recipe locked by {by}: model, thresholds, rules and parts are fixed.", by=lock.by)
            self.host.toast(text, "warn")
        return lock is not None

    # the source

    def show_source(self) -> None:
        """Show the source of the session."""
        self._source.set(self.session.text)

    def _open_typed(self) -> None:
        text = self._source.get().strip()
        self.source_box.selection_clear()
        if text:
            self._open([text])

    def _fill_sources(self) -> None:
        self.source_box.configure(values=self.host.window_state.recent("sources"))

    def use_job(self, job: Job) -> None:
        """Set up model, thresholds and rules of a recipe."""
        self.session.use_recipe(None)  # a lock of the recipe before does not hold for this one
        self.session.model_choice = job.model
        self.confidence.set(job.confidence)
        self.iou.set(job.iou)
        self.session.set_rules(job.rules)
        self.session.set_thresholds(job.confidence, job.iou)
        self.session.parts, self.session.calibration = job.parts, job.calibration
        self._show_rules()
        bundled = next(iter(self.host.catalogue.model(job.model.id).bundled), None)
        if job.weights or bundled:
            self._use_model(job.weights or str(bundled))

    # the model

    def open_first_model(self, wanted: str | None) -> None:
        """Open the first model: ``wanted``, the last one used, or the bundled one."""
        if kept := self.host.window_state.get("rules", {}):
            with suppress(InputError):
                self.session.set_rules(Rules.from_json(kept))
                self.host.toast(tr("Rules from the last session are in use: {rules}", rules=self._rules_words()))
        if kept := self.host.window_state.get("parts", {}):
            with suppress(InputError):
                self.session.parts = Grouping.from_json(kept)
        self.session.facts = {"station": str(self.host.window_state.get("station", ""))}
        self.session.choose_model(wanted or self.host.window_state.last_model())
        self.show_model()

    def run_ended(self) -> None:
        """Open the model that was chosen during the run."""
        if self._next_model:
            self.session.choose_model(self._next_model)
            self._next_model = ""
            self.show_model()

    def _fill_models(self) -> None:
        names = [name for spec in self.host.catalogue.models.values() for name in spec.bundled]
        recent = [text for text in self.host.window_state.recent("models") if Path(text).exists()]
        self._models = _by_name(recent, names)
        self.model_box.configure(values=[*names, *self._models, tr("open best.pt…")])

    def _chose_model(self) -> None:
        text = self._model.get()
        self.model_box.selection_clear()
        if text == tr("open best.pt…"):
            self.open_model()
        else:
            self.use_model(self._models.get(text, text))

    def open_model(self) -> None:
        """Choose a weights file."""
        suffixes = sorted({suffix for spec in self.host.catalogue.models.values() for suffix in spec.suffixes})
        kinds = [(tr("Models"), " ".join(f"*{suffix}" for suffix in suffixes)), (tr("All files"), "*")]
        chosen = filedialog.askopenfilename(
            parent=self.host.root,
            title=tr("Open model"),
            filetypes=kinds,
            initialdir=self.host.window_state.folder("model"),
        )
        if chosen:
            self.host.window_state.remember_folder("model", chosen)
            self.use_model(chosen)
        else:
            self.show_model()

    def use_model(self, text: str) -> None:
        """Use a model that the user chose, with the options in the settings."""
        if self._locked():
            self.show_model()
            return
        self.session.model_choice = None
        self._use_model(text)

    def _use_model(self, text: str) -> None:
        if self.session.active:
            self._next_model = text
            self.host.toast(tr("The current run keeps its model; the new one is used from the next run."), "info")
        else:
            self.session.choose_model(text)
        self.show_model()

    def show_model(self) -> None:
        """Show the model of the session."""
        self._device.set(self.session.device)
        model = self.session.model
        if self.session.loading:
            self._model.set(tr("opening {name}…", name=self.session.loading))
            return
        if model is None or model.info is None:
            self._model.set("")
            return
        self._model.set(model.name)
        if model.weights is not None and model.name not in model.spec.bundled:
            self.host.window_state.add_recent("models", str(model.weights))
        self.host.window_state.set("model", str(model.weights) if model.name not in model.spec.bundled else model.name)
        names = model.info.names
        hidden = self.classes.hidden | self._hidden_before
        self.classes.set_names(names, [class_swatch(number) for number in range(len(names))], hidden)
        self._show_rules()
        if not self._devices_known:
            self._devices_known = True  # the runtime is loaded now: listing devices is cheap
            self.host.tasks.run(self.session.devices, done=self._fill_devices)
        self._ready()

    def model_details(self) -> None:
        """Open a window with the details of the model."""
        from inspector.ui.inspect.model_details import show_details

        if self.session.model is not None:
            show_details(self.host, self.session.model)

    def _fill_devices(self, devices: list[tuple[str, str]]) -> None:
        self.device_box.configure(values=["auto", "cpu", *(f"{device}  {name}" for device, name in devices)])

    def _chose_device(self) -> None:
        self.device_box.selection_clear()
        self.session.choose_device(self._device.get().split()[0])
        self.show_model()

    # thresholds, rules, view

    def _thresholds(self) -> None:
        self.session.set_thresholds(self.confidence.value, self.iou.value)

    def edit_rules(self) -> None:
        """Edit the limits behind OK, WARN and NG."""
        if self._locked():
            return
        from inspector.ui.inspect.rules_dialog import edit_rules

        names = self.session.model.info.names if self.session.model and self.session.model.info else ()

        def edited(rules: Rules | None) -> None:
            if self._locked():  # since the dialog was opened
                return
            self.session.set_rules(rules)
            self.host.window_state.set("rules", {} if rules is None else rules.to_json())
            self._show_rules()

        edit_rules(self.host, self.session.rules, names, edited, self.session.try_rules)

    def edit_parts(self) -> None:
        """Edit how images group into parts."""
        from inspector.ui.inspect.parts_dialog import PartsDialog

        def edited(grouping: Grouping | None, facts: Mapping[str, str]) -> None:
            self.session.facts = facts
            self.host.window_state.set("station", facts.get("station", ""))
            if grouping == self.session.parts or self._locked():
                return
            self.session.parts = grouping
            self.host.window_state.set("parts", {} if grouping is None else grouping.to_json())
            self._show_rules()

        PartsDialog(self.host, self.session.parts, self.session.facts, edited)

    def _show_rules(self) -> None:
        self._rules_text.configure(text=self._rules_words())
        self._parts_text.configure(text=parts_text(self.session.parts))

    def _rules_words(self) -> str:
        rules = self.session.rules
        return f"{rules_text(rules)} · {rule_set(rules)}"

    def set_view(self, view: View) -> None:
        self._view.set(view)
        self.image_view.set_view(view)

    def toggle_masks(self) -> None:
        self._masks.set(not self._masks.get())
        self._show_masks()

    def _show_masks(self) -> None:
        self.image_view.set_masks(self._masks.get())
        self.image_view.set_opacity(self._opacity.get())


def _by_name(files: Sequence[str], taken: Collection[str]) -> dict[str, str]:
    """Weights files by what a list calls them: a trained model by its name, others by their path."""
    named: dict[str, str] = {}
    for file in files:
        name = model_name(Path(file))
        own = name != Path(file).name and name not in taken and name not in named
        named[name if own else file] = file
    return named
