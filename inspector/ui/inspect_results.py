"""The run's results as a table below the picture, paged from the history."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import TYPE_CHECKING

from inspector.domain import Inspection, Skipped
from inspector.history import Query
from inspector.ui.history_rows import HistoryRows, result_columns, sort_by
from inspector.ui.record_view import load_inspection, row_menu
from inspector.ui.table import VirtualTable
from inspector.ui.texts import t

if TYPE_CHECKING:
    from inspector.ui.app import App
    from inspector.ui.ranges import Ranges

Shown = Callable[["Inspection | Skipped", "int | None"], None]


class Results(ttk.Frame):
    """Follows a run.

    Args:
        shown: called with the inspection of a row that was selected, and the index of the row's defect in it.
    """

    def __init__(self, parent: tk.Misc, app: App, shown: Shown) -> None:
        super().__init__(parent)
        self.app, self._shown = app, shown
        self.rows: HistoryRows | None = None
        self.run: int | None = None
        self.rowconfigure(0, weight=1)
        self.columnconfigure(0, weight=1)
        self.table = VirtualTable(
            self,
            result_columns(),
            on_select=self._selected,
            on_open=self._opened,
            on_sort=self._sort,
            menu=self._menu,
            height=6,
        )
        self.table.grid(row=0, column=0, sticky="nsew")
        self.table.set_empty(t("Results appear here as they come, and are saved at once."))
        widths = app.memory.get("columns", {})
        self.table.set_widths({key: width for key, width in widths.items() if isinstance(width, int) and width > 0})

    def follow(self, run: int | None) -> None:
        """Show the results of another run; None: of none."""
        if self.rows is not None:
            self.rows.close()
            self.rows = None
        self.run = run
        if run is None:
            self.table.set_rows(())
            return
        self.rows = HistoryRows(self.app.tasks, Query(run=run, order="oldest"), None, self.table.refresh)
        self.table.set_rows(self.rows)
        self.table.follow(True)

    def look(self) -> None:
        """Take in what was kept since."""
        if self.rows is not None:
            self.rows.append_newer()

    def close(self) -> None:
        self.app.memory.put("columns", self.table.widths())
        if self.rows is not None:
            self.rows.close()

    def _selected(self, chosen: Ranges) -> None:
        """One selected row shows its inspection as it was kept; not while newer ones are coming."""
        run = self.app.session.run
        coming = self.app.session.active and run is not None and not run.paused
        if self.rows is None or len(chosen) != 1 or coming:
            return
        key = self.rows.key(next(iter(chosen)))
        if key is not None:
            self.app.tasks.run(load_inspection, self.app.catalogue, *key, done=lambda found: self._shown(*found))

    def _opened(self, index: int) -> None:
        key = None if self.rows is None else self.rows.key(index)
        if key is not None:
            self.app.show("history", inspection=key[0])

    def _sort(self, column: str, descending: bool) -> None:
        if self.rows is not None:
            self.rows.reload(Query(run=self.run, order="oldest"), sort_by(column, descending))

    def _menu(self, index: int) -> list[tuple[str, Callable[[], object]]]:
        return [] if self.rows is None else row_menu(self.app, self.rows, index)
