"""Queries of the history, their results, and their translation to SQL."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PureWindowsPath
from typing import Any, Literal

from inspector.domain import ModelInfo
from inspector.history.database import to_utf8

Cursor = tuple[int, int]


@dataclass(frozen=True)
class Query:
    """A filter for inspections; all conditions that are set must hold.

    Attributes:
        since, until: time of the verdict, ``since`` <= time < ``until``; without a zone: local time.
        verdict: of the part: finds all images of such parts. ``SKIPPED`` finds images that could not be read.
        label: class name of one of the defects; not case-sensitive.
        model: file name of the weights (with wildcards ``*`` and ``?``), or at least the first 6 digits of its SHA-256.
        file: file name, path or end of a path, with wildcards ``*`` and ``?``.
        text: part of a file name, path, class name, reason code, title of a run, or id or lot of a part; not
            case-sensitive for A to Z.
        run: id of a run.
        limit: largest number of entries per page.
        after: ``Page.next`` of the previous page; the fastest way through many pages.
        offset: number of entries to skip.
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

    @property
    def selective(self) -> bool:
        """Whether it filters by results or images, so that its share of OK would not be a yield."""
        return any(value is not None and value != "" for value in (self.verdict, self.label, self.file, self.text))


@dataclass(frozen=True)
class Entry:
    """An inspection in a list, or an image that could not be read: ``verdict`` None and ``skipped`` the reason.

    Attributes:
        number: counts from 1 within the run.
        time: of the verdict, ISO 8601 with offset.
        index, seconds: position within the source.
        labels: distinct class names of the defects, sorted.
        codes: distinct codes of the reasons, sorted.
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
    """Entries in the order of the query; ``next`` is the cursor for the next page, None at the end."""

    entries: tuple[Entry, ...]
    next: Cursor | None = None


@dataclass(frozen=True)
class Event:
    """An alarm of a run.

    Attributes:
        time: of its beginning, ISO 8601 with offset.
        kind: code of the alarm, for example ``source`` or ``exporter``.
        message: one sentence.
        until: time of its end; None if the run ended first.
    """

    time: str
    kind: str
    message: str
    until: str | None


@dataclass(frozen=True)
class RunEntry:
    """A run in the history.

    Attributes:
        state: ``running``, ``done``, ``stopped``, ``failed``, or ``interrupted`` if the program was killed.
        version: of the program.
        job: :meth:`inspector.domain.Job.to_json`, with the rules and thresholds at the start.
        counts: fields of :class:`inspector.engine.Counts`.
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
    """Return milliseconds since 1970, the unit of the column ``at``."""
    return round(time.timestamp() * 1000)


def conditions(query: Query) -> tuple[str, list[Any]]:
    """Return an SQL condition on ``inspection`` alone, which its index answers, and the values of its placeholders."""
    terms: list[str] = []
    values: list[Any] = []

    def require(term: str, *operands: Any) -> None:
        terms.append(f"({term})")
        values.extend(to_utf8(value) if isinstance(value, str) else value for value in operands)

    if query.since is not None:
        require("inspection.at >= ?", milliseconds(query.since))
    if query.until is not None:
        require("inspection.at < ?", milliseconds(query.until))
    if query.verdict == "SKIPPED":
        require("inspection.verdict IS NULL")
    elif query.verdict is not None:
        require(
            "inspection.part IS NULL AND inspection.verdict = ?"
            " OR inspection.part IN (SELECT id FROM part WHERE verdict = ?)",
            query.verdict,
            query.verdict,
        )
    if query.label is not None:
        require("inspection.finding IN (SELECT finding FROM tag WHERE kind = 'label' AND text = ?)", query.label)
    if query.model is not None:
        sha256 = query.model.lower() if re.fullmatch("[0-9A-Fa-f]{6,64}", query.model) else None
        require(
            "inspection.run IN (SELECT id FROM run WHERE model_file LIKE ? ESCAPE '!' OR model_sha256 LIKE ?)",
            _pattern(query.model),
            None if sha256 is None else f"{sha256}%",
        )
    if query.file is not None:
        require(*_file_condition(query.file))
    if query.text:
        require(*_text_condition(query.text))
    if query.run is not None:
        require("inspection.run = ?", query.run)
    if query.after is not None:
        sign = "<" if query.order == "newest" else ">"
        require(f"(inspection.at, inspection.id) {sign} (?, ?)", *query.after)
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
        " OR inspection.part IN (SELECT id FROM part WHERE name LIKE ? ESCAPE '!' OR lot LIKE ? ESCAPE '!')"
    )
    parts = [part] * term.count("?")
    folder, last = _split(text)
    if not folder or not last:
        return term, *parts
    return (  # the text may span folder and name
        f"{term} OR inspection.folder IN (SELECT id FROM folder WHERE path LIKE ? ESCAPE '!')"
        " AND ifnull(inspection.file, inspection.name) LIKE ? ESCAPE '!'",
        *parts,
        f"%{_escaped(folder)}",
        f"{_escaped(last)}%",
    )


def _split(path: str) -> tuple[str, str]:
    """Split a path after its last separator, of either kind."""
    cut = max(path.rfind("/"), path.rfind("\\")) + 1
    return path[:cut], path[cut:]


def _escaped(text: str) -> str:
    return re.sub(r"([!%_])", r"!\1", text)


def _pattern(text: str) -> str:
    return _escaped(text).replace("*", "%").replace("?", "_")
