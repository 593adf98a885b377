"""Scroll bars that are hidden while there is nothing to scroll."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk


class AutoHideScrollbar(ttk.Scrollbar):
    """Placed with ``grid``, it leaves its place empty while all is in view."""

    def set(self, first: float | str, last: float | str) -> None:
        if float(first) <= 0 and float(last) >= 1:
            self.grid_remove()
        else:
            self.grid()
        super().set(first, last)


def add_scrollbars(widget: tk.Text | ttk.Treeview, across: bool = True) -> None:
    """Let ``widget`` fill its parent, with a vertical and optionally a horizontal scroll bar."""
    parent = widget.master
    parent.columnconfigure(0, weight=1)
    parent.rowconfigure(0, weight=1)
    widget.grid(row=0, column=0, sticky="nsew")
    down = AutoHideScrollbar(parent, orient="vertical", command=widget.yview)
    down.grid(row=0, column=1, sticky="ns")
    widget.configure(yscrollcommand=down.set)
    if across:
        along = AutoHideScrollbar(parent, orient="horizontal", command=widget.xview)
        along.grid(row=1, column=0, sticky="ew")
        widget.configure(xscrollcommand=along.set)
