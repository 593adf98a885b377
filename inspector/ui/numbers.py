"""The numbers behind a chart, in a small window: to be read, copied, and saved as CSV."""

from __future__ import annotations

import csv
import tkinter as tk
from collections.abc import Sequence
from pathlib import Path
from tkinter import filedialog, ttk

from inspector.domain import InputError
from inspector.paths import long_path, publish, temporary_beside
from inspector.ui import dialogs, theme
from inspector.ui.chart_figure import Cell, Figure, number_text
from inspector.ui.shell import Shell
from inspector.ui.table import Column, VirtualTable
from inspector.ui.texts import t


class ListRows:
    """Rows of a table that are all there."""

    def __init__(self, rows: Sequence[Sequence[str]], tags: Sequence[str] = ()) -> None:
        self._rows, self._tags = rows, tags

    def __len__(self) -> int:
        return len(self._rows)

    def fetch(self, start: int, stop: int) -> Sequence[Sequence[str]]:
        return self._rows[start:stop]

    def tag(self, index: int) -> str:
        return self._tags[index] if self._tags else ""


class Numbers(tk.Toplevel):
    """A window with a chart's table."""

    def __init__(self, shell: Shell, figure: Figure) -> None:
        super().__init__(shell.root)
        self.withdraw()
        self._shell, self._figure = shell, figure
        self.title(figure.title)
        self.transient(shell.root)
        theme.on_change(self, self._paint)
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
        ttk.Button(buttons, text=t("Close"), command=self.destroy).pack(side="right")
        ttk.Button(buttons, text=t("Save as CSV…"), command=self.save).pack(side="right", padx=theme.px(8))
        ttk.Button(buttons, text=t("Copy all"), command=self.copy).pack(side="right")
        self.bind("<Escape>", lambda _: self.destroy())
        x, y = shell.root.winfo_rootx() + theme.px(160), shell.root.winfo_rooty() + theme.px(120)
        width, height = dialogs.within(self, theme.px(100 * len(columns) + 180), theme.px(420))
        x, y = min(x, self.winfo_screenwidth() - width), min(y, self.winfo_screenheight() - height)
        self.geometry(f"{width}x{height}+{x}+{y}")
        self.deiconify()
        self.table.focus_set()

    def _paint(self) -> None:
        self.configure(background=theme.tokens().surface)

    def copy(self) -> None:
        """Put all numbers on the clipboard."""
        self.table.select_all()
        self.table.copy()

    def save(self) -> None:
        """Ask for a file, and write the numbers to it."""
        chosen = filedialog.asksaveasfilename(
            parent=self, title=t("Save as CSV…"), defaultextension=".csv", filetypes=[("CSV", "*.csv")]
        )
        if chosen:
            self._shell.tasks.run(save_csv, self._figure, Path(chosen), done=self._saved)

    def _saved(self, path: Path) -> None:
        self._shell.toast(t("Saved: {path}", path=path), "good")


def save_csv(figure: Figure, path: Path) -> Path:
    """Write a chart's numbers as a spreadsheet reads them.

    Raises:
        InputError: it cannot be written.
    """
    headings, rows = figure.numbers()
    try:
        temporary = temporary_beside(path)
        try:
            with open(long_path(temporary), "w", encoding="utf-8-sig", newline="") as file:
                csv.writer(file).writerows([headings, *([_plain(cell) for cell in row] for row in rows)])
            return publish(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); choose another folder") from None


def _plain(cell: Cell) -> Cell:
    """A text that a spreadsheet would take for a formula gets an apostrophe before it."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _text(cell: str | float) -> str:
    return cell if isinstance(cell, str) else number_text(cell)
