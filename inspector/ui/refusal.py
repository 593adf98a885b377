"""A window with one sentence, for a program that cannot open its own."""

from __future__ import annotations

import tkinter as tk
from contextlib import suppress
from tkinter import messagebox

from inspector.ui import texts, theme


def show(sentence: str) -> None:
    """Show it and wait until it is read; nothing where there is no screen."""
    texts.use("auto")
    with suppress(tk.TclError):
        root = theme.start("auto")
        messagebox.showerror("Bearing Inspector", texts.sentence(sentence), parent=root)
        root.destroy()
