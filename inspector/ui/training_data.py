"""The first part of the training page: choose or make a data set, check it, look at its pictures."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping
from pathlib import Path
from tkinter import filedialog, ttk
from typing import Any

from inspector.ui import texts, theme
from inspector.ui.form import wrap
from inspector.ui.shell import Shell
from inspector.ui.texts import t
from inspector.ui.training_bench import Bench, Cancelled, Job
from inspector.ui.training_making import Kind, Making
from inspector.ui.training_parts import JobBar, split_name
from inspector.ui.training_sheet import Labelling, Sheet, read_labelling
from inspector.ui.widgets import ScrollFrame


class DataPane(ttk.Frame):
    """Step 1.

    Args:
        onward: called to go to the next step.
        changed: called when there is another data set, or another report of it.
    """

    def __init__(
        self, parent: tk.Misc, shell: Shell, bench: Bench, onward: Callable[[], None], changed: Callable[[], None]
    ) -> None:
        super().__init__(parent, padding=theme.px(12, 10))
        self._shell, self._bench, self._changed = shell, bench, changed
        self._making: Making | None = None
        self.columnconfigure(0, weight=1)
        self.rowconfigure(1, weight=1)
        self._bar = self._build_bar()
        self._bar.grid(row=0, column=0, sticky="ew", pady=theme.px(0, 8))
        self._panes = ttk.Panedwindow(self, orient="horizontal")
        self._panes.grid(row=1, column=0, sticky="nsew")
        self.report = ScrollFrame(self._panes, width=min(theme.px(400), self.winfo_screenwidth() // 3))
        self.sheet = Sheet(self._panes, shell)
        self._panes.add(self.report, weight=0)
        self._panes.add(self.sheet, weight=1)
        bottom = ttk.Frame(self)
        bottom.grid(row=2, column=0, sticky="ew", pady=theme.px(8, 0))
        self._next = ttk.Button(bottom, text=t("Next: choose an architecture"), style="Primary.TButton", command=onward)
        self._next.pack(side="right")
        self._check = JobBar(bottom, bench, ("check", "make"))
        self._check.pack(side="left", fill="x", expand=True, padx=theme.px(0, 12))
        self._show_report()
        if bench.data is not None:
            self._look(bench.data)

    def _build_bar(self) -> ttk.Frame:
        bar = ttk.Frame(self)
        bar.columnconfigure(1, weight=1)
        title = ttk.Label(bar, text=t("Data set"), style="Head.TLabel")
        title.grid(row=0, column=0, padx=theme.px(0, 8))
        self._place = tk.StringVar(self, str(self._bench.data or ""))
        entry = ttk.Entry(bar, textvariable=self._place)
        entry.grid(row=0, column=1, sticky="ew")
        entry.bind("<Return>", lambda event: self.choose(Path(self._place.get().strip())))
        buttons: tuple[tuple[str, str, Callable[[], object]], ...] = (
            (t("Open data.yaml…"), "file-earmark-text", self._open_file),
            (t("Open folder…"), "folder2-open", self._open_folder),
            (t("From labels…"), "tags", lambda: self.make("convert")),
            (t("Synthetic…"), "stars", lambda: self.make("synthesize")),
        )
        row = ttk.Frame(bar)
        for text, icon, command in buttons:
            button = ttk.Button(row, text=text, command=command)
            theme.icon_on(button, icon)
            button.pack(side="left", padx=theme.px(0, 6))

        def fit(event: tk.Event) -> None:
            """Beside the field, or below it where that would become too short."""
            short = event.width < title.winfo_reqwidth() + row.winfo_reqwidth() + theme.px(200)
            row.grid(row=short, column=0 if short else 2, columnspan=2, sticky="w")
            row.configure(padding=(0, theme.px(6), 0, 0) if short else (theme.px(6), 0, 0, 0))

        bar.bind("<Configure>", fit)
        return bar

    # Choosing

    def _open_file(self) -> None:
        at = str(self._bench.data.parent) if self._bench.data else ""
        kinds = [(t("Descriptions of data sets"), "*.yaml *.yml"), (t("All files"), "*")]
        if chosen := filedialog.askopenfilename(parent=self, filetypes=kinds, initialdir=at):
            self.choose(Path(chosen))

    def _open_folder(self) -> None:
        at = str(self._bench.data.parent) if self._bench.data else ""
        if chosen := filedialog.askdirectory(parent=self, initialdir=at, mustexist=True):
            self.choose(Path(chosen))

    def choose(self, place: Path) -> None:
        """Take a ``data.yaml``, or a folder with one; of other folders a data set can be made."""
        place = place.absolute()
        if place.is_dir():
            found = next((file for name in ("data.yaml", "data.yml") if (file := place / name).is_file()), None)
            if found is None:
                self._shell.toast(t("There is no data.yaml in {folder}; a data set can be made of it", folder=place))
                self.make("convert", place)
                return
            place = found
        if not place.is_file():
            self._shell.toast(t("{file} does not exist", file=place), "bad")
            return
        self._leave()
        self._bench.data, self._bench.report = place, None
        self._place.set(str(place))
        self._changed()
        self._show_report()
        self.sheet.show(Labelling((), ()))
        self._bench.begin(
            self._shell.tasks,
            "check",
            t("Checking the data set"),
            lambda job: (place, job.ask("train", "--check", "--data", place)),
        )

    def _look(self, data: Path) -> None:
        """Show the pictures of the data set."""

        def seen(labelling: Labelling) -> None:
            if self._bench.data == data and self.winfo_exists():
                self.sheet.show(labelling)

        self._shell.tasks.run(read_labelling, data, done=seen)

    # Making one

    def make(self, kind: Kind, source: Path | None = None) -> None:
        """Show the form for making a data set."""
        self._leave()
        for part in (self._bar, self._panes):
            part.grid_remove()
        self._next.pack_forget()
        self._making = Making(self, self._shell, self._bench, kind, self._leave, source)
        self._making.grid(row=1, column=0, sticky="nsew")
        self.update_idletasks()  # so that it knows how much of it is seen
        self._making.form.go_to("source_folder" if kind == "convert" else "folder")

    @property
    def making(self) -> Making | None:
        """The form for making a data set, while it is shown."""
        return self._making

    def _leave(self) -> None:
        if self._making is not None:
            self._making.destroy()
            self._making = None
            for part in (self._bar, self._panes):
                part.grid()
            self._next.pack(side="right", before=self._check)

    # What became of it

    def job_over(self, kind: str, job: Job) -> None:
        """A check, or a making, has ended."""
        if job.error is not None:
            if not isinstance(job.error, Cancelled):
                self._shell.toast(texts.sentence(str(job.error)), "bad")
            return
        if kind == "make":
            for line in job.said.splitlines():
                self._shell.toast(texts.sentence(line), "warn")
            self._shell.toast(t("The data set lies in {folder}", folder=job.result.parent), "good")
            self.choose(job.result)
            return
        data, document = job.result
        if data == self._bench.data:
            self._bench.report = document
            self._changed()
            self._show_report()
            self._look(data)

    def poll(self) -> None:
        """Show how far the jobs are."""
        self._check.poll()
        if self._making is not None:
            self._making.make.state(["disabled" if self._bench.running("make") else "!disabled"])

    def _show_report(self) -> None:
        body = self.report.body
        for child in body.winfo_children():
            child.destroy()
        report = self._bench.report
        self._next.state(["!disabled" if report and report["usable"] else "disabled"])
        if report is None:
            waiting = self._bench.data is not None
            said = t("It is being checked…") if waiting else t("Choose a data set in YOLO's layout, or make one.")
            label = ttk.Label(body, text=said, style="Muted.TLabel")
            label.pack(anchor="w", fill="x")
            wrap(label)
            return
        usable = report["usable"]
        said = t("This data set can be trained on") if usable else t("This data set cannot be trained on")
        mark = "✓" if usable else "✕"
        ttk.Label(body, text=f"{mark} {said}", style="Good.TLabel" if usable else "Bad.TLabel").pack(anchor="w")
        self._tabulate(body, report).pack(anchor="w", pady=theme.px(8, 10))
        for finding in report["findings"]:
            sign, style = ("✕", "Bad.TLabel") if finding["fatal"] else ("⚠", "TLabel")
            label = ttk.Label(body, text=f"{sign} {texts.sentence(finding['sentence'])}", style=style)
            label.pack(anchor="w", fill="x", pady=theme.px(0, 4))
            wrap(label)
        if not report["findings"]:
            ttk.Label(body, text=t("Nothing is wrong with it."), style="Muted.TLabel").pack(anchor="w")

    def _tabulate(self, parent: ttk.Frame, report: Mapping[str, Any]) -> ttk.Frame:
        """Pictures and defects of each split."""
        table, splits = ttk.Frame(parent), report["splits"]
        lines: list[tuple[str, list[str], str]] = [("", [split_name(split) for split in splits], "Head.TLabel")]
        for name, key in ((t("Pictures"), "pictures"), (t("Used"), "used"), (t("Without a defect"), "without_defect")):
            lines.append((name, [f"{split[key]:,}" for split in splits.values()], "TLabel"))
        lines.append((t("Defects"), [f"{sum(s['defects'].values()):,}" for s in splits.values()], "Head.TLabel"))
        for name in report["names"]:
            lines.append((f"    {name}", [f"{split['defects'][name]:,}" for split in splits.values()], "TLabel"))
        for row, (name, numbers, style) in enumerate(lines):
            ttk.Label(table, text=name, style=style).grid(row=row, column=0, sticky="w", padx=theme.px(0, 20))
            for column, number in enumerate(numbers, 1):
                ttk.Label(table, text=number, style=style).grid(
                    row=row, column=column, sticky="e", padx=theme.px(0, 20)
                )
        return table
