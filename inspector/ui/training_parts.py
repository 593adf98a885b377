"""Small parts of the training page."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from tkinter import ttk
from typing import Literal

from inspector.training import Progress
from inspector.ui import texts, theme
from inspector.ui.scrolling import add_bars
from inspector.ui.texts import t
from inspector.ui.training_bench import Bench, Job


class JobBar(ttk.Frame):
    """How far a job is, with a button that cancels it; nothing while none runs.

    Args:
        kinds: of the bench's jobs that it shows; the first that runs.
    """

    def __init__(self, parent: tk.Misc, bench: Bench, kinds: Sequence[str]) -> None:
        super().__init__(parent)
        self._bench, self._kinds = bench, kinds
        self._job: Job | None = None
        self._unknown = False
        self._bar = ttk.Progressbar(self, length=theme.px(160))
        self._said = ttk.Label(self)
        self.cancel = ttk.Button(self, text=t("Cancel"), command=self._cancel)

    def poll(self) -> None:
        job = next((job for kind in self._kinds if (job := self._bench.running(kind)) is not None), None)
        if job is not self._job:
            self._switch(job)
        if job is None:
            return
        if (job.total == 0) != self._unknown:
            self._unknown = job.total == 0
            self._bar.configure(mode="indeterminate" if self._unknown else "determinate")
            (self._bar.start if self._unknown else self._bar.stop)()
        if not self._unknown:
            self._bar.configure(maximum=job.total, value=job.done)
        part = f"{job.done:,} / {job.total:,}" if job.total else texts.sentence(job.said)
        self._said.configure(text=f"{job.title}  {part}"[:120])

    def _switch(self, job: Job | None) -> None:
        self._job, self._unknown = job, False
        self._bar.stop()
        self._bar.configure(mode="determinate", value=0)
        if job is None:
            for part in (self._bar, self._said, self.cancel):
                part.pack_forget()
            self.configure(width=1, height=1)  # without anything in it a frame keeps the size that it had
        else:
            self._bar.pack(side="left")
            self._said.pack(side="left", padx=theme.px(8))
            self.cancel.pack(side="left")

    def _cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()


def split_name(split: str | None) -> str:
    """What a part of a data set is called; empty where it belongs to none."""
    return {"train": t("training set"), "val": t("validation set"), "test": t("test set")}.get(split or "", split or "")


def state_text(progress: Progress) -> str:
    """The state of a training in a word, with a sign."""
    return {
        "starting": "… " + t("starting"),
        "running": "● " + t("running"),
        "finished": "✓ " + t("finished"),
        "stopped": "■ " + t("stopped"),
        "interrupted": "⚠ " + t("interrupted"),
        "failed": "✕ " + t("failed"),
    }[progress.state]


def duration(seconds: float) -> str:
    """Such as ``3 min`` or ``2 h 05 min``."""
    if seconds < 60:
        return t("{seconds} s", seconds=round(seconds))
    minutes = round(seconds / 60)
    if minutes < 60:
        return t("{minutes} min", minutes=minutes)
    return t("{hours} h {minutes} min", hours=minutes // 60, minutes=f"{minutes % 60:02}")


def scrolled_tree(room: ttk.Frame, columns: list[str], mode: Literal["browse", "extended"]) -> ttk.Treeview:
    """A table that fills ``room``, with bars that appear where it is larger than that."""
    table = ttk.Treeview(room, columns=columns, show="headings", selectmode=mode, height=5)
    add_bars(table)
    return table


def select_row(tree: ttk.Treeview, row: str) -> None:
    """Select a row, bring it into view, and let the arrows go on from it."""
    tree.selection_set(row)
    tree.focus(row)
    tree.see(row)
