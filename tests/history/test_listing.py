"""The result table's keys and rows, against the history that a writer made."""

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from inspector.domain import (
    Choice,
    Detection,
    Frame,
    Inspection,
    Job,
    Mask,
    Measures,
    ModelInfo,
    Skipped,
    Timings,
    judge,
)
from inspector.history import History, Query
from inspector.history.listing import Listing, Sort
from inspector.history.reader import Stopped

MODEL = ModelInfo("best.pt", "ab12" * 16, "yolo11n-seg", ("Crack", "Wear"))
JOB = Job((Choice("image_files"),), Choice("yolo11"))
STARTED = "2026-11-22T08:00:00.000+00:00"
IMAGE = np.zeros((40, 60, 3), np.uint8)


def defect(label: str, score: float, side: int | None) -> Detection:
    mask = None if side is None else Mask(1, 1, np.ones((side, side), bool))
    measures = Measures() if side is None else Measures(side * side, float(side))
    return Detection(label, score, (1, 1, 1 + (side or 5), 6), mask, measures=measures)


def inspection(number: int, name: str, found=(), ms: float = 10.0, minute: int | None = None, **frame) -> Inspection:
    when = datetime(2026, 11, 22, 8, tzinfo=UTC) + timedelta(minutes=number if minute is None else minute)
    frame = {"path": f"/data/{name}"} | frame
    image = Frame(IMAGE, frame.pop("index", 0), name, **frame)
    return Inspection(image, tuple(found), judge(found), MODEL, Timings(1, 2, ms), number, time=when.isoformat())


@pytest.fixture
def history():
    with History.open() as opened:
        yield opened


@pytest.fixture
def filled(history):
    """Run 1: (1) b.png good, (2) A.png with a crack and a wear, (3) c.png with a crack without mask, (4) skipped.
    Run 2: (5) frame 7 of a video, with a wear; its clock went wrong, it is the oldest.
    """
    run = history.begin(JOB, MODEL, "one", None, STARTED)
    history.add(run, inspection(1, "b.png", ms=30))
    history.add(run, inspection(2, "A.png", [defect("Crack", 0.9, 3), defect("wear", 0.5, 6)], ms=10))
    history.add(run, inspection(3, "c.png", [defect("Crack", 0.7, None)], ms=20))
    history.finish(run, "done", {})
    history.add_skipped(run, Skipped("x.png", "the file is empty", "/data/x.png"))
    run = history.begin(JOB, replace(MODEL, file="other.pt"), "two", None, STARTED)
    video = inspection(1, "t.mp4", [defect("wear", 0.6, 2)], ms=40, minute=-60, index=7, seconds=0.28, path="/v/t.mp4")
    history.add(run, video)
    history.finish(run, "done", {})
    return history


def pairs(keys) -> list[tuple[int, int]]:
    return [tuple(key) for key in keys.tolist()]


KEPT = [(1, 0), (2, 1), (2, 2), (3, 3), (4, 0), (5, 4)]


def test_a_row_for_each_defect_and_one_for_what_has_none(filled):
    with Listing() as listing:
        keys = listing.keys(Query())
        assert keys.dtype == np.int64 and keys.shape == (6, 2) and pairs(keys) == KEPT
        good, crack, wear, bare, skipped, video = listing.rows(keys)
    assert (good.inspection, good.detection, good.run, good.number, good.name) == (1, 0, 1, 1, "b.png")
    assert (good.verdict, good.skipped, good.codes, good.ms, good.model) == ("OK", None, (), 30, "best.pt")
    assert (good.label, good.score, good.box, good.area_px, good.length_px) == (None,) * 5
    assert (crack.label, crack.score, crack.box, crack.area_px, crack.path) == (
        "Crack",
        0.9,
        (1, 1, 4, 6),
        9,
        "/data/A.png",
    )
    assert crack.length_px == pytest.approx(3) and crack.verdict == "NG" and crack.codes == ("count_above",)
    assert (wear.inspection, wear.label, wear.area_px, wear.time) == (2, "wear", 36, crack.time)
    assert (bare.label, bare.area_px, bare.length_px) == ("Crack", None, None) and bare.box is not None
    assert (skipped.verdict, skipped.skipped, skipped.number, skipped.ms) == (None, "the file is empty", None, None)
    assert skipped.name == "x.png" and skipped.path == "/data/x.png"
    assert (video.index, video.seconds, video.path, video.model) == (7, 0.28, "/v/t.mp4", "other.pt")


@pytest.mark.parametrize(
    ("column", "up", "down"),
    [
        ("number", [1, 5, 2, 2, 3, 4], [3, 2, 2, 1, 5, 4]),
        ("file", [2, 2, 1, 3, 5, 4], [4, 5, 3, 1, 2, 2]),
        ("verdict", [1, 2, 2, 3, 5, 4], [2, 2, 3, 5, 1, 4]),
        ("ms", [2, 2, 3, 1, 5, 4], [5, 1, 3, 2, 2, 4]),
    ],
)
def test_sorted_by_what_an_inspection_has(filled, column, up, down):
    """Skipped images have no number, verdict and time: they stand last either way."""
    with Listing() as listing:
        assert listing.keys(Query(), Sort(column))[:, 0].tolist() == up
        assert listing.keys(Query(), Sort(column, descending=True))[:, 0].tolist() == down


@pytest.mark.parametrize(
    ("column", "up", "down"),
    [
        ("label", [1, 3, 2, 4, 0, 0], [2, 4, 1, 3, 0, 0]),
        ("score", [2, 4, 3, 1, 0, 0], [1, 3, 4, 2, 0, 0]),
        ("area", [4, 1, 2, 0, 3, 0], [2, 1, 4, 0, 3, 0]),
    ],
)
def test_sorted_by_what_a_defect_has(filled, column, up, down):
    """Rows without a defect, and the defect without a mask, have nothing to sort by: they stand last either way."""
    with Listing() as listing:
        assert listing.keys(Query(), Sort(column))[:, 1].tolist() == up
        assert listing.keys(Query(), Sort(column, descending=True))[:, 1].tolist() == down


def test_sorted_by_time_and_as_kept(filled):
    with Listing() as listing:
        assert pairs(listing.keys(Query())) == KEPT
        # The skipped image is of now, far behind the others or before them: look at the others only.
        up, down = (pairs(listing.keys(Query(), Sort("time", way))) for way in (False, True))
        up.remove((4, 0))
        down.remove((4, 0))
        assert up == [(5, 4), (1, 0), (2, 1), (2, 2), (3, 3)]
        assert down == [(3, 3), (2, 1), (2, 2), (1, 0), (5, 4)]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (Query(verdict="NG"), [(2, 1), (2, 2), (3, 3), (5, 4)]),
        (Query(verdict="SKIPPED"), [(4, 0)]),
        (Query(label="CRACK"), [(2, 1), (3, 3)]),
        (Query(label="Rust"), []),
        (Query(run=2), [(5, 4)]),
        (Query(text="t.mp", limit=1, after=(0, 0), offset=3), [(5, 4)]),
        (Query(file="c.png"), [(3, 3)]),
        (Query(model="other*"), [(5, 4)]),
        (Query(until=datetime(2026, 11, 22, 8, tzinfo=UTC)), [(5, 4)]),
    ],
)
@pytest.mark.parametrize("sort", [None, Sort("area"), Sort("time")])
def test_filtered(filled, query, wanted, sort):
    with Listing() as listing:
        keys = listing.keys(query, sort)
        assert keys.shape == (len(wanted), 2) and sorted(pairs(keys)) == wanted


def test_newer_ones_come_while_another_connection_writes(filled):
    with Listing() as listing:
        keys = listing.keys(Query(verdict="NG"))
        last = int(listing.keys(Query())[:, 0].max())
        assert listing.newer(Query(), last).shape == (0, 2)
        run = filled.begin(JOB, MODEL, "three", None, STARTED)
        for number in range(1, 4):
            filled.add(run, inspection(number, f"n{number}.png", [defect("Crack", 0.9, 3)] * (number - 1)))
        filled.commit()
        assert pairs(listing.newer(Query(), last)) == [(6, 0), (7, 5), (8, 6), (8, 7)]
        more = listing.newer(Query(verdict="NG"), last)
        assert pairs(np.concatenate([keys, more])) == pairs(listing.keys(Query(verdict="NG")))
        assert pairs(listing.newer(Query(label="Wear"), 1)) == [(2, 2), (5, 4)]
        assert [row.name for row in listing.rows(more)] == ["n2.png", "n3.png", "n3.png"]


def test_no_lock_is_held_between_calls(filled):
    """A reader that held on to its snapshot would keep the writer from emptying the log of the database."""
    with Listing() as listing:
        listing.rows(listing.keys(Query(), Sort("score")))
        listing.newer(Query(), 0)
        assert not listing._connection.in_transaction
        assert filled._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        assert Path(f"{filled.path}-wal").stat().st_size == 0


def test_what_was_purged_meanwhile_is_none(filled):
    with Listing() as listing:
        keys = listing.keys(Query())
        filled.purge(run=1)
        rows = listing.rows(keys)
        assert [row and row.inspection for row in rows] == [None] * 5 + [5]
        assert listing.rows([]) == [] and listing.rows([(5, 99), (5, 4), (5, 4)])[0] is None


def test_it_cannot_write(filled):
    with Listing() as listing, pytest.raises(Exception, match="readonly"):
        listing._connection.execute("DELETE FROM inspection")


def test_a_history_that_does_not_exist_yet_is_empty(home):
    with Listing(home / "new.sqlite3") as listing:
        assert listing.keys(Query(), Sort("score")).shape == (0, 2)
        with History.open(home / "new.sqlite3") as history:
            run = history.begin(JOB, MODEL, "t", None, STARTED)
            history.add(run, inspection(1, "a.png"))
        assert pairs(listing.keys(Query())) == [(1, 0)]


@pytest.fixture
def many(history):
    """20,000 inspections, half of them with two defects."""
    run = history.begin(JOB, MODEL, "many", None, STARTED)
    good = inspection(1, "good.png")
    bad = inspection(2, "bad.png", [defect("Crack", 0.9, 3), defect("Wear", 0.5, 6)])
    for number in range(1, 20_001):
        history.add(run, replace(bad if number % 2 else good, number=number))
    history.finish(run, "done", {})
    return history


@pytest.mark.slow
def test_many_rows(many):
    with Listing() as listing:
        keys = listing.keys(Query(), Sort("area", True))
        assert len(keys) == 30_000 and len(np.unique(keys, axis=0)) == 30_000
        rows = listing.rows(keys[:1200])
        assert pairs(keys[:1200]) == [(row.inspection, row.detection) for row in rows]
        assert {row.area_px for row in rows} == {36}
        times = []
        for start in range(0, 30_000, 1500):
            began = time.thread_time()
            listing.rows(keys[start : start + 50])
            times.append(time.thread_time() - began)
        assert np.median(times) < 0.02


@pytest.mark.slow
def test_cancelled_from_another_thread(many):
    stop, asked, outcome = threading.Event(), threading.Event(), []

    def cancelled() -> bool:
        asked.set()
        return stop.wait(10)

    def work() -> None:
        with Listing() as listing:
            try:
                listing.keys(Query(text="o"), Sort("score"), cancelled)
            except Stopped:
                outcome.append("stopped")
            assert not listing._connection.in_transaction
            outcome.append(len(listing.keys(Query(text="good"))))

    thread = threading.Thread(target=work)
    thread.start()
    assert asked.wait(10)
    stop.set()
    thread.join(10)
    assert outcome == ["stopped", 10_000]
