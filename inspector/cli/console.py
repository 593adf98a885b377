"""What the commands print: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any


def say(text: str = "") -> None:
    """One line of result on stdout."""
    sys.stdout.write(text + "\n")


def remark(text: str) -> None:
    """One line for the person at the terminal, on stderr."""
    sys.stderr.write(text + "\n")


def emit(document: Any) -> None:
    """One JSON document on stdout."""
    json.dump(document, sys.stdout, ensure_ascii=False, indent=2, allow_nan=False)
    sys.stdout.write("\n")


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
