"""Error dialog for a program that cannot open its window."""

from __future__ import annotations

import tkinter as tk
from contextlib import suppress
from tkinter import messagebox

from inspector.ui.kit import strings, theme


def show_startup_error(sentence: str) -> None:
    """Show an error dialog and wait until it is closed; do nothing without a display."""
    strings.set_language("auto")
    with suppress(tk.TclError):
        root = theme.create_root("auto")
        messagebox.showerror("Bearing Inspector", strings.sentence(sentence), parent=root)
        root.destroy()
