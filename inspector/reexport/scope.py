"""Description of the scope of an export: in words, and as JSON."""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspector import __version__
from inspector.api import Scope, Text
from inspector.history.periods import to_local_time
from inspector.system.paths import write_text

if TYPE_CHECKING:
    from inspector.history import History, Query, RunEntry

_FIELDS = ("verdict", "label", "model", "file", "text", "run")
_NAMES = {
    "since": Text("from {value}", "从 {value} 起"),
    "until": Text("before {value}", "{value} 之前"),
    "verdict": Text("verdict {value}", "判定 {value}"),
    "label": Text("class {value}", "类别 {value}"),
    "model": Text("model {value}", "模型 {value}"),
    "file": Text("file {value}", "文件 {value}"),
    "text": Text("keyword “{value}”", "关键字“{value}”"),
    "run": Text("run {value}", "检测任务 {value}"),
}


def describe_query(query: Query, language: str, selected: bool = False) -> str:
    """Describe a query in words, for example ``verdict NG, from 2026-11-30 00:00``.

    Args:
        language: ``en`` or ``zh``.
        selected: only rows selected by hand among its results.
    """
    fields = {
        name: _format_time(value) if name in ("since", "until") else value for name, value in _set_fields(query).items()
    }
    parts = [_NAMES[name].read(language).replace("{value}", str(value)) for name, value in fields.items()]
    if selected:
        parts.insert(0, Text("rows selected by hand", "手工选中的行").read(language))
    separator = Text(", ", "，").read(language)
    return separator.join(parts) or Text("everything in the history", "全部历史记录").read(language)


def scope_of(
    history: History,
    query: Query,
    ids: Sequence[int],
    runs: Iterable[RunEntry],
    language: str,
    selected: bool = False,
) -> Scope:
    """Return the scope of an export of the inspections with these ids. For a worker thread.

    Args:
        query: that found them.
        runs: of the inspections.
        selected: whether they were selected by hand among the results of the query.
    """
    run_ids = [run.id for run in runs]
    fields = {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in _set_fields(query).items()
    }
    return Scope(
        filter=describe_query(query, language, selected),
        query=fields | {"selection": selected},
        inspections=history.count_inspected(ids),
        total=history.count_inspected_in(run_ids),
        runs=len(run_ids),
        by=user_name(),
        at=datetime.now().astimezone().isoformat(timespec="seconds"),
        version=__version__,
        parts=history.count_parts(ids),
    )


def write_scope(path: Path, scope: Scope, runs: Iterable[RunEntry]) -> Path:
    """Write the scope as JSON, for programs and next to files that cannot contain it.

    Raises:
        OSError: it cannot be written.
    """
    import json

    named = [{"id": run.id, "title": run.title, "started": run.started, "output": run.output} for run in runs]
    document: dict[str, Any] = {**asdict(scope), "complete": scope.complete, "runs": named}
    return write_text(path, json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def user_name() -> str:
    """Return the login name of the user; "" if there is none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user without a name, for example in a container
        return ""


def _set_fields(query: Query) -> dict[str, Any]:
    fields = {name: getattr(query, name) for name in ("since", "until", *_FIELDS)}
    return {name: value for name, value in fields.items() if value is not None and value != ""}


def _format_time(value: datetime) -> str:
    """Format a local time, without seconds if they are 0."""
    local = to_local_time(value)
    exact = local - timedelta(seconds=local.second, microseconds=local.microsecond)
    return f"{local:%Y-%m-%d %H:%M}" if exact == local else f"{local:%Y-%m-%d %H:%M:%S}"
