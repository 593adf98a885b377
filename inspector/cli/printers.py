"""Output of ``inspect`` on stdout during a run."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

from inspector import i18n
from inspector.cli import console
from inspector.cli.console import print_error
from inspector.domain import Inspection, Part, Skipped, printable
from inspector.engine import Run


class Printer:
    """Prints results on the writer's thread.

    A closed pipe or a full disk behind stdout does not affect the run.

    Attributes:
        refused: writing to stdout failed, other than by a closed pipe.
    """

    refused = False

    def result(self, result: Inspection | Skipped | Part) -> None:
        """Print one result that has been saved, or a part that is final."""

    def end(self, started: Run) -> None:
        """Print the summary of the run."""

    def _print(self, text: str) -> None:
        from tqdm import tqdm

        try:
            with tqdm.external_write_mode(sys.stderr):  # hides the progress bar meanwhile
                console.stdout().write(text)
                console.stdout().flush()
        except OSError as error:
            console.discard_stdout()
            if console.reader_gone(error):
                return
            self.refused = True
            print_error(f"Cannot write to stdout ({error.strerror or error}); the run continues without output")


class TextPrinter(Printer):
    """Print one line for each still image, and one line whenever the verdict of a stream changes."""

    def __init__(self, language: str, quiet: bool) -> None:
        self._language, self._quiet = language, quiet
        self._stream: tuple[str, str] | None = None

    def result(self, result: Inspection | Skipped | Part) -> None:
        if self._quiet or isinstance(result, Skipped):
            return
        if isinstance(result, Part):
            sentences = ["Part {id}, views: {views}"]
            views = i18n.tr(sentences[0], self._language, id=result.id, views=", ".join(result.views))
            reasons = "; ".join(i18n.part_reasons(result, self._language))
            self._print(printable(f"{result.verdict.status:<5}{views}{'  ' if reasons else ''}{reasons}") + "\n")
            return
        frame, status = result.frame, result.verdict.status
        name = frame.name
        if frame.seconds is not None:
            if self._stream == (frame.name, status):
                return
            self._stream = (frame.name, status)
            name += f" {frame.seconds:.2f} s"
        reasons = "; ".join(i18n.reason_text(reason, self._language) for reason in result.verdict.reasons)
        notes = "".join(f" ({i18n.translate(note, self._language)})" for note in frame.notes)
        self._print(printable(f"{status:<5}{name}{notes}{'  ' if reasons else ''}{reasons}") + "\n")

    def end(self, started: Run) -> None:
        if not started.ended:
            return
        counts = started.counts
        model = "" if started.model is None else started.model.file or started.model.architecture
        sentences = ["Inspected with {model}: {inspected}. OK: {ok}, WARN: {warn}, NG: {ng}, defects: {defects}"]
        if started.job.parts is not None and not started.job.parts.single:
            sentences += ["Parts: {parts}. OK: {parts_ok}, WARN: {parts_warn}, NG: {parts_ng}. Images: {inspected}"]
        elif started.counts_frames:
            sentences += ["Each frame counted as a part, since nothing says where a part begins"]
        sentences += ["Could not be read: {skipped}"] if counts.skipped else []
        sentences += ["Frames dropped: {dropped}"] if counts.dropped else []
        sentences += ["Saved in {output}"]
        values = {**asdict(counts), "model": model, "output": started.output}
        self._print("".join(printable(i18n.tr(sentence, self._language, **values)) + "\n" for sentence in sentences))


class JsonPrinter(Printer):
    """Print one JSON document, written incrementally, so that memory stays flat."""

    def __init__(self) -> None:
        self._count = 0
        self._parts: list[dict[str, Any]] = []

    def result(self, result: Inspection | Skipped | Part) -> None:
        if isinstance(result, Part):
            self._parts.append(result.record())
        if not isinstance(result, Inspection):
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
            **({"parts": self._parts} if self._parts else {}),
            "problems": problems,
            "files": [str(path) for path in started.files],
        }
        head = "\n], " if self._count else '{"inspections": [], '
        self._print(head + console.as_json(rest)[1:] + "\n")
