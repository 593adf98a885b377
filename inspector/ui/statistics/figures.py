"""The statistics as charts."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

from inspector.history.statistics import Statistics, Tally
from inspector.ui.kit.charts.figure import Figure, Series
from inspector.ui.kit.strings import tr

_MOST = 12  # bars of classes or models; the others are one bar


def yield_figure(statistics: Statistics, with_yield: bool = True) -> Figure:
    """Inspections over time by verdict, and the yield, OK ÷ parts: a gap where nothing was inspected."""
    names = {"hour": tr("Hour"), "day": tr("Day"), "week": tr("Week from")}
    formats = {"hour": "%m-%d %H:%M", "day": "%m-%d", "week": "%Y-%m-%d"}
    return Figure(
        title=tr("Yield over time"),
        labels=tuple(bucket.start.strftime(formats[statistics.unit]) for bucket in statistics.buckets),
        series=_verdicts(bucket.tally for bucket in statistics.buckets),
        x_title=names[statistics.unit],
        y_title=tr("Parts"),
        line=tuple(_percent(bucket.tally) for bucket in statistics.buckets) if with_yield else (),
        line_name=tr("Yield (OK ÷ parts)"),
        heading=names[statistics.unit],
    )


def class_figure(statistics: Statistics) -> Figure:
    """Defects by class, the most frequent first, and their sum so far: a Pareto chart."""
    shown = [(entry.label, entry.defects) for entry in statistics.classes[:_MOST]]
    if rest := sum(entry.defects for entry in statistics.classes[_MOST:]):
        shown.append((tr("others"), rest))
    counts = [count for _, count in shown]
    return Figure(
        title=tr("Defects by class"),
        labels=tuple(label for label, _ in shown),
        series=(Series(tr("Defects"), tuple(counts)),),
        y_title=tr("Defects"),
        line=tuple(100 * part / sum(counts) for part in accumulate(counts)),
        line_name=tr("Cumulative %"),
        heading=tr("Class"),
    )


def area_figure(statistics: Statistics) -> Figure | None:
    """Return the histogram of defect areas on a logarithmic axis; None if no defect has a mask."""
    areas = statistics.areas
    if areas is None:
        return None
    median, most = f"{areas.quantiles[0.5]:,}", f"{areas.quantiles[1.0]:,}"
    return Figure(
        title=tr("Defect area distribution"),
        labels=tuple(f"{edge:,.0f}" if edge >= 10 or edge == int(edge) else f"{edge:g}" for edge in areas.edges),
        series=(Series(tr("Defects"), tuple(areas.counts)),),
        x_title=tr("median {median} px², max {most} px²", median=median, most=most),
        y_title=tr("Defects"),
        binned=True,
        heading=tr("Area px²"),
    )


def model_figure(statistics: Statistics) -> Figure:
    """Verdicts by model."""
    models = statistics.models[:_MOST]
    files = [model.file for model in models]
    return Figure(
        title=tr("Verdicts by model"),
        labels=tuple(
            f"{model.file or '—'} ({model.sha256[:6]})" if files.count(model.file) > 1 else model.file or "—"
            for model in models
        ),
        series=_verdicts(model.tally for model in models),
        x_title=tr("Parts"),
        across=True,
        heading=tr("Model"),
    )


def _verdicts(tallies: Iterable[Tally]) -> tuple[Series, ...]:
    rows = list(tallies)
    return (
        Series("OK", tuple(tally.ok for tally in rows), "ok"),
        Series("WARN", tuple(tally.warn for tally in rows), "warn", "lines"),
        Series("NG", tuple(tally.ng for tally in rows), "ng", "slants"),
    )


def _percent(tally: Tally) -> float | None:
    return None if tally.good_share is None else 100 * tally.good_share
