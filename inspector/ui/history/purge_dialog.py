"""Dialog that deletes old inspections from the history."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from datetime import datetime, timedelta
from tkinter import ttk

from inspector.history import History, Query
from inspector.ui.kit import dialogs, theme
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr

_DAYS = 90


class PurgeDialog(tk.Toplevel):
    """Ask for an age in days, show how many inspections are older, and delete them after confirmation.

    Args:
        done: called after inspections were deleted.
    """

    def __init__(self, shell: Shell, done: Callable[[], object]) -> None:
        super().__init__(shell.root)
        self.withdraw()
        self._shell, self._done = shell, done
        self._older: tuple[int, int] | None = None  # days, and number of older inspections
        self.title(tr("Delete old inspections"))
        self.transient(shell.root)
        self.resizable(False, False)
        theme.on_theme_change(self, self._paint)
        body = ttk.Frame(self, padding=theme.px(16))
        body.pack(fill="both", expand=True)
        ttk.Label(body, text=tr("Delete old inspections"), style="Title.TLabel").pack(anchor="w")
        note = tr("They are permanently removed from the history. Images and result files are kept.")
        ttk.Label(body, text=note, wraplength=theme.px(420), justify="left").pack(anchor="w", pady=theme.px(8, 12))
        row = ttk.Frame(body)
        row.pack(anchor="w")
        ttk.Label(row, text=tr("Older than this many days:")).pack(side="left", padx=(0, theme.px(8)))
        self.days = tk.StringVar(self, str(shell.settings.get("history_days") or _DAYS))
        field = ttk.Spinbox(row, textvariable=self.days, from_=0, to=36500, width=7)
        field.pack(side="left")
        self.status = ttk.Label(body, style="Muted.TLabel")
        self.status.pack(anchor="w", pady=theme.px(8, 12))
        buttons = ttk.Frame(body)
        buttons.pack(fill="x")
        self.delete = ttk.Button(buttons, text=tr("Delete…"), style="Danger.TButton", command=self.ask)
        self.delete.pack(side="right", padx=(theme.px(8), 0))
        keep = ttk.Button(buttons, text=tr("Keep everything"), command=self.destroy)
        keep.pack(side="right")
        self.days.trace_add("write", lambda *_: self._count())
        self.bind("<Escape>", lambda _: self.destroy())
        self._count()
        dialogs.centre(shell.root, self)
        field.focus_set()

    def ask(self) -> None:
        """Ask once more, and delete."""
        if not self._older or not self._older[1]:
            return
        days, count = self._older
        buttons = [("keep", tr("Keep them"), False), ("delete", tr("Delete permanently"), True)]
        title = tr("Delete {n} inspections?", n=f"{count:,}")
        answer = self._shell.ask(title, tr("This cannot be undone."), buttons, "keep")
        if answer == "delete":
            self._shell.tasks.run(_purge, _before(days), done=self._purged)
            self.destroy()

    def _count(self) -> None:
        text = self.days.get().strip()
        self._older = None
        self.delete.state(["disabled"])
        if not text.isdecimal() or len(text) > 5:
            self.status.configure(text=tr("Enter a number of days."))
            return
        self.status.configure(text=tr("counting…"))
        days = int(text)
        self._shell.tasks.run(_count, _before(days), done=lambda count: self._counted(days, count))

    def _counted(self, days: int, count: int) -> None:
        if self.winfo_exists() and self.days.get().strip() == str(days):
            self._older = days, count
            self.status.configure(text=tr("Inspections that would be deleted: {n}", n=f"{count:,}"))
            self.delete.state(["!disabled" if count else "disabled"])

    def _purged(self, count: int) -> None:
        self._shell.toast(tr("Inspections deleted: {n}", n=f"{count:,}"), "good")
        self._done()

    def _paint(self) -> None:
        self.configure(background=theme.tokens().surface)


def _before(days: int) -> datetime:
    return datetime.now().astimezone() - timedelta(days=days)


def _count(before: datetime) -> int:
    with History.open() as history:
        return history.count(Query(until=before))


def _purge(before: datetime) -> int:
    with History.open() as history:
        return history.purge(before=before)
