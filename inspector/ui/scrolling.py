"""Scroll bars that stand there only while there is something to scroll."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk


class Bar(ttk.Scrollbar):
    """Placed with ``grid``, it leaves its place empty while all is in view."""

    def set(self, first: float | str, last: float | str) -> None:
        if float(first) <= 0 and float(last) >= 1:
            self.grid_remove()
        else:
            self.grid()
        super().set(first, last)


def add_bars(widget: tk.Text | ttk.Treeview, across: bool = True) -> None:
    """Let ``widget`` fill its parent, with bars beside and, where wanted, below it."""
    parent = widget.master
    parent.columnconfigure(0, weight=1)
    parent.rowconfigure(0, weight=1)
    widget.grid(row=0, column=0, sticky="nsew")
    down = Bar(parent, orient="vertical", command=widget.yview)
    down.grid(row=0, column=1, sticky="ns")
    widget.configure(yscrollcommand=down.set)
    if across:
        along = Bar(parent, orient="horizontal", command=widget.xview)
        along.grid(row=1, column=0, sticky="ew")
        widget.configure(xscrollcommand=along.set)
