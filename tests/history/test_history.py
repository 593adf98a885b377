import hashlib
import json
import logging
import os
import sqlite3
import subprocess
import sys
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
    InputError,
    Inspection,
    InspectorError,
    Job,
    Limit,
    Mask,
    ModelInfo,
    RecipeInfo,
    Rules,
    Skipped,
    Timings,
    judge,
    message,
    rules_sha256,
)
from inspector.history import Event, History, Query, database, records, store
from inspector.i18n import translate
from inspector.system.paths import history_file

MODEL = ModelInfo("best.pt", "ab12" * 16, "yolo11n-seg", ("Crack", "划痕"), "yolo11", "torch", "cpu", 640)
JOB = Job(
    (Choice("image_files", {"path": "/数据/a b"}),),
    Choice("yolo11", {"imgsz": 640}),
    rules=Rules({"Crack": {"area_px": Limit(5, 20)}}),
)
STARTED = "2026-11-22T08:00:00.000+00:00"
IMAGE = np.zeros((40, 60, 3), np.uint8)


def crack(side: int = 6, label: str = "Crack") -> Detection:
    pixels = np.ones((side, side), bool)
    pixels[side // 2, side // 2] = False  # a hole
    return Detection(label, 0.87654321, (3, 4, 3 + side, 4 + side), Mask(3, 4, pixels))


def inspection(name="a.png", found=(), number=1, minute=0, path: str | None = "", **frame) -> Inspection:
    path = f"/data/line 1/{name}" if path == "" else path
    rules = JOB.rules
    when = datetime(2026, 11, 22, 8, 0, tzinfo=UTC) + timedelta(minutes=minute)
    return Inspection(
        Frame(IMAGE, frame.pop("index", 0), name, path=path, **frame),
        tuple(found),
        judge(found, rules),
        MODEL,
        Timings(1.25, 20.5, 30.125),
        number,
        0.3,
        0.5,
        when.isoformat(timespec="milliseconds"),
    )


@pytest.fixture
def history():
    with History.open() as opened:
        yield opened


@pytest.fixture
def filled(history):
    """Two runs: images a, b, c and a skipped one by best.pt; 20 frames of a video by other.pt."""
    run = history.begin(JOB, MODEL, "Morning 早班", Path("/out/早班"), STARTED)
    history.add(run, inspection("a.png"))
    history.add(run, inspection("b_100%.png", [crack(4)], 2, 1))
    history.add(run, inspection("轴承 c!.png", [crack(9), crack(3, "划痕")], 3, 2, "D:\\生产\\轴承 c!.png"))
    history.add_skipped(run, Skipped("broken.png", "the file is empty", "/data/line 1/broken.png"))
    history.finish(run, "done", {"inspected": 3})
    run = history.begin(JOB, replace(MODEL, file="other.pt", sha256="cd" * 32), "Video", None, STARTED)
    for index in range(20):
        frame = {"index": index, "seconds": index / 25, "path": "/data/line 2/turn.mp4"}
        history.add(run, inspection("turn.mp4", [crack()] if index == 7 else [], index + 1, 60 + index, **frame))
    history.finish(run, "stopped", {"inspected": 20})
    return history


def names(history: History, **query) -> set[str]:
    return {entry.name for entry in history.search(Query(**query)).entries}


def test_a_record_comes_back_as_results_jsonl_has_it(history):
    run = history.begin(JOB, MODEL, "t", None, STARTED)
    given = inspection(
        "轴承 1.png", [crack(9), crack(3, "划痕"), Detection("Crack", 0.5, (1, 2, 3.5, 4))], 7, seconds=1.5
    )
    history.add(run, given)
    history.commit()
    record = history.get(history.search(Query()).entries[0].id)
    given = replace(given, rules_sha256=rules_sha256(JOB.rules))
    expected = json.loads(json.dumps(given.record()))
    assert {key: record[key] for key in expected} == expected
    assert record["run"] == run and record["title"] == "t" and record["number"] == 7
    assert record["recipe"] is None
    assert record["time"] == given.time and record["path"] == "/data/line 1/轴承 1.png"
    assert record["confidence"] == 0.3 and record["iou"] == 0.5 and record["skipped"] is None
    mask = Mask.from_rle(record["detections"][0]["rle"])
    assert np.array_equal(mask.pixels, given.detections[0].mask.pixels) and (mask.x, mask.y) == (3, 4)
    assert history.detections(record["id"]) == record["detections"]


def test_a_record_says_by_which_rules_and_recipe_it_was_judged(history):
    recipe = RecipeInfo("6205 outer ring", 3, "cd" * 32)
    job = replace(JOB, rules=Rules({"Crack": {"area_px": Limit(ng=40)}}, "strict"), recipe=recipe)
    run = history.begin(job, MODEL, "t", None, STARTED)
    history.add(run, inspection("a.png"))
    history.commit()
    (record,) = history.records(Query(run=run))
    assert record["recipe"] == {"name": "6205 outer ring", "version": 3, "sha256": "cd" * 32}
    assert record["rules_sha256"] == rules_sha256(job.rules) != rules_sha256(JOB.rules)


def test_a_run_comes_back_whole(filled):
    newest, oldest = filled.runs()
    assert newest.state == "stopped" and newest.output is None and newest.model.file == "other.pt"
    assert oldest.title == "Morning 早班" and oldest.output == str(Path("/out/早班"))
    assert (oldest.counts["inspected"], oldest.counts["parts"]) == (3, 3)  # of a version without parts
    assert oldest.model == MODEL and oldest.started == STARTED and oldest.ended
    assert Job.from_json(oldest.job) == JOB
    assert filled.runs(oldest.id) == [oldest] and filled.runs(99) == []
    assert filled.runs(state="stopped") == [newest] and filled.runs(oldest.id, state="stopped") == []


def test_a_skipped_image_is_kept_with_its_reason(filled):
    (entry,) = filled.search(Query(verdict="SKIPPED")).entries
    assert (entry.name, entry.verdict, entry.skipped) == ("broken.png", None, "the file is empty")
    assert entry.path == "/data/line 1/broken.png"
    record = filled.get(entry.id)
    assert record["verdict"] is None and record["detections"] == [] and record["skipped"] == "the file is empty"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"verdict": "OK"}, {"a.png", "turn.mp4"}),
        ({"verdict": "WARN"}, {"b_100%.png"}),
        ({"verdict": "NG"}, {"轴承 c!.png", "turn.mp4"}),
        ({"label": "划痕"}, {"轴承 c!.png"}),
        ({"label": "CRACK"}, {"b_100%.png", "轴承 c!.png", "turn.mp4"}),
        ({"label": "Crac"}, set()),
        ({"model": "other.pt"}, {"turn.mp4"}),
        ({"model": "OTHER*"}, {"turn.mp4"}),
        ({"model": "CDCDCD"}, {"turn.mp4"}),
        ({"model": "cdcdc"}, set()),
        ({"file": "a.png"}, {"a.png"}),
        ({"file": "A.PNG"}, {"a.png"}),
        ({"file": ".png"}, set()),
        ({"file": "?.png"}, {"a.png"}),
        ({"file": "*.png"}, {"a.png", "b_100%.png", "轴承 c!.png", "broken.png"}),
        ({"file": "b_100%.png"}, {"b_100%.png"}),
        ({"file": "b?1*"}, {"b_100%.png"}),
        ({"file": "b%"}, set()),
        ({"file": "/data/line 1/a.png"}, {"a.png"}),
        ({"file": "/line 1/a.png"}, set()),
        ({"file": "line 1/a.png"}, {"a.png"}),
        ({"file": "/data/*/turn.mp4"}, {"turn.mp4"}),
        ({"file": "D:\\生产\\轴承 c!.png"}, {"轴承 c!.png"}),
        ({"file": "d:\\*\\*"}, {"轴承 c!.png"}),
        ({"text": "轴承"}, {"轴承 c!.png"}),
        ({"text": "痕"}, {"轴承 c!.png"}),
        ({"text": "生产\\轴"}, {"轴承 c!.png"}),
        ({"text": "c!"}, {"轴承 c!.png"}),
        ({"text": "_"}, {"b_100%.png"} | {"轴承 c!.png", "turn.mp4"}),  # area_above too
        ({"text": "100%"}, {"b_100%.png"}),
        ({"text": "line 1/a"}, {"a.png"}),
        ({"text": "LINE 2"}, {"turn.mp4"}),
        ({"text": "早班"}, {"a.png", "b_100%.png", "轴承 c!.png", "broken.png"}),
        ({"text": "area_above"}, {"b_100%.png", "轴承 c!.png", "turn.mp4"}),
        ({"text": "钢"}, set()),
        ({"text": "crack", "verdict": "NG", "model": "best.pt"}, {"轴承 c!.png"}),
        ({"run": 1, "label": "Crack"}, {"b_100%.png", "轴承 c!.png"}),
        ({"run": 9}, set()),
    ],
)
def test_search_finds_exactly(filled, query, expected):
    assert names(filled, **query) == expected
    assert filled.count(Query(**query)) == len(filled.search(Query(**query, limit=100)).entries)
    assert [r["name"] for r in filled.records(Query(**query))] == [
        entry.name for entry in filled.search(Query(**query, limit=100)).entries
    ]


def test_search_by_time_counts_since_and_not_until(filled):
    begin = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
    hits = filled.search(Query(since=begin, until=begin + timedelta(minutes=5))).entries
    assert [entry.index for entry in hits] == [4, 3, 2, 1, 0]
    local = begin.astimezone().replace(tzinfo=None)
    assert filled.search(Query(since=local, until=local + timedelta(minutes=5))).entries == hits


def test_an_entry_says_what_a_list_shows(filled):
    (entry,) = filled.search(Query(verdict="NG", run=1)).entries
    assert entry.labels == ("Crack", "划痕") and entry.codes == ("area_above", "count_above")
    assert (entry.defects, entry.largest_px, entry.width, entry.height, entry.total_ms) == (2, 80, 60, 40, 30.125)
    assert (entry.title, entry.model, entry.number) == ("Morning 早班", "best.pt", 3)


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_pages_join_without_gap_or_overlap(filled, order):
    whole = filled.search(Query(order=order, limit=100))
    assert whole.next is None and len(whole.entries) == 24
    pages, after = [], None
    while True:
        page = filled.search(Query(order=order, limit=5, after=after))
        pages.append(page.entries)
        if page.next is None:
            break
        after = page.next
    assert [len(page) for page in pages] == [5, 5, 5, 5, 4]
    assert sum(pages, ()) == whole.entries
    times = [datetime.fromisoformat(entry.time) for entry in whole.entries]
    assert times == sorted(times, reverse=order == "newest")
    assert filled.search(Query(order=order, limit=5, offset=10)).entries == whole.entries[10:15]
    assert filled.search(Query(limit=24)).next is None


def test_inspections_of_one_moment_are_all_paged(history):
    run = history.begin(JOB, MODEL, "t", None, STARTED)
    for number in range(1, 12):
        history.add(run, inspection(number=number))
    history.commit()
    seen = [record["number"] for record in history.records(Query())]
    assert seen == list(range(11, 0, -1))
    page = history.search(Query(limit=4))
    assert [e.number for e in history.search(Query(limit=4, after=page.next)).entries] == [7, 6, 5, 4]


def test_every_search_uses_the_index_and_never_sorts(filled):
    queries = [Query(), Query(label="a", verdict="NG", text="a/b", file="x/y", model="abcdef", run=1, after=(1, 1))]
    for query in queries:
        condition, values = records.conditions(query)
        order = "inspection.at DESC, inspection.id DESC"
        statement = f"EXPLAIN QUERY PLAN {records.SELECT_ENTRY} WHERE {condition} ORDER BY {order}"
        plan = " ".join(row[3] for row in filled._connection.execute(statement, values))
        assert "by_time" in plan and "TEMP B-TREE FOR ORDER" not in plan
        count = f"EXPLAIN QUERY PLAN SELECT count(*) FROM inspection INDEXED BY by_time WHERE {condition}"
        plan = " ".join(row[3] for row in filled._connection.execute(count, values))
        assert "USING COVERING INDEX by_time" in plan


def test_what_waits_is_written_within_the_interval_or_by_tick(history, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(store.time, "monotonic", lambda: now[0])
    run = history.begin(JOB, MODEL, "t", None, STARTED)
    history.add(run, inspection())
    assert history.pending == 0  # the last writing was long ago
    now[0] += 0.1
    history.add(run, inspection(number=2))
    history.flush_if_due()
    assert history.pending == 1 and history.count(Query()) == 1
    now[0] += store.INTERVAL
    history.flush_if_due()
    assert history.pending == 0 and history.count(Query()) == 2


def test_many_do_not_wait_for_the_interval(history, monkeypatch):
    monkeypatch.setattr(store.time, "monotonic", lambda: 0.1)
    run = history.begin(JOB, MODEL, "t", None, STARTED)
    for number in range(store._GROUP):
        history.add(run, inspection(number=number))
    assert history.pending == 0 and history.count(Query()) == store._GROUP


def test_closing_writes_what_waits(home):
    with History.open() as history:
        run = history.begin(JOB, MODEL, "t", None, STARTED)
        for number in range(3):
            history.add(run, inspection(number=number))
    with History.open() as history:
        assert history.count(Query()) == 3
        assert history.runs()[0].state == "interrupted"
        counts = {"inspected": 3, "ok": 3, "warn": 0, "ng": 0, "defects": 0, "skipped": 0}
        parts = {"parts": 3, "parts_ok": 3, "parts_warn": 0, "parts_ng": 0}
        assert history.runs()[0].counts == counts | parts
    assert not list(home.glob("*.lock"))


def test_a_run_at_work_in_another_program_is_left_alone_until_that_is_killed(home):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_history import *\n"
        "history = History.open()\n"
        "run = history.begin(JOB, MODEL, 'other', None, STARTED)\n"
        "history.add(run, inspection('x.png', [crack(9)]))\n"
        "history.add_skipped(run, Skipped('y.png', 'empty'))\n"
        "history.commit(); print('ready', flush=True); sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(Path(__file__).parent)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert other.stdout.readline().strip() == b"ready"
        with History.open() as history:
            assert history.runs()[0].state == "running"
            mine = history.begin(JOB, MODEL, "mine", None, STARTED)
            history.add(mine, inspection("z.png"))
            history.finish(mine, "done", {})
            with pytest.raises(InputError, match="still running"):
                history.purge(run=1)
            assert names(history) == {"x.png", "y.png", "z.png"}
    finally:
        other.kill()
        other.communicate()
    with History.open() as history:
        interrupted = history.runs(1)[0]
        assert interrupted.state == "interrupted"
        assert interrupted.counts["ng"] == 1 and interrupted.counts["skipped"] == 1
        assert interrupted.ended is not None
    assert not list(home.glob("*.lock"))


def test_a_reader_sees_what_is_written_while_a_writer_is_at_work(history):
    run = history.begin(JOB, MODEL, "t", None, STARTED)
    reader = History.open()
    seen, stop, failures = [], threading.Event(), []

    def read():
        try:
            with History.open() as mine:
                while not stop.is_set():
                    seen.append(mine.count(Query()))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(300):
        history.add(run, inspection(f"{number}.png", [crack()], number))
        if number % 10 == 0:
            history.commit()
    history.finish(run, "done", {})
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures and seen
    assert reader.count(Query()) == 300
    reader.close()


def test_a_new_history_waits_while_another_program_opens_it(tmp_path):
    file = tmp_path / "history.sqlite3"
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    opening = sqlite3.connect(file, timeout=0, isolation_level=None)  # as SQLite does not wait in this statement
    release = threading.Timer(0.2, other.execute, ("COMMIT",))
    release.start()
    database._set_journal_mode(opening, "WAL")
    release.join()
    assert opening.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    opening.close()
    other.close()


def test_two_writers_lose_nothing(home):
    failures = []

    def write(title):
        try:
            with History.open() as mine:
                run = mine.begin(JOB, MODEL, title, None, STARTED)
                for number in range(200):
                    mine.add(
                        run, inspection(f"{title} {number}.png", [crack()], number, path=f"/{title}/{number % 9}/x")
                    )
                    if number % 7 == 0:
                        mine.commit()
                mine.finish(run, "done", {})
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(title,)) for title in ("one", "two", "three")]
    for thread in threads:
        thread.start()  # the file does not exist yet: all three make it at once
    for thread in threads:
        thread.join()
    assert not failures
    with History.open() as history:
        for title in ("one", "two", "three"):
            found = list(history.records(Query(text=f"{title} ")))
            assert len(found) == 200 and all(r["title"] == title and len(r["detections"]) == 1 for r in found)
            assert all(r["path"].startswith(f"/{title}/") for r in found)
        assert {run.state for run in history.runs()} == {"done"}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a.png", None),
        ("a.png", "a.png"),
        ("sub/a.png", "/x/sub/a.png"),
        ("sub/a.png", "C:\\x\\sub\\a.png"),
        ("camera 0", "/dev/video0"),
        ("😀 é.png", "/数据 文件/😀 é.png"),
        ("n" * 250 + ".png", "/" + "d" * 200 + "/" + "e" * 200 + "/" + "n" * 250 + ".png"),
        ("'; DROP TABLE run; --", "/'/\"/x"),
    ],
)
def test_names_and_paths_come_back_unchanged(history, name, path):
    run = history.begin(JOB, MODEL, name, None, STARTED)
    history.add(run, inspection(name, path=path))
    history.commit()
    (entry,) = history.search(Query(file=name)).entries
    assert (entry.name, entry.path, entry.title) == (name, path, name)
    assert history.get(entry.id)["path"] == path
    if path is not None:
        assert history.count(Query(file=path)) == 1 and history.count(Query(text=path)) == 1


def test_a_name_that_is_no_text_is_kept_readable(history):
    name = os.fsdecode(b"bad\xff.png") if os.name != "nt" else "bad\udcff.png"
    run = history.begin(JOB, MODEL, name, Path(f"/{name}"), STARTED)
    history.add(run, inspection(name))
    history.add_skipped(run, Skipped(name, f"cannot read {name}", f"/{name}"))
    history.commit()
    assert names(history) == {"bad\\udcff.png"} and history.count(Query(text=name)) == 2
    json.dumps(history.get(1), ensure_ascii=False).encode("utf-8")


def test_purge_by_date_removes_the_old_and_gives_space_back(history):
    run = history.begin(JOB, MODEL, "old", None, STARTED)
    for number in range(4500):
        history.add(run, inspection(f"{number}.png", [crack()] if number % 10 == 0 else [], number, number / 60))
    history.finish(run, "done", {})
    empty = history.begin(JOB, MODEL, "empty and at work", None, STARTED)
    later = history.begin(JOB, MODEL, "new", None, "2026-11-23T08:00:00+00:00")
    history.add(later, inspection("new.png", [crack()], minute=24 * 60))
    history.finish(later, "done", {})
    history._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = history_file().stat().st_size
    assert history.purge(before=datetime(2026, 11, 23, tzinfo=UTC)) == 4500
    assert names(history) == {"new.png"} and history.search(Query(label="Crack")).entries[0].name == "new.png"
    assert {entry.id for entry in history.runs()} == {empty, later}
    assert history_file().stat().st_size < size / 4
    left = history._connection.execute("SELECT count(*) FROM detection").fetchone()
    assert left == (1,)
    assert history.purge(before=datetime(2026, 11, 23, tzinfo=UTC)) == 0


def test_purge_of_a_run_leaves_the_others_and_ids_are_not_used_again(filled):
    last = max(entry.id for entry in filled.search(Query()).entries)
    assert filled.purge(run=2) == 20
    assert names(filled) == {"a.png", "b_100%.png", "轴承 c!.png", "broken.png"}
    assert [entry.id for entry in filled.runs()] == [1]
    with pytest.raises(InputError, match=f"no inspection {last}"):
        filled.get(last)
    run = filled.begin(JOB, MODEL, "t", None, STARTED)
    filled.add(run, inspection("fresh.png"))
    filled.commit()
    assert run == 3 and next(iter(filled.search(Query(file="fresh.png")).entries)).id == last + 1
    with pytest.raises(InputError, match="Say what to remove"):
        filled.purge()


def test_refuses_a_page_of_nothing(history):
    with pytest.raises(InputError, match="limit"):
        history.search(Query(limit=0))


def test_a_damaged_file_is_named_and_left_alone(home):
    path = history_file()
    path.write_bytes(b"this is no database, and longer than a header needs to be" * 100)
    with pytest.raises(InputError, match=r"history\.sqlite3 is damaged; move it away"):
        History.open()
    assert path.read_bytes().startswith(b"this is no database")


def test_damage_within_the_file_is_told_at_the_search(filled):
    filled.close()
    path = history_file()
    size = path.stat().st_size
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))
    with pytest.raises(InputError, match="is damaged"), History.open() as history:
        list(history.records(Query()))
    assert path.stat().st_size == size


def test_a_newer_history_is_refused_and_unchanged(history):
    history.close()
    with sqlite3.connect(history_file()) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(InputError, match="newer version of this program"):
        History.open()
    with sqlite3.connect(history_file()) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (99,)
    connection.close()


def test_an_older_history_is_brought_up_to_date_and_keeps_its_content(filled, monkeypatch):
    filled.close()
    more = (("ALTER TABLE run ADD COLUMN note TEXT DEFAULT 'none'", "UPDATE run SET note = title"),)
    monkeypatch.setattr(database, "MIGRATIONS", database.MIGRATIONS + more)
    with History.open() as history:
        assert history.count(Query()) == 24
        assert {row[0] for row in history._connection.execute("SELECT note FROM run")} == {"Morning 早班", "Video"}
        assert history._connection.execute("PRAGMA user_version").fetchone() == (len(database.MIGRATIONS),)


def test_a_history_of_the_first_version_gets_the_table_of_events(filled, monkeypatch):
    filled.close()
    path = history_file().with_name("old.sqlite3")
    with monkeypatch.context() as patch:
        patch.setattr(database, "MIGRATIONS", database.MIGRATIONS[:1])
        with History.open(path) as old, pytest.raises(sqlite3.OperationalError, match="event"):
            old.events(1)
    with History.open(path) as history:
        assert history.events(1) == []


def test_events_of_a_run_are_kept_until_the_run_is_removed(filled):
    run = filled.runs()[0].id
    since, until = "2026-11-30T08:00:00.000+00:00", "2026-11-30T08:00:48.250+00:00"
    filled.add_event(run, "source", "cam: the connection was lost", since)
    filled.add_event(run, "exporter", "Exporter images failed: OSError", since)
    assert [event.until for event in filled.events(run)] == [None, None]
    filled.add_event(run, "source", "cam: the connection was lost", since, until)
    assert filled.events(run) == [
        Event(since, "source", "cam: the connection was lost", until),
        Event(since, "exporter", "Exporter images failed: OSError", None),
    ]
    other = filled.runs()[1].id
    filled.add_event(other, "disk", "full", since)
    for each in (run, other):
        filled.finish(each, "done", {})
    filled.purge(run=run)
    assert filled.events(run) == [] and len(filled.events(other)) == 1


def test_texts_are_kept_with_their_templates_and_old_ones_as_they_were(filled):
    run = filled.runs()[0].id
    lost = message("The folder {folder} no longer exists; waiting for it", folder="D:/件")
    filled.add_event(run, "source", lost, STARTED)
    filled.add_event(run, "source", "an old text", STARTED)
    [event, plain] = filled.events(run)
    assert translate(event.message, "zh") == "文件夹 D:/件 已不存在；正在等待它恢复" and plain.message == "an old text"
    reason = message("{name} is a folder, not an image", name="a.jpg")
    filled.add_skipped(run, Skipped("a.jpg", reason, "/a.jpg"))
    filled.add_skipped(run, Skipped("b.jpg", "a plugin's {reason}", "/b.jpg"))
    noted = inspection("c.png", [], 3)
    noted = replace(
        noted, frame=replace(noted.frame, notes=("plain", message("page {number} of {total}", number=1, total=3)))
    )
    filled.add(run, noted)
    filled.commit()
    records = [filled.get(entry.id) for entry in filled.search(Query(run=run, limit=100)).entries]
    by_name = {record["name"]: record for record in records}
    assert by_name["a.jpg"]["skipped"] == reason and translate(by_name["a.jpg"]["skipped"], "zh") != reason
    assert by_name["b.jpg"]["skipped"] == "a plugin's {reason}"
    assert [translate(note, "zh") for note in by_name["c.png"]["notes"]] == ["plain", "共 3 页，取第 1 页"]


def test_a_migration_that_fails_changes_nothing(filled, monkeypatch):
    filled.close()
    more = (("ALTER TABLE run ADD COLUMN note TEXT", "INSERT INTO no_such_table VALUES (1)"),)
    with monkeypatch.context() as patch, pytest.raises(sqlite3.OperationalError, match="no_such_table"):
        patch.setattr(database, "MIGRATIONS", database.MIGRATIONS + more)
        History.open()
    with sqlite3.connect(history_file()) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(database.MIGRATIONS),)
        assert "note" not in {row[1] for row in connection.execute("PRAGMA table_info(run)")}
    connection.close()


def test_released_migrations_are_never_edited():
    digests = [hashlib.sha256("\n".join(statements).encode()).hexdigest()[:12] for statements in database.MIGRATIONS]
    assert digests == [
        "e201dcb3b6dc",
        "e98e7503d2c9",
        "5aaf4eeb61e8",
        "050c444c4d7a",
        "9b41e73c630c",
        "bdda6dd139d4",
        "a3221c84a00e",
    ]


def test_a_full_disk_is_told_and_nothing_is_lost(history):
    run = history.begin(JOB, MODEL, "t", None, STARTED)
    history.commit()
    pages = history._connection.execute("PRAGMA page_count").fetchone()[0]
    history._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(InspectorError, match="make room"):
        for number in range(3000):
            history.add(run, inspection(f"{number}.png", [crack()], number))
    waiting = history.pending
    assert waiting > 0
    kept = history.count(Query())
    history._connection.execute("PRAGMA max_page_count = 1000000")
    history.commit()
    assert history.pending == 0 and history.count(Query()) == kept + waiting


def test_an_unusable_place_is_told(home):
    history_file().mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        History.open()


def test_interrupted_runs_are_noted_in_the_log(home, caplog):
    caplog.set_level(logging.INFO)
    history = History.open()
    run = history.begin(JOB, MODEL, "t", None, STARTED)
    began = time.monotonic()
    History.open().close()
    assert time.monotonic() - began < 5 and history.runs(run)[0].state == "running"
    history.close()
    History.open().close()
    assert "was interrupted" in caplog.text


@pytest.mark.parametrize("damage", ["name = CAST(x'ff41' AS TEXT)", "reasons = '[1'", "time = 7", "reasons = x'00ff'"])
def test_a_page_whose_values_are_damaged_is_a_sentence(tmp_path, damage):
    path = tmp_path / "history.sqlite3"
    with History.open(path) as history:
        run = history.begin(JOB, MODEL, "damaged", None, "2026-11-30T10:00:00+01:00")
        history.add(run, inspection())
        history.finish(run, "done", {})
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE inspection SET {damage}")
    connection.close()
    with History.open(path) as history, pytest.raises(InputError, match="is damaged; move it away"):
        list(history.records(Query()))


def test_numbers_that_sqlite_cannot_hold(home):
    with History.open() as history:
        for number in (2**63, -(2**70), 10**30):
            with pytest.raises(InputError, match="has no inspection"):
                history.get(number)
        assert history.search(Query(limit=10**30, offset=10**30)).entries == ()
