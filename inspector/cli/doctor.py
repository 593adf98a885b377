"""``bearing-inspector doctor``: run diagnostics that exercise each part for real."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from inspector import diagnostics
from inspector.cli import console
from inspector.cli.console import emit, table


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")


def run(arguments: argparse.Namespace) -> int:
    with console.results_only():
        found = diagnostics.examine()
    if arguments.json:
        emit({"good": all(f.state != "bad" for f in found), "findings": [asdict(f) for f in found]})
    else:
        signs = {"good": "ok", "note": "note", "bad": "BAD"}
        table(("what", "state", "found"), [(f.what, signs[f.state], f.detail) for f in found])
    return 1 if any(f.state == "bad" for f in found) else 0
