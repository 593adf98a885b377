"""The left side of the inspect page: source, model, device, thresholds, rules, classes and view."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tkinter import filedialog, ttk
from typing import TYPE_CHECKING, Any, Literal

from inspector.domain import InputError, Job, Rules
from inspector.ui import theme
from inspector.ui.composing import class_swatch
from inspector.ui.inspect_parts import ClassList, Threshold
from inspector.ui.preview import MASKS_CHANGED, Preview
from inspector.ui.texts import t
from inspector.ui.widgets import ScrollFrame, Tooltip

if TYPE_CHECKING:
    from inspector.ui.app import App

View = Literal["original", "result", "side_by_side"]


class Controls(ScrollFrame):
    """Sets up the session, and how the preview shows it.

    Args:
        open: opens what a person typed.
        hidden: called with the classes that are not to be shown.
        ready: called when the model that was chosen is open.
    """

    def __init__(
        self,
        parent: tk.Misc,
        app: App,
        preview: Preview,
        open: Callable[[list[str]], None],
        hidden: Callable[[set[str]], None],
        ready: Callable[[], None],
    ) -> None:
        super().__init__(parent, width=theme.side(226, parent))
        self.app, self.session, self.preview = app, app.session, preview
        self._open, self._hide, self._ready = open, hidden, ready
        self._hidden_before: set[str] = set()
        self._next_model = ""
        self._devices_known = False
        self._build_left(self.body)
        preview.bind(MASKS_CHANGED, lambda event: self._masks.set(not self._masks.get()))
        self.session.on_model = self.show_model
        self.show_model()

    def _build_left(self, body: ttk.Frame) -> None:
        gap = theme.px(0, 10)
        ttk.Label(body, text=t("Source"), style="Head.TLabel").pack(anchor="w")
        self._source = tk.StringVar(self, self.session.text)
        self.source_box = ttk.Combobox(body, textvariable=self._source, postcommand=self._fill_sources)
        self.source_box.pack(fill="x", pady=gap)
        self.source_box.bind("<Return>", lambda event: self._open_typed())
        self.source_box.bind("<<ComboboxSelected>>", lambda event: self._open_typed())
        Tooltip(self.source_box, t("A file, a folder, camera:0 or an address; Enter opens it"))
        row = ttk.Frame(body)
        row.pack(fill="x")
        ttk.Label(row, text=t("Model"), style="Head.TLabel").pack(side="left")
        details = ttk.Button(row, text=t("Details"), style="Link.TButton", command=self.model_details)
        details.pack(side="right")
        self._model = tk.StringVar(self)
        self.model_box = ttk.Combobox(body, textvariable=self._model, state="readonly", postcommand=self._fill_models)
        self.model_box.pack(fill="x", pady=theme.px(0, 4))
        self.model_box.bind("<<ComboboxSelected>>", lambda event: self._chose_model())
        self._device = tk.StringVar(self, self.session.device)
        self.device_box = ttk.Combobox(body, textvariable=self._device, state="readonly", values=["auto", "cpu"])
        self.device_box.pack(fill="x", pady=gap)
        self.device_box.bind("<<ComboboxSelected>>", lambda event: self._chose_device())
        Tooltip(self.device_box, t("What computes: auto takes a CUDA device where there is one"))
        self.confidence = Threshold(
            body,
            t("Confidence"),
            t("Smallest score that counts; acts on the next frame"),
            self.session.confidence,
            lambda value: self._thresholds(),
        )
        self.confidence.pack(fill="x", pady=gap)
        self.iou = Threshold(
            body,
            t("Overlap IoU"),
            t("Of two defects of one class that overlap more, only the surer one counts"),
            self.session.iou,
            lambda value: self._thresholds(),
        )
        self.iou.pack(fill="x", pady=gap)
        row = ttk.Frame(body)
        row.pack(fill="x")
        ttk.Label(row, text=t("Verdict"), style="Head.TLabel").pack(side="left")
        ttk.Button(row, text=t("Rules…"), style="Link.TButton", command=self.edit_rules).pack(side="right")
        self._rules_text = ttk.Label(body, style="Muted.TLabel", wraplength=theme.side(220, body), justify="left")
        self._rules_text.pack(anchor="w", pady=gap)
        ttk.Label(body, text=t("Classes"), style="Head.TLabel").pack(anchor="w")
        self.classes = ClassList(body, self._hide)
        self.classes.pack(fill="x", pady=gap)
        ttk.Label(body, text=t("View"), style="Head.TLabel").pack(anchor="w")
        self._view = tk.StringVar(self, "result")
        views: dict[View, str] = {
            "original": t("Original"),
            "result": t("Result"),
            "side_by_side": t("Side by side"),
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
        masks = ttk.Checkbutton(row, text=t("Masks"), variable=self._masks, command=self._show_masks)
        masks.pack(side="left")
        Tooltip(masks, "M")
        self._opacity = tk.DoubleVar(self, 0.4)
        opacity = ttk.Scale(row, variable=self._opacity, to=1.0, command=lambda text: self._show_masks())
        opacity.pack(side="right", fill="x", expand=True, padx=theme.px(8, 0))
        Tooltip(opacity, t("Opacity of the masks"))

    def kept(self) -> dict[str, Any]:
        return {
            "view": self._view.get(),
            "masks": self._masks.get(),
            "opacity": self._opacity.get(),
            "hidden": self.classes.hidden,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._opacity.set(state["opacity"])
        self._masks.set(state["masks"])
        self.set_view(state["view"])
        self._show_masks()
        self._hidden_before = state["hidden"]
        self.show_model()

    # the source

    def show_source(self) -> None:
        """Show what the session says of its source."""
        self._source.set(self.session.text)

    def _open_typed(self) -> None:
        text = self._source.get().strip()
        self.source_box.selection_clear()
        if text:
            self._open([text])

    def _fill_sources(self) -> None:
        self.source_box.configure(values=self.app.memory.recent("sources"))

    def use_job(self, job: Job) -> None:
        """Set up model, thresholds and rules of a recipe."""
        self.confidence.set(job.confidence)
        self.iou.set(job.iou)
        self.session.set_rules(job.rules)
        self.session.set_thresholds(job.confidence, job.iou)
        self._show_rules()
        bundled = next(iter(self.app.catalogue.model(job.model.id).bundled), None)
        if job.weights or bundled:
            self.use_model(job.weights or str(bundled))

    # the model

    def open_first_model(self, wanted: str | None) -> None:
        """At the start: ``wanted``, or the model of the last time, or the one that ships."""
        if kept := self.app.memory.get("rules", {}):
            with suppress(InputError):
                self.session.set_rules(Rules.from_json(kept))
                self.app.toast(t("The rules of last time are in force: {rules}", rules=_rules_text(self.session.rules)))
        self.session.choose_model(wanted or self.app.memory.last_model())
        self.show_model()

    def run_ended(self) -> None:
        """Open the model that was chosen while the run was at work."""
        if self._next_model:
            self.session.choose_model(self._next_model)
            self._next_model = ""
            self.show_model()

    def _fill_models(self) -> None:
        names = [name for spec in self.app.catalogue.models.values() for name in spec.bundled]
        recent = [text for text in self.app.memory.recent("models") if Path(text).exists()]
        self.model_box.configure(values=[*names, *recent, t("open best.pt…")])

    def _chose_model(self) -> None:
        text = self._model.get()
        self.model_box.selection_clear()
        if text == t("open best.pt…"):
            self.open_model()
        else:
            self.use_model(text)

    def open_model(self) -> None:
        """Choose a weights file."""
        suffixes = sorted({suffix for spec in self.app.catalogue.models.values() for suffix in spec.suffixes})
        kinds = [(t("Models"), " ".join(f"*{suffix}" for suffix in suffixes)), (t("All files"), "*")]
        chosen = filedialog.askopenfilename(
            parent=self.app.root, title=t("Open model"), filetypes=kinds, initialdir=self.app.memory.folder("model")
        )
        if chosen:
            self.app.memory.chose("model", chosen)
            self.use_model(chosen)
        else:
            self.show_model()

    def use_model(self, text: str) -> None:
        if self.session.active:
            self._next_model = text
            self.app.toast(t("The run goes on with its model; the new one is used from the next run on."), "info")
        else:
            self.session.choose_model(text)
        self.show_model()

    def show_model(self) -> None:
        """Show what the session says of its model."""
        self._device.set(self.session.device)
        model = self.session.model
        if self.session.loading:
            self._model.set(t("opening {name}…", name=self.session.loading))
            return
        if model is None or model.info is None:
            self._model.set("")
            return
        self._model.set(model.name)
        if model.weights is not None and model.name == model.weights.name:
            self.app.memory.used("models", str(model.weights))
        self.app.memory.put("model", str(model.weights) if model.name not in model.spec.bundled else model.name)
        names = model.info.names
        hidden = self.classes.hidden | self._hidden_before
        self.classes.set_names(names, [class_swatch(number) for number in range(len(names))], hidden)
        self._show_rules()
        if not self._devices_known:
            self._devices_known = True  # what computes is loaded now: asking costs little
            self.app.tasks.run(self.session.devices, done=self._fill_devices)
        self._ready()

    def model_details(self) -> None:
        """A window with all that is known of the model."""
        from inspector.ui.model_details import show_details

        if self.session.model is not None:
            show_details(self.app, self.session.model)

    def _fill_devices(self, found: list[tuple[str, str]]) -> None:
        self.device_box.configure(values=["auto", "cpu", *(f"{device}  {name}" for device, name in found)])

    def _chose_device(self) -> None:
        self.device_box.selection_clear()
        self.session.choose_device(self._device.get().split()[0])
        self.show_model()

    # thresholds, rules, view

    def _thresholds(self) -> None:
        self.session.set_thresholds(self.confidence.value, self.iou.value)

    def edit_rules(self) -> None:
        """Edit the limits behind OK, WARN and NG."""
        from inspector.ui.rules_dialog import edit_rules

        names = self.session.model.info.names if self.session.model and self.session.model.info else ()

        def edited(rules: Rules | None) -> None:
            self.session.set_rules(rules)
            self.app.memory.put("rules", {} if rules is None else rules.to_json())
            self._show_rules()

        edit_rules(self.app, self.session.rules, names, edited)

    def _show_rules(self) -> None:
        rules = self.session.rules
        self._rules_text.configure(text=_rules_text(rules))

    def set_view(self, view: View) -> None:
        self._view.set(view)
        self.preview.set_view(view)

    def toggle_masks(self) -> None:
        self._masks.set(not self._masks.get())
        self._show_masks()

    def _show_masks(self) -> None:
        self.preview.set_masks(self._masks.get())
        self.preview.set_opacity(self._opacity.get())


def _rules_text(rules: Rules | None) -> str:
    if rules is None:
        return t("Any defect is NG.")
    limits = sum(len(row) for row in rules.classes.values())
    return t("By {n} rules.", n=limits) if limits else t("No limits: every defect passes.")
