"""Training page: choose dataset and architecture, train, compare trained models."""

from __future__ import annotations

import contextlib
import logging
import tkinter as tk
from pathlib import Path
from tkinter import ttk
from typing import Any

from inspector.training import Progress, known_folders, read_progress
from inspector.ui.kit import strings, theme
from inspector.ui.kit.page import Page
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr
from inspector.ui.kit.widgets import room_of_page
from inspector.ui.training.architecture_pane import ArchitecturePane
from inspector.ui.training.data_pane import DataPane
from inspector.ui.training.models_pane import ModelsPane, use_model
from inspector.ui.training.proposal import proposed_options
from inspector.ui.training.run_pane import RunPane
from inspector.ui.training.state import TrainingState

logger = logging.getLogger(__name__)
_TICK = 200  # milliseconds between two polls of the jobs
_LOOK = 1000  # between two polls of the training


class TrainingPage(Page):
    """Training page. Running work belongs to its training state, which outlives the page."""

    def __init__(self, parent: tk.Misc, shell: Shell) -> None:
        super().__init__(parent)
        self._shell = shell
        self._moved = self._looking = False
        self._ticks = 0
        self._options_of: Path | None = None  # dataset whose options are shown
        self._last: Progress | None = None  # the newest training on it
        self._show_training_state(_begun(shell))
        self._timer = self.after(_TICK, self._tick)

    def _show_training_state(self, training_state: TrainingState) -> None:
        """Build everything around ``training_state``."""
        self._built = False  # panes report choices while they are built
        for child in self.winfo_children():
            child.destroy()
        self.training_state = training_state
        self.parts = ttk.Notebook(self)
        self.parts.pack(fill="both", expand=True, padx=theme.px(8), pady=theme.px(8))
        self.parts.enable_traversal()
        shell, parts = self._shell, self.parts
        rooms = [room_of_page(parts) for _ in range(4)]
        first, second, third, fourth = (inner for _, inner in rooms)
        self.data = DataPane(first, shell, training_state, lambda: self.go(1), self._start, self._chosen)
        self.architecture = ArchitecturePane(second, shell, training_state, lambda: self.go(2), self._chosen)
        self.training = RunPane(third, shell, training_state, self._started, self.go)
        self.models = ModelsPane(fourth, shell, training_state, self._resume, self._look)
        names = (tr("1  Dataset"), tr("2  Architecture"), tr("3  Training"), tr("Trained models"))
        panes = (self.data, self.architecture, self.training, self.models)
        for (room, _), pane, name in zip(rooms, panes, names, strict=True):
            pane.pack(fill="both", expand=True)
            parts.add(room, text=name)
        parts.select(training_state.tab)  # type: ignore[no-untyped-call]
        parts.bind("<<NotebookTabChanged>>", lambda event: self._changed_part())
        self.models.refresh()
        self._built = True

    # Methods of Page

    def on_show(self, data: Path | None = None) -> None:
        """Show the page; ``data``, a ``data.yaml`` or folder, is chosen if given."""
        if data is not None:
            self.go(0)
            self.data.choose(Path(data))
        elif (
            self.training_state.data is not None
            and self.training_state.report is None
            and not self.training_state.running_job("check")
        ):
            self.data.choose(self.training_state.data)

    def on_hide(self) -> None:
        """Leave a training running; it reports its end."""

    def save_state(self) -> dict[str, Any]:
        """Pass the training state with all running work to the page built in place of this one."""
        self._moved = True
        return {"training_state": self.training_state}

    def restore_state(self, state: dict[str, Any]) -> None:
        self._show_training_state(state["training_state"])

    def activity(self) -> str:
        """Return the epoch of the running training, e.g. ``3 / 100``; empty if none runs."""
        progress = self.training_state.progress
        if self.training_state.training is None or progress is None:
            return ""
        if not progress.epochs:
            return "…"
        return f"{progress.epoch} / {progress.epochs}"

    def close_warning(self) -> str:
        """Return what would stop if the window closed now."""
        progress = self.training_state.progress
        if self.training_state.training is not None and self.training_state.training.alive and progress is not None:
            return tr(
                ("Training is running ({model}, epoch {done} of {all}). Closing stops it; you can resume it later."),
                model=Path(self.training_state.model).name,
                done=progress.epoch,
                all=progress.epochs,
            )
        if (job := self.training_state.running_job("make")) is not None:
            return tr("{work} is running; closing cancels it.", work=job.title)
        return ""

    def close(self) -> None:
        """End running work, unless another page has taken it over."""
        if not self._moved:
            self.training_state.close()

    def destroy(self) -> None:
        with contextlib.suppress(tk.TclError):
            self.after_cancel(self._timer)
        super().destroy()

    def on_plugins_changed(self) -> None:
        """Rebuild the page: plugins provide architectures and options."""
        self._show_training_state(self.training_state)

    # Parts

    def go(self, part: int) -> None:
        """Show a part: 0 dataset, 1 architecture, 2 training, 3 trained models."""
        self.parts.select(part)  # type: ignore[no-untyped-call]

    def _changed_part(self) -> None:
        self.training_state.tab = self.parts.index("current")  # type: ignore[no-untyped-call]
        if self.training_state.tab == 3:
            self.models.refresh()

    def _chosen(self) -> None:
        """Handle another dataset or architecture; restore the options of the last training on this dataset."""
        if not self._built:
            return
        if self.training_state.data is not None and self.training_state.data != self._options_of:
            self._options_of = self.training_state.data
            self._last = last_training(self.training_state.data)
            if self._last is not None:
                self.training.take_options(self._last)
        if self._last is None and self.training_state.report is not None:
            proposed = proposed_options(self.training_state.report)
            if proposed != self.training_state.proposed:
                self.training.propose(proposed)
        self.training.show_choice()

    def _start(self) -> None:
        """Start a training from the first part, and show it."""
        self.go(2)
        self.training.start()

    def _started(self) -> None:
        self._look_again()
        self.models.refresh()

    def _look(self, progress: Progress) -> None:
        """Show an earlier training, unless one is running."""
        if self.training_state.training is None:
            self.training_state.progress = progress
            self.training.show_progress()
        else:
            self._shell.toast(tr("A training is running; it is shown until it ends"))
        self.go(2)

    def _resume(self, progress: Progress) -> None:
        if self.training_state.training is None:
            self.training_state.progress = progress
            self.training.take_options(progress)
            self.go(2)
            self.training.resume()

    # Running work

    def _tick(self) -> None:
        try:
            self._poll_jobs()
        finally:
            if self.winfo_exists():
                self._timer = self.after(_TICK, self._tick)  # only now: a loaded machine must get to everything else

    def _poll_jobs(self) -> None:
        self._ticks += 1
        for pane in (self.data, self.architecture, self.models):
            pane.poll()
        for kind, job in self.training_state.take_finished_jobs():
            if kind in ("check", "look", "make"):
                self.data.on_job_ended(kind, job)
            elif kind == "cost":
                self.architecture.on_job_ended(job)
            else:
                self.models.on_job_ended(job)
        if self._ticks % (_LOOK // _TICK) == 0:
            self._look_again()

    def _look_again(self) -> None:
        """Read the progress of the training, on a thread."""
        training = self.training_state.training
        if training is not None and not self._looking:
            self._looking = True
            self._shell.tasks.run(training.progress, done=self._seen, failed=self._not_seen)

    def _not_seen(self, error: BaseException) -> None:
        """Ignore a failed read, e.g. of a network share; it is retried."""
        self._looking = False
        logger.warning("The training cannot be looked at: %s", error)

    def _seen(self, progress: Progress) -> None:
        self._looking = False
        if self.training_state.training is None or progress.folder != self.training_state.training.folder:
            return
        self.training_state.progress = progress
        if not progress.live:
            self.training_state.training = None
        if not self.winfo_exists():
            return
        self.training.show_progress()
        if not progress.live:
            self.models.refresh()
            self._tell_end(progress)

    def _tell_end(self, progress: Progress) -> None:
        if progress.state == "finished":
            action = (tr("Use this model"), lambda: use_model(self._shell, progress))
            self._shell.toast(tr("Training finished: {name}", name=progress.name), "good", action)
        elif progress.state == "failed":
            self._shell.toast(strings.sentence(progress.sentence), "bad")
        else:
            self._shell.toast(tr("Training stopped; you can resume it"))


def last_training(data: Path) -> Progress | None:
    """Return the newest known training on the dataset ``data``."""
    for folder in reversed(known_folders()):
        training = read_progress(folder)
        if training.begun and training.data == data:
            return training
    return None


def _begun(shell: Shell) -> TrainingState:
    """Return the state of the last training: dataset, architecture and, if unfinished, its progress."""
    training_state = TrainingState(
        trainer=next((spec.id for spec in shell.catalogue.models.values() if spec.train is not None), "")
    )
    for folder in reversed(known_folders()):
        last = read_progress(folder)
        if last.begun and last.data.is_file():
            training_state.data, training_state.model = last.data, last.model
            training_state.progress = last
            break
    return training_state
