"""A plugin for pytest, run by the Windows Python: writes what becomes of each test into a file, line by line.

So it is known also when the process dies or hangs. ``BEARING_OUTCOMES`` names the file, ``BEARING_LEFT_OUT`` one with
the tests that are not run, one a line: ``=`` and an id, or ``*`` and a pattern.
"""

from __future__ import annotations

import hashlib
import json
import os
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(os.environ["BEARING_OUTCOMES"])
_LEFT_OUT = Path(os.environ["BEARING_LEFT_OUT"])


@cache
def _digest(name: str) -> str:
    """The SHA-256 of a test file, so that its outcome counts only as long as it stays the same."""
    return hashlib.sha256(name.encode() + b"\0" + Path(name).read_bytes()).hexdigest()


def _write(**row: Any) -> None:
    with open(_FILE, "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    lines = [line for line in _LEFT_OUT.read_text("utf-8").splitlines() if line]
    exact, patterns = {line[1:] for line in lines if line[0] == "="}, [line[1:] for line in lines if line[0] == "*"]

    def left_out(name: str) -> bool:
        return name in exact or any(fnmatchcase(name, pattern) for pattern in patterns)

    gone = [item for item in items if left_out(item.nodeid)]
    items[:] = [item for item in items if not left_out(item.nodeid)]
    config.hook.pytest_deselected(items=gone)


def pytest_collectreport(report: Any) -> None:
    if report.failed:
        _write(id=report.nodeid, outcome="failed", why=str(report.longrepr)[-600:])


def pytest_runtest_logstart(nodeid: str) -> None:
    _write(began=nodeid)


def pytest_runtest_logreport(report: Any) -> None:
    if report.when == "call" or report.outcome != "passed":
        text = "" if report.outcome == "passed" else str(report.longrepr)
        seconds, digest = round(report.duration, 2), _digest(report.nodeid.partition("::")[0])
        _write(id=report.nodeid, file=digest, outcome=report.outcome, seconds=seconds, why=text[-600:])
