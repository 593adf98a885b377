"""Tries plugins: those that are installed, or one that is not installed yet, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from inspector import paths
from inspector.domain import InputError
from inspector.registry.discovery import Candidate, find_candidates
from inspector.registry.installing import staged
from inspector.registry.loading import NO_PLUGINS_VARIABLE, Loader, load
from inspector.registry.manifest import Refused
from inspector.registry.records import PluginRecord

TIME_LIMIT = 120.0


def check(given: Path | None = None) -> tuple[PluginRecord, ...]:
    """All plugins as they load here; or the one in ``given``, tried in another process that may crash.

    Raises:
        InputError: there is no such file.
    """
    if given is None:
        return load().records
    if not given.exists():
        raise InputError(f"There is no {given}; give a .py file, a folder, a .zip or a .whl")
    with tempfile.TemporaryDirectory(prefix="bearing-plugin-", ignore_cleanup_errors=True) as temporary:
        try:
            with staged(given, Path(temporary)) as candidate:
                result = Path(temporary) / "result.json"
                return (replace(_try_in_child(candidate, result), path=given),)
        except Refused as refused:
            return (PluginRecord(given.name, "drop-in", refused.state, str(refused), path=given),)


def _try_in_child(candidate: Candidate, result: Path) -> PluginRecord:
    assert candidate.manifest is not None and candidate.place is not None
    command = [*paths.program(), "plugins", "check", str(candidate.place), "--here", str(result)]
    environment = os.environ | {NO_PLUGINS_VARIABLE: "1"}
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    manifest = candidate.manifest

    def failed(reason: str, output: str) -> PluginRecord:
        row = asdict(manifest)
        return PluginRecord(**row, origin="drop-in", state="failed", reason=reason, traceback=output)

    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=TIME_LIMIT,
            check=False,
            creationflags=flags,
        )
    except subprocess.TimeoutExpired:
        return failed(f"it was not loaded after {TIME_LIMIT:g} s", "")
    try:
        return record_from_json(json.loads(result.read_text("utf-8")))
    except (OSError, ValueError):
        return failed(
            f"the program ended while it was loading it ({_end(done.returncode)})",
            done.stderr.decode("utf-8", "replace"),
        )


def _end(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def check_here(place: Path, result: Path) -> None:
    """Load the drop-in at ``place`` after the built-in plugins, in this process, and write its record to ``result``."""
    from inspector.registry.discovery import read_dropin

    loader = Loader(marks=False)
    for candidate in find_candidates():
        if candidate.origin == "built-in":
            loader.add(candidate)
    record = loader.add(read_dropin(place))
    paths.write_text(result, json.dumps(record.to_json(), ensure_ascii=False))


def record_from_json(data: dict[str, Any]) -> PluginRecord:
    """Inverse of :meth:`PluginRecord.to_json`."""
    row = {field.name: data[field.name] for field in fields(PluginRecord)}
    row["path"] = None if row["path"] is None else Path(row["path"])
    row["specs"] = tuple((spec["kind"], spec["id"]) for spec in row["specs"])
    for key in ("kinds", "requires"):
        row[key] = tuple(row[key])
    return PluginRecord(**row)
