"""The third part of the training page: options, start and stop, and how the training goes."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from pathlib import Path
from tkinter import filedialog, ttk
from typing import Any

from inspector.api import Option
from inspector.domain import InputError
from inspector.training import Progress, Training
from inspector.training.folder import BOX, MASK
from inspector.ui import texts, theme
from inspector.ui.form import Form, wrap
from inspector.ui.scrolling import add_bars
from inspector.ui.shell import Shell
from inspector.ui.texts import t
from inspector.ui.training_bench import Bench, new_folder
from inspector.ui.training_chart import Chart, Curve
from inspector.ui.training_parts import duration, state_text
from inspector.ui.training_pictures import Pictures
from inspector.ui.widgets import ScrollFrame, Tooltip

_COMMON = 4  # options that stand above the fold: the first that the plugin declares
_HIDDEN = ("resume", "check")  # they are buttons here


class RunPane(ttk.Frame):
    """Step 3.

    Args:
        started: called when a training has been started or gone on with.
        back: called with the number of the step where something is missing.
    """

    def __init__(
        self, parent: tk.Misc, shell: Shell, bench: Bench, started: Callable[[], None], back: Callable[[int], None]
    ) -> None:
        super().__init__(parent, padding=theme.px(12, 10))
        self._shell, self._bench, self._started, self._back = shell, bench, started, back
        self._log: tuple[str, ...] = ()
        self._folded = True
        self._form: Form | None = None
        self._more: Form | None = None
        self.columnconfigure(1, weight=1)
        self.rowconfigure(0, weight=1)
        left = ttk.Frame(self)
        left.grid(row=0, column=0, sticky="ns", padx=theme.px(0, 14))
        left.rowconfigure(0, weight=1)
        self._build_options(left)
        self._build_buttons(left)
        right = ttk.Frame(self)
        right.grid(row=0, column=1, sticky="nsew")
        self._build_progress(right)
        self.show_choice()
        self.show_progress()

    # Options

    def _build_options(self, left: ttk.Frame) -> None:
        room = ScrollFrame(left, width=theme.px(370))
        room.grid(row=0, column=0, sticky="nsew")
        body = room.body
        ttk.Label(body, text=t("Next training"), style="Head.TLabel").pack(anchor="w")
        self._choice = ttk.Label(body)
        self._choice.pack(anchor="w", fill="x", pady=theme.px(0, 8))
        wrap(self._choice)
        ttk.Label(body, text=t("Folder for the results"), style="Head.TLabel").pack(anchor="w")
        row = ttk.Frame(body)
        row.pack(fill="x", pady=theme.px(2, 10), padx=theme.px(0, 8))
        self._output = tk.StringVar(row, self._bench.output)
        self._output.trace_add("write", lambda *_: setattr(self._bench, "output", self._output.get().strip()))
        entry = ttk.Entry(row, textvariable=self._output)
        entry.pack(side="left", fill="x", expand=True)
        Tooltip(entry, t("Empty: a new folder for every training"))
        ttk.Button(row, text="…", width=3, command=self._choose_output).pack(side="left", padx=theme.px(4, 0))
        ttk.Label(body, text=t("Options"), style="Head.TLabel").pack(anchor="w", pady=theme.px(0, 4))
        self._forms = ttk.Frame(body)
        self._forms.pack(fill="x", padx=theme.px(0, 8))

    def _declared(self) -> list[Option]:
        spec = self._shell.catalogue.models.get(self._bench.trainer)
        return [option for option in spec.train_options if option.key not in _HIDDEN] if spec is not None else []

    def _show_options(self) -> None:
        for child in self._forms.winfo_children():
            child.destroy()
        options, values = self._declared(), self._bench.options
        names: dict[str, dict[Any, str]] = {}
        self._form = Form(self._forms, options[:_COMMON], values, self._changed, names)
        self._form.pack(fill="x")
        self._more = Form(self._forms, options[_COMMON:], values, self._changed, names)
        self._fold = ttk.Button(self._forms, style="Link.TButton", command=self._unfold)
        self._fold.pack(anchor="w", pady=theme.px(8, 4))
        self._shown_options = [option.key for option in options]
        self._show_fold()

    def _unfold(self) -> None:
        self._folded = not self._folded
        self._show_fold()

    def _show_fold(self) -> None:
        assert self._more is not None
        if self._folded:
            self._more.pack_forget()
            self._fold.configure(text="▸ " + t("More options"))
        else:
            self._more.pack(fill="x")
            self._fold.configure(text="▾ " + t("Fewer options"))

    def _changed(self, key: str, value: Any) -> None:
        self._bench.options[key] = value

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
        given = {**self._form.values(), **self._more.values()}
        defaults = {option.key: option.default for option in self._declared()}
        return {key: value for key, value in given.items() if value != defaults[key]}

    # Start and stop

    def _build_buttons(self, left: ttk.Frame) -> None:
        row = ttk.Frame(left)
        row.grid(row=1, column=0, sticky="ew", pady=theme.px(8, 0))
        row.columnconfigure((0, 1), weight=1, uniform="half")
        self.start_button = ttk.Button(row, text=t("Start training"), style="Primary.TButton", command=self.start)
        self.resume_button = ttk.Button(row, text=t("Go on"), command=self.resume)
        self.stop_button = ttk.Button(row, text=t("Stop after the epoch"), command=self.stop_after_epoch)
        self.end_button = ttk.Button(row, text=t("Stop now…"), style="Danger.TButton", command=self.stop)
        Tooltip(self.resume_button, t("Go on with the training that is shown, after its last whole epoch"))
        for number, button in enumerate((self.start_button, self.resume_button, self.stop_button, self.end_button)):
            button.grid(row=number // 2, column=number % 2, sticky="ew", padx=theme.px(0, 6), pady=theme.px(3, 3))

    def start(self) -> None:
        """Begin a training of what is chosen."""
        data, report = self._bench.data, self._bench.report
        if data is None or report is None or not report["usable"]:
            self._shell.toast(t("Choose a data set first; it is checked, and can then be trained on"), "warn")
            self._back(0)
            return
        try:
            options = self.values()
        except InputError as error:
            self._shell.toast(texts.sentence(str(error)), "bad")
            return
        given, model = self._bench.output, self._bench.model
        folder = Path(given) if given else new_folder(self._shell.settings, "train", model)
        trainable = [spec for spec in self._shell.catalogue.models.values() if spec.train is not None]
        trainer = self._bench.trainer if len(trainable) > 1 else ""
        self._begin(lambda: Training.start(data, model, folder.absolute(), options, trainer))

    def resume(self) -> None:
        """Go on with the training that is shown; more epochs may have been asked for meanwhile."""
        progress = self._bench.progress
        if progress is None or not progress.resumable:
            return
        try:
            wanted = int(self.values().get("epochs", progress.epochs))
        except InputError as error:
            self._shell.toast(texts.sentence(str(error)), "bad")
            return
        options = {"epochs": wanted} if wanted != progress.epochs else {}
        self._begin(lambda: Training.resume(progress.folder, options))

    def _begin(self, begin: Callable[[], Training]) -> None:
        if self._bench.training is not None:
            return
        for button in (self.start_button, self.resume_button):
            button.state(["disabled"])

        def begun(training: Training) -> None:
            self._bench.training = training
            self._bench.progress = Progress(training.folder, "starting", model=self._bench.model)
            self._bench.output = ""
            self._output.set("")
            self._started()
            self.show_progress()

        def failed(error: BaseException) -> None:
            self._shell.toast(texts.sentence(str(error)), "bad")
            self.show_progress()

        self._shell.tasks.run(begin, done=begun, failed=failed)

    def stop_after_epoch(self) -> None:
        if self._bench.training is not None:
            self._bench.training.stop_after_epoch()
            self._shell.toast(t("The training stops when the epoch at hand is saved"))

    def stop(self) -> None:
        """Stop after the step at hand, if the person means it."""
        if self._bench.training is None:
            return
        answer = self._shell.ask(
            t("Stop the training now?"),
            t("What was learned since the last whole epoch is lost. The training can be gone on with later."),
            [("stay", t("Keep training"), False), ("stop", t("Stop now"), True)],
            "stay",
        )
        if answer == "stop" and self._bench.training is not None:
            self._bench.training.stop()

    # How it goes

    def _build_progress(self, right: ttk.Frame) -> None:
        right.columnconfigure(0, weight=1)
        right.rowconfigure(4, weight=1)
        ttk.Label(right, text=t("This training"), style="Head.TLabel").grid(row=0, column=0, sticky="w")
        self._state = ttk.Label(right, style="Title.TLabel")
        self._state.grid(row=1, column=0, sticky="w")
        self._details = ttk.Label(right, style="Muted.TLabel")
        self._details.grid(row=2, column=0, sticky="ew")
        wrap(self._details)
        self._bar = ttk.Progressbar(right, maximum=1000)
        self._bar.grid(row=3, column=0, sticky="ew", pady=theme.px(6, 8))
        self.views = ttk.Notebook(right)
        self.views.grid(row=4, column=0, sticky="nsew")
        charts = ttk.Frame(self.views, padding=theme.px(6))
        self.score = Chart(charts, t("mAP50 on the validation pictures"), top=1.0)
        self.loss = Chart(charts, t("Losses"))
        for chart in (self.score, self.loss):
            chart.pack(fill="both", expand=True, pady=theme.px(2))
        self.pictures = Pictures(self.views, self._shell)
        log = ttk.Frame(self.views, padding=theme.px(6))
        self._text = tk.Text(
            log, state="disabled", wrap="none", font=theme.font("mono"), borderwidth=0, width=1, height=1
        )
        add_bars(self._text)
        theme.on_change(self._text, self._paint)
        for frame, name in ((charts, t("Curves")), (self.pictures, t("Validation pictures")), (log, t("Log"))):
            self.views.add(frame, text=name)

    def _paint(self) -> None:
        tokens = theme.tokens()
        self._text.configure(
            background=tokens.card, foreground=tokens.text, highlightthickness=1, highlightbackground=tokens.line
        )

    def show_choice(self) -> None:
        """What is trained on what."""
        data = self._bench.data
        named = t("none chosen") if data is None else f"{data.parent.name}/{data.name}"
        lines = (t("Data set: {name}", name=named), t("Architecture: {name}", name=self._bench.model))
        self._choice.configure(text="\n".join(lines))
        if self._form is None or [option.key for option in self._declared()] != self._shown_options:
            self._show_options()

    def take_options(self, progress: Progress) -> None:
        """Show the options of a training that shall be gone on with."""
        defaults = {option.key: option.default for option in self._declared()}
        self._bench.options = {
            key: value for key, value in progress.options.items() if defaults.get(key, value) != value
        }
        self._show_options()

    def show_progress(self) -> None:
        """Show ``bench.progress``."""
        progress, live = self._bench.progress, self._bench.training is not None
        resumable = progress is not None and progress.resumable and not live
        for button, able in (
            (self.start_button, not live),
            (self.resume_button, resumable),
            (self.stop_button, live),
            (self.end_button, live),
        ):
            button.state(["!disabled" if able else "disabled"])
        if progress is None:
            self._state.configure(text=t("No training yet"))
            self._details.configure(text=t("Start one, or choose an earlier one under “Trained models”."))
            return
        self._state.configure(text=state_text(progress))
        self._details.configure(text=" · ".join(self._described(progress)))
        self._bar.configure(value=round(1000 * progress.share))
        self.score.show(curves(progress, ((t("masks"), MASK), (t("boxes"), BOX))))
        self.loss.show(curves(progress, _losses(progress)))
        self.pictures.show(progress.pictures)
        self._show_log(progress.log)

    def _described(self, progress: Progress) -> list[str]:
        parts = [progress.folder.name]
        if progress.epochs:
            parts.append(t("{done} of {all} epochs", done=progress.epoch, all=progress.epochs))
        if progress.live and progress.batches:
            parts.append(t("step {done} of {all}", done=progress.batch, all=progress.batches))
        if progress.left is not None:
            parts.append(t("{time} left", time=duration(progress.left)))
        if progress.rows:
            parts.append(t("best mask mAP50 {value}", value=f"{progress.best.get(MASK, 0.0):.3f}"))
        if progress.state == "failed":
            parts.append(texts.sentence(progress.sentence))
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
    """(name, column of results.csv) as curves over the epochs."""
    return [
        Curve(name, [(row["epoch"], row[column]) for row in progress.rows if column in row]) for name, column in columns
    ]


def _losses(progress: Progress) -> list[tuple[str, str]]:
    """The losses of the trained and of the validation pictures that there are."""
    columns = [column for column in (progress.rows[0] if progress.rows else {}) if column.endswith("_loss")]
    words = {"train": t("training"), "val": t("validation")}
    return [
        (f"{part.removesuffix('_loss')} {words.get(split, split)}", column)
        for column in columns
        if any(column.startswith(f"{word}/{kind}") for word in words for kind in ("box", "seg", "cls"))
        for split, _, part in [column.partition("/")]
    ]
