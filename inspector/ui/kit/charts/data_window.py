"""The numbers behind a chart, in a small window: to be read, copied, and saved as CSV."""

from __future__ import annotations

import csv
import tkinter as tk
from pathlib import Path
from tkinter import filedialog, ttk

from inspector.domain import InputError, spreadsheet_text
from inspector.system.paths import long_path, publish, temporary_beside
from inspector.ui.kit import dialogs, theme
from inspector.ui.kit.charts.figure import Figure, number_text
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr
from inspector.ui.kit.table.rows import Column, ListRows
from inspector.ui.kit.table.table import VirtualTable


class ChartDataWindow(tk.Toplevel):
    """A window with a chart's table."""

    def __init__(self, shell: Shell, figure: Figure) -> None:
        super().__init__(shell.root)
        self.withdraw()
        self._shell, self._figure = shell, figure
        self.title(figure.title)
        self.transient(shell.root)
        theme.on_theme_change(self, self._paint)
        headings, rows = figure.numbers()
        columns = [
            Column(str(place), name, 100 if place else 200, "e" if place else "w", not place, sortable=False)
            for place, name in enumerate(headings)
        ]
        ttk.Label(self, text=figure.title, style="Title.TLabel").pack(
            anchor="w", padx=theme.px(16), pady=theme.px(12, 8)
        )
        buttons = ttk.Frame(self)
        buttons.pack(side="bottom", fill="x", padx=theme.px(16), pady=theme.px(8, 12))
        self.table = VirtualTable(self, columns, say=shell.toast, height=min(14, len(rows)))
        self.table.pack(fill="both", expand=True, padx=theme.px(16))
        self.table.set_rows(ListRows([["—" if cell is None else _text(cell) for cell in row] for row in rows]))
        ttk.Button(buttons, text=tr("Close"), command=self.destroy).pack(side="right")
        ttk.Button(buttons, text=tr("Save as CSV…"), command=self.save).pack(side="right", padx=theme.px(8))
        ttk.Button(buttons, text=tr("Copy all"), command=self.copy).pack(side="right")
        self.bind("<Escape>", lambda _: self.destroy())
        dialogs.centre(shell.root, self, theme.px(100 * len(columns) + 180), theme.px(420))
        self.table.focus_set()

    def _paint(self) -> None:
        self.configure(background=theme.tokens().surface)

    def copy(self) -> None:
        """Copy all numbers to the clipboard."""
        self.table.select_all()
        self.table.copy()

    def save(self) -> None:
        """Ask for a file, and save the numbers to it."""
        chosen = filedialog.asksaveasfilename(
            parent=self, title=tr("Save as CSV…"), defaultextension=".csv", filetypes=[("CSV", "*.csv")]
        )
        if chosen:
            self._shell.tasks.run(save_csv, self._figure, Path(chosen), done=self._saved)

    def _saved(self, path: Path) -> None:
        self._shell.toast(tr("Saved: {path}", path=path), "good")


def save_csv(figure: Figure, path: Path) -> Path:
    """Write a chart's data as CSV that spreadsheets read.

    Raises:
        InputError: it cannot be written.
    """
    headings, rows = figure.numbers()
    try:
        temporary = temporary_beside(path)
        try:
            with open(long_path(temporary), "w", encoding="utf-8-sig", newline="") as file:
                csv.writer(file).writerows(
                    [
                        headings,
                        *([spreadsheet_text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows),
                    ]
                )
            return publish(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            "{path} cannot be written ({reason}); choose another folder", path=path, reason=error.strerror
        ) from None


def _text(cell: str | float) -> str:
    return cell if isinstance(cell, str) else number_text(cell)
