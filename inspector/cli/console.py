"""What the commands print: results on stdout, everything else on stderr.

Neither may be there (a program without console), take every character (a code page of Windows) or have a reader
(``| head``): what a command does must not depend on it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

_results: TextIO | None = None  # stdout, while sys.stdout leads to stderr


def prepare() -> None:
    """Make stdout and stderr take every text; what they cannot show becomes an escape."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, _nowhere())
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def results_only() -> Iterator[None]:
    """Meanwhile what others print (a plugin, a library) goes to stderr: stdout belongs to the results."""
    global _results
    _results, sys.stdout = sys.stdout, sys.stderr
    try:
        yield
    finally:
        sys.stdout, _results = _results, None


def stdout() -> TextIO:
    """Where results go."""
    return _results or sys.stdout


def give_up() -> None:
    """Discard what is printed on stdout from now on, since it cannot be written."""
    global _results
    if _results is None:
        sys.stdout = _nowhere()
    else:
        _results = _nowhere()


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # lives as long as the program


def say(text: str = "") -> None:
    """One line of result on stdout."""
    stdout().write(text + "\n")


def remark(text: str) -> None:
    """One line for the person at the terminal, on stderr."""
    with contextlib.suppress(OSError):
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def as_json(document: Any, indent: int | None = None) -> str:
    """JSON for stdout: in pure ASCII where its encoding is not UTF-8, so that any reader gets it whole."""
    other = (getattr(stdout(), "encoding", None) or "utf-8").lower().replace("-", "") != "utf8"
    return json.dumps(document, ensure_ascii=other, indent=indent, allow_nan=False)


def emit(document: Any) -> None:
    """One JSON document on stdout."""
    say(as_json(document, indent=2))


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Aligned columns on stdout; Chinese characters count as two columns."""
    from unicodedata import east_asian_width

    def width(text: str) -> int:
        return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)

    lines = [[str(cell) for cell in row] for row in (headers, *rows)]
    widths = [max(width(line[column]) for line in lines) for column in range(len(headers))]
    for line in lines:
        padded = (cell + " " * (widths[column] - width(cell)) for column, cell in enumerate(line))
        say("  ".join(padded).rstrip())
