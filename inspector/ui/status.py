"""The line at the bottom: what happens, with what, how far, how long still; and the way out."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from inspector.ui import theme
from inspector.ui.texts import t


def duration(seconds: float) -> str:
    """``1 h 5 min``, ``3 min 20 s``, ``8 s``."""
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return t("{hours} h {minutes} min", hours=hours, minutes=minutes)
    if minutes:
        return t("{minutes} min {seconds} s", minutes=minutes, seconds=rest)
    return t("{seconds} s", seconds=rest)


class StatusLine(ttk.Frame):
    """State and facts at the left, progress and Cancel at the right."""

    def __init__(self, parent: tk.Misc, cancel: Callable[[], object]) -> None:
        super().__init__(parent, padding=theme.px(8, 4))
        self.columnconfigure(1, weight=1)
        self._state = ttk.Label(self, style="Head.TLabel")
        self._state.grid(row=0, column=0)
        self._facts = ttk.Label(self, style="Muted.TLabel")
        self._facts.grid(row=0, column=1, sticky="w", padx=theme.px(12))
        self._bar = ttk.Progressbar(self, length=theme.px(200), maximum=1.0)
        self._bar.grid(row=0, column=2, padx=theme.px(8))
        self._progress = ttk.Label(self)
        self._progress.grid(row=0, column=3, padx=theme.px(8))
        self._cancel = ttk.Button(self, text=t("Cancel"), command=cancel)
        self._cancel.grid(row=0, column=4)

    def show(self, state: str, facts: str) -> None:
        for label, text in ((self._state, state), (self._facts, facts)):
            if label.cget("text") != text:
                label.configure(text=text)

    def progress(self, part: float | None, text: str, cancellable: bool) -> None:
        """``part`` from 0 to 1; None: no end is known."""
        if cancellable:
            self._bar.grid()
        else:
            self._bar.grid_remove()
        self._bar.configure(value=part or 0.0)
        if self._progress.cget("text") != text:
            self._progress.configure(text=text)
        if self._cancel.instate(["disabled"]) is cancellable:
            self._cancel.state(["!disabled" if cancellable else "disabled"])
