"""Deleting what is old from the history."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from datetime import datetime, timedelta
from tkinter import ttk

from inspector.history import History, Query
from inspector.ui import theme
from inspector.ui.shell import Shell
from inspector.ui.texts import t

_DAYS = 90


class PurgeDialog(tk.Toplevel):
    """Asks how old is old, says how much that is, and deletes after one more question.

    Args:
        done: called when something was deleted.
    """

    def __init__(self, shell: Shell, done: Callable[[], object]) -> None:
        super().__init__(shell.root)
        self.withdraw()
        self._shell, self._done = shell, done
        self._found: tuple[int, int] | None = None  # days, and the inspections that are older
        self.title(t("Delete old inspections"))
        self.transient(shell.root)
        self.resizable(False, False)
        theme.on_change(self, self._paint)
        body = ttk.Frame(self, padding=theme.px(16))
        body.pack(fill="both", expand=True)
        ttk.Label(body, text=t("Delete old inspections"), style="Title.TLabel").pack(anchor="w")
        note = t("They are removed from the history for good. Pictures and files of results stay where they are.")
        ttk.Label(body, text=note, wraplength=theme.px(420), justify="left").pack(anchor="w", pady=theme.px(8, 12))
        row = ttk.Frame(body)
        row.pack(anchor="w")
        ttk.Label(row, text=t("Older than this many days:")).pack(side="left", padx=(0, theme.px(8)))
        self.days = tk.StringVar(self, str(shell.settings.get("history_days") or _DAYS))
        field = ttk.Spinbox(row, textvariable=self.days, from_=0, to=36500, width=7)
        field.pack(side="left")
        self.said = ttk.Label(body, style="Muted.TLabel")
        self.said.pack(anchor="w", pady=theme.px(8, 12))
        buttons = ttk.Frame(body)
        buttons.pack(fill="x")
        self.delete = ttk.Button(buttons, text=t("Delete…"), style="Danger.TButton", command=self.ask)
        self.delete.pack(side="right", padx=(theme.px(8), 0))
        keep = ttk.Button(buttons, text=t("Keep everything"), command=self.destroy)
        keep.pack(side="right")
        self.days.trace_add("write", lambda *_: self._count())
        self.bind("<Escape>", lambda _: self.destroy())
        self._count()
        root = shell.root
        self.geometry(f"+{root.winfo_rootx() + theme.px(200)}+{root.winfo_rooty() + theme.px(120)}")
        self.deiconify()
        keep.focus_set()

    def ask(self) -> None:
        """Ask once more, and delete."""
        if not self._found or not self._found[1]:
            return
        days, count = self._found
        buttons = [("keep", t("Keep them"), False), ("delete", t("Delete for good"), True)]
        title = t("Delete {n} inspections?", n=f"{count:,}")
        answer = self._shell.ask(title, t("This cannot be undone."), buttons, "keep")
        if answer == "delete":
            self._shell.tasks.run(_purge, _before(days), done=self._purged)
            self.destroy()

    def _count(self) -> None:
        text = self.days.get().strip()
        self._found = None
        self.delete.state(["disabled"])
        if not text.isdecimal() or len(text) > 5:
            self.said.configure(text=t("Give a number of days."))
            return
        self.said.configure(text=t("counting…"))
        days = int(text)
        self._shell.tasks.run(_count, _before(days), done=lambda count: self._counted(days, count))

    def _counted(self, days: int, count: int) -> None:
        if self.winfo_exists() and self.days.get().strip() == str(days):
            self._found = days, count
            self.said.configure(text=t("Inspections that would be deleted: {n}", n=f"{count:,}"))
            self.delete.state(["!disabled" if count else "disabled"])

    def _purged(self, count: int) -> None:
        self._shell.toast(t("Inspections deleted: {n}", n=f"{count:,}"), "good")
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
