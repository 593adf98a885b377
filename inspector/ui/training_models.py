"""The last part of the training page: trainings compared; their models used, measured and written elsewhere."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping
from pathlib import Path
from tkinter import filedialog, ttk
from typing import Any

from inspector import paths
from inspector.domain import InspectorError
from inspector.training import Progress, known, remember, trainings
from inspector.training.folder import BOX, MASK
from inspector.ui import texts, theme
from inspector.ui.form import wrap
from inspector.ui.opening import open_path
from inspector.ui.shell import Shell
from inspector.ui.texts import t
from inspector.ui.training_bench import Bench, Cancelled, Job, new_folder
from inspector.ui.training_chart import Chart
from inspector.ui.training_parts import JobBar, duration, scrolled_tree, select_row, state_text
from inspector.ui.training_run import curves
from inspector.ui.widgets import Tooltip

_FORMATS = {"onnx": "ONNX", "openvino": "OpenVINO", "torchscript": "TorchScript"}


class ModelsPane(ttk.Frame):
    """Compare runs.

    Args:
        resume: called with a training that shall be gone on with.
        look: called with a training that shall be looked at.
    """

    def __init__(
        self,
        parent: tk.Misc,
        shell: Shell,
        bench: Bench,
        resume: Callable[[Progress], None],
        look: Callable[[Progress], None],
    ) -> None:
        super().__init__(parent, padding=theme.px(12, 10))
        self._shell, self._bench, self._resume, self._look = shell, bench, resume, look
        self._found: dict[str, Progress] = {}
        self._order, self._down = "", False
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1, minsize=theme.px(80))
        self.rowconfigure(2, weight=1, minsize=theme.px(125))
        self.table = self._build_table()
        self._build_buttons().grid(row=1, column=0, sticky="ew", pady=theme.px(8, 8))
        below = ttk.Frame(self)
        below.grid(row=2, column=0, sticky="nsew")
        below.columnconfigure(0, weight=1)
        below.rowconfigure(1, weight=1)
        self._columns = {
            t("Mask mAP50"): MASK,
            t("Mask mAP50-95"): "metrics/mAP50-95(M)",
            t("Box mAP50"): BOX,
            t("Validation loss of the masks"): "val/seg_loss",
            t("Training loss of the masks"): "train/seg_loss",
        }
        self.curve = ttk.Combobox(below, values=list(self._columns), state="readonly", width=30)
        self.curve.current(0)
        self.curve.bind("<<ComboboxSelected>>", lambda event: self._draw())
        self.curve.grid(row=0, column=0, sticky="w", pady=theme.px(0, 4))
        self.chart = Chart(below, "")
        self.chart.grid(row=1, column=0, sticky="nsew")
        self.figures = ttk.Label(below, font=theme.font("mono"))
        self.figures.grid(row=2, column=0, sticky="ew", pady=theme.px(4, 0))
        wrap(self.figures)
        self.figures.grid_remove()

    def _build_table(self) -> ttk.Treeview:
        room = ttk.Frame(self)
        room.grid(row=0, column=0, sticky="nsew")
        columns = {
            "name": (t("Name"), 230),
            "model": (t("Architecture"), 210),
            "data": (t("Data set"), 120),
            "epochs": (t("Epochs"), 80),
            "mask": (t("Mask mAP50"), 110),
            "box": (t("Box mAP50"), 110),
            "time": (t("Duration"), 90),
            "state": (t("State"), 110),
        }
        numbers = ("epochs", "mask", "box", "time")
        table = scrolled_tree(room, list(columns), "extended")
        for key, (title, width) in columns.items():
            anchor: Any = "e" if key in numbers else "w"
            table.heading(key, text=title, anchor=anchor, command=lambda key=key: self._sort(key))  # type: ignore[misc]
            table.column(key, width=theme.px(width), anchor=anchor, stretch=key in ("name", "model"))
        table.bind("<<TreeviewSelect>>", lambda event: self._selected())
        table.bind("<Double-1>", lambda event: self._with_one(self._look))
        table.bind("<Return>", lambda event: self._with_one(self._look))
        return table

    def _build_buttons(self) -> ttk.Frame:
        row = ttk.Frame(self)
        self.use = ttk.Button(row, text=t("Use this model"), style="Primary.TButton", command=self._use)
        self.measure = ttk.Button(row, text=t("Measure on the data set"), command=self._measure)
        self.write = ttk.Menubutton(row, text=t("Write as…") + "  ")  # a gap before the arrow
        menu = tk.Menu(self.write, tearoff=False)
        for name, title in _FORMATS.items():
            menu.add_command(label=title, command=lambda name=name: self.export(name))  # type: ignore[misc]
        menu.add_command(label=t("OpenVINO in int8, calibrated…"), command=self._calibrate)
        self.write.configure(menu=menu)
        self.look = ttk.Button(row, text=t("Look at it"), command=lambda: self._with_one(self._look))
        self.resume = ttk.Button(row, text=t("Go on"), command=lambda: self._with_one(self._resume))
        self.open = ttk.Button(row, text=t("Open folder"), command=self._open)
        add = ttk.Button(row, text=t("Add…"), command=self._add)
        Tooltip(add, t("Show trainings that lie in another folder"))
        for button in (self.use, self.measure, self.write, self.look, self.resume, self.open, add):
            button.pack(side="left", padx=theme.px(0, 6))
        self._bar = JobBar(row, self._bench, ("measure",))
        self._bar.pack(side="left", fill="x", padx=theme.px(8, 0))
        return row

    # The list

    def refresh(self) -> None:
        """Look for trainings again, on a thread."""
        chosen = self._shell.settings.get("output_folder")
        places = [Path(chosen) if chosen else paths.results_folder()]

        def shown(found: list[Progress]) -> None:
            if self.winfo_exists():
                self._found = {str(one.folder): one for one in found}
                self._fill()

        self._shell.tasks.run(lambda: trainings(*places, *known()), done=shown)

    def _fill(self) -> None:
        selected = set(self.table.selection())
        self.table.delete(*self.table.get_children())
        found = list(self._found.values())
        if self._order:
            found.sort(key=lambda one: _key(one, self._order), reverse=self._down)
        for one in found:
            best = one.best
            model = Path(one.model).name if one.model.endswith(".pt") else one.model
            row = (
                one.folder.name,
                model,
                one.data.parent.name,
                f"{one.epoch} / {one.epochs}",
                f"{best[MASK]:.3f}" if MASK in best else "–",
                f"{best[BOX]:.3f}" if BOX in best else "–",
                duration(one.seconds),
                state_text(one),
            )
            self.table.insert("", "end", str(one.folder), values=row)
        kept = [row for row in self.table.get_children() if row in selected] or list(self.table.get_children()[:1])
        if kept:
            self.table.selection_set(kept)
            self.table.focus(kept[0])
        self._selected()

    def _sort(self, key: str) -> None:
        self._down = not self._down if key == self._order else key in ("mask", "box")
        self._order = key
        self._fill()

    def chosen(self) -> list[Progress]:
        """The selected trainings."""
        return [self._found[row] for row in self.table.selection() if row in self._found]

    def select(self, folder: Path) -> None:
        """Select the training in ``folder``."""
        if str(folder) in self._found:
            select_row(self.table, str(folder))

    def _with_one(self, act: Callable[[Progress], None]) -> None:
        if len(chosen := self.chosen()) == 1:
            act(chosen[0])

    def _selected(self) -> None:
        chosen = self.chosen()
        one = chosen[0] if len(chosen) == 1 else None
        weights = one is not None and one.weights is not None
        for button, able in (
            (self.use, weights),
            (self.measure, weights and not self._bench.running("measure")),
            (self.write, weights and not self._bench.running("measure")),
            (self.look, one is not None),
            (self.resume, one is not None and one.resumable and self._bench.training is None),
            (self.open, one is not None),
        ):
            button.state(["!disabled" if able else "disabled"])
        self._draw()

    def _draw(self) -> None:
        column = self._columns[self.curve.get()]
        drawn = [curve for one in self.chosen() for curve in curves(one, ((one.folder.name, column),))]
        self.chart.show(drawn)

    # What is done with one

    def _use(self) -> None:
        def use(one: Progress) -> None:
            if one.weights is not None:
                self._shell.show("inspect", model=one.weights)

        self._with_one(use)

    def _open(self) -> None:
        self._with_one(lambda one: self._shell.tasks.run(open_path, one.folder))

    def _add(self) -> None:
        chosen = filedialog.askdirectory(parent=self, mustexist=True, title=t("Folder of a training"))
        if chosen:
            self.add(Path(chosen))

    def add(self, place: Path) -> None:
        """Show the trainings in ``place``, or right below it, from now on."""
        found = trainings(place)
        for one in found:
            remember(one.folder)
        if found:
            self.refresh()
        else:
            self._shell.toast(t("There is no training in {folder}", folder=place), "warn")

    def _measure(self) -> None:
        self._with_one(self.validate)

    def validate(self, one: Progress) -> None:
        """Measure its best model, on the chosen data set or else on its own, in a child process."""
        data, weights = self._bench.data or one.data, one.weights
        output = new_folder(self._shell.settings, "validate", one.folder.name)
        self._bench.begin(
            self._shell.tasks,
            "measure",
            t("Measuring {name}", name=one.folder.name),
            lambda job: job.ask("validate", "--model", weights, "--data", data, "--output", output),
        )
        self._selected()

    def export(self, format: str) -> None:
        """Write its best model for another runtime, in a child process."""

        def write(one: Progress) -> None:
            self._bench.begin(
                self._shell.tasks,
                "measure",
                t("Writing {format}", format=_FORMATS[format]),
                lambda job: job.ask("export-model", one.weights, "--format", format),
            )
            self._selected()

        self._with_one(write)

    def _calibrate(self) -> None:
        """Ask for good pictures, and make the form of its best model that is fastest on a CPU."""
        good = filedialog.askdirectory(parent=self, mustexist=True, title=t("Folder of good pictures to calibrate on"))
        if good:
            self._with_one(lambda one: self.calibrate(one, Path(good)))

    def calibrate(self, one: Progress, good: Path) -> None:
        """Write its best model in int8, measured on the chosen data set or else on its own, in a child process."""
        words = ["--format", "openvino", "--precision", "int8", "--calibrate", good]
        data = self._bench.data or one.data
        self._bench.begin(
            self._shell.tasks,
            "measure",
            t("Calibrating {name}", name=one.folder.name),
            lambda job: job.ask("export-model", one.weights, *words, "--data", data),
        )
        self._selected()

    def job_over(self, job: Job) -> None:
        """A measurement, or the writing of a model, has ended."""
        self._selected()
        if isinstance(job.error, Cancelled):
            return
        if isinstance(job.error, InspectorError):
            self._shell.toast(texts.sentence(str(job.error)), "bad")
        elif job.error is None and "format" in job.result:
            file = Path(job.result["output"])
            action = (t("Show it"), lambda: self._shell.tasks.run(open_path, file.parent))
            self._shell.toast(t("Saved as {file}", file=file), "good", action)
            self._tell("\n".join(texts.sentence(line) for line in job.result["report"]))
        elif job.error is None:
            self._tell(_figures(job.result))
            folder = Path(job.result["output"])
            action = (t("Open folder"), lambda: self._shell.tasks.run(open_path, folder))
            self._shell.toast(t("The model is measured; curves and figures lie in its folder"), "good", action)

    def _tell(self, figures: str) -> None:
        if figures:
            self.figures.configure(text=figures)
            self.figures.grid()

    def poll(self) -> None:
        self._bar.poll()


def _key(one: Progress, column: str) -> Any:
    return {
        "name": one.folder.name,
        "model": one.model,
        "data": one.data.parent.name,
        "epochs": one.epoch,
        "mask": one.best.get(MASK, -1.0),
        "box": one.best.get(BOX, -1.0),
        "time": one.seconds,
        "state": one.state,
    }[column]


def _figures(document: Mapping[str, Any]) -> str:
    """The figures of a measurement, a line for all classes and one each."""
    rows = [(t("all classes"), document["all"]), *((one["name"], one) for one in document["classes"])]
    lines = []
    for name, one in rows[:8]:
        parts = [f"{name}:"]
        for part, title in (("mask", t("masks")), ("box", t("boxes"))):
            if one[part]:
                parts.append(f"{title} " + "  ".join(f"{key} {value:.3f}" for key, value in one[part].items()))
        lines.append("  ".join(parts))
    return "\n".join(lines)
