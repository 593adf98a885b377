"""The history page: searches stored inspections and shows them as inspected."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from typing import Any

from inspector.domain import Detection
from inspector.history import Query
from inspector.history.listing import Row
from inspector.jobs.resume import ENDED_EARLY
from inspector.ui.history.details import Details, same
from inspector.ui.history.export_dialog import ExportDialog, ExportScope, ids_of, run_scope
from inspector.ui.history.filter_bar import FilterBar, PeriodButtons
from inspector.ui.history.grouped_rows import PartRows
from inspector.ui.history.purge_dialog import PurgeDialog
from inspector.ui.history.rows import HISTORY, columns, inspections_in, sort_by
from inspector.ui.history.stored_inspection import row_menu
from inspector.ui.history.thumbnails import Thumbnails
from inspector.ui.kit import theme
from inspector.ui.kit.page import Page
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr
from inspector.ui.kit.table.selection import IndexRanges
from inspector.ui.kit.table.table import VirtualTable
from inspector.ui.kit.widgets import room_of_page

_LOOK = 2000  # milliseconds between two checks for new rows


class HistoryPage(Page):
    """Filter at the top, one row per part at the left, the selected image at the right."""

    exports = True

    def __init__(self, parent: tk.Misc, shell: Shell) -> None:
        super().__init__(parent, padding=theme.px(8))
        self._shell = shell
        self._rows: PartRows | None = None
        self._first_wanted = False  # show the first row once it is found
        self._order: tuple[str, bool] = ("date", True)
        self._wanted: int | None = None  # inspection to select once it is found
        self._export: ExportDialog | None = None
        self._looking = ""
        self._visible = False
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self._narrow = theme.narrow(self)
        room, body = room_of_page(self)
        room.grid(row=0, column=0, sticky="nsew")
        body.columnconfigure(0, weight=1)
        body.rowconfigure(3, weight=1)
        self.filter = FilterBar(body, shell, self._search)
        self.filter.grid(row=0, column=0, sticky="ew")
        self._build_tools(body)
        self._build_body(body)
        for key in ("f", "F"):
            shell.root.bind(f"<Control-{key}>", self._find, add=True)

    def _build_tools(self, body: ttk.Frame) -> None:
        self.periods = PeriodButtons(body, self._shell, self.filter, self._show_first)
        self.periods.grid(row=1, column=0, sticky="w", pady=theme.px(8, 0))
        row = ttk.Frame(body)
        row.grid(row=2, column=0, sticky="ew", pady=theme.px(8))
        said, buttons = ttk.Frame(row), ttk.Frame(row)
        # The buttons first: what is said gives way where room is short.
        buttons.pack(side="bottom" if self._narrow else "right", anchor="w", pady=theme.px(6 if self._narrow else 0, 0))
        said.pack(side="left")
        self.count = ttk.Label(said, style="Head.TLabel")
        self.count.pack(side="left")
        self.chosen = ttk.Label(said, style="Muted.TLabel")
        self.chosen.pack(side="left", padx=theme.px(12))
        self.export_button = ttk.Button(buttons, text=tr("Export…"), style="Primary.TButton", command=self.export)
        self.export_button.pack(side="right")
        ttk.Button(buttons, text=tr("Delete old…"), command=self.purge).pack(side="right", padx=theme.px(8))
        ttk.Button(buttons, text=tr("Statistics"), command=self._to_statistics).pack(side="right")

    def _build_body(self, body: ttk.Frame) -> None:
        self.panes = ttk.Panedwindow(body, orient="vertical" if self._narrow else "horizontal")
        self.panes.grid(row=3, column=0, sticky="nsew")
        self.table = VirtualTable(
            self.panes,
            columns(HISTORY),
            on_select=self._selected,
            on_open=self._opened,
            on_sort=self._sort,
            menu=self._menu,
            images=self._images,
            on_cell=self._cell,
            say=self._shell.toast,
            height=4 if self._narrow else 8,
        )
        self.table.sorted_by(*self._order)
        self._thumbnails = Thumbnails(self._shell, self.table.refresh)
        self.details = Details(self.panes, self._shell, self._picked)
        self.panes.add(self.table, weight=3)
        self.panes.add(self.details, weight=2)
        if not self._narrow:
            self.panes.bind("<Configure>", self._place_sash)

    def _place_sash(self, event: tk.Event) -> None:
        """Give the details a share of a narrow window, which the table would fill."""
        self.panes.unbind("<Configure>")
        if event.width < theme.px(1200):
            self.tk.call(self.panes, "sashpos", 0, round(event.width * 0.55))

    # the page

    def on_show(self, inspection: int | None = None, run: int | None = None, export: bool = False) -> None:
        """Come to the front.

        Args:
            inspection: id of the inspection to show.
            run: id of the run whose inspections to show.
            export: open the export dialog.
        """
        self._visible = True
        self.filter.reload()
        self.periods.reload()
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

    def on_hide(self) -> None:
        self._visible = False

    def save_state(self) -> dict[str, Any]:
        return {"filter": self.filter.values(), "order": self._order, "widths": self.table.widths()}

    def restore_state(self, state: dict[str, Any]) -> None:
        self._order = state["order"]
        self.table.sorted_by(*self._order)
        self.table.set_widths(state["widths"])
        self.filter.set(**state["filter"])

    def close_warning(self) -> str:
        exporting = self._export is not None and self._export.winfo_exists() and self._export.working
        return tr("An export is running; closing cancels it.") if exporting else ""

    def close(self) -> None:
        if self._rows is not None:
            self._rows.close()
        self._thumbnails.close()
        if self._looking:
            self.after_cancel(self._looking)
        if self._export is not None and self._export.winfo_exists():
            self._export.abandon()

    # searching

    def _search(self, query: Query) -> None:
        sort = sort_by(*self._order)
        if self._rows is None:
            self._rows = PartRows(self._shell.tasks, query, sort, self._changed)
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
            self.count.configure(text=tr("searching…"))
            self.table.set_empty(tr("searching…"))
        else:
            self._show_count(rows)
            everything = rows.query == Query()
            self.table.set_empty(tr("No inspections yet.") if everything else tr("Nothing matches the filter."))
            shown = self.details.inspection
            stored = self.details.stored
            of_part = stored is not None and stored.part is not None  # may be an image below a closed row
            if shown is not None and self._wanted is None and not of_part and rows.find(shown) is None:
                self.details.clear()  # it is not among the results
        self.table.refresh()
        if self._first_wanted and not rows.loading:
            self._first_wanted = False
            if len(rows):
                self.table.select(0)
                self._show(0)
        self._show_chosen()
        if self._wanted is not None and not rows.loading:
            place = rows.find(self._wanted)
            self._wanted = None
            if place is not None:
                self.table.select(place)
                self._show_chosen()
                self.table.focus_set()

    def _show_count(self, rows: PartRows) -> None:
        parts = f"{rows.parts:,}"
        if rows.defects is None or rows.images is None:
            self.count.configure(text=tr("{n} parts", n=parts))
        else:
            numbers = {"defects": f"{rows.defects:,}", "images": f"{rows.images:,}", "parts": parts}
            self.count.configure(text=tr("{parts} parts ({images} images), {defects} defects", **numbers))

    def _show_first(self) -> None:
        """Show the newest inspection of the period that a button has chosen."""
        self._first_wanted = True
        if self._rows is not None:
            self._changed()

    def _look(self) -> None:
        try:
            if self._visible and self._rows is not None:
                self._rows.append_newer()
        finally:
            if self.winfo_exists():
                self._looking = self.after(_LOOK, self._look)

    def _find(self, _: tk.Event) -> None:
        if self._visible:
            self.filter.text.focus_set()

    # rows and details

    def _selected(self, chosen: IndexRanges) -> None:
        self._show_chosen()
        if self._rows is not None and len(chosen) == 1:
            self._show(chosen.first)

    def _show_chosen(self) -> None:
        count = len(self.table.selection())
        self.chosen.configure(text=tr("selected: {n}", n=f"{count:,}") if count > 1 else "")

    def _opened(self, index: int) -> None:
        """Expand or collapse a part or image on a double click or Return."""
        place = None if self._rows is None else self._rows.toggle(index)
        if place is not None:
            self.table.select(place)
        self._show(index if place is None else place)

    def _cell(self, index: int, column: str) -> bool:
        """Expand a part or image on a click on its number of defects."""
        rows = self._rows
        if column != "defects" or rows is None or (row := rows.row(index)) is None:
            return False
        if row.detection > 0 or not (row.defects or row.part):
            return False
        self._opened(index)
        return True

    def _images(self, places: range) -> list[tk.PhotoImage | None]:
        """Return the thumbnails of the inspections in these rows; defect rows have none."""
        rows = self._rows
        keys = [rows.key(place) or (0, 1) for place in places] if rows is not None else []
        inspections = dict(zip(ids := [key[0] for key in keys if key[1] <= 0], self._thumbnails.of(ids), strict=True))
        return [None if key[1] > 0 else inspections[key[0]] for key in keys]

    def _show(self, index: int) -> None:
        if self._rows is not None and (key := self._rows.key(index)) is not None:
            self.details.show(key[0], self._rows.row(index))

    def _picked(self, defect: Detection) -> None:
        """Select the row of the defect clicked in the image, if its inspection is expanded."""
        if self._rows is None or self.details.stored is None:
            return
        for place in self._rows.places(self.details.stored.record["id"]):
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
            (tr("Show only this run"), lambda: self.filter.set(run=str(row.run))),
            *self._resume_item(row),
            (tr("Export…"), self.export),
        ]

    def _resume_item(self, row: Row) -> list[tuple[str, Callable[[], object]]]:
        if row.state not in ENDED_EARLY:
            return []
        return [(tr("Resume this run"), lambda: self._shell.show("inspect", resume=row.run))]

    # export and the rest

    def export(self) -> None:
        """Open the export dialog for the selection, the filtered results or a whole run."""
        if self._export is not None and self._export.winfo_exists():
            self._export.lift()
            return
        self._export = ExportDialog(self._shell, self._scopes())

    def print(self) -> None:
        """Print the inspection shown."""
        self.details.print()

    def _scopes(self) -> list[ExportScope]:
        """Return the scopes to export: selection, filtered results, whole runs."""
        rows, scopes = self._rows, []
        query = (rows.query if rows is not None else None) or Query()
        chosen = self.table.selection()
        if rows is not None and len(chosen) > 1:
            keys = rows.keys
            title = tr("Selected rows ({n})", n=f"{len(chosen):,}")
            scopes.append(
                ExportScope(title, tr("Selection"), lambda: inspections_in(keys, chosen), query, selected=True)
            )
        parts = "…" if rows is None or rows.loading else f"{rows.parts:,}"
        scopes.append(
            ExportScope(tr("Filtered results ({n} parts)", n=parts), self.filter.title(), lambda: ids_of(query), query)
        )
        if rows is not None and len(chosen) == 1:
            keys = rows.keys
            title = tr("Selected rows ({n})", n=1)
            scopes.append(
                ExportScope(title, tr("Selection"), lambda: inspections_in(keys, chosen), query, selected=True)
            )
        runs = {query.run} if query.run is not None else set()
        if rows is not None and len(chosen) and (row := rows.row(chosen.first)) is not None:
            runs.add(row.run)
        return scopes + [run_scope(run) for run in sorted(run for run in runs if run is not None)]

    def purge(self) -> None:
        """Open the dialog that deletes old inspections."""
        PurgeDialog(self._shell, self._purged)

    def _purged(self) -> None:
        if self._rows is not None and self.winfo_exists():
            self.details.clear()
            self._rows.reload(self._rows.query, self._rows.order)
            self._changed()

    def _to_statistics(self) -> None:
        self._shell.show("statistics", filter=self.filter.values())
