"""What ``inspect`` prints on stdout while the run goes on."""

from __future__ import annotations

import sys
from dataclasses import asdict

from inspector import i18n
from inspector.cli import console
from inspector.cli.console import remark
from inspector.domain import Inspection, Skipped
from inspector.engine import Run


class Printer:
    """Prints while the run goes on, on the thread that keeps the results.

    Where stdout cannot be written any more (the reader has gone, the disk is full) the run does not suffer.

    Attributes:
        refused: True where stdout could not be written though somebody wanted to read it.
    """

    refused = False

    def result(self, result: Inspection | Skipped) -> None:
        """One result, once it is kept."""

    def end(self, started: Run) -> None:
        """The run has ended."""

    def _print(self, text: str) -> None:
        from tqdm import tqdm

        try:
            with tqdm.external_write_mode(sys.stderr):  # the bar steps aside
                console.stdout().write(text)
                console.stdout().flush()
        except BrokenPipeError:
            console.give_up()
        except OSError as error:
            self.refused = True
            console.give_up()
            remark(f"What is printed cannot be written ({error.strerror or error}); the run goes on")


class TextPrinter(Printer):
    """A line a still picture, and a line whenever the verdict of a stream changes."""

    def __init__(self, language: str, quiet: bool) -> None:
        self._language, self._quiet = language, quiet
        self._stream: tuple[str, str] | None = None

    def result(self, result: Inspection | Skipped) -> None:
        if self._quiet or isinstance(result, Skipped):
            return
        frame, status = result.frame, result.verdict.status
        name = " ".join(frame.name.splitlines())
        if frame.seconds is not None:
            if self._stream == (frame.name, status):
                return
            self._stream = (frame.name, status)
            name += f" {frame.seconds:.2f} s"
        reasons = "; ".join(i18n.reason_text(reason, self._language) for reason in result.verdict.reasons)
        notes = "".join(f" ({i18n.sentence(note, self._language)})" for note in frame.notes)
        self._print(f"{status:<5}{name}{notes}{'  ' if reasons else ''}{reasons}\n")

    def end(self, started: Run) -> None:
        if not started.ended:
            return
        counts = started.counts
        model = "" if started.model is None else started.model.file or started.model.architecture
        sentences = ["Inspected with {model}: {inspected}. OK: {ok}, WARN: {warn}, NG: {ng}, defects: {defects}"]
        sentences += ["Could not be read: {skipped}"] if counts.skipped else []
        sentences += ["Frames dropped: {dropped}"] if counts.dropped else []
        sentences += ["Saved in {output}"]
        values = {**asdict(counts), "model": model, "output": started.output}
        self._print("".join(i18n.tr(sentence, self._language, **values) + "\n" for sentence in sentences))


class JsonPrinter(Printer):
    """One JSON document, written as the results come, so that memory stays flat."""

    def __init__(self) -> None:
        self._count = 0

    def result(self, result: Inspection | Skipped) -> None:
        if isinstance(result, Skipped):
            return
        self._print(('{"inspections": [\n' if self._count == 0 else ",\n") + console.as_json(result.record()))
        self._count += 1

    def end(self, started: Run) -> None:
        problems = list(started.problems)
        if started.failure is not None and str(started.failure) not in problems:
            problems.append(str(started.failure))
        rest = {
            "state": started.state,
            "output": str(started.output) if started.ended else None,
            "counts": asdict(started.counts),
            "problems": problems,
            "files": [str(path) for path in started.files],
        }
        head = "\n], " if self._count else '{"inspections": [], '
        self._print(head + console.as_json(rest)[1:] + "\n")
