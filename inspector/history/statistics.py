"""What the inspections add up to: yield over time, defects by class, their areas, verdicts by model."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from inspector.history.database import storable
from inspector.history.reading import Cancelled, Reader
from inspector.history.search import Query, conditions, milliseconds

Unit = Literal["hour", "day", "week"]

_INSPECTIONS = "FROM inspection INDEXED BY by_time"
_TALLY = "sum(verdict = 'OK'), sum(verdict = 'WARN'), sum(verdict = 'NG'), count(*) - count(verdict)"
_LONGEST = {"hour": timedelta(days=2), "day": timedelta(days=92)}  # span up to which this unit is taken
_SERIES = (1.0, 1.6, 2.5, 4.0, 6.3)  # five steps a decade, evenly spaced on a logarithmic axis
_QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)


@dataclass(frozen=True)
class Tally:
    """Numbers of inspections by verdict, and of pictures that were skipped."""

    ok: int = 0
    warn: int = 0
    ng: int = 0
    skipped: int = 0

    @property
    def inspected(self) -> int:
        return self.ok + self.warn + self.ng


@dataclass(frozen=True)
class Bucket:
    """What was inspected from ``start`` on and before ``end``, local times with offset."""

    start: datetime
    end: datetime
    tally: Tally


@dataclass(frozen=True)
class ClassDefects:
    """How many defects of a class there are, and in how many inspections it occurs."""

    label: str
    defects: int
    inspections: int


@dataclass(frozen=True)
class Areas:
    """The defects' areas, px²; those without a mask are not among them.

    Attributes:
        edges: of the histogram, evenly spaced on a logarithmic axis; one more than there are bins.
        counts: of the bins: from one edge on and below the next.
        quantiles: fraction (0, 0.25, 0.5, 0.75, 0.95, 1) -> area: so much of the defects is not larger.
        mean: of all.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    quantiles: dict[float, int]
    mean: float


@dataclass(frozen=True)
class ModelTally:
    """Verdicts of one model: file name of the weights and the first 12 digits of their SHA-256."""

    file: str
    sha256: str
    tally: Tally


@dataclass(frozen=True)
class Statistics:
    """What the inspections that a query finds add up to.

    Attributes:
        unit: of the buckets; each begins with a local hour, midnight or Monday.
        buckets: in order of time without gaps, empty ones included; none where nothing was found.
        classes: the most frequent first. Of a query with a label only that class.
        areas: None where no defect has a mask.
        models: the most used first.
        mean_ms: milliseconds from read to verdict; None where nothing was inspected.
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
    """Adds up what the history holds."""

    def statistics(self, query: Query, cancelled: Cancelled | None = None) -> Statistics:
        """Of all inspections that ``query`` finds; its limit, after, offset and order mean nothing here.

        Raises:
            Stopped: ``cancelled`` said so.
        """
        condition, values = conditions(replace(query, after=None))
        with self._snapshot(cancelled):
            groups = self._groups(condition, values)
            areas = self._areas(condition, values, query.label)
            unit, buckets = self._buckets(condition, values)
            labels = {id: json.loads(text) for id, text in self._all("SELECT id, labels FROM finding")}
            runs = {id: key for id, *key in self._all("SELECT id, model_file, substr(model_sha256, 1, 12) FROM run")}
        timed = sum(group.timed for group in groups)
        return Statistics(
            tally=_sum(group.tally for group in groups),
            defects=areas.total(),
            mean_ms=sum(group.ms for group in groups) / timed if timed else None,
            unit=unit,
            buckets=buckets,
            classes=_classes(areas, groups, labels),
            areas=_distribution(areas),
            models=_models(groups, runs),
        )

    def today(self) -> Tally:
        """Since local midnight."""
        midnight = _midnight(datetime.now())
        with self._snapshot():
            (row,) = self._all(f"SELECT {_TALLY} {_INSPECTIONS} WHERE at >= ?", (milliseconds(midnight),))
        return _tally(row)

    def _groups(self, condition: str, values: list[Any]) -> list[_Group]:
        columns = f"run, finding, {_TALLY}, total(total_ms), count(total_ms)"
        rows = self._all(f"SELECT {columns} {_INSPECTIONS} WHERE {condition} GROUP BY run, finding", values)
        return [_Group(run, finding, _tally(tally), ms, timed) for run, finding, *tally, ms, timed in rows]

    def _areas(self, condition: str, values: list[Any], label: str | None) -> Counter[tuple[str, int | None]]:
        """How many defects there are by class and area (None without a mask)."""
        where, given = condition, list(values)
        if label is not None:
            where, given = f"{where} AND label = ? COLLATE NOCASE", [*given, storable(label)]
        found = "detection"
        if condition != "TRUE":
            found = "inspection INDEXED BY by_time CROSS JOIN detection ON detection.inspection = inspection.id"
        with self._cursor(f"SELECT label, area_px FROM {found} WHERE {where}", given) as cursor:
            return Counter(cursor)  # SQLite's GROUP BY would sort them, which takes longer

    def _buckets(self, condition: str, values: list[Any]) -> tuple[Unit, tuple[Bucket, ...]]:
        times = []
        for way in ("ASC", "DESC"):
            times += self._all(f"SELECT at {_INSPECTIONS} WHERE {condition} ORDER BY at {way} LIMIT 1", values)
        if not times:
            return "hour", ()
        first, last = (datetime.fromtimestamp(at / 1000).astimezone() for (at,) in times)
        unit = unit_for(last - first)
        edges = list(edges_between(first, last, unit))
        statement = f"SELECT {_TALLY} {_INSPECTIONS} WHERE {condition} AND at >= ? AND at < ?"
        buckets = []
        for start, end in pairwise(edges):
            (row,) = self._all(statement, (*values, milliseconds(start), milliseconds(end)))
            buckets.append(Bucket(start, end, _tally(row)))
        return unit, tuple(buckets)


@dataclass(frozen=True)
class _Group:
    """Inspections of one run with one finding."""

    run: int
    finding: int | None
    tally: Tally
    ms: float
    timed: int


def unit_for(span: timedelta) -> Unit:
    """Hours up to two days, days up to a quarter of a year, then weeks."""
    if span <= _LONGEST["hour"]:
        return "hour"
    return "day" if span <= _LONGEST["day"] else "week"


def edges_between(first: datetime, last: datetime, unit: Unit) -> Iterator[datetime]:
    """Local times with offset at which buckets begin, from before ``first`` until after ``last``.

    A day is from one local midnight to the next, also where the clocks are changed; an hour is always an hour.
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
    """The beginning of that day by the clock on the wall."""
    return datetime(moment.year, moment.month, moment.day).astimezone()


def _tally(row: list[Any] | tuple[Any, ...]) -> Tally:
    return Tally(*(value or 0 for value in row))  # sums over nothing are NULL


def _sum(tallies: Iterable[Tally]) -> Tally:
    rows = [(t.ok, t.warn, t.ng, t.skipped) for t in tallies]
    return Tally(*map(sum, zip(*rows, strict=True)))


def _classes(
    areas: Counter[tuple[str, int | None]], groups: list[_Group], labels: dict[int, list[str]]
) -> tuple[ClassDefects, ...]:
    defects: Counter[str] = Counter()
    for (label, _), count in areas.items():
        defects[label] += count
    inspections: Counter[str] = Counter()
    for group in groups:
        for label in labels.get(group.finding, ()) if group.finding is not None else ():
            inspections[label] += group.tally.inspected
    return tuple(ClassDefects(label, count, inspections[label]) for label, count in defects.most_common())


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
    places = np.minimum(np.searchsorted(up_to, _QUANTILES), len(values) - 1)
    quantiles = dict(zip(_QUANTILES, values[places].tolist(), strict=True))
    return Areas(edges, tuple(bins.tolist()), quantiles, float((values * counts).sum() / counts.sum()))


def _bins(least: int, most: int) -> tuple[float, ...]:
    """Edges around all areas; an empty mask's 0 gets a bin of its own."""
    decades = range(int(math.log10(max(most, 1))) + 2)
    edges = [round(step * 10**decade, 1) for decade in decades for step in _SERIES]
    below = max((i for i, edge in enumerate(edges) if edge <= max(least, 1)), default=0)
    above = next(i for i, edge in enumerate(edges) if edge > most)
    return (*([0.0] if least == 0 else []), *edges[below : max(above, below + 1) + 1])


def _models(groups: list[_Group], runs: dict[int, list[str]]) -> tuple[ModelTally, ...]:
    found: dict[tuple[str, str], list[Tally]] = {}
    for group in groups:
        file, sha256 = runs.get(group.run, ("", ""))
        found.setdefault((file, sha256), []).append(group.tally)
    models = [ModelTally(*key, _sum(tallies)) for key, tallies in found.items()]
    return tuple(sorted(models, key=lambda model: -model.tally.inspected))
