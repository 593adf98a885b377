"""Statistics of the history against sums made by hand, and calendars with changing clocks."""

import os
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from inspector.domain import Choice, Detection, Frame, Inspection, Job, Mask, ModelInfo, Skipped, Timings, Verdict
from inspector.history import History, Query
from inspector.history.reader import Stopped
from inspector.history.statistics import Analysis, Areas, ClassDefects, Tally, edges_between, unit_for

MODEL = ModelInfo("best.pt", "ab12" * 16, "yolo11n-seg", ("Crack", "Wear"))
OTHER = replace(MODEL, sha256="cd34" * 16)  # another file of the same name
JOB = Job((Choice("image_files"),), Choice("yolo11"))
STARTED = "2026-11-22T08:00:00.000+00:00"
IMAGE = np.zeros((4, 5000, 3), np.uint8)
needs_zones = pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of a process cannot be set here")


def single(ok: int = 0, warn: int = 0, ng: int = 0, skipped: int = 0) -> Tally:
    """Of images that are parts of their own."""
    return Tally(ok, warn, ng, skipped, images=ok + warn + ng)


def defect(label: str, area: int | None) -> Detection:
    mask = None if area is None else Mask(0, 0, np.ones((1, area), bool))
    return Detection(label, 0.9, (0, 0, 5, 5), mask)


def inspection(when: datetime, status: str = "OK", found=(), ms: float = 10.0) -> Inspection:
    frame = Frame(IMAGE, 0, "a.png", path="/data/a.png")
    return Inspection(frame, tuple(found), Verdict(status), MODEL, Timings(1, 2, ms), 1, time=when.isoformat())


@pytest.fixture
def zone(monkeypatch):
    """``zone("CET-1CEST,M3.5.0,M10.5.0/3")``: this process lives there for the test."""

    def move(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    before = os.environ.get("TZ")
    yield move
    monkeypatch.undo()
    assert os.environ.get("TZ") == before
    if hasattr(time, "tzset"):
        time.tzset()


@pytest.fixture
def history():
    with History.open() as opened:
        yield opened


NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)


@pytest.fixture
def filled(history):
    """Best: 3 OK, 1 WARN, 2 NG within 5 hours; another best: 1 NG a day later."""
    run = history.begin(JOB, MODEL, "one", None, STARTED)
    for hour in range(3):
        history.add(run, inspection(NOON + timedelta(hours=hour), ms=20))
    history.add(run, inspection(NOON + timedelta(hours=3), "WARN", [defect("Crack", 1)], 30))
    history.add(run, inspection(NOON + timedelta(hours=4), "NG", [defect("Crack", 50), defect("Crack", 4000)], 30))
    history.add(
        run, inspection(NOON + timedelta(hours=4, minutes=5), "NG", [defect("Wear", 60), defect("Crack", None)])
    )
    history.finish(run, "done", {})
    run = history.begin(JOB, OTHER, "two", None, STARTED)
    history.add(run, inspection(NOON + timedelta(days=1), "NG", [defect("Wear", 55)]))
    history.finish(run, "done", {})
    return history


def test_all_of_it(filled):
    with Analysis() as analysis:
        found = analysis.statistics(Query())
    assert found.tally == single(ok=3, warn=1, ng=3) and found.tally.inspected == 7
    assert found.defects == 6 and found.mean_ms == pytest.approx((3 * 20 + 2 * 30 + 2 * 10) / 7)
    assert found.classes == (ClassDefects("Crack", 4, 3), ClassDefects("Wear", 2, 2))
    assert [(m.file, m.sha256, m.tally) for m in found.models] == [
        ("best.pt", "ab12ab12ab12", single(3, 1, 2)),
        ("best.pt", "cd34cd34cd34", single(ng=1)),
    ]
    assert found.unit == "hour" and len(found.buckets) == 25
    assert [bucket.tally.inspected for bucket in found.buckets] == [1, 1, 1, 1, 2, *[0] * 19, 1]
    assert found.buckets[4].tally == single(ng=2) and found.buckets[0].start == NOON
    assert all(a.end == b.start for a, b in pairwise(found.buckets))


def test_areas_on_a_logarithmic_axis(filled):
    with Analysis() as analysis:
        areas = analysis.statistics(Query()).areas
    assert areas.edges[:3] == (1.0, 1.6, 2.5) and areas.edges[-2:] == (4000.0, 6300.0)
    ratios = np.divide(areas.edges[1:], areas.edges[:-1])
    assert ratios.min() > 1.55 and ratios.max() < 1.65
    full = {areas.edges[i]: count for i, count in enumerate(areas.counts) if count}
    assert full == {1.0: 1, 40.0: 3, 4000.0: 1}
    assert areas.quantiles == {0.0: 1, 0.25: 50, 0.5: 55, 0.75: 60, 0.95: 4000, 1.0: 4000}
    assert areas.mean == pytest.approx((1 + 50 + 4000 + 60 + 55) / 5)


@pytest.mark.parametrize(
    ("areas", "edges", "counts"),
    [
        ([0], (0, 1, 1.6), (1, 0)),
        ([7], (6.3, 10), (1,)),
        ([10, 10], (10, 16), (2,)),
        ([0, 2], (0, 1, 1.6, 2.5), (1, 0, 1)),
    ],
)
def test_few_areas(history, areas, edges, counts):
    run = history.begin(JOB, MODEL, "t", None, STARTED)
    for area in areas:
        history.add(run, inspection(NOON, "NG", [defect("Crack", area)]))
    history.commit()
    with Analysis() as analysis:
        found = analysis.statistics(Query()).areas
    assert isinstance(found, Areas) and (found.edges, found.counts) == (edges, counts)


@pytest.mark.parametrize(
    ("query", "tally", "classes"),
    [
        (Query(verdict="NG"), single(ng=3), {"Crack": (3, 2), "Wear": (2, 2)}),
        (Query(label="wear"), single(ng=2), {"Wear": (2, 2)}),
        (Query(run=2), single(ng=1), {"Wear": (1, 1)}),
        (Query(model="cd34cd"), single(ng=1), {"Wear": (1, 1)}),
        (Query(until=NOON + timedelta(hours=4)), single(ok=3, warn=1), {"Crack": (1, 1)}),
        (Query(text="nothing like it"), single(), {}),
    ],
)
def test_of_a_query(filled, query, tally, classes):
    with Analysis() as analysis:
        found = analysis.statistics(query)
    assert found.tally == tally
    assert {c.label: (c.defects, c.parts) for c in found.classes} == classes
    assert found.defects == sum(number for number, _ in classes.values())
    assert sum(bucket.tally.inspected for bucket in found.buckets) == tally.inspected
    assert sum(model.tally.inspected for model in found.models) == tally.inspected
    assert (found.areas is None) == (not classes) and (found.mean_ms is None) == (not tally.inspected)


def test_a_tally_of_a_period_and_skipped(history):
    run = history.begin(JOB, MODEL, "t", None, STARTED)
    now = datetime.now().astimezone()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    history.add(run, inspection(midnight - timedelta(seconds=1), "NG"))
    history.add(run, inspection(midnight, "NG"))
    history.add(run, inspection(now))
    history.add_skipped(run, Skipped("x.png", "empty"))
    history.commit()
    with Analysis() as analysis:
        today = analysis.tally(Query(since=midnight))
        assert today == single(ok=1, ng=1, skipped=1) and today.good_share == 0.5
        assert analysis.tally(Query(since=midnight, verdict="NG")) == single(ng=1)
        found = analysis.statistics(Query())
    assert found.tally == single(ok=1, ng=2, skipped=1) and found.tally.inspected == 3
    assert found.buckets[-1].tally.skipped == 1


def test_an_empty_history(home):
    with Analysis(home / "new.sqlite3") as analysis:
        found = analysis.statistics(Query())
        assert (found.tally, found.buckets, found.classes, found.areas, found.models) == (single(), (), (), None, ())
        assert analysis.tally(Query()) == single() and single().good_share is None


@pytest.mark.parametrize(("days", "unit"), [(0, "hour"), (2, "hour"), (3, "day"), (92, "day"), (93, "week")])
def test_units(days, unit):
    assert unit_for(timedelta(days=days)) == unit


BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"


@needs_zones
@pytest.mark.parametrize(
    ("day", "hours"),
    [
        (datetime(2026, 3, 29, 12), [24, 23, 24]),
        (datetime(2026, 10, 25, 12), [24, 25, 24]),
        (datetime(2026, 6, 1, 12), [24, 24, 24]),
    ],
)
def test_a_day_lasts_until_midnight_also_where_the_clocks_change(zone, day, hours):
    zone(BERLIN)
    first, last = ((day + timedelta(days=shift)).astimezone() for shift in (-1, 1))
    edges = list(edges_between(first, last, "day"))
    assert [edge.strftime("%H:%M") for edge in edges] == ["00:00"] * 4
    assert [(b - a) / timedelta(hours=1) for a, b in pairwise(edges)] == hours


@needs_zones
def test_hours_where_the_clocks_change(zone):
    zone(BERLIN)
    noon = datetime(2026, 10, 24, 22, tzinfo=UTC).astimezone()
    edges = list(edges_between(noon, noon + timedelta(hours=5), "hour"))
    assert [edge.strftime("%H%z") for edge in edges] == [
        *("00+0200", "01+0200", "02+0200", "02+0100", "03+0100", "04+0100", "05+0100")
    ]


@needs_zones
@pytest.mark.parametrize("name", ["IST-5:30", "NPT-5:45", "UTC0", BERLIN, "EST5EDT,M3.2.0,M11.1.0"])
def test_weeks_begin_on_monday_by_the_clock_on_the_wall(zone, history, name):
    zone(name)
    run = history.begin(JOB, MODEL, "t", None, STARTED)
    monday = datetime(2026, 3, 2)
    moments = [monday, monday + timedelta(days=6, hours=23, minutes=59), monday + timedelta(days=7)]
    moments.append(monday + timedelta(days=200))
    for moment in moments:
        history.add(run, inspection(moment.astimezone(), "NG"))
    history.commit()
    with Analysis() as analysis:
        found = analysis.statistics(Query())
    assert found.unit == "week" and len(found.buckets) == 29
    assert all(b.start.weekday() == 0 and (b.start.hour, b.start.minute) == (0, 0) for b in found.buckets)
    assert [b.tally.ng for b in found.buckets] == [2, 1, *[0] * 26, 1]


@pytest.mark.slow
def test_a_writer_at_work_and_cancelling(history):
    run = history.begin(JOB, MODEL, "t", None, STARTED)
    for number in range(10_000):
        history.add(run, inspection(NOON + timedelta(seconds=number), "NG", [defect("Crack", 10)]))
    history.commit()
    outcome = []
    asked, stop = threading.Event(), threading.Event()

    def cancelled() -> bool:
        asked.set()
        return stop.wait(10)

    def work() -> None:
        with Analysis() as analysis:
            try:
                analysis.statistics(Query(), cancelled)
            except Stopped:
                outcome.append("stopped")
            outcome.append(analysis.statistics(Query()))

    thread = threading.Thread(target=work)
    thread.start()
    assert asked.wait(10)
    history.add(run, inspection(NOON, "OK"))
    history.commit()
    stop.set()
    thread.join(10)
    assert outcome[0] == "stopped" and outcome[1].tally == single(ok=1, ng=10_000)
    assert history._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
