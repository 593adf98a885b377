"""The page that adds up what was inspected."""

from __future__ import annotations

import threading
import tkinter as tk
from collections.abc import Sequence
from pathlib import Path
from tkinter import filedialog, ttk
from typing import Any

from inspector.history import Query
from inspector.history.reader import Stopped
from inspector.history.statistics import Analysis, Statistics
from inspector.system.paths import safe_name
from inspector.ui.history.filter_bar import FilterBar, PeriodButtons
from inspector.ui.kit import open_externally, theme
from inspector.ui.kit.charts.chart import Chart, print_figures
from inspector.ui.kit.form import wrap
from inspector.ui.kit.page import Page
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import sentence, tr
from inspector.ui.kit.widgets import FlowFrame, ScrollFrame
from inspector.ui.statistics.figures import area_figure, class_figure, model_figure, yield_figure


class StatisticsPage(Page):
    """A filter, counters, and four charts. What is asked for is added up in the background."""

    def __init__(self, parent: tk.Misc, shell: Shell) -> None:
        super().__init__(parent, padding=theme.px(8))
        self._shell = shell
        self._stop = threading.Event()
        self._loading = False
        self._asked_for: Query | None = None  # statistics
        self.statistics: Statistics | None = None
        self.columnconfigure(0, weight=1)
        self.rowconfigure(3, weight=1)
        self._build_tools()
        self.scroll = ScrollFrame(self)
        self.scroll.grid(row=3, column=0, sticky="nsew")
        self.scroll.body.columnconfigure(0, weight=1)
        self._build_counters(self.scroll.body)
        self._build_charts(self.scroll.body)
        for part in (self.scroll, self._counters):
            part.bind("<Configure>", lambda _: self._arrange())
        self.filter = FilterBar(self, shell, self._asked)
        self.filter.grid(row=0, column=0, sticky="ew")
        self.periods = PeriodButtons(self._tools, shell, self.filter, lambda: None, ng=False)
        for tool in (self.periods, self._refresh, self._save, self._print):
            self._tools.add(tool)

    def _build_tools(self) -> None:
        self._tools = FlowFrame(self, gap=8)
        self._tools.grid(row=1, column=0, sticky="ew", pady=theme.px(8, 4))
        self._refresh = ttk.Button(self._tools, text=tr("Refresh"), command=self.load)
        self._save = ttk.Button(self._tools, text=tr("Save all as PNG…"), command=self.save)
        self._print = ttk.Button(self._tools, text=tr("Print all…"), command=self.print)
        row = ttk.Frame(self)
        row.grid(row=2, column=0, sticky="ew", pady=theme.px(0, 4))
        self.status = ttk.Label(row, style="Muted.TLabel")
        self.status.pack(side="left")
        self.cancel_button = ttk.Button(row, text=tr("Cancel"), command=self.cancel)

    def _build_counters(self, parent: ttk.Frame) -> None:
        self._counters = ttk.Frame(parent)
        self._counters.grid(row=0, column=0, sticky="ew")
        names = {
            "inspected": tr("Parts"),
            "images": tr("Images"),
            "yield": tr("Yield (OK ÷ parts)"),
            "ok": "OK",
            "warn": "WARN",
            "ng": "NG",
            "defects": tr("Defects"),
            "skipped": tr("Unreadable"),
            "ms": tr("ms per image"),
        }
        self.counters: dict[str, ttk.Label] = {}
        self._cards: list[ttk.Frame] = []
        for key, name in names.items():
            card = ttk.Frame(self._counters, style="Card.TFrame", padding=theme.px(10, 4))
            caption = ttk.Label(card, text=name, style="CardMuted.TLabel", justify="left")
            caption.pack(anchor="w", fill="x")
            wrap(caption)
            self.counters[key] = ttk.Label(card, text="—", style="CardNumber.TLabel")
            self.counters[key].pack(anchor="w")
            self._cards.append(card)

    def _build_charts(self, parent: ttk.Frame) -> None:
        self._grid = ttk.Frame(parent)
        self._grid.grid(row=1, column=0, sticky="nsew")
        titles = {
            "yield": tr("Yield over time"),
            "classes": tr("Defects by class"),
            "areas": tr("Defect area distribution"),
            "models": tr("Verdicts by model"),
        }
        self.charts = {key: Chart(self._grid, self._shell, title) for key, title in titles.items()}

    def _arrange(self) -> None:
        """Arrange the charts to fill the window; in a small one below each other, with scrolling."""
        wide, gap = self.scroll.winfo_width() >= theme.px(1000), theme.px(8)
        _lay(self._cards, 9 if wide else 5, gap)
        _lay(list(self.charts.values()), 2 if wide else 1, gap)
        room = self.scroll.winfo_height() - self._counters.winfo_reqheight()
        for row in range(4):
            used = row < (2 if wide else 4)
            self._grid.rowconfigure(row, minsize=max(theme.px(220), room // 2) if used else 0)

    # the page

    def on_show(self, filter: dict[str, str] | None = None, run: int | None = None) -> None:
        """Reload the filter and the statistics.

        Args:
            filter: values of another :class:`FilterBar`.
            run: id of the only run to include.
        """
        self.filter.reload()
        if filter is not None:
            self.filter.set(**filter)
        elif run is not None:
            self.filter.set(run=str(run))
        if not self._loading:
            self.load()

    def save_state(self) -> dict[str, Any]:
        return {"filter": self.filter.values()}

    def restore_state(self, state: dict[str, Any]) -> None:
        self.filter.set(**state["filter"])

    def close(self) -> None:
        self._stop.set()

    # adding up

    def _asked(self, query: Query) -> None:
        if self.winfo_viewable():
            self.load()

    def load(self) -> None:
        """Add up what the filter finds; what was begun before is dropped."""
        query = self.filter.query()
        if query is None:
            return
        self._asked_for = query
        self._stop.set()
        stop = self._stop = threading.Event()
        self._loading = True
        self.status.configure(text=tr("Calculating…"), style="Muted.TLabel")
        self.cancel_button.pack(side="left", padx=theme.px(12))
        self._shell.tasks.run(
            _statistics,
            query,
            stop,
            done=lambda statistics: self._came(statistics, stop),
            failed=lambda error: self._failed(error, stop),
        )

    def cancel(self) -> None:
        """Cancel the calculation; keep the charts shown."""
        self._stop.set()

    def _came(self, statistics: Statistics, stop: threading.Event) -> None:
        if stop is not self._stop or not self.winfo_exists():
            return
        if stop.is_set():
            self._end(tr("Cancelled."))
            return
        self._end("")
        self.statistics = statistics
        tally, share = statistics.tally, statistics.tally.good_share
        selective = self._asked_for is not None and self._asked_for.selective
        if selective:
            self.status.configure(text=tr("The filter selects by result or image, so no yield is shown."))
        texts = {
            "inspected": f"{tally.inspected:,}",
            "images": f"{tally.images:,}",
            "yield": "—" if share is None or selective else f"{share:.1%}",
            "ok": f"✓ {tally.ok:,}",
            "warn": f"⚠ {tally.warn:,}",
            "ng": f"✕ {tally.ng:,}",
            "defects": f"{statistics.defects:,}",
            "skipped": f"{tally.skipped:,}",
            "ms": "—" if statistics.mean_ms is None else f"{statistics.mean_ms:.0f}",
        }
        for key, text in texts.items():
            self.counters[key].configure(text=text)
        self.charts["yield"].show(yield_figure(statistics, with_yield=not selective))
        self.charts["classes"].show(class_figure(statistics), tr("No defects were found."))
        self.charts["areas"].show(area_figure(statistics), tr("No defect has a mask."))
        self.charts["models"].show(model_figure(statistics))
        for button in (self._save, self._print):
            button.state(["!disabled" if self._figures() else "disabled"])

    def _failed(self, error: BaseException, stop: threading.Event) -> None:
        if stop is self._stop and self.winfo_exists():
            self._end(tr("Cancelled.") if isinstance(error, Stopped) else f"✕ {sentence(str(error))}")

    def _end(self, said: str) -> None:
        self._loading = False
        self.cancel_button.pack_forget()
        self.status.configure(text=said, style="Bad.TLabel" if said.startswith("✕") else "Muted.TLabel")

    # keeping it

    def _figures(self) -> list[Any]:
        return [chart.figure for chart in self.charts.values() if chart.figure is not None]

    def save(self) -> None:
        """Ask for a folder, and save every chart in it."""
        chosen = filedialog.askdirectory(parent=self._shell.root, title=tr("Save all as PNG…"))
        if chosen and self._figures():
            from inspector.ui.kit.charts.export import save_all_png

            named = [(safe_name(figure.title), figure) for figure in self._figures()]
            self._shell.tasks.run(
                save_all_png, named, Path(chosen), done=lambda files: self._saved(Path(chosen), files)
            )

    def _saved(self, folder: Path, files: list[Path]) -> None:
        show = (tr("Open folder"), lambda: self._shell.tasks.run(open_externally.open_path, folder))
        self._shell.toast(tr("{n} charts saved in {path}", n=len(files), path=folder), "good", show)

    def print(self) -> None:
        """Print every chart, after asking how."""
        if figures := self._figures():
            print_figures(self._shell, figures)


def _lay(widgets: Sequence[tk.Widget], across: int, gap: int) -> None:
    """Put widgets into rows of ``across``, each as wide as the others."""
    parent = widgets[0].master
    for place, widget in enumerate(widgets):
        row, column = divmod(place, across)
        widget.grid(row=row, column=column, sticky="nsew", padx=(gap if column else 0, 0), pady=(0, gap))
    for column in range(len(widgets)):
        used = column < across
        parent.columnconfigure(column, weight=int(used), uniform="column" if used else "")


def _statistics(query: Query, stop: threading.Event) -> Statistics:
    with Analysis() as analysis:
        return analysis.statistics(query, stop.is_set)
