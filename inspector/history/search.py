"""What can be asked of the history, what it answers, and how a question becomes SQL."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PureWindowsPath
from typing import Any, Literal

from inspector.domain import ModelInfo
from inspector.history.database import storable

Cursor = tuple[int, int]


@dataclass(frozen=True)
class Query:
    """Which inspections to find; everything that is given must hold.

    Attributes:
        since, until: time of the verdict, from ``since`` on and before ``until``; without a zone: local time.
        verdict: ``SKIPPED`` finds pictures that could not be read.
        label: class name of one of the defects; upper and lower case are the same.
        model: file name of the weights (``*`` and ``?`` stand for anything), or at least the first 6 digits of its
            SHA-256.
        file: file name, or path or end of a path; ``*`` and ``?`` stand for anything.
        text: part of a file name, a path, a class name, a reason code or a run's title; upper and lower case of A to Z
            are the same.
        run: id of a run.
        limit: largest number of entries on a page.
        after: ``Page.next`` of the page before; the fastest way through many pages.
        offset: number of entries to leave out.
        order: by time.
    """

    since: datetime | None = None
    until: datetime | None = None
    verdict: Literal["OK", "WARN", "NG", "SKIPPED"] | None = None
    label: str | None = None
    model: str | None = None
    file: str | None = None
    text: str | None = None
    run: int | None = None
    limit: int = 50
    after: Cursor | None = None
    offset: int = 0
    order: Literal["newest", "oldest"] = "newest"


@dataclass(frozen=True)
class Entry:
    """One inspection in a list, or one skipped picture: then ``verdict`` is None and ``skipped`` says why.

    Attributes:
        number: counts from 1 within the run.
        time: of the verdict, ISO 8601 with offset.
        index, seconds: position within the source.
        labels: the defects' class names, each once, sorted.
        codes: the reasons' codes, each once, sorted.
        largest_px: area of the largest defect, px²; None without masks.
        total_ms: milliseconds from read to verdict.
        title: of the run.
        model: file name of the weights.
    """

    id: int
    run: int
    number: int | None
    time: str
    name: str
    path: str | None
    index: int | None
    seconds: float | None
    width: int | None
    height: int | None
    verdict: str | None
    skipped: str | None
    labels: tuple[str, ...]
    codes: tuple[str, ...]
    defects: int
    largest_px: int | None
    total_ms: float | None
    title: str
    model: str


@dataclass(frozen=True)
class Page:
    """Entries in the query's order; ``next`` continues, None at the end."""

    entries: tuple[Entry, ...]
    next: Cursor | None = None


@dataclass(frozen=True)
class RunEntry:
    """A run as it was kept.

    Attributes:
        state: ``running``, ``done``, ``stopped``, ``failed``, or ``interrupted`` where the program was killed.
        version: of the program.
        job: :meth:`inspector.domain.Job.to_json`, with the rules and thresholds it began with.
        counts: number of inspections by verdict, and what else was counted.
    """

    id: int
    title: str
    started: str
    ended: str | None
    output: str | None
    state: str
    version: str
    job: dict[str, Any]
    model: ModelInfo
    counts: dict[str, int] = field(default_factory=dict)


def milliseconds(time: datetime) -> int:
    """Since 1970, as the column ``at`` keeps it."""
    return round(time.timestamp() * 1000)


def conditions(query: Query) -> tuple[str, list[Any]]:
    """The query as an SQL condition on ``inspection`` alone, answered by its index, and the values of its marks."""
    terms: list[str] = []
    values: list[Any] = []

    def demand(term: str, *given: Any) -> None:
        terms.append(f"({term})")
        values.extend(storable(value) if isinstance(value, str) else value for value in given)

    if query.since is not None:
        demand("inspection.at >= ?", milliseconds(query.since))
    if query.until is not None:
        demand("inspection.at < ?", milliseconds(query.until))
    if query.verdict == "SKIPPED":
        demand("inspection.verdict IS NULL")
    elif query.verdict is not None:
        demand("inspection.verdict = ?", query.verdict)
    if query.label is not None:
        demand("inspection.finding IN (SELECT finding FROM tag WHERE kind = 'label' AND text = ?)", query.label)
    if query.model is not None:
        sha256 = query.model.lower() if re.fullmatch("[0-9A-Fa-f]{6,64}", query.model) else None
        demand(
            "inspection.run IN (SELECT id FROM run WHERE model_file LIKE ? ESCAPE '!' OR model_sha256 LIKE ?)",
            _pattern(query.model),
            None if sha256 is None else f"{sha256}%",
        )
    if query.file is not None:
        demand(*_file_condition(query.file))
    if query.text:
        demand(*_text_condition(query.text))
    if query.run is not None:
        demand("inspection.run = ?", query.run)
    if query.after is not None:
        sign = "<" if query.order == "newest" else ">"
        demand(f"(inspection.at, inspection.id) {sign} (?, ?)", *query.after)
    return " AND ".join(terms) or "TRUE", values


def _file_condition(file: str) -> tuple[Any, ...]:
    folder, last = _split(file)
    name = _pattern(last)
    if not folder:
        return (
            "inspection.name LIKE ? ESCAPE '!' OR inspection.file LIKE ? ESCAPE '!'",
            name,
            name,
        )
    within = _pattern(folder)
    if not (folder.startswith(("/", "\\")) or PureWindowsPath(folder).drive):
        within = f"%{within}"
    return (
        "inspection.folder IN (SELECT id FROM folder WHERE path LIKE ? ESCAPE '!')"
        " AND ifnull(inspection.file, inspection.name) LIKE ? ESCAPE '!' OR inspection.name LIKE ? ESCAPE '!'",
        within,
        name,
        _pattern(file),
    )


def _text_condition(text: str) -> tuple[Any, ...]:
    part = f"%{_escaped(text)}%"
    term = (
        "inspection.name LIKE ? ESCAPE '!'"
        " OR inspection.file LIKE ? ESCAPE '!'"
        " OR inspection.folder IN (SELECT id FROM folder WHERE path LIKE ? ESCAPE '!')"
        " OR inspection.finding IN (SELECT finding FROM tag WHERE text LIKE ? ESCAPE '!')"
        " OR inspection.run IN (SELECT id FROM run WHERE title LIKE ? ESCAPE '!')"
    )
    folder, last = _split(text)
    if not folder or not last:
        return term, part, part, part, part, part
    return (  # it may lie across the border of folder and name
        f"{term} OR inspection.folder IN (SELECT id FROM folder WHERE path LIKE ? ESCAPE '!')"
        " AND ifnull(inspection.file, inspection.name) LIKE ? ESCAPE '!'",
        *(part, part, part, part, part),
        f"%{_escaped(folder)}",
        f"{_escaped(last)}%",
    )


def _split(path: str) -> tuple[str, str]:
    """A path's folder with its last separator, and the rest; either kind of separator."""
    cut = max(path.rfind("/"), path.rfind("\\")) + 1
    return path[:cut], path[cut:]


def _escaped(text: str) -> str:
    return re.sub(r"([!%_])", r"!\1", text)


def _pattern(text: str) -> str:
    return _escaped(text).replace("*", "%").replace("?", "_")
