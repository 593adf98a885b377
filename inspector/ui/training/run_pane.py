"""Step 3 of training: options, start and stop, progress."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tkinter import filedialog, ttk
from typing import Any

from inspector.api import Option
from inspector.domain import InputError
from inspector.training import Progress, Training
from inspector.training.progress import BOX, MASK
from inspector.ui.kit import strings, theme
from inspector.ui.kit.charts.line_chart import Curve, LineChart
from inspector.ui.kit.duration import duration
from inspector.ui.kit.form import Form, wrap
from inspector.ui.kit.scrollbars import add_scrollbars
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr
from inspector.ui.kit.widgets import ScrollFrame, Tooltip
from inspector.ui.training.start_weights import StartWeights
from inspector.ui.training.state import TrainingState, new_folder
from inspector.ui.training.validation_images import ValidationImages
from inspector.ui.training.widgets import state_text

_COMMON = 4  # number of options always shown: the first that the plugin declares
_HIDDEN = ("resume", "check", "weights")  # they have their own buttons and list


class RunPane(ttk.Frame):
    """Step 3.

    Args:
        started: called when a training was started or resumed.
        back: called with the number of the step that is incomplete.
    """

    def __init__(
        self,
        parent: tk.Misc,
        shell: Shell,
        training_state: TrainingState,
        started: Callable[[], None],
        back: Callable[[int], None],
    ) -> None:
        super().__init__(parent, padding=theme.px(12, 10))
        self._shell, self._training_state, self._started, self._back = shell, training_state, started, back
        self._log: tuple[str, ...] = ()
        self._folded = True
        self._form: Form | None = None
        self._more: Form | None = None
        narrow = theme.narrow(self)
        self.columnconfigure(0 if narrow else 1, weight=1)
        self.rowconfigure(1 if narrow else 0, weight=1)
        left = ttk.Frame(self)
        left.grid(row=0, column=0, sticky="nsew", padx=theme.px(0, 14))
        left.rowconfigure(0, weight=1)
        self._build_options(left)
        self._build_buttons(left)
        right = ttk.Frame(self)
        right.grid(row=1 if narrow else 0, column=0 if narrow else 1, sticky="nsew")
        self._build_progress(right)
        self.show_choice()
        self.show_progress()

    # Options

    def _build_options(self, left: ttk.Frame) -> None:
        left.columnconfigure(0, weight=1)
        room = ScrollFrame(left, width=theme.px(370), whole=theme.narrow(self))
        room.grid(row=0, column=0, sticky="nsew")
        body = room.body
        ttk.Label(body, text=tr("Next training"), style="Head.TLabel").pack(anchor="w")
        self._choice = ttk.Label(body)
        self._choice.pack(anchor="w", fill="x", pady=theme.px(0, 8))
        wrap(self._choice)
        ttk.Label(body, text=tr("Results folder"), style="Head.TLabel").pack(anchor="w")
        row = ttk.Frame(body)
        row.pack(fill="x", pady=theme.px(2, 10), padx=theme.px(0, 8))
        self._output = tk.StringVar(row, self._training_state.output)
        self._output.trace_add("write", lambda *_: setattr(self._training_state, "output", self._output.get().strip()))
        entry = ttk.Entry(row, textvariable=self._output)
        choose = ttk.Button(row, text=tr("Choose…"), command=self._choose_output)
        choose.pack(side="right", padx=theme.px(4, 0))  # before the entry, which gives way where room is short
        entry.pack(side="left", fill="x", expand=True)
        entry.lower(choose)
        Tooltip(entry, tr("Empty: a new folder for every training"))
        self.start_weights = StartWeights(body, self._shell, self._training_state)
        self.start_weights.pack(fill="x", pady=theme.px(0, 10), padx=theme.px(0, 8))
        ttk.Label(body, text=tr("Options"), style="Head.TLabel").pack(anchor="w", pady=theme.px(0, 4))
        self._hint = ttk.Label(body, style="Muted.TLabel")
        wrap(self._hint)
        self._forms = ttk.Frame(body)
        self._forms.pack(fill="x", padx=theme.px(0, 8))

    def _declared(self) -> list[Option]:
        spec = self._shell.catalogue.models.get(self._training_state.trainer)
        return [option for option in spec.train_options if option.key not in _HIDDEN] if spec is not None else []

    def _show_options(self) -> None:
        for child in self._forms.winfo_children():
            child.destroy()
        options, values = self._declared(), self._training_state.options
        names: dict[str, dict[Any, str]] = {}
        self._form = Form(self._forms, options[:_COMMON], values, self._changed, names)
        self._form.pack(fill="x")
        self._more = Form(self._forms, options[_COMMON:], values, self._changed, names)
        self._fold = ttk.Button(self._forms, style="Link.TButton", command=self._unfold)
        self._fold.pack(anchor="w", pady=theme.px(8, 4))
        self._shown_options = [option.key for option in options]
        self._show_hint()
        self._show_fold()

    def _unfold(self) -> None:
        self._folded = not self._folded
        self._show_fold()

    def _show_fold(self) -> None:
        assert self._more is not None
        if self._folded:
            self._more.pack_forget()
            self._fold.configure(text="▸ " + tr("More options"))
        else:
            self._more.pack(fill="x")
            self._fold.configure(text="▾ " + tr("Fewer options"))

    def _changed(self, key: str, value: Any) -> None:
        self._training_state.options[key] = value

    def _choose_output(self) -> None:
        if chosen := filedialog.askdirectory(parent=self, mustexist=False):
            self._output.set(chosen)

    def values(self) -> dict[str, Any]:
        """The options of both forms that differ from their defaults.

        Raises:
            InputError: for the first field that is wrong.
        """
        assert self._form is not None and self._more is not None
        if self._more.errors() and self._folded:
            self._unfold()
        values = {**self._form.values(), **self._more.values()}
        defaults = {option.key: option.default for option in self._declared()}
        return {key: value for key, value in values.items() if value != defaults[key]}

    # Start and stop

    def _build_buttons(self, left: ttk.Frame) -> None:
        row = ttk.Frame(left)
        row.grid(row=1, column=0, sticky="ew", pady=theme.px(8, 0))
        row.columnconfigure((0, 1), weight=1, uniform="half")
        self.start_button = ttk.Button(row, text=tr("Start training"), style="Primary.TButton", command=self.start)
        self.resume_button = ttk.Button(row, text=tr("Resume"), command=self.resume)
        self.stop_button = ttk.Button(row, text=tr("Stop after this epoch"), command=self.stop_after_epoch)
        self.end_button = ttk.Button(row, text=tr("Stop now…"), style="Danger.TButton", command=self.stop)
        Tooltip(self.resume_button, tr("Resume the training shown, from its last complete epoch"))
        for number, button in enumerate((self.start_button, self.resume_button, self.stop_button, self.end_button)):
            button.grid(row=number // 2, column=number % 2, sticky="ew", padx=theme.px(0, 6), pady=theme.px(3, 3))

    def start(self) -> None:
        """Start a training with the current choices."""
        data, report = self._training_state.data, self._training_state.report
        if data is None or report is None or not report["usable"]:
            self._shell.toast(tr("Choose a dataset first; once checked, it can be used for training"), "warn")
            self._back(0)
            return
        try:
            options = self.values()
        except InputError as error:
            self._shell.toast(strings.sentence(str(error)), "bad")
            return
        if weights := self.start_weights.weights:
            options["weights"] = weights
        output, model = self._training_state.output, self._training_state.model
        folder = Path(output) if output else new_folder(self._shell.settings, "train", model)
        trainable = [spec for spec in self._shell.catalogue.models.values() if spec.train is not None]
        trainer = self._training_state.trainer if len(trainable) > 1 else ""
        self._begin(lambda: Training.start(data, model, folder.absolute(), options, trainer))

    def resume(self) -> None:
        """Resume the training shown, possibly with more epochs."""
        progress = self._training_state.progress
        if progress is None or not progress.resumable:
            return
        try:
            wanted = int(self.values().get("epochs", progress.epochs))
        except InputError as error:
            self._shell.toast(strings.sentence(str(error)), "bad")
            return
        options = {"epochs": wanted} if wanted != progress.epochs else {}
        self._begin(lambda: Training.resume(progress.folder, options))

    def _begin(self, begin: Callable[[], Training]) -> None:
        if self._training_state.training is not None:
            return
        for button in (self.start_button, self.resume_button):
            button.state(["disabled"])

        def begun(training: Training) -> None:
            self._training_state.training = training
            self._training_state.progress = Progress(training.folder, "starting", model=self._training_state.model)
            self._training_state.output = ""
            self._output.set("")
            self._started()
            self.show_progress()

        def failed(error: BaseException) -> None:
            self._shell.toast(strings.sentence(str(error)), "bad")
            self.show_progress()

        self._shell.tasks.run(begin, done=begun, failed=failed)

    def stop_after_epoch(self) -> None:
        if self._training_state.training is not None:
            self._training_state.training.stop_after_epoch()
            self._shell.toast(tr("Training stops when the current epoch is saved"))

    def stop(self) -> None:
        """Stop after the current step, if the user confirms."""
        if self._training_state.training is None:
            return
        answer = self._shell.ask(
            tr("Stop the training now?"),
            tr("Progress since the last complete epoch is lost. You can resume the training later."),
            [("stay", tr("Keep training"), False), ("stop", tr("Stop now"), True)],
            "stay",
        )
        if answer == "stop" and self._training_state.training is not None:
            self._training_state.training.stop()

    # Progress

    def _build_progress(self, right: ttk.Frame) -> None:
        right.columnconfigure(0, weight=1)
        right.rowconfigure(4, weight=1)
        ttk.Label(right, text=tr("This training"), style="Head.TLabel").grid(row=0, column=0, sticky="w")
        self._state = ttk.Label(right, style="Title.TLabel")
        self._state.grid(row=1, column=0, sticky="ew")
        wrap(self._state)
        self._details = ttk.Label(right, style="Muted.TLabel")
        self._details.grid(row=2, column=0, sticky="ew")
        wrap(self._details)
        self._bar = ttk.Progressbar(right, maximum=1000)
        self._bar.grid(row=3, column=0, sticky="ew", pady=theme.px(6, 8))
        self.views = ttk.Notebook(right)
        self.views.grid(row=4, column=0, sticky="nsew")
        charts = ttk.Frame(self.views, padding=theme.px(6))
        self.score = LineChart(charts, tr("mAP50 on the validation images"), top=1.0)
        self.loss = LineChart(charts, tr("Losses"))
        for chart in (self.score, self.loss):
            chart.pack(fill="both", expand=True, pady=theme.px(2))
        self.validation_images = ValidationImages(self.views, self._shell)
        log = ttk.Frame(self.views, padding=theme.px(6))
        self._text = tk.Text(
            log, state="disabled", wrap="none", font=theme.font("mono"), borderwidth=0, width=1, height=1
        )
        add_scrollbars(self._text)
        theme.on_theme_change(self._text, self._paint)
        for frame, name in (
            (charts, tr("Curves")),
            (self.validation_images, tr("Validation images")),
            (log, tr("Log")),
        ):
            self.views.add(frame, text=name)

    def _paint(self) -> None:
        tokens = theme.tokens()
        self._text.configure(
            background=tokens.card, foreground=tokens.text, highlightthickness=1, highlightbackground=tokens.line
        )

    def show_choice(self) -> None:
        """Show architecture and dataset of the next training."""
        data = self._training_state.data
        named = tr("none chosen") if data is None else f"{data.parent.name}/{data.name}"
        lines = (tr("Dataset: {name}", name=named), tr("Architecture: {name}", name=self._training_state.model))
        self._choice.configure(text="\n".join(lines))
        self.start_weights.show()
        if self._form is None or [option.key for option in self._declared()] != self._shown_options:
            self._show_options()

    def propose(self, options: Mapping[str, Any]) -> None:
        """Preset options that suit the dataset, except those changed by the user."""
        defaults = {option.key: option.default for option in self._declared()}
        for key, default in defaults.items():
            now = self._training_state.options.get(key, default)
            if now == self._training_state.proposed.get(key, default):
                self._training_state.options.pop(key, None)
                if options.get(key, default) != default:
                    self._training_state.options[key] = options[key]
        self._training_state.proposed = dict(options)
        self._show_options()

    def _show_hint(self) -> None:
        """Show which values were proposed for the dataset."""
        proposed = self._training_state.proposed
        if not proposed:
            self._hint.pack_forget()
            return
        message = tr("Proposed for this dataset: image size {imgsz}, batch size {batch}.", **proposed)
        self._hint.configure(text=message)
        self._hint.pack(anchor="w", fill="x", pady=theme.px(0, 4), before=self._forms)

    def take_options(self, progress: Progress) -> None:
        """Show the options of a training to resume."""
        defaults = {option.key: option.default for option in self._declared()}
        self._training_state.options = {
            key: value for key, value in progress.options.items() if defaults.get(key, value) != value
        }
        self._training_state.proposed = {}
        self._training_state.start = progress.options.get("weights")
        self.start_weights.show()
        self._show_options()

    def show_progress(self) -> None:
        """Show ``training_state.progress``."""
        progress, live = self._training_state.progress, self._training_state.training is not None
        resumable = progress is not None and progress.resumable and not live
        for button, able in (
            (self.start_button, not live),
            (self.resume_button, resumable),
            (self.stop_button, live),
            (self.end_button, live),
        ):
            button.state(["!disabled" if able else "disabled"])
        if progress is None:
            self._state.configure(text=tr("No training yet"))
            self._details.configure(text=tr("Start a training, or choose an earlier one under “Trained models”."))
            return
        self._state.configure(text=state_text(progress))
        self._details.configure(text=" · ".join(self._described(progress)))
        self._bar.configure(value=round(1000 * progress.share))
        self.score.show(curves(progress, ((tr("masks"), MASK), (tr("boxes"), BOX))))
        self.loss.show(curves(progress, _losses(progress)))
        self.validation_images.show(progress.images)
        self._show_log(progress.log)

    def _described(self, progress: Progress) -> list[str]:
        parts = [progress.folder.name]
        if progress.epochs:
            parts.append(tr("{done} of {all} epochs", done=progress.epoch, all=progress.epochs))
        if progress.live and progress.batches:
            parts.append(tr("step {done} of {all}", done=progress.batch, all=progress.batches))
        if progress.left is not None:
            parts.append(tr("{time} left", time=duration(progress.left)))
        if progress.rows:
            parts.append(tr("best mask mAP50 {value}", value=f"{progress.best.get(MASK, 0.0):.3f}"))
        if progress.state == "failed":
            parts.append(strings.sentence(progress.sentence))
        return parts

    def _show_log(self, lines: Sequence[str]) -> None:
        if tuple(lines) == self._log:
            return
        self._log = tuple(lines)
        at_end = self._text.yview()[1] > 0.99
        place = self._text.yview()[0]
        self._text.configure(state="normal")
        self._text.delete("1.0", "end")
        self._text.insert("1.0", "\n".join(lines))
        self._text.configure(state="disabled")
        if at_end:
            self._text.see("end")
        else:
            self._text.yview_moveto(place)


def curves(progress: Progress, columns: Sequence[tuple[str, str]]) -> list[Curve]:
    """Return (name, column of results.csv) as curves over the epochs."""
    return [
        Curve(name, [(row["epoch"], row[column]) for row in progress.rows if column in row]) for name, column in columns
    ]


def _losses(progress: Progress) -> list[tuple[str, str]]:
    """Return the available training and validation losses."""
    columns = [column for column in (progress.rows[0] if progress.rows else {}) if column.endswith("_loss")]
    words = {"train": tr("training"), "val": tr("validation")}
    return [
        (f"{part.removesuffix('_loss')} {words.get(split, split)}", column)
        for column in columns
        if any(column.startswith(f"{word}/{kind}") for word in words for kind in ("box", "seg", "cls"))
        for split, _, part in [column.partition("/")]
    ]
