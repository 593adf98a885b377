"""Statistics of parts: yield over time, defects by class, their areas, verdicts by model.

An image that nothing groups is a part of its own; the verdict of another part is in the table ``part``.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from inspector.domain import yield_of
from inspector.history.database import row_errors, to_utf8
from inspector.history.query import Query, conditions, milliseconds
from inspector.history.reader import Cancelled, Reader

Unit = Literal["hour", "day", "week"]

_INSPECTIONS = "FROM inspection INDEXED BY by_time"
# Of parts that are one image, unreadable images, and images.
_TALLY = """sum(verdict = 'OK' AND part IS NULL), sum(verdict = 'WARN' AND part IS NULL),
    sum(verdict = 'NG' AND part IS NULL), count(*) - count(verdict), count(verdict)"""
_LONGEST = {"hour": timedelta(days=2), "day": timedelta(days=92)}  # longest span for the unit
_SERIES = (1.0, 1.6, 2.5, 4.0, 6.3)  # five steps per decade, evenly spaced on a logarithmic axis
_QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)


@dataclass(frozen=True)
class Tally:
    """Numbers of parts by verdict.

    Attributes:
        skipped: images that could not be read.
        images: images that were inspected.
    """

    ok: int = 0
    warn: int = 0
    ng: int = 0
    skipped: int = 0
    images: int = 0

    @property
    def inspected(self) -> int:
        """Number of parts."""
        return self.ok + self.warn + self.ng

    def with_parts(self, verdicts: Iterable[str]) -> Tally:
        """Return this tally with more parts, whose images it already has."""
        more = Counter(verdicts)
        return replace(self, ok=self.ok + more["OK"], warn=self.warn + more["WARN"], ng=self.ng + more["NG"])

    @property
    def good_share(self) -> float | None:
        """The yield, OK ÷ parts, 0 to 1; None if nothing was inspected."""
        return yield_of(self.ok, self.inspected)


@dataclass(frozen=True)
class Bucket:
    """Verdicts of a period, ``start`` <= time < ``end``, local times with offset."""

    start: datetime
    end: datetime
    tally: Tally


@dataclass(frozen=True)
class ClassDefects:
    """Number of defects of a class, and of the parts with at least one of them."""

    label: str
    defects: int
    parts: int


@dataclass(frozen=True)
class Areas:
    """Distribution of the areas of defects with a mask, px².

    Attributes:
        edges: of the histogram, evenly spaced on a logarithmic axis; one more than bins.
        counts: of the bins, edge <= area < next edge.
        quantiles: fraction (0, 0.25, 0.5, 0.75, 0.95, 1) -> area.
        mean: of all areas.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    quantiles: dict[float, int]
    mean: float


@dataclass(frozen=True)
class ModelTally:
    """Verdicts of a model: file name of the weights and the first 12 digits of their SHA-256."""

    file: str
    sha256: str
    tally: Tally


@dataclass(frozen=True)
class Statistics:
    """Statistics of the parts with images that match a query.

    Attributes:
        unit: of the buckets; each begins at a full local hour, midnight or Monday.
        buckets: in order of time, including empty ones; none if nothing matches.
        classes: the most frequent first; only the query's label if it has one.
        areas: None if no defect has a mask.
        models: the most used first.
        mean_ms: milliseconds from read to verdict; None if nothing was inspected.
    """

    tally: Tally
    defects: int
    mean_ms: float | None
    unit: Unit
    buckets: tuple[Bucket, ...]
    classes: tuple[ClassDefects, ...]
    areas: Areas | None
    models: tuple[ModelTally, ...]


class Analysis(Reader):
    """Computes statistics of the history."""

    def statistics(self, query: Query, cancelled: Cancelled | None = None) -> Statistics:
        """Return statistics of all inspections that match; limit, after, offset and order are ignored.

        Raises:
            Stopped: it was cancelled.
        """
        with row_errors(self.path), self._snapshot(cancelled):
            condition, values = self._conditions(query)
            groups = self._groups(condition, values)
            parts = self._parts(query, condition, values)
            with_label = self._labels_of_parts(condition, values) if parts else []
            areas = self._areas(condition, values, query.label)
            unit, buckets = self._buckets(condition, values, parts)
            labels = {id: json.loads(text) for id, text in self._all("SELECT id, labels FROM finding")}
            runs = {id: key for id, *key in self._all("SELECT id, model_file, substr(model_sha256, 1, 12) FROM run")}
        timed = sum(group.timed for group in groups)
        return Statistics(
            tally=_sum(group.tally for group in groups).with_parts(part.verdict for part in parts),
            defects=areas.total(),
            mean_ms=sum(group.ms for group in groups) / timed if timed else None,
            unit=unit,
            buckets=buckets,
            classes=_classes(areas, groups, labels, with_label),
            areas=_distribution(areas),
            models=_models(groups, runs, parts),
        )

    def tally(self, query: Query, cancelled: Cancelled | None = None) -> Tally:
        """Count the verdicts of all parts with images that match; answered by the index alone."""
        with self._snapshot(cancelled):
            condition, values = self._conditions(query)
            (row,) = self._all(f"SELECT {_TALLY} {_INSPECTIONS} WHERE {condition}", values)
            parts = self._parts(query, condition, values)
        return _tally(row).with_parts(part.verdict for part in parts)

    def _conditions(self, query: Query) -> tuple[str, list[Any]]:
        """As :func:`conditions`, without runs that are left out of statistics unless the query names its run."""
        condition, values = conditions(replace(query, after=None))
        if query.run is None and self._all("SELECT 1 FROM run WHERE excluded IS NOT NULL LIMIT 1"):
            counted = "inspection.run NOT IN (SELECT id FROM run WHERE excluded IS NOT NULL)"
            condition = counted if condition == "TRUE" else f"{condition} AND {counted}"
        return condition, values

    def _parts(self, query: Query, condition: str, values: list[Any]) -> list[_Part]:
        """The parts, other than single images, with images that match, and those that have no image at all."""
        if not self._all("SELECT 1 FROM part LIMIT 1"):
            return []
        newest = f"SELECT part, max(at) AS at {_INSPECTIONS} WHERE {condition} AND part IS NOT NULL GROUP BY part"
        rows = self._all(
            f"SELECT found.part, found.at, verdict, run FROM ({newest}) AS found JOIN part ON part.id = found.part",
            values,
        )
        if query.label is None and not query.file and not query.text and query.verdict in (None, "WARN"):
            of_part = self._conditions(Query(since=query.since, until=query.until, model=query.model, run=query.run))
            statement = "SELECT id, at, verdict, run FROM part AS inspection WHERE views = '[]' AND "
            rows += self._all(statement + of_part[0], of_part[1])
        return [_Part(*row) for row in rows]

    def _labels_of_parts(self, condition: str, values: list[Any]) -> list[tuple[int, int]]:
        """Findings of parts: pairs of finding and part."""
        return self._all(
            f"SELECT DISTINCT finding, part {_INSPECTIONS} WHERE {condition} AND part IS NOT NULL"
            " AND finding IS NOT NULL",
            values,
        )

    def _groups(self, condition: str, values: list[Any]) -> list[_Group]:
        columns = f"run, finding, {_TALLY}, total(total_ms), count(total_ms)"
        rows = self._all(f"SELECT {columns} {_INSPECTIONS} WHERE {condition} GROUP BY run, finding", values)
        return [_Group(run, finding, _tally(tally), ms, timed) for run, finding, *tally, ms, timed in rows]

    def _areas(self, condition: str, values: list[Any], label: str | None) -> Counter[tuple[str, int | None]]:
        """Numbers of defects by class and area (None without a mask)."""
        where, operands = condition, list(values)
        if label is not None:
            where, operands = f"{where} AND label = ? COLLATE NOCASE", [*operands, to_utf8(label)]
        tables = "detection"
        if condition != "TRUE":
            tables = "inspection INDEXED BY by_time CROSS JOIN detection ON detection.inspection = inspection.id"
        with self._cursor(f"SELECT label, area_px FROM {tables} WHERE {where}", operands) as cursor:
            return Counter(cursor)  # SQLite's GROUP BY would sort them, which takes longer

    def _buckets(self, condition: str, values: list[Any], parts: Sequence[_Part]) -> tuple[Unit, tuple[Bucket, ...]]:
        limits = []
        for way in ("ASC", "DESC"):
            limits += self._all(f"SELECT at {_INSPECTIONS} WHERE {condition} ORDER BY at {way} LIMIT 1", values)
        if not limits:
            return "hour", ()
        first, last = (datetime.fromtimestamp(at / 1000).astimezone() for (at,) in limits)
        unit = unit_for(last - first)
        edges = list(edges_between(first, last, unit))
        statement = f"SELECT {_TALLY} {_INSPECTIONS} WHERE {condition} AND at >= ? AND at < ?"
        buckets = []
        ordered = sorted(parts, key=lambda part: part.at)
        times = [part.at for part in ordered]
        for start, end in pairwise(edges):
            since, until = milliseconds(start), milliseconds(end)
            (row,) = self._all(statement, (*values, since, until))
            within = ordered[bisect_left(times, since) : bisect_left(times, until)]
            buckets.append(Bucket(start, end, _tally(row).with_parts(part.verdict for part in within)))
        return unit, tuple(buckets)


@dataclass(frozen=True)
class _Part:
    """A part other than a single image; ``at`` is the time of its newest image."""

    id: int
    at: int
    verdict: str
    run: int


@dataclass(frozen=True)
class _Group:
    """Inspections of a run that have the same finding."""

    run: int
    finding: int | None
    tally: Tally
    ms: float
    timed: int


def unit_for(span: timedelta) -> Unit:
    """Return the unit for a span: hours up to two days, days up to a quarter of a year, then weeks."""
    if span <= _LONGEST["hour"]:
        return "hour"
    return "day" if span <= _LONGEST["day"] else "week"


def edges_between(first: datetime, last: datetime, unit: Unit) -> Iterator[datetime]:
    """Yield the edges of buckets, local times with offset, from before ``first`` to after ``last``.

    A day lasts from one local midnight to the next, also when the clocks change; an hour is always 60 minutes.
    """
    edge = first.replace(minute=0, second=0, microsecond=0)
    if unit != "hour":
        edge = _midnight(first - timedelta(days=first.weekday() if unit == "week" else 0))
    while edge <= last:
        yield edge
        if unit == "hour":
            edge = datetime.fromtimestamp(edge.timestamp() + 3600).astimezone()
        else:
            edge = _midnight(edge + timedelta(days=7 if unit == "week" else 1))
    yield edge


def _midnight(moment: datetime) -> datetime:
    """Local midnight at the beginning of that day."""
    return datetime(moment.year, moment.month, moment.day).astimezone()


def _tally(row: list[Any] | tuple[Any, ...]) -> Tally:
    return Tally(*(value or 0 for value in row))  # sums over nothing are NULL


def _sum(tallies: Iterable[Tally]) -> Tally:
    rows = [(t.ok, t.warn, t.ng, t.skipped, t.images) for t in tallies]
    return Tally(*map(sum, zip(*rows, strict=True)))


def _classes(
    areas: Counter[tuple[str, int | None]],
    groups: list[_Group],
    labels: dict[int, list[str]],
    of_parts: list[tuple[int, int]],
) -> tuple[ClassDefects, ...]:
    defects: Counter[str] = Counter()
    for (label, _), count in areas.items():
        defects[label] += count
    parts: Counter[str] = Counter()
    for group in groups:
        for label in labels.get(group.finding, ()) if group.finding is not None else ():
            parts[label] += group.tally.inspected
    parts.update(label for label, _ in {(label, part) for finding, part in of_parts for label in labels[finding]})
    return tuple(ClassDefects(label, count, parts[label]) for label, count in defects.most_common())


def _distribution(areas: Counter[tuple[str, int | None]]) -> Areas | None:
    sizes: Counter[int] = Counter()
    for (_, area), count in areas.items():
        if area is not None:
            sizes[area] += count
    if not sizes:
        return None
    values = np.array(sorted(sizes))
    counts = np.array([sizes[value] for value in values.tolist()])
    edges = _bins(int(values[0]), int(values[-1]))
    bins, _ = np.histogram(values, edges, weights=counts)
    up_to = np.cumsum(counts) / counts.sum()
    indices = np.minimum(np.searchsorted(up_to, _QUANTILES), len(values) - 1)
    quantiles = dict(zip(_QUANTILES, values[indices].tolist(), strict=True))
    return Areas(edges, tuple(bins.tolist()), quantiles, float((values * counts).sum() / counts.sum()))


def _bins(least: int, most: int) -> tuple[float, ...]:
    """Edges around all areas; the area 0 of an empty mask gets its own bin."""
    decades = range(int(math.log10(max(most, 1))) + 2)
    edges = [round(step * 10**decade, 1) for decade in decades for step in _SERIES]
    below = max((i for i, edge in enumerate(edges) if edge <= max(least, 1)), default=0)
    above = next(i for i, edge in enumerate(edges) if edge > most)
    return (*([0.0] if least == 0 else []), *edges[below : max(above, below + 1) + 1])


def _models(groups: list[_Group], runs: dict[int, list[str]], parts: list[_Part]) -> tuple[ModelTally, ...]:
    tallies: dict[tuple[str, str], list[Tally]] = {}
    for group in groups:
        file, sha256 = runs.get(group.run, ("", ""))
        tallies.setdefault((file, sha256), []).append(group.tally)
    for part in parts:
        file, sha256 = runs.get(part.run, ("", ""))
        tallies.setdefault((file, sha256), []).append(Tally().with_parts([part.verdict]))
    models = [ModelTally(*key, _sum(of_model)) for key, of_model in tallies.items()]
    return tuple(sorted(models, key=lambda model: -model.tally.inspected))
