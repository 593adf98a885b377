"""Table of the run's results below the image, paged from the history."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import TYPE_CHECKING

from inspector.domain import Inspection, Skipped
from inspector.history import Query
from inspector.ui.history.rows import HistoryRows, result_columns, sort_by
from inspector.ui.history.stored_inspection import load_inspection, row_menu
from inspector.ui.kit.strings import tr
from inspector.ui.kit.table.table import VirtualTable

if TYPE_CHECKING:
    from inspector.ui.inspect.host import InspectHost
    from inspector.ui.kit.table.selection import IndexRanges

Shown = Callable[["Inspection | Skipped", "int | None", int], None]


class Results(ttk.Frame):
    """Table that follows a run.

    Args:
        shown: called with the inspection of a row that was selected, the index of the row's defect in it, and the
            place in the run, from 0.
    """

    def __init__(self, parent: tk.Misc, host: InspectHost, shown: Shown) -> None:
        super().__init__(parent)
        self.host, self._shown = host, shown
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
        self.table.set_empty(tr("Results appear here and are saved immediately."))
        widths = host.window_state.get("columns", {})
        self.table.set_widths({key: width for key, width in widths.items() if isinstance(width, int) and width > 0})

    def follow(self, run: int | None) -> None:
        """Show the results of another run; None: no rows."""
        if self.rows is not None:
            self.rows.close()
            self.rows = None
        self.run = run
        if run is None:
            self.table.set_rows(())
            return
        self.rows = HistoryRows(self.host.tasks, Query(run=run, order="oldest"), None, self.table.refresh)
        self.table.set_rows(self.rows)
        self.table.follow(True)

    def append_new(self) -> None:
        """Add rows stored since."""
        if self.rows is not None:
            self.rows.append_newer()

    def close(self) -> None:
        self.host.window_state.set("columns", self.table.widths())
        if self.rows is not None:
            self.rows.close()

    def _selected(self, chosen: IndexRanges) -> None:
        """Show the stored inspection of the selected row, unless the run is adding newer ones."""
        run = self.host.session.run
        coming = self.host.session.active and run is not None and not run.paused
        if self.rows is None or len(chosen) != 1 or coming:
            return
        key = self.rows.key(next(iter(chosen)))
        if key is not None:
            self.host.tasks.run(load_inspection, self.host.catalogue, *key, done=lambda found: self._shown(*found))

    def _opened(self, index: int) -> None:
        key = None if self.rows is None else self.rows.key(index)
        if key is not None:
            self.host.show("history", inspection=key[0])

    def _sort(self, column: str, descending: bool) -> None:
        if self.rows is not None:
            self.rows.reload(Query(run=self.run, order="oldest"), sort_by(column, descending))

    def _menu(self, index: int) -> list[tuple[str, Callable[[], object]]]:
        return [] if self.rows is None else row_menu(self.host, self.rows, index)
