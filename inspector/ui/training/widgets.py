"""Small widgets of the training page."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from tkinter import ttk
from typing import Literal

from inspector.training import Progress
from inspector.ui.kit import strings, theme
from inspector.ui.kit.scrollbars import add_scrollbars
from inspector.ui.kit.strings import tr
from inspector.ui.kit.widgets import ElidedTree
from inspector.ui.training.state import BackgroundJob, TrainingState


class JobBar(ttk.Frame):
    """Progress bar of a job with a cancel button; empty while no job runs.

    Args:
        kinds: kinds of jobs to show; the first one running is shown.
    """

    def __init__(self, parent: tk.Misc, training_state: TrainingState, kinds: Sequence[str]) -> None:
        super().__init__(parent)
        self._training_state, self._kinds = training_state, kinds
        self._job: BackgroundJob | None = None
        self._unknown = False
        self._bar = ttk.Progressbar(self, length=theme.px(160))
        self._status = ttk.Label(self)
        self.cancel = ttk.Button(self, text=tr("Cancel"), command=self._cancel)

    def poll(self) -> None:
        job = next((job for kind in self._kinds if (job := self._training_state.running_job(kind)) is not None), None)
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
        part = f"{job.done:,} / {job.total:,}" if job.total else strings.sentence(job.said)
        self._status.configure(text=f"{job.title}  {part}"[:120])

    def _switch(self, job: BackgroundJob | None) -> None:
        self._job, self._unknown = job, False
        self._bar.stop()
        self._bar.configure(mode="determinate", value=0)
        if job is None:
            for part in (self._bar, self._status, self.cancel):
                part.pack_forget()
            self.configure(width=1, height=1)  # an empty frame keeps its last size
        else:
            self._bar.pack(side="left")
            self._status.pack(side="left", padx=theme.px(8))
            self.cancel.pack(side="left")

    def _cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()


def split_name(split: str | None) -> str:
    """Return the display name of a split; empty for none."""
    return {"train": tr("training set"), "val": tr("validation set"), "test": tr("test set")}.get(
        split or "", split or ""
    )


def state_text(progress: Progress) -> str:
    """Return the state of a training as a word with a sign."""
    return {
        "starting": "… " + tr("starting"),
        "running": "● " + tr("running"),
        "finished": "✓ " + tr("finished"),
        "stopped": "■ " + tr("stopped"),
        "interrupted": "⚠ " + tr("interrupted"),
        "failed": "✕ " + tr("failed"),
    }[progress.state]


def scrolled_tree(room: ttk.Frame, columns: list[str], mode: Literal["browse", "extended"]) -> ttk.Treeview:
    """Create a table that fills ``room``, with scroll bars if needed."""
    table = ElidedTree(room, columns, selectmode=mode, height=5)
    add_scrollbars(table)
    return table


def select_row(tree: ttk.Treeview, row: str) -> None:
    """Select a row, scroll to it, and make it current for the arrow keys."""
    tree.selection_set(row)
    tree.focus(row)
    tree.see(row)
