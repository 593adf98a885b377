"""Check of plugins: the installed ones, or one that is not installed yet, in a separate process."""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from inspector.domain import InputError, from_json, message, to_json
from inspector.registry.discovery import Candidate, find_candidates
from inspector.registry.installing import staged
from inspector.registry.loading import NO_PLUGINS_VARIABLE, Loader, load
from inspector.registry.manifest import Refused
from inspector.registry.records import PluginRecord
from inspector.system import paths
from inspector.system.paths import exit_code

TIME_LIMIT = 120.0


def check(given: Path | None = None) -> tuple[PluginRecord, ...]:
    """Check all installed plugins, or the one at ``given``, in a separate process that may crash.

    Raises:
        InputError: there is no such file.
    """
    if given is None:
        return load().records
    if not given.exists():
        raise InputError("There is no {path}; give a .py file, a folder, a .zip or a .whl", path=given)
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
    environment = paths.child_environment() | {NO_PLUGINS_VARIABLE: "1"}
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
        return failed(message("it was not loaded after {seconds:g} s", seconds=TIME_LIMIT), "")
    try:
        return record_from_json(paths.read_json(result))
    except (OSError, ValueError, LookupError, TypeError):
        return failed(
            message("the program ended while loading it ({reason})", reason=_end(done.returncode)),
            done.stderr.decode("utf-8", "replace"),
        )


def _end(code: int) -> str:
    if code >= 0:
        return exit_code(code)
    try:
        return message("signal {name}", name=signal.Signals(-code).name)
    except ValueError:
        return message("signal {name}", name=-code)


def check_here(place: Path, result: Path) -> None:
    """Load the built-in plugins and the drop-in at ``place`` in this process; write its record to ``result``."""
    from inspector.registry.discovery import read_dropin

    loader = Loader(marks=False)
    for candidate in find_candidates():
        if candidate.origin == "built-in":
            loader.add(candidate)
    record = loader.add(read_dropin(place))
    paths.write_text(result, json.dumps(to_json(record.to_json()), ensure_ascii=False))


def record_from_json(data: dict[str, Any]) -> PluginRecord:
    """Inverse of :meth:`PluginRecord.to_json`."""
    row = {field.name: from_json(data[field.name]) for field in fields(PluginRecord)}
    row["path"] = None if row["path"] is None else Path(row["path"])
    row["specs"] = tuple((spec["kind"], spec["id"]) for spec in row["specs"])
    for key in ("kinds", "requires"):
        row[key] = tuple(row[key])
    return PluginRecord(**row)
