"""Asks the program's own command line in a child process, so that torch stays out of the window."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from inspector import paths
from inspector.domain import InspectorError


@dataclass(frozen=True)
class Answer:
    """What a command answered.

    Attributes:
        code: its exit code.
        document: the JSON that it printed; None where it printed none.
        sentence: the last thing that it said on standard error, without the program's name.
    """

    code: int
    document: Any
    sentence: str


class Command:
    """One command, such as ``Command("validate", "--model", file, "--data", data)``; JSON is asked for.

    It starts at once. :meth:`answer` waits for it, on a thread of the caller's; :meth:`cancel` may be called from any.
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
            env=environment(),
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )

    def answer(self, tell: Callable[[str], None] | None = None) -> Answer:
        """Wait until it has ended.

        Args:
            tell: called with each line that it says meanwhile.

        Raises:
            InspectorError: it was cancelled, or it ended without a document; with its last sentence.
        """
        said: list[str] = []
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in filter(None, map(str.strip, lines)):
                said = [*said[-20:], line]
                if tell is not None:
                    tell(line)
        code = self._process.wait()
        with self._results as results:
            results.seek(0)
            document = _document(results.read())
        sentence = said[-1].removeprefix("bearing-inspector: ") if said else ""
        if self._cancelled:
            raise InspectorError("Cancelled")
        if document is None:
            raise InspectorError(sentence or f"The program ended without a result (exit code {code})")
        return Answer(code, document, sentence)

    def cancel(self) -> None:
        """End it; nothing happens where it has ended."""
        self._cancelled = True
        self._process.kill()
        threading.Thread(target=self._process.wait, daemon=True).start()


def environment() -> dict[str, str]:
    """For a child: what it says is UTF-8, whatever the system's code page."""
    return os.environ | {"PYTHONIOENCODING": "utf-8:backslashreplace", "PYTHONUNBUFFERED": "1"}


def _document(printed: bytes) -> Any:
    try:
        return json.loads(printed)
    except ValueError:
        return None
