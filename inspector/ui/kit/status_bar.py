"""The line at the bottom: what happens, with what, how far, how long still; and the way out."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from inspector.ui.kit import theme
from inspector.ui.kit.strings import tr
from inspector.ui.kit.widgets import elided


class StatusBar(ttk.Frame):
    """State and facts at the left, progress, the run's folder and Cancel at the right."""

    def __init__(self, parent: tk.Misc, cancel: Callable[[], object]) -> None:
        super().__init__(parent, padding=theme.px(8, 4))
        self.columnconfigure(1, weight=1)
        self._state = ttk.Label(self, style="Head.TLabel")
        self._state.grid(row=0, column=0)
        self._facts = ttk.Label(self, style="Muted.TLabel", width=1)
        self._facts.grid(row=0, column=1, sticky="ew", padx=theme.px(12))
        self._bar = ttk.Progressbar(self, length=theme.sidebar_width(200, self), maximum=1.0)
        self._bar.grid(row=0, column=2, padx=theme.px(8))
        self._progress = ttk.Label(self)
        self._progress.grid(row=0, column=3, padx=theme.px(8))
        self._cancel = ttk.Button(self, text=tr("Cancel"), command=cancel)
        self._cancel.grid(row=0, column=5)
        self._folder = ttk.Button(self, text=tr("Open folder"))
        self._facts.bind("<Configure>", lambda _: self._fit(), add=True)
        self._status = ""

    def show(self, state: str, facts: str) -> None:
        if self._state.cget("text") != state:
            self._state.configure(text=state)
        if self._status != facts:
            self._status = facts
            self._fit()

    def _fit(self) -> None:
        """Elide the facts to the available width; they request none, so that the buttons stay visible."""
        text = elided(self._status, self._facts.winfo_width(), theme.font("body"), self)
        if self._facts.cget("text") != text:
            self._facts.configure(text=text)

    def show_folder(self, open: Callable[[], object] | None) -> None:
        """Show a button that opens the run's results folder; None hides it."""
        if open is None:
            self._folder.grid_remove()
        else:
            self._folder.configure(command=open)
            self._folder.grid(row=0, column=4, padx=theme.px(0, 4))

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
