"""``history exclude`` and ``history include``: runs that statistics leave out."""

from __future__ import annotations

import argparse
from datetime import datetime

from inspector.cli import console
from inspector.cli.rejudge import user
from inspector.history.judgements import Judgements
from inspector.history.periods import to_local_time


def exclude(arguments: argparse.Namespace) -> None:
    """Leave a run out of statistics."""
    person = arguments.operator.strip() or user()
    with Judgements() as judgements:
        judgements.exclude(arguments.id, person, arguments.reason.strip())
        excluded = judgements.excluded(arguments.id)
    if arguments.json:
        console.emit({"run": arguments.id, "excluded": excluded})
    else:
        console.print_line(f"Run {arguments.id} is left out of statistics; its results are kept.")


def include(arguments: argparse.Namespace) -> None:
    """Count a run in statistics again."""
    with Judgements() as judgements:
        judgements.include(arguments.id)
    if arguments.json:
        console.emit({"run": arguments.id, "excluded": None})
    else:
        console.print_line(f"Run {arguments.id} counts in statistics.")


def left_out(excluded: dict[str, str]) -> str:
    """Return who left a run out of statistics, when and why."""
    reason = f": {excluded['reason']}" if excluded["reason"] else ""
    when = to_local_time(datetime.fromisoformat(excluded["time"])).strftime("%Y-%m-%d %H:%M:%S")
    return f"left out on {when} by {excluded['by'] or 'unknown'}{reason}"
