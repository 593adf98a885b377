"""Parts in the history: statistics count them, tables have one row for each, and old histories keep working."""

import sqlite3
from datetime import datetime, timedelta

import numpy as np
import pytest

from inspector.domain import (
    Choice,
    Detection,
    Frame,
    Inspection,
    Job,
    Mask,
    ModelInfo,
    OpenPart,
    PartView,
    Skipped,
    judge,
)
from inspector.history import History, Query
from inspector.history.database import MIGRATIONS
from inspector.history.listing import Listing, Sort
from inspector.history.statistics import Analysis, ClassDefects, Tally

STARTED = "2026-11-30T08:00:00.000+00:00"
MODEL = ModelInfo("best.pt", "ab" * 32, "yolo11n-seg", ("Crack", "Wear"))
JOB = Job((Choice("folder"),), Choice("yolo11"), operator="Li", station="S2", lot="L1")
START = datetime.fromisoformat(STARTED)


def image(number: int, name: str, labels=(), part: PartView | None = None, hour: float = 0.0, area: int = 4):
    masks = [Mask(0, 0, np.ones((area // 2, 2), bool)) for _ in labels]
    found = tuple(Detection(label, 0.9, (0, 0, 4, 4), mask) for label, mask in zip(labels, masks, strict=True))
    time = (START + timedelta(hours=hour)).isoformat(timespec="milliseconds")
    frame = Frame(np.zeros((8, 8, 3), np.uint8), number, name, path=f"/data/{name}")
    return Inspection(frame, found, judge(found), MODEL, number=number, time=time, part=part, lot="L1")


class Run:
    """Adds parts to a history as a run does."""

    def __init__(self, history: History) -> None:
        self.history, self.id, self.number = history, history.begin(JOB, MODEL, "run", None, STARTED), 0

    def alone(self, name: str, labels=(), hour: float = 0.0) -> None:
        self.number += 1
        self.history.add(self.id, image(self.number, name, labels, hour=hour))

    def part(self, id: str, views: dict, hour: float = 0.0, expected=("front", "back")) -> None:
        """``views``: name -> labels, or None for one that could not be read."""
        made = OpenPart(id, len(expected) or None, tuple(expected), bool(expected), id, "L7")
        for view, labels in views.items():
            self.number += 1
            place = PartView(id, view, len(expected) or None, id, "L7")
            name = f"{id}_{view}.png"
            result = None if labels is None else image(self.number, name, labels, place, hour)
            made.add(view, None if result is None else result.verdict)
            self.history.put_part(self.id, made)
            if result is None:
                self.history.add_skipped(self.id, Skipped(name, "it is cut off", f"/data/{name}"), place)
            else:
                self.history.add(self.id, result)
        if not views:
            self.history.put_part(self.id, made)
        self.history.commit()


@pytest.fixture
def history(home):
    with History.open() as opened:
        run = Run(opened)
        run.alone("single.png", ["Crack"])
        run.part("A1", {"front": (), "back": ["Crack", "Crack"]}, hour=1)
        run.part("A2", {"front": (), "back": ()}, hour=2)
        run.part("A3", {"front": ()}, hour=2)
        run.part("A4", {"front": ["Wear"], "back": None}, hour=3)
        opened.finish(run.id, "done", {})
        yield opened


def test_statistics_count_parts_and_say_how_many_images_that_was(history):
    with Analysis() as analysis:
        found = analysis.statistics(Query())
        assert found.tally == Tally(ok=1, warn=1, ng=3, skipped=1, images=7) == analysis.tally(Query())
        assert found.tally.good_share == 1 / 5 and found.defects == 4
        assert found.classes == (ClassDefects("Crack", 3, 2), ClassDefects("Wear", 1, 1))
        verdicts = [(b.tally.ok, b.tally.warn, b.tally.ng) for b in found.buckets if b.tally.inspected]
        assert verdicts == [(0, 0, 1), (0, 0, 1), (1, 1, 0), (0, 0, 1)]
        assert [(model.file, model.tally.inspected) for model in found.models] == [("best.pt", 5)]
        late = Query(since=START + timedelta(hours=1.5))
        assert analysis.tally(late) == Tally(ok=1, warn=1, ng=1, skipped=1, images=4)


@pytest.mark.parametrize(
    ("query", "parts", "images"),
    [
        (Query(verdict="WARN"), ["A3"], 1),  # although its only image is OK
        (Query(verdict="NG"), ["single.png", "A1", "A4"], 5),
        (Query(verdict="OK"), ["A2"], 2),
        (Query(verdict="SKIPPED"), ["A4"], 1),
        (Query(label="wear"), ["A4"], 1),
        (Query(text="A1"), ["A1"], 2),
        (Query(text="L7"), ["A1", "A2", "A3", "A4"], 7),
        (Query(file="*_back.png"), ["A1", "A2", "A4"], 3),
    ],
)
def test_a_table_has_one_row_for_each_part_with_an_image_that_matches(history, query, parts, images):
    with Listing() as listing:
        keys = listing.keys(query, Sort("time"), parts=True)
        rows = listing.rows(keys)
        assert [row.part or row.name for row in rows] == parts
        assert listing.count_images(query) == images == history.count(query)
        assert {row.part: row.verdict for row in rows if row.part} == {
            part: {"A1": "NG", "A2": "OK", "A3": "WARN", "A4": "NG"}[part] for part in parts if part[0] == "A"
        }


def test_the_row_of_a_part_sums_up_its_images_and_opens_to_them(history):
    with Listing() as listing:
        (key,) = listing.keys(Query(text="A1"), parts=True).tolist()
        assert key[1] < 0
        (row,) = listing.rows([key])
        assert (row.part, row.views, row.images, row.defects, row.labels) == ("A1", 2, 2, 2, ("Crack",))
        assert (row.codes, row.best, row.largest_px) == (("count_above",), 0.9, 4)
        views = listing.rows(listing.views(-key[1]))
        assert [(view.view, view.verdict, view.defects) for view in views] == [("front", "OK", 0), ("back", "NG", 2)]
        (unreadable,) = listing.rows(listing.keys(Query(text="A4"), parts=True))
        assert [view.verdict for view in listing.rows(listing.views(-unreadable.detection))] == ["NG", None]


@pytest.mark.parametrize("column", ["verdict", "file", "defects", "area", "label", "score", "number", "ms"])
def test_rows_of_parts_are_sorted_by_the_part(history, column):
    with Listing() as listing:
        rows = listing.rows(listing.keys(Query(), Sort(column, True), parts=True))
        assert len(rows) == 5
        if column == "verdict":
            assert [row.verdict for row in rows] == ["NG", "NG", "NG", "WARN", "OK"]
        if column == "defects":
            assert [row.defects for row in rows] == [2, 1, 1, 0, 0]


def test_a_part_that_goes_on_is_not_listed_twice(history):
    run = Run(history)
    with Listing() as listing:
        last = int(listing.keys(Query(), parts=True)[:, 0].max())
        run.part("B1", {"front": ()})
        (new,) = listing.newer(Query(), last, parts=True).tolist()
        run.part("B1", {"back": ()})
        assert listing.newer(Query(), int(new[0]), parts=True).tolist() == []
        assert len(listing.keys(Query(), parts=True)) == 6


def test_records_and_parts_come_back(history):
    entry = next(entry for entry in history.search(Query()).entries if entry.name == "A1_back.png")
    record = history.get(entry.id)
    assert record["part"] == {"id": "A1", "view": "back", "views": 2} and record["serial"] == "A1"
    assert (record["lot"], record["operator"], record["station"], record["grouped"]) == ("L7", "Li", "S2", True)
    part = history.part_of(entry.id)
    assert part.verdict.status == "NG" and part.reason_views == ("back",) and part.images == 2
    assert [part.id for part in history.parts(record["run"])] == ["A1", "A2", "A3", "A4"]
    single = next(entry for entry in history.search(Query()).entries if entry.name == "single.png")
    record = history.get(single.id)
    assert record["part"] == {"id": "1", "view": "single.png", "views": 1} and not record["grouped"]
    assert record["lot"] == "L1" and record["serial"] is None and history.part_of(single.id) is None


def test_a_part_without_any_image_is_counted_and_removed_with_its_run(history):
    run = Run(history)
    run.part("9", {}, expected=())
    history.finish(run.id, "done", {})
    with Analysis() as analysis:
        assert analysis.tally(Query(run=run.id)) == Tally(warn=1)
        assert analysis.tally(Query(run=run.id, verdict="OK")) == Tally()
    history.purge(run=run.id)
    assert list(history.parts(run.id)) == []


def test_purged_images_take_their_parts_along(history):
    history.purge(before=START + timedelta(hours=1.5))
    with Analysis() as analysis:
        assert analysis.tally(Query()) == Tally(ok=1, warn=1, ng=1, skipped=1, images=4)


def test_in_an_interrupted_run_a_part_that_lacks_a_view_is_not_ok(home):
    with History.open() as history:
        run = Run(history)
        run.part("A", {"front": (), "back": ()})
        run.part("B", {"front": ()})
        run.alone("c.png")
    with History.open() as history:
        counts = history.runs(run.id)[0].counts
    assert {name: counts[name] for name in ("inspected", "ok", "parts", "parts_ok", "parts_warn", "parts_ng")} == {
        "inspected": 4, "ok": 4, "parts": 3, "parts_ok": 2, "parts_warn": 1, "parts_ng": 0,
    }  # fmt: skip


def test_a_history_from_before_parts_counts_each_image_as_a_part(tmp_path):
    path = tmp_path / "history.sqlite3"
    with sqlite3.connect(path) as old:
        for number, statements in enumerate(MIGRATIONS[:4], 1):
            for statement in statements:
                old.execute(statement)
            old.execute(f"PRAGMA user_version = {number}")
        old.execute(
            "INSERT INTO run VALUES (1, 0, ?, ?, 'old', NULL, 'done', '1', '{}', '{\"inspected\": 2, \"ok\": 1}',"
            " 'm.pt', '', '', '[]', '', '', '', 0)",
            (STARTED, STARTED),
        )
        for number, verdict in ((1, "OK"), (2, "NG")):
            old.execute(
                "INSERT INTO inspection (run, number, at, time, name, width, height, verdict, reasons, defects)"
                " VALUES (1, ?, 0, ?, ?, 8, 8, ?, '[]', 0)",
                (number, STARTED, f"{number}.png", verdict),
            )
    old.close()
    with History(path) as history:
        assert history.runs()[0].counts["parts"] == 2
        assert history.get(2)["part"] == {"id": "2", "view": "2.png", "views": 1}
    with Analysis(path) as analysis, Listing(path) as listing:
        assert analysis.tally(Query()) == Tally(ok=1, ng=1, images=2)
        assert listing.keys(Query(), parts=True).tolist() == [[1, 0], [2, 0]]


def test_parts_of_some_images_are_counted(history):
    ids = [entry.id for entry in history.search(Query(limit=100)).entries]
    assert history.count_parts(ids) == 5 and history.count_inspected(ids) == 7
    backs = [entry.id for entry in history.search(Query(file="A1_*")).entries]
    assert history.count_parts(backs[:1]) == history.count_parts(backs) == 1 and history.count_parts([]) == 0
