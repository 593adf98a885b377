"""Export dialog of the history: scope, formats, folder and progress."""

from __future__ import annotations

import threading
import tkinter as tk
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tkinter import filedialog, ttk

from inspector import api
from inspector.api import ExporterSpec
from inspector.history import History, Query
from inspector.history.listing import Listing, Sort
from inspector.jobs.options import saved_options
from inspector.reexport import scope as scopes
from inspector.reexport.frame_finder import FrameFinder
from inspector.reexport.reexport import ReexportResult, reexport
from inspector.system import paths
from inspector.ui.kit import dialogs, open_externally, theme
from inspector.ui.kit.form import wrap
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import localized, sentence, tr
from inspector.ui.kit.widgets import ScrollFrame


@dataclass(frozen=True)
class ExportScope:
    """A set of inspections to export: its title, and a function for a worker thread that returns their ids.

    Attributes:
        folder: beginning of the new folder's name.
        query: finds them in the history.
        selected: whether only some results of the query are exported, selected by hand.
    """

    title: str
    folder: str
    ids: Callable[[], Sequence[int]]
    query: Query
    selected: bool = False


def run_scope(run: int) -> ExportScope:
    """Return the scope of all inspections of a run."""
    query = Query(run=run)
    return ExportScope(tr("Whole run {run}", run=run), tr("Run {run}", run=run), lambda: ids_of(query), query)


def ids_of(query: Query) -> list[int]:
    """Return the ids of all inspections found by a query, oldest first. Call on a worker thread."""
    with Listing() as listing:
        ids: list[int] = listing.keys(query, Sort("time"), whole=True)[:, 0].tolist()
    return ids


class ExportDialog(tk.Toplevel):
    """Modal dialog that asks for scope, formats and folder, then exports in the background.

    Attributes:
        working: whether an export is running.
        covered: the scope of each choice of "What" once it is counted.
    """

    def __init__(self, shell: Shell, scopes: Sequence[ExportScope]) -> None:
        super().__init__(shell.root)
        self.withdraw()
        self._shell, self._scopes = shell, scopes
        self._stop = threading.Event()
        self._total = self._done = 0
        self.working = False
        self._watching = ""  # the timer
        self.covered: dict[int, api.Scope] = {}
        self.title(tr("Export"))
        self.transient(shell.root)
        self.resizable(False, False)
        theme.on_theme_change(self, self._paint)
        self._what = tk.IntVar(self, 0)
        self._chosen: dict[str, tk.BooleanVar] = {}
        parent = Path(shell.settings.get("output_folder") or paths.results_folder())
        self._folder = tk.StringVar(self, str(parent))
        self._called = tk.StringVar(self)
        self._build()
        self._what_changed()
        self.bind("<Escape>", lambda _: self.close())
        self.protocol("WM_DELETE_WINDOW", self.close)
        dialogs.fit(self, self._scroll)
        dialogs.centre(shell.root, self)
        self._start.focus_set()
        with suppress(tk.TclError):  # another window has grabbed the pointer
            self.grab_set()

    def _build(self) -> None:
        pad = theme.px(16)
        buttons = ttk.Frame(self)
        buttons.pack(side="bottom", fill="x", padx=pad, pady=(theme.px(12), pad))
        self._status = ttk.Label(self, style="Muted.TLabel", justify="left")
        wrap(self._status)
        self._status.pack(side="bottom", anchor="w", fill="x", padx=pad)
        self._bar = ttk.Progressbar(self, style="Horizontal.TProgressbar")
        self._bar.pack(side="bottom", fill="x", padx=pad, pady=theme.px(16, 4))
        ttk.Label(self, text=tr("Export"), style="Title.TLabel").pack(anchor="w", padx=pad, pady=(pad, 0))
        width = min(theme.px(480), self.winfo_screenwidth() - 3 * pad)
        self._scroll = ScrollFrame(self, width=width)
        self._scroll.pack(fill="both", expand=True, padx=pad)
        body = self._scroll.body
        ttk.Label(body, text=tr("What"), style="Head.TLabel").pack(anchor="w", pady=theme.px(12, 4))
        self._fields: list[ttk.Widget] = []
        for place, scope in enumerate(self._scopes):
            choice = ttk.Radiobutton(
                body, text=scope.title, variable=self._what, value=place, command=self._what_changed
            )
            self._fields.append(choice)
            choice.pack(anchor="w", pady=theme.px(1))
        self._covers = ttk.Label(body, style="Muted.TLabel", wraplength=width - pad, justify="left")
        self._covers.pack(anchor="w", fill="x", pady=theme.px(4, 0))
        ttk.Label(body, text=tr("Formats"), style="Head.TLabel").pack(anchor="w", pady=theme.px(12, 4))
        grid = ttk.Frame(body)
        grid.pack(fill="x")
        chosen = _remembered(self._shell)
        for place, spec in enumerate(self._shell.catalogue.exporters.values()):
            value = self._chosen[spec.id] = tk.BooleanVar(self, spec.id in chosen)
            box = ttk.Checkbutton(grid, text=localized(spec.title), variable=value, command=self._check)
            box.grid(row=place // 2, column=place % 2, sticky="w", padx=(0, theme.px(24)), pady=theme.px(1))
            self._fields.append(box)
        self._writes = ttk.Label(body, style="Muted.TLabel", wraplength=width - pad, justify="left")
        self._writes.pack(anchor="w", fill="x", pady=theme.px(4, 0))
        ttk.Label(body, text=tr("Name of the new folder"), style="Head.TLabel").pack(anchor="w", pady=theme.px(12, 4))
        name = ttk.Entry(body, textvariable=self._called)
        name.pack(fill="x")
        ttk.Label(body, text=tr("Save in"), style="Head.TLabel").pack(anchor="w", pady=theme.px(12, 4))
        row = ttk.Frame(body)
        row.pack(fill="x")
        folder = ttk.Entry(row, textvariable=self._folder)
        choose = ttk.Button(row, text=tr("Choose…"), command=self._choose)
        choose.pack(side="right", padx=(theme.px(8), 0))
        folder.pack(side="left", fill="x", expand=True)
        self._fields += [name, folder, choose]
        self._start = ttk.Button(buttons, text=tr("Export"), style="Primary.TButton", command=self.start)
        self._start.pack(side="right", padx=(theme.px(8), 0))
        self._cancel = ttk.Button(buttons, text=tr("Cancel"), command=self.close)
        self._cancel.pack(side="right")
        self._check()

    def start(self) -> None:
        """Export what is chosen."""
        chosen = self._exporters()
        if self.working or not chosen:
            return
        scope = self._scopes[self._what.get()]
        settings, catalogue = self._shell.settings, self._shell.catalogue
        exporters = [(spec, saved_options(settings, spec.id, spec.options)) for spec in chosen]
        self._shell.window_state.set("export_formats", [spec.id for spec in chosen])
        name = paths.safe_name(self._called.get().strip() or _name(scope))
        folder = paths.unused_path(Path(self._folder.get().strip() or paths.results_folder()) / name)
        language, stop = self._shell.language(), self._stop

        def work() -> ReexportResult:
            ids = scope.ids()
            self._shell.tasks.post(self._begun, len(ids))
            with History.open() as history, FrameFinder(catalogue) as finder:
                runs = history.runs_of(ids)
                outputs = {run.id: run.output for run in runs}
                covers = scopes.scope_of(history, scope.query, ids, runs, language, scope.selected)
                return reexport(
                    history.records_of(ids),
                    runs,
                    exporters,
                    folder,
                    lambda record: finder.find(record, outputs[record["run"]]),
                    language=language,
                    scope=covers,
                    progress=self._count,
                    cancelled=stop.is_set,
                    part_of=history.part_of,
                )

        self.working = True
        self.grab_release()
        self._stop.clear()
        self._done = 0
        self._enable()
        self._status.configure(text=tr("Preparing…"), style="Muted.TLabel")
        self._shell.tasks.run(work, done=self._finished, failed=self._failed)
        self._watch()

    def close(self) -> None:
        """Close the dialog; a running export is cancelled first and leaves no files."""
        if self.working:
            self._stop.set()
            self._status.configure(text=tr("Stopping…"))
        else:
            self.destroy()

    def abandon(self) -> None:
        """Stop and close without waiting."""
        self._stop.set()
        self.destroy()

    # within

    def _exporters(self) -> list[ExporterSpec]:
        return [self._shell.catalogue.exporters[id] for id, value in self._chosen.items() if value.get()]

    def _what_changed(self) -> None:
        """Show what the chosen scope covers, and propose a folder name."""
        place = self._what.get()
        scope = self._scopes[place]
        self._called.set(_name(scope))
        self._show_scope()
        if place in self.covered:
            return
        language = self._shell.language()

        def count() -> api.Scope:
            ids = scope.ids()
            with History.open() as history:
                return scopes.scope_of(history, scope.query, ids, history.runs_of(ids), language, scope.selected)

        def came(scope: api.Scope) -> None:
            self.covered[place] = scope
            if self.winfo_exists():
                self._show_scope()

        self._shell.tasks.run(count, done=came)

    def _show_scope(self) -> None:
        covers = self.covered.get(self._what.get())
        if covers is None:
            self._covers.configure(text=tr("counting…"))
            return
        part = tr(
            "Parts: {parts}, images: {n} of {total} (runs: {runs})",
            parts=f"{covers.parts:,}",
            n=f"{covers.inspections:,}",
            total=f"{covers.total:,}",
            runs=covers.runs,
        )
        without = "" if covers.complete else tr("Selection only: the report states no yield.")
        self._covers.configure(text="\n".join(line for line in (covers.filter, part, without) if line))
        self._check()

    def _show_files(self, chosen: Sequence[ExporterSpec]) -> None:
        covers = self.covered.get(self._what.get())
        names = []
        for spec in chosen:
            most = tr(" (up to {n} images)", n=f"{covers.inspections:,}") if spec.per_image and covers else ""
            names.append(f"{localized(spec.title)}{most}")
        self._writes.configure(text=tr("Writes: {files}", files=" · ".join(names)) if names else "")

    def _check(self) -> None:
        some = bool(self._exporters())
        self._show_files(self._exporters())
        self._start.state(["!disabled" if some and not self.working else "disabled"])
        self._status.configure(text="" if some else tr("Choose at least one format."), style="Muted.TLabel")

    def _enable(self) -> None:
        for field in self._fields:
            field.state(["disabled" if self.working else "!disabled"])
        self._start.state(["disabled" if self.working else "!disabled"])

    def _choose(self) -> None:
        if chosen := filedialog.askdirectory(parent=self, title=tr("Save in"), initialdir=self._folder.get()):
            self._folder.set(chosen)

    def _count(self, done: int) -> None:
        """Report progress from the worker thread."""
        self._done = done

    def _begun(self, total: int) -> None:
        self._total = total

    def _watch(self) -> None:
        if not self.winfo_exists() or not self.working:
            return
        if self._total and not self._stop.is_set():
            self._bar.configure(maximum=self._total, value=self._done)
            self._status.configure(text=f"{self._done:,} / {self._total:,}")
        self._watching = self.after(100, self._watch)

    def _finished(self, result: ReexportResult) -> None:
        self.working = False
        if result.cancelled:
            self._shell.toast(tr("Export cancelled; no files were left behind."))
        else:
            folder = (tr("Open folder"), lambda: self._shell.tasks.run(open_externally.open_path, result.folder))
            self._shell.toast(
                tr("{n} images exported to {path}", n=f"{result.written:,}", path=result.folder), "good", folder
            )
        if result.missing:
            first = sentence(result.missing[0])
            self._shell.toast(
                tr("{n} images could not be read again: {first}", n=len(result.missing), first=first), "warn"
            )
        for problem in result.problems[:3]:
            self._shell.toast(sentence(problem), "bad")
        if self.winfo_exists():
            self.destroy()

    def _failed(self, error: BaseException) -> None:
        self.working = False
        if self.winfo_exists():
            with suppress(tk.TclError):
                self.grab_set()
        if not self.winfo_exists():
            return
        self._enable()
        self._status.configure(text=f"✕ {sentence(str(error))}", style="Bad.TLabel")

    def destroy(self) -> None:
        self._stop.set()
        if self._watching:
            self.after_cancel(self._watching)
        super().destroy()

    def _paint(self) -> None:
        self.configure(background=theme.tokens().surface)


def _remembered(shell: Shell) -> list[str]:
    """Return the formats of the last export; by default the Excel workbook."""
    known = shell.catalogue.exporters
    kept = [id for id in shell.window_state.get("export_formats", []) if id in known]
    return kept or [id for id in ("xlsx",) if id in known] or [id for id, spec in known.items() if spec.default]


def _name(scope: ExportScope) -> str:
    return paths.safe_name(f"{datetime.now():%Y-%m-%d %H%M%S} {scope.folder}")
