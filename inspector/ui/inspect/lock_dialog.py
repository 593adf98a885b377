"""Ask who locks or unlocks a recipe."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from inspector.ui.kit import dialogs, theme
from inspector.ui.kit.strings import tr


def ask_who(root: tk.Tk, recipe: str, lock: bool, known: str, done: Callable[[str], object]) -> LockDialog:
    """Open the dialog (non-modal).

    Args:
        recipe: its name.
        lock: the recipe is to be locked; else unlocked.
        known: initial name, e.g. of the operator.
        done: called with the name.
    """
    return LockDialog(root, recipe, lock, known, done)


class LockDialog(tk.Toplevel):
    """One field for the name; Enter accepts it."""

    def __init__(self, root: tk.Tk, recipe: str, lock: bool, known: str, done: Callable[[str], object]) -> None:
        super().__init__(root)
        self._done = done
        self.title(tr("Lock recipe") if lock else tr("Unlock recipe"))
        self.transient(root)
        pad, gap = theme.px(16), theme.px(8)
        text = (
            tr("Nobody can change model, thresholds, rules and parts of “{name}” until it is unlocked.", name=recipe)
            if lock
            else tr("After that, everybody can change model, thresholds, rules and parts of “{name}”.", name=recipe)
        )
        ttk.Label(self, text=text, wraplength=theme.px(360), justify="left").pack(anchor="w", padx=pad, pady=(pad, gap))
        ttk.Label(self, text=tr("Your name (kept in the recipe)")).pack(anchor="w", padx=pad)
        self.name = tk.StringVar(self, known)
        field = ttk.Entry(self, textvariable=self.name)
        field.pack(fill="x", padx=pad, pady=(0, gap))
        row = ttk.Frame(self)
        row.pack(fill="x", padx=pad, pady=(gap, pad))
        self.accept_button = ttk.Button(
            row, text=tr("Lock") if lock else tr("Unlock"), style="Primary.TButton", command=self.accept
        )
        self.accept_button.pack(side="right", padx=(gap, 0))
        ttk.Button(row, text=tr("Cancel"), command=self.destroy).pack(side="right")
        self.name.trace_add("write", lambda *_: self._check())
        self._check()
        field.bind("<Return>", lambda _: self.accept())
        self.bind("<Escape>", lambda _: self.destroy())
        theme.on_theme_change(self, self._paint)
        field.icursor("end")
        self.update_idletasks()
        dialogs.centre(root, self, self.winfo_reqwidth(), self.winfo_reqheight())
        field.focus_set()

    def _paint(self) -> None:
        self.configure(background=theme.tokens().surface)

    def _check(self) -> None:
        self.accept_button.state(["!disabled" if self.name.get().strip() else "disabled"])

    def accept(self) -> None:
        """Close the dialog and pass the name on."""
        name = self.name.get().strip()
        if name:
            self.destroy()
            self._done(name)
