"""Training and data: choose a data set, choose an architecture, train it, compare what came of it."""

from __future__ import annotations

import contextlib
import logging
import tkinter as tk
from pathlib import Path
from tkinter import ttk
from typing import Any

from inspector.training import Progress, known, read
from inspector.ui import texts, theme
from inspector.ui.shell import Shell
from inspector.ui.texts import t
from inspector.ui.training_architecture import ArchitecturePane
from inspector.ui.training_bench import Bench
from inspector.ui.training_data import DataPane
from inspector.ui.training_models import ModelsPane
from inspector.ui.training_run import RunPane

logger = logging.getLogger(__name__)
_TICK = 200  # milliseconds between two looks at the jobs
_LOOK = 1000  # between two looks at the training


class TrainingPage(ttk.Frame):
    """The page of the vision engineer. What runs belongs to its bench, which outlives it."""

    def __init__(self, parent: tk.Misc, shell: Shell) -> None:
        super().__init__(parent)
        self._shell = shell
        self._moved = self._looking = False
        self._ticks = 0
        self._show_bench(_begun(shell))
        self._timer = self.after(_TICK, self._tick)

    def _show_bench(self, bench: Bench) -> None:
        """Build everything around ``bench``."""
        for child in self.winfo_children():
            child.destroy()
        self.bench = bench
        self.parts = ttk.Notebook(self)
        self.parts.pack(fill="both", expand=True, padx=theme.px(8), pady=theme.px(8))
        self.parts.enable_traversal()
        shell, parts = self._shell, self.parts
        self.data = DataPane(parts, shell, bench, lambda: self.go(1), self._chosen)
        self.architecture = ArchitecturePane(parts, shell, bench, lambda: self.go(2), self._chosen)
        self.training = RunPane(parts, shell, bench, self._started, self.go)
        self.models = ModelsPane(parts, shell, bench, self._resume, self._look)
        names = (t("1  Data set"), t("2  Architecture"), t("3  Training"), t("Trained models"))
        for pane, name in zip((self.data, self.architecture, self.training, self.models), names, strict=True):
            parts.add(pane, text=name)
        parts.select(bench.tab)  # type: ignore[no-untyped-call]
        parts.bind("<<NotebookTabChanged>>", lambda event: self._changed_part())
        self.models.refresh()

    # What the shell asks for

    def shown(self, data: Path | None = None, **what: Any) -> None:
        """Come to the front; with ``data``, a ``data.yaml`` or a folder is chosen."""
        if data is not None:
            self.go(0)
            self.data.choose(Path(data))
        elif self.bench.data is not None and self.bench.report is None and not self.bench.running("check"):
            self.data.choose(self.bench.data)

    def hidden(self) -> None:
        """A training goes on, and tells when it has ended."""

    def kept(self) -> dict[str, Any]:
        """The bench with all that runs goes into the page that is built in place of this one."""
        self._moved = True
        return {"bench": self.bench}

    def restore(self, state: dict[str, Any]) -> None:
        self._show_bench(state["bench"])

    def busy(self) -> str:
        """What would stop if the window closed now."""
        progress = self.bench.progress
        if self.bench.training is not None and self.bench.training.alive and progress is not None:
            return t(
                "A training runs ({model}, epoch {done} of {all}). Closing stops it; it can be gone on with later.",
                model=Path(self.bench.model).name,
                done=progress.epoch,
                all=progress.epochs,
            )
        if (job := self.bench.running("make")) is not None:
            return t("{work} is under way; closing cancels it.", work=job.title)
        return ""

    def close(self) -> None:
        """End what runs, unless another page has taken it over."""
        if not self._moved:
            self.bench.close()

    def destroy(self) -> None:
        with contextlib.suppress(tk.TclError):
            self.after_cancel(self._timer)
        super().destroy()

    def plugins_changed(self) -> None:
        """Other plugins bring other architectures and options."""
        self._show_bench(self.bench)

    # The parts

    def go(self, part: int) -> None:
        """Show a part: 0 data set, 1 architecture, 2 training, 3 trained models."""
        self.parts.select(part)  # type: ignore[no-untyped-call]

    def _changed_part(self) -> None:
        self.bench.tab = self.parts.index("current")  # type: ignore[no-untyped-call]
        if self.bench.tab == 3:
            self.models.refresh()

    def _chosen(self) -> None:
        """Another data set or architecture."""
        if hasattr(self, "training"):
            self.training.show_choice()

    def _started(self) -> None:
        self._look_again()
        self.models.refresh()

    def _look(self, progress: Progress) -> None:
        """Show an earlier training, unless one runs, which goes before."""
        if self.bench.training is None:
            self.bench.progress = progress
            self.training.show_progress()
        else:
            self._shell.toast(t("A training runs; it is shown until it has ended"))
        self.go(2)

    def _resume(self, progress: Progress) -> None:
        if self.bench.training is None:
            self.bench.progress = progress
            self.training.take_options(progress)
            self.go(2)
            self.training.resume()

    # What runs

    def _tick(self) -> None:
        self._timer = self.after(_TICK, self._tick)
        self._ticks += 1
        for pane in (self.data, self.architecture, self.models):
            pane.poll()
        for kind, job in self.bench.take_over():
            if kind in ("check", "make"):
                self.data.job_over(kind, job)
            elif kind == "cost":
                self.architecture.job_over(job)
            else:
                self.models.job_over(job)
        if self._ticks % (_LOOK // _TICK) == 0:
            self._look_again()

    def _look_again(self) -> None:
        """Read how far the training is, on a thread."""
        training = self.bench.training
        if training is not None and not self._looking:
            self._looking = True
            self._shell.tasks.run(training.progress, done=self._seen, failed=self._not_seen)

    def _not_seen(self, error: BaseException) -> None:
        """A look that failed, on a share that is away for a moment; the next one may not."""
        self._looking = False
        logger.warning("The training cannot be looked at: %s", error)

    def _seen(self, progress: Progress) -> None:
        self._looking = False
        if self.bench.training is None or progress.folder != self.bench.training.folder:
            return
        self.bench.progress = progress
        if not progress.live:
            self.bench.training = None
        if not self.winfo_exists():
            return
        self.training.show_progress()
        if not progress.live:
            self.models.refresh()
            self._tell_end(progress)

    def _tell_end(self, progress: Progress) -> None:
        if progress.state == "finished":
            action = (t("Use this model"), lambda: self._shell.show("inspect", model=progress.weights))
            self._shell.toast(t("The training is finished: {name}", name=progress.folder.name), "good", action)
        elif progress.state == "failed":
            self._shell.toast(texts.sentence(progress.sentence), "bad")
        else:
            self._shell.toast(t("The training has stopped; it can be gone on with"))


def _begun(shell: Shell) -> Bench:
    """Where the last training was left: its data set, its architecture and, if it did not end, itself."""
    bench = Bench(trainer=next((spec.id for spec in shell.catalogue.models.values() if spec.train is not None), ""))
    for folder in reversed(known()):
        last = read(folder)
        if last.begun and last.data.is_file():
            bench.data, bench.model = last.data, last.model
            bench.progress = last
            break
    return bench
