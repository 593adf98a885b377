"""What the training page works on, without Tk. It outlives the page, which is built anew with the language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inspector import jobs, paths
from inspector.domain import InspectorError
from inspector.settings import Settings
from inspector.training import Command, Progress, Training
from inspector.ui.work import Tasks


class Cancelled(InspectorError):
    """The person at the window does not want it any more."""


class Job:
    """Something that takes a while, on a thread: how far it is, and how it ended.

    Attributes:
        title: what it does, for people.
        done, total: of its parts; total 0: unknown.
        said: the last thing that it said.
        over: it has ended: with ``result``, or with ``error``.
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
        """Called by the work; ends it where it was cancelled."""
        self.done, self.total = done, total
        if self.cancelled:
            raise Cancelled

    def say(self, line: str) -> None:
        self.said = line

    def ask(self, *words: object) -> Any:
        """The document that a command of ours answers, in a child process.

        Raises:
            InspectorError: it found nothing but an error, or was cancelled.
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
class Bench:
    """The data set, the architecture, the options, and what runs.

    Attributes:
        data: ``data.yaml`` of the data set.
        report: of its check, as ``train --check --json`` prints it.
        model: architecture, checkpoint, or name of a shipped model.
        trainer: id of the model plugin that trains.
        options: of the training that differ from their defaults.
        output: folder for the results; empty: a new one.
        training: the one that runs.
        progress: of it, or of the one that is looked at.
        jobs: by kind: ``check``, ``make``, ``cost``, ``measure``.
        costs: by architecture, as ``architectures ARCH --json`` prints them.
        tab: number of the part of the page that is shown.
    """

    data: Path | None = None
    report: dict[str, Any] | None = None
    model: str = "yolo11n-seg"
    trainer: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    output: str = ""
    training: Training | None = None
    progress: Progress | None = None
    jobs: dict[str, Job] = field(default_factory=dict)
    costs: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    tab: int = 0

    def begin(self, tasks: Tasks, kind: str, title: str, work: Callable[[Job], Any]) -> Job:
        """Run ``work(job)`` on a thread; one of its kind that still runs is cancelled."""
        if (old := self.jobs.get(kind)) is not None:
            old.cancel()
        job = self.jobs[kind] = Job(title)
        tasks.run(work, job, done=job.finish, failed=job.fail)
        return job

    def running(self, kind: str) -> Job | None:
        """The job of that kind while it runs."""
        job = self.jobs.get(kind)
        return job if job is not None and not job.over else None

    def take_over(self) -> list[tuple[str, Job]]:
        """The jobs that have ended since the last time, each once."""
        ended = [(kind, job) for kind, job in self.jobs.items() if job.over]
        for kind, _ in ended:
            del self.jobs[kind]
        return ended

    def close(self) -> None:
        """Cancel what runs; a training stops after the step at hand and can be gone on with."""
        for job in self.jobs.values():
            job.cancel()
        if self.training is not None:
            self.training.stop()


def new_folder(settings: Settings, verb: str, model: str) -> Path:
    """A folder for what comes of ``model`` that does not exist yet, named as the command line names it."""
    stem = Path(model).stem if model.lower().endswith(".pt") else model
    return paths.unused_path(jobs.default_output(settings, f"{verb} {stem}"))
