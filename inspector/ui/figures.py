"""The statistics as charts."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

from inspector.history.statistics import Statistics, Tally
from inspector.ui.chart_figure import Figure, Series
from inspector.ui.texts import t

_MOST = 12  # bars of classes or models; the others are one bar


def yield_figure(found: Statistics) -> Figure:
    """Inspections over time by verdict, and which part of them was not NG."""
    names = {"hour": t("Hour"), "day": t("Day"), "week": t("Week from")}
    formats = {"hour": "%m-%d %H:%M", "day": "%m-%d", "week": "%Y-%m-%d"}
    return Figure(
        title=t("Yield over time"),
        labels=tuple(bucket.start.strftime(formats[found.unit]) for bucket in found.buckets),
        series=_verdicts(bucket.tally for bucket in found.buckets),
        x_title=names[found.unit],
        y_title=t("Inspections"),
        line=tuple(_yield(bucket.tally) for bucket in found.buckets),
        line_name=t("Yield"),
        heading=names[found.unit],
    )


def class_figure(found: Statistics) -> Figure:
    """Defects by class, the most frequent first, and their sum so far: a Pareto chart."""
    shown = [(entry.label, entry.defects) for entry in found.classes[:_MOST]]
    if rest := sum(entry.defects for entry in found.classes[_MOST:]):
        shown.append((t("others"), rest))
    counts = [count for _, count in shown]
    return Figure(
        title=t("Defects by class"),
        labels=tuple(label for label, _ in shown),
        series=(Series(t("Defects"), tuple(counts)),),
        y_title=t("Defects"),
        line=tuple(100 * part / sum(counts) for part in accumulate(counts)),
        line_name=t("Sum so far"),
        heading=t("Class"),
    )


def area_figure(found: Statistics) -> Figure | None:
    """How large the defects are, on a logarithmic axis; None where none has a mask."""
    areas = found.areas
    if areas is None:
        return None
    median, most = f"{areas.quantiles[0.5]:,}", f"{areas.quantiles[1.0]:,}"
    return Figure(
        title=t("Areas of the defects"),
        labels=tuple(f"{edge:,.0f}" if edge >= 10 or edge == int(edge) else f"{edge:g}" for edge in areas.edges),
        series=(Series(t("Defects"), tuple(areas.counts)),),
        x_title=t("px², half of them up to {median}, the largest {most}", median=median, most=most),
        y_title=t("Defects"),
        binned=True,
        heading=t("Area px²"),
    )


def model_figure(found: Statistics) -> Figure:
    """Verdicts by model."""
    models = found.models[:_MOST]
    files = [model.file for model in models]
    return Figure(
        title=t("Verdicts by model"),
        labels=tuple(
            f"{model.file or '—'} ({model.sha256[:6]})" if files.count(model.file) > 1 else model.file or "—"
            for model in models
        ),
        series=_verdicts(model.tally for model in models),
        x_title=t("Inspections"),
        across=True,
        heading=t("Model"),
    )


def _verdicts(tallies: Iterable[Tally]) -> tuple[Series, ...]:
    rows = list(tallies)
    return (
        Series("OK", tuple(tally.ok for tally in rows), "ok"),
        Series("WARN", tuple(tally.warn for tally in rows), "warn", "lines"),
        Series("NG", tuple(tally.ng for tally in rows), "ng", "slants"),
    )


def _yield(tally: Tally) -> float | None:
    return 100 * (tally.ok + tally.warn) / tally.inspected if tally.inspected else None
