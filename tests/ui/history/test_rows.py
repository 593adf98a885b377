"""The history as a table's rows, with a real history and its thread."""

import threading
import time
from datetime import datetime, timedelta

import numpy as np
import pytest

from inspector.domain import Choice, Detection, Frame, InputError, Inspection, Job, Mask, ModelInfo, Skipped, judge
from inspector.history import History, Query
from inspector.history.listing import Listing, Sort
from inspector.ui.history.rows import HISTORY, HistoryRows, columns, inspections_in, result_columns
from inspector.ui.kit import strings
from inspector.ui.kit.table.selection import IndexRanges
from inspector.ui.kit.table.table import VirtualTable
from inspector.ui.kit.tasks import BackgroundTasks

MODEL = ModelInfo("best.pt", "ab" * 32, "yolo11n-seg", ("wear", "pit"))
BEGIN = datetime(2026, 5, 4, 8).astimezone()
IMAGE = np.zeros((40, 60, 3), np.uint8)


def inspection(number, labels=(), seconds=None):
    found = tuple(
        Detection(label, 0.5 + place / 10, (1, 2, 11, 12), Mask(1, 2, np.ones((10, 10 + place), bool)))
        for place, label in enumerate(labels)
    )
    frame = Frame(IMAGE, number, f"图 {number}.png", seconds=seconds, path=f"/parts/图 {number}.png")
    moment = (BEGIN + timedelta(seconds=number)).isoformat()
    return Inspection(frame, found, judge(found), MODEL, number=number, time=moment)


@pytest.fixture
def history(home):
    with History.open() as history:
        history.run = history.begin(Job((), Choice("yolo11")), MODEL, "batch", None, BEGIN.isoformat())
        yield history


def fill(history, count, labels=lambda number: ["wear", "pit"] if number % 4 == 0 else []):
    for number in range(1, count + 1):
        history.add(history.run, inspection(number, labels(number)))
    history.commit()


@pytest.fixture
def tasks(root):
    failures = []
    tasks = BackgroundTasks(failures.append)
    tasks.failures = failures
    waiting = []

    def pump():
        tasks.pump()
        waiting[:] = [root.after(5, pump)]

    pump()
    yield tasks
    root.after_cancel(waiting[0])
    tasks.close()


@pytest.fixture
def rows(tasks, wait):
    made = []

    def make(sort=None, **how):
        rows = HistoryRows(tasks, Query(), sort, lambda: made.append("changed"), **how)
        made.append(rows)
        wait(lambda: not rows.loading)
        return rows

    yield make
    for rows in made:
        if isinstance(rows, HistoryRows):
            rows.close()


def fetched(wait, rows, start, stop):
    return wait(lambda: all(found := rows.fetch(start, stop)) and found)


def test_a_row_a_defect(history, rows, wait):
    fill(history, 4)
    found = rows()
    assert len(found) == 5
    assert fetched(wait, found, 2, 5) == [
        ("✓ OK", "3", "08:00:03", "图 3.png", "—", "—", "—", "—", "0"),
        ("✕ NG", "4", "08:00:04", "图 4.png", "wear", "0.500", "100", "1, 2, 11, 12", "0"),
        ("✕ NG", "4", "08:00:04", "图 4.png", "pit", "0.600", "110", "1, 2, 11, 12", "0"),
    ]
    assert [found.tag(index) for index in range(5)] == ["ok", "ok", "ok", "ng", "ng"]
    assert found.key(3)[0] == found.key(4)[0] == 4 and found.key(3)[1] != found.key(4)[1] != 0
    assert (found.key(0), found.key(5), found.find(4), found.find(99)) == ((1, 0), None, 3, None)
    assert inspections_in(found.keys, IndexRanges([(2, 3), (4, 9)])) == [3, 4]
    assert inspections_in(found.keys, IndexRanges()) == []
    assert found.places(4) == [3, 4]
    assert found.row(4).label == "pit"


def test_skipped_images_and_video_frames_say_so(history, rows, wait):
    history.add(history.run, inspection(1, seconds=0.5))
    history.add_skipped(history.run, Skipped("broken.png", "it is cut off"))
    history.commit()
    strings.set_language("zh")
    found = rows(keys=HISTORY)
    (video, skipped) = fetched(wait, found, 0, 2)
    assert video[:3] == ("✓ OK", "2026-05-04 08:00:01", "#1 图 1.png")
    assert (skipped[2], skipped[0], found.tag(1)) == ("broken.png", "— 读图失败", "skipped")


def test_columns_are_titled_in_the_language_of_the_moment():
    strings.set_language("zh")
    assert [column.title for column in columns(HISTORY)][:5] == ["判定", "时间", "文件", "缺陷", "类别"]
    assert len(result_columns()) == 9
    assert [column.sortable for column in result_columns() if column.key == "box"] == [False]


def test_it_sorts_and_filters(history, rows, wait):
    fill(history, 40)
    found = rows()
    before = found.version
    found.sort("score", True)
    wait(lambda: found.version > before)
    assert [row[5] for row in fetched(wait, found, 0, 11)] == ["0.600"] * 10 + ["0.500"]
    found.reload(Query(label="pit"), Sort("number", True))
    wait(lambda: found.version > before + 1)
    assert len(found) == 10
    assert [row[1] for row in fetched(wait, found, 0, 2)] == ["40", "36"]


def test_only_the_latest_wish_is_answered(history, rows, wait):
    fill(history, 400)
    found = rows()
    before = found.version
    for run in (7, 8, 9):
        found.reload(Query(run=run), None)
    found.reload(Query(verdict="NG"), None)
    wait(lambda: not found.loading)
    assert (len(found), found.query) == (200, Query(verdict="NG"))
    assert found.version <= before + 2


def test_new_rows_come_behind_the_others(history, rows, wait):
    fill(history, 3)
    found = rows()
    for number in (4, 5):
        history.add(history.run, inspection(number, ["wear"]))
    history.commit()
    found.append_newer()
    wait(lambda: len(found) == 5)
    assert all(found.fetch(3, 5))  # they came with their texts
    assert found.prepended == 0
    assert [row[1] for row in fetched(wait, found, 0, 5)] == ["1", "2", "3", "4", "5"]


def add(history, number):
    history.add(history.run, inspection(number))
    history.commit()


def test_what_is_asked_for_while_the_first_rows_are_read_is_not_lost(history, rows, wait):
    fill(history, 3)
    found = rows()
    find, read, go = found._find, threading.Event(), threading.Event()

    def late(listing, query, sort):
        keys = listing.keys(query, sort)
        read.set()
        go.wait(30)
        found._post(found._found, query, sort, keys, {})

    found._find = late
    found.reload(Query(), None)
    wait(read.is_set)
    add(history, 4)  # after they were read, and before they are there
    found.append_newer()
    go.set()
    wait(lambda: len(found) == 4)
    found._find = find


def test_two_questions_for_newer_rows_find_them_all(history, rows, wait):
    fill(history, 3)
    found = rows()
    add(history, 4)
    (query, after), come = (found.query, found._last), found._appended
    found.append_newer()
    wait(lambda: len(found) == 4)
    add(history, 5)
    with Listing() as listing:  # the second question was asked before the answer to the first
        keys = listing.newer(query, after, lambda: False, False)
    come(query, after, keys, {})
    wait(lambda: len(found) == 5)


def test_where_the_newest_stand_first_new_rows_do_too(history, rows, wait):
    fill(history, 3)
    found = rows(sort=Sort("time", True))
    history.add(history.run, inspection(4, ["wear", "pit"]))
    history.add(history.run, inspection(5, []))
    history.commit()
    found.append_newer()
    wait(lambda: len(found) == 6)
    assert [row[1] for row in fetched(wait, found, 0, 6)] == ["5", "4", "4", "3", "2", "1"]
    assert found.fetch(1, 3)[0][4] == "wear"
    assert found.prepended == 3


def test_a_purged_row_is_empty(history, rows, wait):
    fill(history, 200)
    found = rows()
    history.purge(before=BEGIN + timedelta(seconds=300))
    assert fetched(wait, found, 150, 152) == [("—",) * 9] * 2
    assert found.row(150) is None and found.tag(150) == ""


def test_far_rows_come_by_blocks(history, rows, wait):
    fill(history, 1000, labels=lambda number: [])
    found = rows()
    assert found.fetch(555, 557) == [None, None]
    fetched(wait, found, 555, 557)
    assert all(found.fetch(500, 600))
    assert found.fetch(600, 601) == [None]


def test_a_table_shows_it(root, history, tasks, wait):
    fill(history, 500)
    table = VirtualTable(root, result_columns())
    table.pack(fill="both", expand=True)
    rows = HistoryRows(tasks, Query(), None, table.refresh)
    table.set_rows(rows)
    wait(lambda: len(rows) == 625)
    table.select(620)
    wait(
        lambda: (
            table.tree.item(table.tree.selection()[0], "values")[3].startswith("图") if table.tree.selection() else 0
        )
    )
    rows.close()


def test_a_damaged_history_is_told_once_and_can_be_tried_again(history, tasks, wait, tmp_path):
    bad = tmp_path / "history.sqlite3"
    bad.write_bytes(b"no database" * 200)
    found = HistoryRows(tasks, Query(), None, lambda: None, path=bad)
    wait(lambda: tasks.failures)
    assert isinstance(tasks.failures[0], InputError) and not found.loading and len(found) == 0
    bad.unlink()
    found.reload(Query(), None)
    wait(lambda: found.version == 1)
    assert len(tasks.failures) == 1
    found.close()


def test_closing_ends_the_thread(history, rows, wait):
    fill(history, 10)
    others = set(threading.enumerate())  # of tests before, which may still be ending
    found = rows()

    def threads():
        return [thread for thread in set(threading.enumerate()) - others if thread.name == "task _work"]

    assert len(threads()) == 1
    found.close()
    wait(lambda: not threads())
    found.reload(Query(run=1), None)
    time.sleep(0.05)
    assert not threads()
