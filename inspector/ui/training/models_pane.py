"""Trained models: compare trainings; use, evaluate and export their models."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import filedialog, ttk
from typing import Any

from inspector.domain import InspectorError
from inspector.jobs.models import find_model
from inspector.system import paths
from inspector.training import (
    Export,
    Progress,
    add_export,
    delete_training,
    find_trainings,
    known_folders,
    read_exports,
    remember_folder,
)
from inspector.training.progress import BOX, MASK
from inspector.ui.kit import strings, theme
from inspector.ui.kit.charts.line_chart import LineChart
from inspector.ui.kit.duration import duration
from inspector.ui.kit.menu import menu as empty_menu
from inspector.ui.kit.open_externally import open_path
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr
from inspector.ui.kit.widgets import FlowFrame, Tooltip
from inspector.ui.training.evaluation_window import EvaluationView
from inspector.ui.training.exports_window import FORMATS, ExportsView, ask_place
from inspector.ui.training.notes import NotesRow
from inspector.ui.training.run_pane import curves
from inspector.ui.training.state import BackgroundJob, Cancelled, TrainingState, new_folder
from inspector.ui.training.widgets import JobBar, scrolled_tree, select_row, state_text

_FIGURES = {  # column -> column of results.csv, in the epoch with the best masks
    "mask": MASK,
    "strict": "metrics/mAP50-95(M)",
    "precision": "metrics/precision(M)",
    "recall": "metrics/recall(M)",
    "box": BOX,
}
_DISPENSABLE = ("time", "box", "data", "epochs", "precision", "recall", "strict", "remark", "model")
"""Columns that a narrow table omits, in this order."""


class ModelsPane(ttk.Frame):
    """Compare runs.

    Args:
        resume: called with a training to resume.
        look: called with a training to show.
    """

    def __init__(
        self,
        parent: tk.Misc,
        shell: Shell,
        training_state: TrainingState,
        resume: Callable[[Progress], None],
        look: Callable[[Progress], None],
    ) -> None:
        super().__init__(parent, padding=theme.px(12, 10))
        self._shell, self._training_state, self._resume, self._look = shell, training_state, resume, look
        self._trainings: dict[str, Progress] = {}
        self._order, self._down = "", False
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1, minsize=theme.px(80))
        self.rowconfigure(3, weight=2, minsize=theme.px(125))
        self.table = self._build_table()
        self._build_buttons().grid(row=1, column=0, sticky="ew", pady=theme.px(8, 4))
        self.notes = NotesRow(self, shell, self.refresh)
        self.notes.grid(row=2, column=0, sticky="ew", pady=theme.px(0, 6))
        self.views = ttk.Notebook(self)
        self.views.grid(row=3, column=0, sticky="nsew")
        below = ttk.Frame(self.views, padding=theme.px(6))
        below.columnconfigure(0, weight=1)
        below.rowconfigure(1, weight=1)
        self.evaluation = EvaluationView(self.views, shell, lambda files: shell.show("inspect", sources=files))
        self.views.add(below, text=tr("Curves"))
        self.views.add(self.evaluation, text=tr("Evaluation"))
        self.exports = ExportsView(self.views, shell)
        self.views.add(self.exports, text=tr("Exports"))
        self._columns = {
            tr("Mask mAP50"): MASK,
            tr("Mask mAP50-95"): "metrics/mAP50-95(M)",
            tr("Box mAP50"): BOX,
            tr("Mask validation loss"): "val/seg_loss",
            tr("Mask training loss"): "train/seg_loss",
        }
        self.curve = ttk.Combobox(below, values=list(self._columns), state="readonly", width=30)
        self.curve.current(0)
        self.curve.bind("<<ComboboxSelected>>", lambda event: self._draw())
        self.curve.grid(row=0, column=0, sticky="w", pady=theme.px(0, 4))
        self.chart = LineChart(below, "")
        self.chart.grid(row=1, column=0, sticky="nsew")

    def _build_table(self) -> ttk.Treeview:
        room = ttk.Frame(self)
        room.grid(row=0, column=0, sticky="nsew")
        columns = {
            "name": (tr("Name"), 230),
            "model": (tr("Architecture"), 170),
            "data": (tr("Dataset"), 110),
            "epochs": (tr("Epochs"), 70),
            "mask": (tr("Mask mAP50"), 124),
            "strict": ("mAP50-95", 102),
            "precision": (tr("Precision"), 94),
            "recall": (tr("Recall"), 70),
            "box": (tr("Box mAP50"), 104),
            "time": (tr("Duration"), 80),
            "state": (tr("State"), 100),
            "remark": (tr("Note"), 110),
        }
        numbers = ("epochs", *_FIGURES, "time")
        table = scrolled_tree(room, list(columns), "extended")
        for key, (title, width) in columns.items():
            anchor: Any = "e" if key in numbers else "w"
            table.heading(key, text=title, anchor=anchor, command=lambda key=key: self._sort(key))  # type: ignore[misc]
            table.column(key, width=theme.px(width), anchor=anchor, stretch=key in ("name", "model", "remark"))
        self._widths = {key: width for key, (_, width) in columns.items()}
        table.bind("<Configure>", lambda event: self._fit(event.width))
        table.bind("<<TreeviewSelect>>", lambda event: self._selected())
        table.bind("<Double-1>", lambda event: self._with_one(self._look))
        table.bind("<Return>", lambda event: self._with_one(self._look))
        return table

    def _fit(self, room: int) -> None:
        """Show as many columns as fit."""
        shown = dict(self._widths)
        for key in _DISPENSABLE:
            if theme.px(sum(shown.values())) <= room:
                break
            del shown[key]
        if list(self.table.cget("displaycolumns")) != list(shown):
            self.table.configure(displaycolumns=list(shown))
            for key, width in shown.items():
                self.table.column(key, width=theme.px(width))

    def _build_buttons(self) -> ttk.Frame:
        row = FlowFrame(self, 6)
        self.use = ttk.Button(row, text=tr("Use this model"), style="Primary.TButton", command=self._use)
        self.measure = ttk.Button(row, text=tr("Evaluate"), command=self._measure)
        self.write = ttk.Menubutton(row, text=tr("Export model…") + "  ")  # a gap before the arrow
        menu = empty_menu(self.write)
        for name, title in FORMATS.items():
            menu.add_command(label=f"{title}…", command=lambda name=name: self._export(name))  # type: ignore[misc]
        menu.add_command(label=tr("OpenVINO in int8, calibrated…"), command=self._calibrate)
        self.write.configure(menu=menu)
        self.look = ttk.Button(row, text=tr("Details"), command=lambda: self._with_one(self._look))
        self.resume = ttk.Button(row, text=tr("Resume"), command=lambda: self._with_one(self._resume))
        self.open = ttk.Button(row, text=tr("Open folder"), command=self._open)
        self.delete = ttk.Button(row, text=tr("Delete…"), command=lambda: self._with_one(self._delete))
        add = ttk.Button(row, text=tr("Add…"), command=self._add)
        Tooltip(add, tr("Show trainings in another folder"))
        for button in (self.use, self.measure, self.write, self.look, self.resume, self.open, self.delete, add):
            row.add(button)
        self._bar = JobBar(row, self._training_state, ("measure",))
        row.add(self._bar)
        return row

    def _delete(self, training: Progress) -> None:
        """Delete a training's folder, if the user confirms it."""
        answer = self._shell.ask(
            tr("Delete the training {name}?", name=training.name),
            tr("Its folder with the model, curves and images is deleted: {folder}", folder=training.folder),
            [("keep", tr("Keep it"), False), ("delete", tr("Delete"), True)],
            "keep",
        )
        if answer == "delete":
            self.notes.forget()
            self._shell.tasks.run(
                delete_training,
                training.folder,
                done=lambda _: self.refresh(),
                failed=lambda error: self._shell.toast(strings.sentence(str(error)), "bad"),
            )

    # The list

    def refresh(self) -> None:
        """Reload the list of trainings, on a thread."""
        chosen = self._shell.settings.get("output_folder")
        places = [Path(chosen) if chosen else paths.results_folder()]

        def shown(trainings: list[Progress]) -> None:
            if self.winfo_exists():
                self._trainings = {str(training.folder): training for training in trainings}
                self._fill()

        self._shell.tasks.run(lambda: find_trainings(*places, *known_folders()), done=shown)

    def _fill(self) -> None:
        selected = set(self.table.selection())
        self.table.delete(*self.table.get_children())
        trainings = list(self._trainings.values())
        if self._order:
            trainings.sort(key=lambda training: _key(training, self._order), reverse=self._down)
        for training in trainings:
            best = training.best
            model = Path(training.model).name if training.model.endswith(".pt") else training.model
            row = (
                training.name,
                model,
                training.data.parent.name,
                f"{training.epoch} / {training.epochs}",
                *(f"{best[column]:.3f}" if column in best else "–" for column in _FIGURES.values()),
                duration(training.seconds),
                state_text(training),
                " ".join(training.notes.remark.split()),
            )
            self.table.insert("", "end", str(training.folder), values=row)
        kept = [row for row in self.table.get_children() if row in selected] or list(self.table.get_children()[:1])
        if kept:
            self.table.selection_set(kept)
            self.table.focus(kept[0])
        self._selected()

    def _sort(self, key: str) -> None:
        self._down = not self._down if key == self._order else key in _FIGURES
        self._order = key
        self._fill()

    def chosen(self) -> list[Progress]:
        """The selected trainings."""
        return [self._trainings[row] for row in self.table.selection() if row in self._trainings]

    def select(self, folder: Path) -> None:
        """Select the training in ``folder``."""
        if str(folder) in self._trainings:
            select_row(self.table, str(folder))

    def _with_one(self, act: Callable[[Progress], None]) -> None:
        if len(chosen := self.chosen()) == 1:
            act(chosen[0])

    def _selected(self) -> None:
        chosen = self.chosen()
        training = chosen[0] if len(chosen) == 1 else None
        weights = training is not None and training.weights is not None
        for button, able in (
            (self.use, weights),
            (self.measure, weights and not self._training_state.running_job("measure")),
            (self.write, weights and not self._training_state.running_job("measure")),
            (self.look, training is not None),
            (self.resume, training is not None and training.resumable and self._training_state.training is None),
            (self.open, training is not None),
            (self.delete, training is not None and not training.live),
        ):
            button.state(["!disabled" if able else "disabled"])
        self.notes.show(training)
        self.exports.show(read_exports(training.folder) if training is not None else [])
        self._draw()

    def _draw(self) -> None:
        column = self._columns[self.curve.get()]
        drawn = [curve for training in self.chosen() for curve in curves(training, ((training.name, column),))]
        self.chart.show(drawn)

    # Actions

    def _use(self) -> None:
        self._with_one(lambda training: use_model(self._shell, training))

    def _open(self) -> None:
        self._with_one(lambda training: self._shell.tasks.run(open_path, training.folder))

    def _add(self) -> None:
        chosen = filedialog.askdirectory(parent=self, mustexist=True, title=tr("Folder of a training"))
        if chosen:
            self.add(Path(chosen))

    def add(self, place: Path) -> None:
        """Add the trainings in ``place`` or its subfolders to the list."""
        added = find_trainings(place)
        for training in added:
            remember_folder(training.folder)
        if added:
            self.refresh()
        else:
            self._shell.toast(tr("There is no training in {folder}", folder=place), "warn")

    def _measure(self) -> None:
        self._with_one(self.validate)

    def validate(self, training: Progress) -> None:
        """Evaluate the best model, on the chosen dataset or else its own, in a child process."""
        data, weights = self._training_state.data or training.data, training.weights
        output = new_folder(self._shell.settings, "validate", training.folder.name)
        self._training_state.start_job(
            self._shell.tasks,
            "measure",
            tr("Evaluating {name}", name=training.name),
            lambda job: job.ask("validate", "--model", weights, "--data", data, "--output", output),
        )
        self._selected()

    def _export(self, format: str) -> None:
        """Ask for the place, and export the selected model to it."""

        def ask(training: Progress) -> None:
            if (place := ask_place(self, training, format)) is not None:
                self.export(format, place)

        self._with_one(ask)

    def export(self, format: str, output: Path) -> None:
        """Export the selected model for another runtime to ``output``, in a child process."""

        def write(training: Progress) -> None:
            self._training_state.start_job(
                self._shell.tasks,
                "measure",
                tr("Exporting {format}", format=FORMATS[format]),
                lambda job: (
                    job.ask("export-model", training.weights, "--format", format, "--output", output)
                    | {"training": training.folder}
                ),
            )
            self._selected()

        self._with_one(write)

    def _calibrate(self) -> None:
        """Ask for good images, and export the best model in int8, which is fastest on a CPU."""
        good = filedialog.askdirectory(parent=self, mustexist=True, title=tr("Folder of good images to calibrate on"))
        if good:
            self._with_one(lambda training: self.calibrate(training, Path(good)))

    def calibrate(self, training: Progress, good: Path) -> None:
        """Export the best model in int8, evaluated on the chosen dataset or else its own, in a child process."""
        words = ["--format", "openvino", "--precision", "int8", "--calibrate", good]
        data = self._training_state.data or training.data
        self._training_state.start_job(
            self._shell.tasks,
            "measure",
            tr("Calibrating {name}", name=training.name),
            lambda job: (
                job.ask("export-model", training.weights, *words, "--data", data) | {"training": training.folder}
            ),
        )
        self._selected()

    def on_job_ended(self, job: BackgroundJob) -> None:
        """Handle the end of an evaluation or export."""
        self._selected()
        if isinstance(job.error, Cancelled):
            return
        if isinstance(job.error, InspectorError):
            self._shell.toast(strings.sentence(str(job.error)), "bad")
        elif job.error is None and "format" in job.result:
            file = Path(job.result["output"])
            action = (tr("Show it"), lambda: self._shell.tasks.run(open_path, file.parent))
            self._shell.toast(tr("Saved as {file}", file=file), "good", action)
            for line in job.result["report"]:
                self._shell.toast(strings.sentence(line), "info")
            add_export(job.result["training"], Export(file, job.result["format"], tuple(job.result["report"])))
            self._selected()
            self.views.select(self.exports)  # type: ignore[no-untyped-call]
        elif job.error is None:
            self.evaluation.show(job.result)
            self.views.select(self.evaluation)  # type: ignore[no-untyped-call]
            folder = Path(job.result["output"])
            action = (tr("Open folder"), lambda: self._shell.tasks.run(open_path, folder))
            self._shell.toast(
                tr("The model is evaluated; figures, curves and the worst images are shown"), "good", action
            )

    def poll(self) -> None:
        self._bar.poll()


def use_model(shell: Shell, training: Progress) -> None:
    """Inspect with the best model of a training; stay on this page if it is missing."""
    weights = training.weights
    if weights is None:
        shell.toast(tr("The model of training {name} no longer exists", name=training.name), "bad")
        return
    shell.tasks.run(
        find_model,
        shell.catalogue,
        weights,
        done=lambda _: shell.show("inspect", model=str(weights)),
        failed=lambda error: shell.toast(strings.sentence(str(error)), "bad"),
    )


def _key(training: Progress, column: str) -> Any:
    return {
        "name": training.name,
        "model": training.model,
        "data": training.data.parent.name,
        "epochs": training.epoch,
        "time": training.seconds,
        "state": training.state,
        "remark": training.notes.remark,
        **{key: training.best.get(name, -1.0) for key, name in _FIGURES.items()},
    }[column]
