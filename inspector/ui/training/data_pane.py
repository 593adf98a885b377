"""Step 1 of training: choose or create a dataset, check it, and look at its images."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping
from pathlib import Path
from tkinter import filedialog, ttk
from typing import Any

from inspector.domain import Message
from inspector.ui.kit import strings, theme
from inspector.ui.kit.form import wrap
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr
from inspector.ui.kit.widgets import FlowFrame, ScrollFrame
from inspector.ui.training.contact_sheet import ContactSheet, LabelledDataset, read_labelled_dataset
from inspector.ui.training.dataset_form import DatasetForm, Kind
from inspector.ui.training.state import BackgroundJob, Cancelled, TrainingState
from inspector.ui.training.widgets import JobBar, split_name


class DataPane(ttk.Frame):
    """Step 1.

    Args:
        onward: called to go to the next step.
        start: called to start a training with the choices of the other steps.
        changed: called when the dataset or its report has changed.
    """

    def __init__(
        self,
        parent: tk.Misc,
        shell: Shell,
        training_state: TrainingState,
        onward: Callable[[], None],
        start: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        super().__init__(parent, padding=theme.px(12, 10))
        self._shell, self._training_state, self._changed = shell, training_state, changed
        self._dataset_form: DatasetForm | None = None
        self.columnconfigure(0, weight=1)
        self.rowconfigure(1, weight=1)
        self._bar = self._build_bar()
        self._bar.grid(row=0, column=0, sticky="ew", pady=theme.px(0, 8))
        self._panes = self._build_panes(theme.narrow(self))
        self._panes.grid(row=1, column=0, sticky="nsew")
        bottom = ttk.Frame(self)
        bottom.grid(row=2, column=0, sticky="ew", pady=theme.px(8, 0))
        buttons = ttk.Frame(bottom)
        self._next = ttk.Button(
            buttons, text=tr("Next: choose an architecture"), style="Primary.TButton", command=onward
        )
        self.start = ttk.Button(buttons, text=tr("Start training"), command=start)
        self._check = JobBar(bottom, training_state, ("check", "look", "make"))
        if theme.narrow(self):
            self._check.pack(side="top", fill="x", pady=theme.px(0, 6))
        buttons.pack(side="right")
        if not theme.narrow(self):
            self._check.pack(side="left", fill="x", expand=True, padx=theme.px(0, 12))
        self._show_buttons()
        self._show_report()
        if training_state.data is not None:
            self._look(training_state.data)

    def _show_buttons(self) -> None:
        self._next.pack(side="right")
        self.start.pack(side="right", padx=theme.px(0, 6))

    def _build_panes(self, narrow: bool) -> ttk.Widget:
        """Place report and images side by side, or below each other on a narrow screen."""
        panes = ttk.Frame(self) if narrow else ttk.Panedwindow(self, orient="horizontal")
        self.report = ScrollFrame(panes, width=theme.px(200 if narrow else 400), whole=narrow)
        self.contact_sheet = ContactSheet(panes, self._shell)
        if isinstance(panes, ttk.Panedwindow):
            panes.add(self.report, weight=0)
            panes.add(self.contact_sheet, weight=1)
        else:
            self.report.pack(fill="x", pady=theme.px(0, 8))
            self.contact_sheet.pack(fill="both", expand=True)
        return panes

    def _build_bar(self) -> ttk.Frame:
        bar = ttk.Frame(self)
        bar.columnconfigure(1, weight=1)
        title = ttk.Label(bar, text=tr("Dataset"), style="Head.TLabel")
        title.grid(row=0, column=0, padx=theme.px(0, 8))
        self._place = tk.StringVar(self, str(self._training_state.data or ""))
        entry = ttk.Entry(bar, textvariable=self._place)
        entry.grid(row=0, column=1, sticky="ew")
        entry.bind("<Return>", lambda event: self.choose(Path(self._place.get().strip())))
        buttons: tuple[tuple[str, str, Callable[[], object]], ...] = (
            (tr("Open data.yaml…"), "file-earmark-text", self._open_file),
            (tr("Open folder…"), "folder2-open", self._open_folder),
            (tr("From labels…"), "tags", lambda: self.make("convert")),
            (tr("Synthetic…"), "stars", lambda: self.make("synthesize")),
        )
        row = FlowFrame(bar, 6)
        for text, icon, command in buttons:
            button = ttk.Button(row, text=text, command=command)
            theme.set_icon(button, icon)
            row.add(button)

        def fit(event: tk.Event) -> None:
            """Place the buttons next to the field, or below it if it would become too short."""
            short = event.width < title.winfo_reqwidth() + row.width() + theme.px(200)
            row.grid(row=short, column=0 if short else 2, columnspan=2, sticky="ew" if short else "w")
            row.grid(padx=theme.px(0 if short else 6, 0), pady=theme.px(6 if short else 0, 0))

        bar.bind("<Configure>", fit)
        return bar

    # Choosing

    def _open_file(self) -> None:
        at = str(self._training_state.data.parent) if self._training_state.data else ""
        kinds = [(tr("Dataset descriptions"), "*.yaml *.yml"), (tr("All files"), "*")]
        if chosen := filedialog.askopenfilename(parent=self, filetypes=kinds, initialdir=at):
            self.choose(Path(chosen))

    def _open_folder(self) -> None:
        at = str(self._training_state.data.parent) if self._training_state.data else ""
        if chosen := filedialog.askdirectory(parent=self, initialdir=at, mustexist=True):
            self.choose(Path(chosen))

    def choose(self, place: Path) -> None:
        """Choose a ``data.yaml`` or a folder with one; from other folders a dataset can be created."""
        place = place.absolute()
        if place.is_dir():
            file = next((path for name in ("data.yaml", "data.yml") if (path := place / name).is_file()), None)
            if file is None:
                self._shell.toast(
                    tr("There is no data.yaml in {folder}; you can create a dataset from its labels", folder=place)
                )
                self.make("convert", place)
                return
            place = file
        if not place.is_file():
            self._shell.toast(tr("{file} does not exist", file=place), "bad")
            return
        self._leave()
        self._training_state.data, self._training_state.report = place, None
        self._place.set(str(place))
        self._changed()
        self._show_report()
        self.contact_sheet.show(LabelledDataset((), ()))
        self._training_state.start_job(
            self._shell.tasks,
            "check",
            tr("Checking the dataset"),
            lambda job: (place, job.ask("train", "--check", "--data", place)),
        )

    def _look(self, data: Path) -> None:
        """Show the images of the dataset."""

        def seen(dataset: LabelledDataset) -> None:
            if self._training_state.data == data and self.winfo_exists():
                self.contact_sheet.show(dataset)

        self._shell.tasks.run(read_labelled_dataset, data, done=seen)

    # Making one

    def make(self, kind: Kind, source: Path | None = None) -> None:
        """Show the form that creates a dataset."""
        self._leave()
        for part in (self._bar, self._panes):
            part.grid_remove()
        self._next.pack_forget()
        self.start.pack_forget()
        self._dataset_form = DatasetForm(self, self._shell, self._training_state, kind, self._leave, source)
        self._dataset_form.grid(row=1, column=0, sticky="nsew")
        self.update_idletasks()  # so that its visible size is known
        self._dataset_form.form.go_to("source_folder" if kind == "convert" else "folder")

    @property
    def dataset_form(self) -> DatasetForm | None:
        """The form that creates a dataset, while it is shown."""
        return self._dataset_form

    def _leave(self) -> None:
        if self._dataset_form is not None:
            self._dataset_form.destroy()
            self._dataset_form = None
            if (look := self._training_state.running_job("look")) is not None:
                look.cancel()
            for part in (self._bar, self._panes):
                part.grid()
            self._show_buttons()

    # Results

    def on_job_ended(self, kind: str, job: BackgroundJob) -> None:
        """Handle the end of a check, a search for unlabelled images, or a dataset creation."""
        if kind == "look":
            if self._dataset_form is not None:
                self._dataset_form.looked(job)
            return
        if job.error is not None:
            if not isinstance(job.error, Cancelled):
                self._shell.toast(strings.sentence(str(job.error)), "bad")
            return
        if kind == "make":
            for line in job.said.splitlines():
                self._shell.toast(strings.sentence(line), "warn")
            self._shell.toast(tr("Saved to {folder}", folder=job.result.parent), "good")
            self.choose(job.result)
            return
        data, document = job.result
        if data == self._training_state.data:
            self._training_state.report = document
            self._changed()
            self._show_report()
            self._look(data)

    def poll(self) -> None:
        """Show the progress of the jobs."""
        self._check.poll()
        if self._dataset_form is not None:
            busy = self._training_state.running_job("make") or self._training_state.running_job("look")
            self._dataset_form.make.state(["disabled" if busy else "!disabled"])

    def _show_report(self) -> None:
        body = self.report.body
        for child in body.winfo_children():
            child.destroy()
        report = self._training_state.report
        for button in (self._next, self.start):
            button.state(["!disabled" if report and report["usable"] else "disabled"])
        if report is None:
            waiting = self._training_state.data is not None
            message = tr("Checking…") if waiting else tr("Choose a dataset in YOLO format, or create one.")
            label = ttk.Label(body, text=message, style="Muted.TLabel")
            label.pack(anchor="w", fill="x")
            wrap(label, still=True)
            return
        if not report["usable"]:
            message, mark, style = tr("This dataset cannot be used for training"), "✕", "Bad.TLabel"
        elif report["lost"]:
            message = tr("Ready for training, but some images are left out or doubtful")
            mark, style = "⚠", "Warn.TLabel"
        else:
            message, mark, style = tr("Ready for training"), "✓", "Good.TLabel"
        verdict = ttk.Label(body, text=f"{mark} {message}", style=style)
        verdict.pack(anchor="w", fill="x")
        wrap(verdict, still=True)
        self._tabulate(body, report).pack(anchor="w", pady=theme.px(8, 10))
        for finding in report["findings"]:
            sign, style = ("✕", "Bad.TLabel") if finding["fatal"] else ("⚠", "TLabel")
            label = ttk.Label(body, text=f"{sign} {_said(finding)}", style=style)
            label.pack(anchor="w", fill="x", pady=theme.px(0, 4))
            wrap(label, still=True)
        if not report["findings"]:
            ttk.Label(body, text=tr("No problems found."), style="Muted.TLabel").pack(anchor="w")

    def _tabulate(self, parent: ttk.Frame, report: Mapping[str, Any]) -> ttk.Frame:
        """Show images and defects of each split in a table."""
        table, splits = ttk.Frame(parent), report["splits"]
        lines: list[tuple[str, list[str], str]] = [("", [split_name(split) for split in splits], "Head.TLabel")]
        for name, key in (
            (tr("Images"), "pictures"),
            (tr("Usable images"), "used"),
            (tr("Without defects"), "without_defect"),
        ):
            lines.append((name, [f"{split[key]:,}" for split in splits.values()], "TLabel"))
        lines.append((tr("Defects"), [f"{sum(s['defects'].values()):,}" for s in splits.values()], "Head.TLabel"))
        for name in report["names"]:
            lines.append((f"    {name}", [f"{split['defects'][name]:,}" for split in splits.values()], "TLabel"))
        for row, (name, numbers, style) in enumerate(lines):
            ttk.Label(table, text=name, style=style).grid(row=row, column=0, sticky="w", padx=theme.px(0, 12))
            for column, number in enumerate(numbers, 1):
                ttk.Label(table, text=number, style=style).grid(
                    row=row, column=column, sticky="e", padx=theme.px(0, 12)
                )
        return table


def _said(finding: Mapping[str, Any]) -> str:
    """Return a finding, preceded by the name of its split."""
    split, sentence = finding["split"], finding["sentence"]
    if split not in ("train", "val", "test"):
        return strings.sentence(sentence)
    text = sentence.parameters["text"] if isinstance(sentence, Message) else sentence
    return f"{split_name(split)}: {strings.sentence(str(text))}"
