"""``bearing-inspector rejudge``: apply other rules to a finished run, without inference."""

from __future__ import annotations

import argparse
import getpass
from pathlib import Path

from inspector import cli, i18n
from inspector.cli import console
from inspector.jobs import recipes
from inspector.jobs.rejudge import JudgedPart, Rejudged, keep, rejudge


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("run", metavar="RUN", help="results folder, run.json or number of a run in the history")
    add("--rules", type=Path, required=True, metavar="FILE|TEMPLATE", help="rules to judge by")
    add("--dry-run", action="store_true", help="only show what would change")
    add("--operator", metavar="NAME", help="who judges (default: the user of this computer)")
    add("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    rejudged = rejudge(arguments.run, recipes.read_rules(arguments.rules))
    person = (arguments.operator or "").strip() or user()
    judgement = None if arguments.dry_run else keep(rejudged, person)
    if arguments.json:
        console.emit(rejudged.record() | {"judgement": judgement, "by": person})
        return cli.DONE
    console.print_line(summary(rejudged))
    for part in rejudged.changed:
        console.print_line(_line(part))
    if judgement is None:
        console.print_line("Nothing was written; without --dry-run the judgement is kept beside the earlier one.")
    else:
        console.print_line(f"Kept as judgement {judgement} of run {rejudged.entry.id}, by {person or 'unknown'}.")
    return cli.DONE


def summary(rejudged: Rejudged) -> str:
    """Return what changes in one line: ``12 parts OK -> NG, 3 NG -> OK``."""
    changes = sorted(rejudged.changes.items(), key=lambda change: -change[1])
    if not changes:
        return f"No part changes, of {len(rejudged.parts)}."
    texts = [f"{number} {before} -> {after}" for (before, after), number in changes]
    number, rest = texts[0].split(" ", 1)
    texts[0] = f"{number} part{'s' * (number != '1')} {rest}"
    return f"{', '.join(texts)} (of {len(rejudged.parts)} parts)"


def user() -> str:
    """Return the name of the user of this computer; "" if the system does not know it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def _line(part: JudgedPart) -> str:
    names = ", ".join(part.images)
    shown = names if len(part.images) == 1 else f"{part.id}: {names}"
    reasons = "; ".join(i18n.reason_text(reason, "en") for reason in part.after.reasons)
    return f"{part.before.status} -> {part.after.status}  {shown}{f'  ({reasons})' if reasons else ''}"
