"""Output of the commands: results on stdout, everything else on stderr.

Either stream may be missing (no console), use a legacy code page (Windows), or be a closed pipe (``| head``); commands
must work regardless.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from inspector.domain import cli_text, printable, shorten, to_json, to_line
from inspector.system.paths import MESSAGES_VARIABLE, UTF8_VARIABLE

_LONGEST = 6000  # characters of a message; a path may have 4096

_results: TextIO | None = None  # stdout, while sys.stdout leads to stderr
_before: list[TextIO] = []  # kept, so that none is closed with its descriptor


def prepare() -> None:
    """Make stdout and stderr accept any text; unsupported characters are escaped.

    Descriptor 1 is redirected to stderr, and results go to a duplicate of the original stdout, so that output of C
    libraries and child processes never mixes with results.
    """
    _set_results_apart()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, _nowhere())
        elif isinstance(stream, io.TextIOWrapper):
            encoding = "utf-8" if os.environ.get(UTF8_VARIABLE) else None
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def _set_results_apart() -> None:
    stream = sys.stdout
    try:
        if not isinstance(stream, io.TextIOWrapper) or stream.fileno() != 1:
            return  # it is redirected, or missing
        stream.flush()
        own = os.dup(1)
        os.set_inheritable(own, False)
        try:
            os.dup2(2, 1)
        except OSError:  # there is no stderr
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.close(nowhere)
    except (OSError, ValueError):
        return
    _before.append(stream)
    sys.stdout = open(  # noqa: SIM115 - as long as the program
        own, "w", encoding=stream.encoding, errors=stream.errors, buffering=1 if stream.line_buffering else -1
    )


@contextlib.contextmanager
def results_only() -> Iterator[None]:
    """Within the block, send what plugins and libraries print to stderr; stdout is reserved for results."""
    global _results
    _results, sys.stdout = sys.stdout, sys.stderr
    try:
        yield
    finally:
        sys.stdout, _results = _results, None


def stdout() -> TextIO:
    """The stream for results."""
    return _results or sys.stdout


def reader_gone(error: OSError) -> bool:
    """Whether printing failed because the pipe is closed, as with ``| head``. Windows reports EINVAL then."""
    return isinstance(error, BrokenPipeError) or (sys.platform == "win32" and error.errno == errno.EINVAL)


def discard_stdout() -> None:
    """Discard all further output to stdout, because it cannot be written."""
    global _results
    if _results is None:
        sys.stdout = _nowhere()
    else:
        _results = _nowhere()


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # lives as long as the program


def print_line(text: str = "") -> None:
    """Print one line of results to stdout, without control characters."""
    stdout().write(printable(text) + "\n")


def print_error(text: str) -> None:
    """Print one line of bounded length to stderr, without control characters.

    A message is printed with its hints for the command line; in a child process of the window, with its template.
    """
    rich = os.environ.get(MESSAGES_VARIABLE)
    line = to_line(text) if rich else shorten(printable(cli_text(text)), _LONGEST)
    with contextlib.suppress(OSError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def print_failure(text: str) -> None:
    """Print an error like :func:`print_error`, after the program's name."""
    print_error(text if os.environ.get(MESSAGES_VARIABLE) else f"bearing-inspector: {cli_text(text)}")


def as_json(document: Any, indent: int | None = None) -> str:
    """JSON for stdout, in pure ASCII unless the encoding is UTF-8.

    Control characters are escaped, which changes no value.
    """
    other = (getattr(stdout(), "encoding", None) or "utf-8").lower().replace("-", "") != "utf8"
    document = to_json(document) if os.environ.get(MESSAGES_VARIABLE) else document
    text = json.dumps(document, ensure_ascii=other, indent=indent, allow_nan=False)
    lines = text.split("\n")  # JSON's own; a line feed of a text is escaped already
    return "\n".join(line if printable(line) == line else _escaped(line) for line in lines)


def _escaped(line: str) -> str:
    marks = (character if printable(character) == character else json.dumps(character)[1:-1] for character in line)
    return "".join(marks)


def emit(document: Any) -> None:
    """Print one JSON document to stdout."""
    stdout().write(as_json(document, indent=2) + "\n")


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print aligned columns to stdout; Chinese characters count as two columns."""
    from unicodedata import east_asian_width

    def width(text: str) -> int:
        return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)

    lines = [[printable(str(cell)) for cell in row] for row in (headers, *rows)]
    widths = [max(width(line[column]) for line in lines) for column in range(len(headers))]
    for line in lines:
        padded = (cell + " " * (widths[column] - width(cell)) for column, cell in enumerate(line))
        print_line("  ".join(padded).rstrip())
