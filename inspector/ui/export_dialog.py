"""Exporting from the history: what, with which exporters, and where to; then its progress."""

from __future__ import annotations

import threading
import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tkinter import filedialog, ttk

from inspector import jobs, paths
from inspector.api import ExporterSpec
from inspector.history import History
from inspector.replay import Result, replay
from inspector.ui import dialogs, opening, theme
from inspector.ui.shell import Shell
from inspector.ui.texts import read, sentence, t
from inspector.ui.widgets import ScrollFrame


@dataclass(frozen=True)
class Scope:
    """Some inspections: what a person calls them, and a function, for a worker's thread, that gives their ids.

    Attributes:
        folder: the beginning of the new folder's name.
    """

    title: str
    folder: str
    ids: Callable[[], Sequence[int]]


class ExportDialog(tk.Toplevel):
    """A window that asks, and then exports in the background. It disturbs nothing else.

    Attributes:
        working: an export is under way.
    """

    def __init__(self, shell: Shell, scopes: Sequence[Scope]) -> None:
        super().__init__(shell.root)
        self.withdraw()
        self._shell, self._scopes = shell, scopes
        self._stop = threading.Event()
        self._total = self._done = 0
        self.working = False
        self.title(t("Export"))
        self.transient(shell.root)
        self.resizable(False, False)
        theme.on_change(self, self._paint)
        self._what = tk.IntVar(self, 0)
        self._chosen: dict[str, tk.BooleanVar] = {}
        parent = Path(shell.settings.get("output_folder") or paths.results_folder())
        self._folder = tk.StringVar(self, str(parent))
        self._build()
        self.bind("<Escape>", lambda _: self.close())
        self.protocol("WM_DELETE_WINDOW", self.close)
        self.update_idletasks()
        root = shell.root
        self.geometry(f"+{root.winfo_rootx() + theme.px(120)}+{root.winfo_rooty() + theme.px(60)}")
        self.deiconify()
        dialogs.fit(self, self._scroll)
        self._start.focus_set()

    def _build(self) -> None:
        pad = theme.px(16)
        buttons = ttk.Frame(self)
        buttons.pack(side="bottom", fill="x", padx=pad, pady=(theme.px(12), pad))
        self._said = ttk.Label(self, style="Muted.TLabel", wraplength=theme.px(480), justify="left")
        self._said.pack(side="bottom", anchor="w", fill="x", padx=pad)
        self._bar = ttk.Progressbar(self, style="Horizontal.TProgressbar")
        self._bar.pack(side="bottom", fill="x", padx=pad, pady=theme.px(16, 4))
        ttk.Label(self, text=t("Export"), style="Title.TLabel").pack(anchor="w", padx=pad, pady=(pad, 0))
        self._scroll = ScrollFrame(self, width=theme.px(480))
        self._scroll.pack(fill="both", expand=True, padx=pad)
        body = self._scroll.body
        ttk.Label(body, text=t("What"), style="Head.TLabel").pack(anchor="w", pady=theme.px(12, 4))
        self._fields: list[ttk.Widget] = []
        for place, scope in enumerate(self._scopes):
            self._fields.append(ttk.Radiobutton(body, text=scope.title, variable=self._what, value=place))
            self._fields[-1].pack(anchor="w", pady=theme.px(1))
        ttk.Label(body, text=t("As"), style="Head.TLabel").pack(anchor="w", pady=theme.px(12, 4))
        grid = ttk.Frame(body)
        grid.pack(fill="x")
        for place, spec in enumerate(self._shell.catalogue.exporters.values()):
            value = self._chosen[spec.id] = tk.BooleanVar(self, spec.default)
            box = ttk.Checkbutton(grid, text=read(spec.title), variable=value, command=self._check)
            box.grid(row=place // 2, column=place % 2, sticky="w", padx=(0, theme.px(24)), pady=theme.px(1))
            self._fields.append(box)
        ttk.Label(body, text=t("In a new folder in"), style="Head.TLabel").pack(anchor="w", pady=theme.px(12, 4))
        row = ttk.Frame(body)
        row.pack(fill="x")
        folder = ttk.Entry(row, textvariable=self._folder)
        choose = ttk.Button(row, text=t("Choose…"), command=self._choose)
        choose.pack(side="right", padx=(theme.px(8), 0))
        folder.pack(side="left", fill="x", expand=True)
        self._fields += [folder, choose]
        self._start = ttk.Button(buttons, text=t("Export"), style="Primary.TButton", command=self.start)
        self._start.pack(side="right", padx=(theme.px(8), 0))
        self._cancel = ttk.Button(buttons, text=t("Cancel"), command=self.close)
        self._cancel.pack(side="right")
        self._check()

    def start(self) -> None:
        """Export what is chosen."""
        chosen = self._exporters()
        if self.working or not chosen:
            return
        scope = self._scopes[self._what.get()]
        settings, catalogue = self._shell.settings, self._shell.catalogue
        exporters = [(spec, jobs.kept(settings, spec.id, spec.options)) for spec in chosen]
        name = paths.safe_name(f"{datetime.now():%Y-%m-%d %H%M%S} {scope.folder}")
        folder = Path(self._folder.get().strip() or paths.results_folder()) / name
        language, stop = self._shell.language(), self._stop

        def work() -> Result:
            ids = scope.ids()
            self._shell.tasks.post(self._begun, len(ids))
            with History.open() as history, jobs.FrameFinder(catalogue) as finder:
                runs = history.runs_of(ids)
                outputs = {run.id: run.output for run in runs}
                return replay(
                    history.records_of(ids),
                    runs,
                    exporters,
                    folder,
                    lambda record: finder.find(record, outputs[record["run"]]),
                    language=language,
                    progress=self._count,
                    cancelled=stop.is_set,
                )

        self.working = True
        self._stop.clear()
        self._done = 0
        self._enable()
        self._said.configure(text=t("Preparing…"), style="Muted.TLabel")
        self._shell.tasks.run(work, done=self._finished, failed=self._failed)
        self._watch()

    def close(self) -> None:
        """Close; what is under way is cancelled first and leaves no files."""
        if self.working:
            self._stop.set()
            self._said.configure(text=t("Stopping…"))
        else:
            self.destroy()

    def abandon(self) -> None:
        """Stop and close without waiting."""
        self._stop.set()
        self.destroy()

    # within

    def _exporters(self) -> list[ExporterSpec]:
        return [self._shell.catalogue.exporters[id] for id, value in self._chosen.items() if value.get()]

    def _check(self) -> None:
        some = bool(self._exporters())
        self._start.state(["!disabled" if some and not self.working else "disabled"])
        self._said.configure(text="" if some else t("Choose at least one kind of file."), style="Muted.TLabel")

    def _enable(self) -> None:
        for field in self._fields:
            field.state(["disabled" if self.working else "!disabled"])
        self._start.state(["disabled" if self.working else "!disabled"])

    def _choose(self) -> None:
        if chosen := filedialog.askdirectory(parent=self, title=t("In a new folder in"), initialdir=self._folder.get()):
            self._folder.set(chosen)

    def _count(self, done: int) -> None:
        """On the worker's thread."""
        self._done = done

    def _begun(self, total: int) -> None:
        self._total = total

    def _watch(self) -> None:
        if not self.winfo_exists() or not self.working:
            return
        if self._total and not self._stop.is_set():
            self._bar.configure(maximum=self._total, value=self._done)
            self._said.configure(text=f"{self._done:,} / {self._total:,}")
        self._watching = self.after(100, self._watch)

    def _finished(self, result: Result) -> None:
        self.working = False
        if result.cancelled:
            self._shell.toast(t("The export was cancelled; nothing was left of it."))
        else:
            folder = (t("Open folder"), lambda: self._shell.tasks.run(opening.open_path, result.folder))
            self._shell.toast(
                t("{n} inspections exported to {path}", n=f"{result.written:,}", path=result.folder), "good", folder
            )
        if result.missing:
            first = sentence(result.missing[0])
            self._shell.toast(
                t("{n} pictures could not be read again: {first}", n=len(result.missing), first=first), "warn"
            )
        for problem in result.problems[:3]:
            self._shell.toast(sentence(problem), "bad")
        if self.winfo_exists():
            self.destroy()

    def _failed(self, error: BaseException) -> None:
        self.working = False
        if not self.winfo_exists():
            return
        self._enable()
        self._said.configure(text=f"✕ {sentence(str(error))}", style="Bad.TLabel")

    def destroy(self) -> None:
        self._stop.set()
        if hasattr(self, "_watching"):
            self.after_cancel(self._watching)
        super().destroy()

    def _paint(self) -> None:
        self.configure(background=theme.tokens().surface)
