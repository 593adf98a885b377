"""The page that adds up what was inspected."""

from __future__ import annotations

import threading
import tkinter as tk
from collections.abc import Sequence
from pathlib import Path
from tkinter import filedialog, ttk
from typing import Any

from inspector.history import Query
from inspector.history.reading import Stopped
from inspector.history.statistics import Analysis, Statistics
from inspector.paths import safe_name
from inspector.ui import opening, theme
from inspector.ui.charts import Chart, print_figures
from inspector.ui.figures import area_figure, class_figure, model_figure, yield_figure
from inspector.ui.filters import FilterBar
from inspector.ui.shell import Shell
from inspector.ui.texts import sentence, t
from inspector.ui.widgets import ScrollFrame


class StatisticsPage(ttk.Frame):
    """A filter, counters, and four charts. What is asked for is added up in the background."""

    def __init__(self, parent: tk.Misc, shell: Shell) -> None:
        super().__init__(parent, padding=theme.px(8))
        self._shell = shell
        self._stop = threading.Event()
        self._loading = False
        self._query: Query | None = None
        self.found: Statistics | None = None
        self.columnconfigure(0, weight=1)
        self.rowconfigure(2, weight=1)
        self._build_tools()
        self.scroll = ScrollFrame(self)
        self.scroll.grid(row=2, column=0, sticky="nsew")
        self.scroll.body.columnconfigure(0, weight=1)
        self._build_counters(self.scroll.body)
        self._build_charts(self.scroll.body)
        for part in (self.scroll, self._counters):
            part.bind("<Configure>", lambda _: self._arrange())
        self.filter = FilterBar(self, shell, self._asked)
        self.filter.grid(row=0, column=0, sticky="ew")

    def _build_tools(self) -> None:
        row = ttk.Frame(self)
        row.grid(row=1, column=0, sticky="ew", pady=theme.px(8))
        self.said = ttk.Label(row, style="Muted.TLabel")
        self.said.pack(side="left")
        self.cancel_button = ttk.Button(row, text=t("Cancel"), command=self.cancel)
        self._print = ttk.Button(row, text=t("Print all…"), command=self.print)
        self._print.pack(side="right")
        self._save = ttk.Button(row, text=t("Save all as PNG…"), command=self.save)
        self._save.pack(side="right", padx=theme.px(8))
        ttk.Button(row, text=t("Refresh"), command=self.load).pack(side="right")

    def _build_counters(self, parent: ttk.Frame) -> None:
        self._counters = ttk.Frame(parent)
        self._counters.grid(row=0, column=0, sticky="ew")
        names = {
            "inspected": t("Inspected"),
            "yield": t("Yield"),
            "ok": "OK",
            "warn": "WARN",
            "ng": "NG",
            "defects": t("Defects"),
            "skipped": t("unread"),
            "ms": t("ms a picture"),
        }
        self.counters: dict[str, ttk.Label] = {}
        self._cards: list[ttk.Frame] = []
        for key, name in names.items():
            card = ttk.Frame(self._counters, style="Card.TFrame", padding=theme.px(10, 4))
            ttk.Label(card, text=name, style="CardMuted.TLabel").pack(anchor="w")
            self.counters[key] = ttk.Label(card, text="—", style="CardNumber.TLabel")
            self.counters[key].pack(anchor="w")
            self._cards.append(card)

    def _build_charts(self, parent: ttk.Frame) -> None:
        self._grid = ttk.Frame(parent)
        self._grid.grid(row=1, column=0, sticky="nsew")
        titles = {
            "yield": t("Yield over time"),
            "classes": t("Defects by class"),
            "areas": t("Areas of the defects"),
            "models": t("Verdicts by model"),
        }
        self.charts = {key: Chart(self._grid, self._shell, title) for key, title in titles.items()}

    def _arrange(self) -> None:
        """Fill the window; where it is small, below each other and higher than the window."""
        wide, gap = self.scroll.winfo_width() >= theme.px(1000), theme.px(8)
        _lay(self._cards, 8 if wide else 4, gap)
        _lay(list(self.charts.values()), 2 if wide else 1, gap)
        room = self.scroll.winfo_height() - self._counters.winfo_reqheight()
        for row in range(4):
            used = row < (2 if wide else 4)
            self._grid.rowconfigure(row, minsize=max(theme.px(220), room // 2) if used else 0)

    # the page

    def shown(self, filter: dict[str, str] | None = None, run: int | None = None, **what: Any) -> None:
        """Come to the front, and add up anew.

        Args:
            filter: what another :class:`FilterBar` held.
            run: id of the only run that counts.
        """
        self.filter.reload()
        if filter is not None:
            self.filter.set(**filter)
        elif run is not None:
            self.filter.set(run=str(run))
        if not self._loading:
            self.load()

    def hidden(self) -> None:
        pass

    def kept(self) -> dict[str, Any]:
        return {"filter": self.filter.held()}

    def restore(self, state: dict[str, Any]) -> None:
        self.filter.set(**state["filter"])

    def busy(self) -> str:
        return ""

    def close(self) -> None:
        self._stop.set()

    # adding up

    def _asked(self, query: Query) -> None:
        self._query = query
        if self.winfo_viewable():
            self.load()

    def load(self) -> None:
        """Add up what the filter finds; what was begun before is dropped."""
        query = self.filter.query()
        if query is None:
            return
        self._stop.set()
        stop = self._stop = threading.Event()
        self._loading = True
        self.said.configure(text=t("Adding up…"), style="Muted.TLabel")
        self.cancel_button.pack(side="left", padx=theme.px(12))
        self._shell.tasks.run(
            _statistics,
            query,
            stop,
            done=lambda found: self._came(found, stop),
            failed=lambda error: self._failed(error, stop),
        )

    def cancel(self) -> None:
        """Leave what is shown as it is."""
        self._stop.set()

    def _came(self, found: Statistics, stop: threading.Event) -> None:
        if stop is not self._stop or not self.winfo_exists():
            return
        if stop.is_set():
            self._end(t("Cancelled."))
            return
        self._end("")
        self.found = found
        tally = found.tally
        texts = {
            "inspected": f"{tally.inspected:,}",
            "yield": f"{(tally.ok + tally.warn) / tally.inspected:.1%}" if tally.inspected else "—",
            "ok": f"✓ {tally.ok:,}",
            "warn": f"⚠ {tally.warn:,}",
            "ng": f"✕ {tally.ng:,}",
            "defects": f"{found.defects:,}",
            "skipped": f"{tally.skipped:,}",
            "ms": "—" if found.mean_ms is None else f"{found.mean_ms:.0f}",
        }
        for key, text in texts.items():
            self.counters[key].configure(text=text)
        self.charts["yield"].show(yield_figure(found))
        self.charts["classes"].show(class_figure(found), t("No defects were found."))
        self.charts["areas"].show(area_figure(found), t("No defect has a mask."))
        self.charts["models"].show(model_figure(found))
        for button in (self._save, self._print):
            button.state(["!disabled" if self._figures() else "disabled"])

    def _failed(self, error: BaseException, stop: threading.Event) -> None:
        if stop is self._stop and self.winfo_exists():
            self._end(t("Cancelled.") if isinstance(error, Stopped) else f"✕ {sentence(str(error))}")

    def _end(self, said: str) -> None:
        self._loading = False
        self.cancel_button.pack_forget()
        self.said.configure(text=said, style="Bad.TLabel" if said.startswith("✕") else "Muted.TLabel")

    # keeping it

    def _figures(self) -> list[Any]:
        return [chart.figure for chart in self.charts.values() if chart.figure is not None]

    def save(self) -> None:
        """Ask for a folder, and save every chart in it."""
        chosen = filedialog.askdirectory(parent=self._shell.root, title=t("Save all as PNG…"))
        if chosen and self._figures():
            from inspector.ui.chart_image import save_all_png

            named = [(safe_name(figure.title), figure) for figure in self._figures()]
            self._shell.tasks.run(
                save_all_png, named, Path(chosen), done=lambda files: self._saved(Path(chosen), files)
            )

    def _saved(self, folder: Path, files: list[Path]) -> None:
        show = (t("Open folder"), lambda: self._shell.tasks.run(opening.open_path, folder))
        self._shell.toast(t("{n} charts saved in {path}", n=len(files), path=folder), "good", show)

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
