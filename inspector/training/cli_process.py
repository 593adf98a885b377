"""Run the program's own command line in a child process, so that torch stays out of the window."""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from inspector.domain import InspectorError, from_json, from_line, message
from inspector.system import paths


@dataclass(frozen=True)
class Answer:
    """Result of a command.

    Attributes:
        code: exit code.
        document: the JSON that it printed; None if it printed none.
        sentence: the last message on standard error.
    """

    code: int
    document: Any
    sentence: str


class Command:
    """One running command, e.g. ``Command("validate", "--model", file, "--data", data)``; ``--json`` is added.

    It starts at once. Call :meth:`answer` on a worker thread; :meth:`cancel` may be called from any thread.
    """

    def __init__(self, *words: object) -> None:
        self._cancelled = False
        self._results = tempfile.TemporaryFile()  # noqa: SIM115  closed in answer
        self._process = subprocess.Popen(
            [*paths.program(), *map(str, words), "--json"],
            stdin=subprocess.DEVNULL,
            stdout=self._results,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=environment(messages=True),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )

    def answer(self, on_line: Callable[[str], None] | None = None) -> Answer:
        """Wait until it has ended.

        Args:
            on_line: called with each line that it prints on standard error.

        Raises:
            InspectorError: it was cancelled, or it ended without a document; with its last line.
        """
        said = ""
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in filter(None, map(str.strip, lines)):
                said = from_line(line)
                if on_line is not None:
                    on_line(said)
        code = self._process.wait()
        with self._results as results:
            results.seek(0)
            document = _document(results.read())
        if self._cancelled:
            raise InspectorError("Cancelled")
        if document is None:
            raise InspectorError(said or message("The program ended without a result (exit code {code})", code=code))
        return Answer(code, document, said)

    def cancel(self) -> None:
        """End the command; no effect if it has ended."""
        self._cancelled = True
        self._process.kill()
        threading.Thread(target=self._process.wait, daemon=True).start()


def environment(messages: bool = False) -> dict[str, str]:
    """Environment of a child process: its output is UTF-8, whatever the system's code page."""
    return paths.child_environment(messages, PYTHONUNBUFFERED="1")


def _document(printed: bytes) -> Any:
    try:
        return from_json(json.loads(printed))
    except ValueError:
        return None
