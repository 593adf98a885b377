"""Fields for the name and the note of a training."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from dataclasses import replace
from tkinter import ttk

from inspector.training import Notes, Progress, write_notes
from inspector.ui.kit import strings, theme
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr


class NotesRow(ttk.Frame):
    """Entries for name and note, saved on Return, when a field loses the focus, and before another training is shown.

    Args:
        saved: called after a change was saved.
    """

    def __init__(self, parent: tk.Misc, shell: Shell, saved: Callable[[], None]) -> None:
        super().__init__(parent)
        self._shell, self._saved = shell, saved
        self._shown: Progress | None = None
        self.columnconfigure(3, weight=1)
        self.name, self.remark = tk.StringVar(self), tk.StringVar(self)
        self._fields = []
        for column, (title, variable, width) in enumerate(((tr("Name"), self.name, 24), (tr("Note"), self.remark, 40))):
            ttk.Label(self, text=title).grid(row=0, column=2 * column, padx=theme.px(0, 6))
            entry = ttk.Entry(self, textvariable=variable, width=width)
            entry.grid(row=0, column=2 * column + 1, sticky="ew", padx=theme.px(0, 12))
            for event in ("<Return>", "<FocusOut>"):
                entry.bind(event, lambda event: self.save())
            self._fields.append(entry)

    def show(self, training: Progress | None) -> None:
        """Show the notes of a training; None: of none."""
        if training is not None and self._shown is not None and training.folder == self._shown.folder:
            self._shown = training
            return  # keep what is being typed
        self.save()
        self._shown = training
        self.name.set(training.name if training else "")
        self.remark.set(training.notes.remark if training else "")
        for field in self._fields:
            field.state(["!disabled" if training else "disabled"])

    def forget(self) -> None:
        """Do not save the fields: the training is being deleted."""
        self._shown = None

    def save(self) -> None:
        """Save name and note if they have changed."""
        training = self._shown
        if training is None:
            return
        name = self.name.get().strip()
        notes = Notes("" if name == training.folder.name else name, self.remark.get().strip())
        if notes == training.notes:
            return
        self._shown = replace(training, notes=notes)
        self._shell.tasks.run(
            write_notes,
            training.folder,
            notes,
            done=lambda _: self._saved(),
            failed=lambda error: self._shell.toast(strings.sentence(str(error)), "bad"),
        )
