"""State of the training page, without Tk. It outlives the page, which is rebuilt in another language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inspector.domain import InspectorError
from inspector.jobs.build import default_output
from inspector.settings import Settings
from inspector.system import paths
from inspector.training import Command, Progress, Training
from inspector.ui.kit.tasks import BackgroundTasks


class Cancelled(InspectorError):
    """The user has cancelled the job."""


class BackgroundJob:
    """A job on a thread: its progress and result.

    Attributes:
        title: shown to the user.
        done, total: progress; total 0: unknown.
        said: last line of its output.
        over: whether it has ended, with ``result`` or ``error``.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.done = self.total = 0
        self.said = ""
        self.over = self.cancelled = False
        self.result: Any = None
        self.error: BaseException | None = None
        self._command: Command | None = None

    def tell(self, done: int, total: int) -> None:
        """Report progress; raises :class:`Cancelled` if the job was cancelled."""
        self.done, self.total = done, total
        if self.cancelled:
            raise Cancelled

    def say(self, line: str) -> None:
        self.said = line

    def ask(self, *words: object) -> Any:
        """Run a command of the program in a child process and return its JSON document.

        Raises:
            InspectorError: it failed or was cancelled.
        """
        self._command = Command(*words)
        if self.cancelled:
            self._command.cancel()
        try:
            return self._command.answer(self.say).document
        except InspectorError:
            if self.cancelled:
                raise Cancelled from None
            raise

    def cancel(self) -> None:
        self.cancelled = True
        if self._command is not None:
            self._command.cancel()

    def finish(self, result: Any) -> None:
        self.result, self.over = result, True

    def fail(self, error: BaseException) -> None:
        self.error, self.over = error, True


@dataclass
class TrainingState:
    """Dataset, architecture, options, and running work.

    Attributes:
        data: ``data.yaml`` of the dataset.
        report: of its check, as printed by ``train --check --json``.
        model: architecture, checkpoint, or name of a bundled model.
        trainer: id of the model plugin that trains.
        options: training options that differ from their defaults.
        proposed: options that the page chose for the dataset; those in ``options`` that are equal are not the user's.
        start: weights to start from; empty: none; None: the user has not chosen.
        output: folder for the results; empty: a new one.
        training: the running training.
        progress: of the running training, or of the one shown.
        jobs: by kind: ``check``, ``look``, ``make``, ``cost``, ``measure``.
        costs: by architecture, as printed by ``architectures ARCH --json``.
        tab: number of the part shown.
    """

    data: Path | None = None
    report: dict[str, Any] | None = None
    model: str = "yolo11n-seg"
    trainer: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    proposed: dict[str, Any] = field(default_factory=dict)
    start: str | None = None
    output: str = ""
    training: Training | None = None
    progress: Progress | None = None
    jobs: dict[str, BackgroundJob] = field(default_factory=dict)
    costs: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    tab: int = 0

    def start_job(
        self, tasks: BackgroundTasks, kind: str, title: str, work: Callable[[BackgroundJob], Any]
    ) -> BackgroundJob:
        """Run ``work(job)`` on a thread; a running job of the same kind is cancelled."""
        if (old := self.jobs.get(kind)) is not None:
            old.cancel()
        job = self.jobs[kind] = BackgroundJob(title)
        tasks.run(work, job, done=job.finish, failed=job.fail)
        return job

    def running_job(self, kind: str) -> BackgroundJob | None:
        """Return the running job of that kind."""
        job = self.jobs.get(kind)
        return job if job is not None and not job.over else None

    def take_finished_jobs(self) -> list[tuple[str, BackgroundJob]]:
        """Return the jobs that have ended since the last call."""
        ended = [(kind, job) for kind, job in self.jobs.items() if job.over]
        for kind, _ in ended:
            del self.jobs[kind]
        return ended

    def close(self) -> None:
        """Cancel all jobs; a training stops after the current step and can be resumed."""
        for job in self.jobs.values():
            job.cancel()
        if self.training is not None:
            self.training.stop()


def new_folder(settings: Settings, verb: str, model: str) -> Path:
    """Return a new folder for results of ``model``, named as by the command line."""
    stem = Path(model).stem if model.lower().endswith(".pt") else model
    return paths.unused_path(default_output(settings, f"{verb} {stem}"))
