"""The page that searches what was inspected, and opens it again as it was."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from typing import Any

from inspector.domain import Detection
from inspector.history import Query
from inspector.history.listing import Listing, Sort
from inspector.ui import theme
from inspector.ui.export_dialog import ExportDialog, Scope
from inspector.ui.filters import FilterBar
from inspector.ui.history_details import Details, same
from inspector.ui.history_rows import HISTORY, HistoryRows, columns, inspections_in, sort_by
from inspector.ui.purge_dialog import PurgeDialog
from inspector.ui.ranges import Ranges
from inspector.ui.record_view import row_menu
from inspector.ui.shell import Shell
from inspector.ui.table import VirtualTable
from inspector.ui.texts import t

_LOOK = 2000  # milliseconds between two looks for new rows


class HistoryPage(ttk.Frame):
    """A filter above, what it finds at the left, and the selected inspection at the right."""

    def __init__(self, parent: tk.Misc, shell: Shell) -> None:
        super().__init__(parent, padding=theme.px(8))
        self._shell = shell
        self._rows: HistoryRows | None = None
        self._order: tuple[str, bool] = ("date", True)
        self._wanted: int | None = None  # an inspection to be selected as soon as it is found
        self._export: ExportDialog | None = None
        self._looking = ""
        self._visible = False
        self.columnconfigure(0, weight=1)
        self.rowconfigure(2, weight=1)
        self.filter = FilterBar(self, shell, self._search)
        self.filter.grid(row=0, column=0, sticky="ew")
        self._build_tools()
        self._build_body()
        for key in ("f", "F"):
            shell.root.bind(f"<Control-{key}>", self._find, add=True)

    def _build_tools(self) -> None:
        row = ttk.Frame(self)
        row.grid(row=1, column=0, sticky="ew", pady=theme.px(8))
        self.count = ttk.Label(row, style="Head.TLabel")
        self.count.pack(side="left")
        self.chosen = ttk.Label(row, style="Muted.TLabel")
        self.chosen.pack(side="left", padx=theme.px(12))
        ttk.Button(row, text=t("Export…"), style="Primary.TButton", command=self.export).pack(side="right")
        ttk.Button(row, text=t("Delete old…"), command=self.purge).pack(side="right", padx=theme.px(8))
        ttk.Button(row, text=t("Statistics"), command=self._to_statistics).pack(side="right")

    def _build_body(self) -> None:
        self.panes = ttk.Panedwindow(self, orient="horizontal")
        self.panes.grid(row=2, column=0, sticky="nsew")
        self.table = VirtualTable(
            self.panes,
            columns(HISTORY),
            on_select=self._selected,
            on_open=self._opened,
            on_sort=self._sort,
            menu=self._menu,
            say=self._shell.toast,
            height=8,
        )
        self.table.sorted_by(*self._order)
        self.details = Details(self.panes, self._shell, self._picked)
        self.panes.add(self.table, weight=3)
        self.panes.add(self.details, weight=2)

    # the page

    def shown(self, inspection: int | None = None, run: int | None = None, export: bool = False, **what: Any) -> None:
        """Come to the front.

        Args:
            inspection: id of one to be shown.
            run: id of the run whose inspections are to be shown.
            export: open the window that exports them.
        """
        self._visible = True
        self.filter.reload()
        if inspection is not None:
            self._wanted = inspection
            self.filter.set()
            self.details.show(inspection)
        elif run is not None:
            self.filter.set(run=str(run))
        if self._rows is None:
            self._search(self.filter.query() or Query())
        else:
            self._rows.append_newer()
            self._changed()
        if export:
            self.export()
        if not self._looking:
            self._looking = self.after(_LOOK, self._look)

    def hidden(self) -> None:
        self._visible = False

    def kept(self) -> dict[str, Any]:
        return {"filter": self.filter.held(), "order": self._order, "widths": self.table.widths()}

    def restore(self, state: dict[str, Any]) -> None:
        self._order = state["order"]
        self.table.sorted_by(*self._order)
        self.table.set_widths(state["widths"])
        self.filter.set(**state["filter"])

    def busy(self) -> str:
        exporting = self._export is not None and self._export.winfo_exists() and self._export.working
        return t("An export is under way; it would be cancelled.") if exporting else ""

    def close(self) -> None:
        if self._rows is not None:
            self._rows.close()
        if self._looking:
            self.after_cancel(self._looking)
        if self._export is not None and self._export.winfo_exists():
            self._export.abandon()

    # searching

    def _search(self, query: Query) -> None:
        sort = sort_by(*self._order)
        if self._rows is None:
            self._rows = HistoryRows(self._shell.tasks, query, sort, self._changed, keys=HISTORY)
            self.table.set_rows(self._rows)
        else:
            self._rows.reload(query, sort)
        self._changed()

    def _sort(self, column: str, descending: bool) -> None:
        self._order = column, descending
        if self._rows is not None:
            self._rows.sort(column, descending)
            self._changed()

    def _changed(self) -> None:
        rows = self._rows
        if rows is None:
            return
        if rows.loading:
            self.count.configure(text=t("searching…"))
            self.table.set_empty(t("searching…"))
        else:
            self.count.configure(text=t("Rows found: {n}", n=f"{len(rows):,}"))
            everything = rows.query == Query()
            self.table.set_empty(t("Nothing was inspected yet.") if everything else t("Nothing matches the filter."))
        self.table.refresh()
        self._show_chosen()
        if self._wanted is not None and not rows.loading:
            place = rows.find(self._wanted)
            self._wanted = None
            if place is not None:
                self.table.select(place)
                self._show_chosen()
                self.table.focus_set()

    def _look(self) -> None:
        self._looking = self.after(_LOOK, self._look)
        if self._visible and self._rows is not None:
            self._rows.append_newer()

    def _find(self, _: tk.Event) -> None:
        if self._visible:
            self.filter.text.focus_set()

    # rows and details

    def _selected(self, chosen: Ranges) -> None:
        self._show_chosen()
        if self._rows is not None and len(chosen) == 1:
            self._show(chosen.first)

    def _show_chosen(self) -> None:
        count = len(self.table.selection())
        self.chosen.configure(text=t("selected: {n}", n=f"{count:,}") if count > 1 else "")

    def _opened(self, index: int) -> None:
        self._show(index)
        self.details.preview.canvas.focus_set()

    def _show(self, index: int) -> None:
        if self._rows is not None and (key := self._rows.key(index)) is not None:
            self.details.show(key[0], self._rows.row(index))

    def _picked(self, defect: Detection) -> None:
        """A defect was clicked in the picture: its row is selected."""
        if self._rows is None or self.details.kept is None:
            return
        for place in self._rows.places(self.details.kept.record["id"]):
            row = self._rows.row(place)
            if row is not None and same(row, defect):
                self.table.select(place)
                self._show_chosen()

    def _menu(self, index: int) -> Sequence[tuple[str, Callable[[], object]]]:
        rows = self._rows
        if rows is None or (row := rows.row(index)) is None:
            return []
        return [
            *row_menu(self._shell, rows, index),
            (t("Show only this run"), lambda: self.filter.set(run=str(row.run))),
            (t("Export…"), self.export),
        ]

    # export and the rest

    def export(self) -> None:
        """Open the window that exports: the selection, what was found, or a whole run."""
        if self._export is not None and self._export.winfo_exists():
            self._export.lift()
            return
        self._export = ExportDialog(self._shell, self._scopes())

    def _scopes(self) -> list[Scope]:
        rows, scopes = self._rows, []
        chosen = self.table.selection()
        if rows is not None and len(chosen):
            keys = rows.keys
            title = t("The selected rows: {n}", n=f"{len(chosen):,}")
            scopes.append(Scope(title, t("Selection"), lambda: inspections_in(keys, chosen)))
        query = (rows.query if rows is not None else None) or Query()
        scopes.append(Scope(t("All that the filter finds"), t("History"), lambda: _ids(query)))
        runs = {query.run} if query.run is not None else set()
        if rows is not None and len(chosen) and (row := rows.row(chosen.first)) is not None:
            runs.add(row.run)
        for run in sorted(run for run in runs if run is not None):
            title = t("The whole run {run}", run=run)
            scopes.append(Scope(title, t("Run {run}", run=run), lambda run=run: _ids(Query(run=run))))  # type: ignore[misc]
        return scopes

    def purge(self) -> None:
        """Open the window that deletes what is old."""
        PurgeDialog(self._shell, self._purged)

    def _purged(self) -> None:
        if self._rows is not None and self.winfo_exists():
            self.details.clear()
            self._rows.reload(self._rows.query, self._rows.order)
            self._changed()

    def _to_statistics(self) -> None:
        self._shell.show("statistics", filter=self.filter.held())


def _ids(query: Query) -> list[int]:
    """Ids of all inspections that a query finds. For a worker's thread."""
    with Listing() as listing:
        keys = listing.keys(query, Sort("time"))
    return inspections_in(keys, Ranges([(0, len(keys))]))
