import os
import shutil
import sqlite3
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from timing import Stopwatch

from inspector.api import Frame, InputError, Skipped, SourceStatus, check_options, plugin_folder
from inspector_plugins.hot_folder import claim, inspector_sources
from inspector_plugins.hot_folder import journal as _journal
from inspector_plugins.hot_folder import source as hot_folder
from inspector_plugins.hot_folder.source import HotFolder

SETTLE = 0.1
QUIET = 0.3  # seconds in which nothing may come
LONG = 5.0  # seconds in which something must come


def jpeg(value: int, side: int = 32) -> bytes:
    noise = np.random.default_rng(value).integers(0, 40, (side, side, 3), np.uint8)
    noise[: side // 2] += np.uint8(value)
    return cv2.imencode(".jpg", noise)[1].tobytes()


def brightness(item: Frame) -> int:
    """The value that :func:`jpeg` was given."""
    half = item.image.shape[0] // 2
    return round(float(item.image[:half].mean()) - float(item.image[half:].mean()))


def watch(source, seconds, until=None, done=True):
    """The items that arrive within ``seconds``, or the first ``until``; ``done`` acknowledges each at once.

    What is only on its way is left out.
    """
    items, longest, end, last = [], 0.0, time.monotonic() + seconds, time.monotonic()
    with Stopwatch() as watch:
        for item in source:
            longest = max(longest, time.monotonic() - last)
            if item is not None and not (isinstance(item, SourceStatus) and not item.message):
                items.append(item)
                if done:
                    source.done(item)
            if time.monotonic() > end or len(items) == until:
                break
            last = time.monotonic()
    assert longest / watch.slowdown < 0.6, "no sign of life"
    return items


def names(items):
    return [item.name for item in items]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Scan the folder more often than in production."""
    monkeypatch.setattr(hot_folder, "_IDLE", 0.05)


@pytest.fixture
def folder(tmp_path) -> Path:
    """The watched folder, with a Chinese name."""
    made = tmp_path / "热 文件夹 ☕"
    made.mkdir()
    return made


@pytest.fixture
def opened():
    """Opens hot folders and closes them at the end."""
    sources = []

    def open_one(folder, **options):
        sources.append(HotFolder(folder, **{"settle": SETTLE} | options))
        return sources[-1]

    yield open_one
    for source in sources:
        source.close()


def test_what_lies_there_and_what_comes_the_oldest_first(folder, opened):
    for age, name in enumerate(("b.jpg", "轴承 10.JPG", "a.png")):
        data = jpeg(100 + age) if name != "a.png" else cv2.imencode(".png", np.zeros((4, 5, 3), np.uint8))[1].tobytes()
        (folder / name).write_bytes(data)
        os.utime(folder / name, (1000 - age, 1000 - age))
    source = opened(folder)
    items = watch(source, LONG, until=3)
    assert names(items) == ["a.png", "轴承 10.JPG", "b.jpg"]
    assert [item.index for item in items] == [0, 1, 2]
    assert items[2].path == str(folder / "b.jpg")
    assert items[0].image.shape == (4, 5, 3)
    assert items[0].seconds is None and items[0].rate is None and items[0].read_ms > 0
    (folder / "later.jpg").write_bytes(jpeg(50))
    items = watch(source, LONG, until=1)
    assert (names(items), items[0].index) == (["later.jpg"], 3)
    assert watch(source, QUIET) == []
    assert source.total is None


def test_a_slow_writer(folder, opened):
    """An image that arrives in pieces, with pauses shorter than the settling time, is read once and complete."""
    data = jpeg(120, side=300)
    source = opened(folder)
    pieces = np.array_split(np.frombuffer(data, np.uint8), 6)

    def write():
        with open(folder / "slow.jpg", "wb", buffering=0) as file:
            for piece in pieces:
                file.write(piece.tobytes())
                time.sleep(SETTLE * 0.5)

    writer = threading.Thread(target=write)
    writer.start()
    items = watch(source, LONG, until=1)
    assert not writer.is_alive()
    writer.join()
    assert names(items) == ["slow.jpg"]
    assert np.array_equal(items[0].image, cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
    assert watch(source, QUIET) == []


@pytest.mark.parametrize("settle", [0.0, 0.1])
def test_a_writer_that_pauses_longer_than_the_time_to_settle(folder, opened, settle):
    """Then the image does not decode and is retried."""
    data = jpeg(120, side=300)
    source = opened(folder, settle=settle)

    def write():
        with open(folder / "slow.jpg", "wb", buffering=0) as file:
            for start in range(0, len(data), len(data) // 3):
                file.write(data[start : start + len(data) // 3])
                time.sleep(0.3)

    writer = threading.Thread(target=write)
    writer.start()
    items = watch(source, LONG, until=1)
    writer.join()
    assert [type(item) for item in items] == [Frame]
    assert brightness(items[0]) == pytest.approx(120, abs=3)


def test_a_bad_image_is_given_up_after_a_while_and_the_others_come(folder, opened, monkeypatch):
    monkeypatch.setattr(hot_folder, "_UNDECODABLE", 0.8)
    bad = {"cut.jpg": jpeg(1, 200)[:3000], "text.png": b"no picture", "zero.bmp": b""}
    for name, data in bad.items():
        (folder / name).write_bytes(data)
    (folder / "good.jpg").write_bytes(jpeg(2))
    source = opened(folder, settle=0.1)
    began = time.monotonic()
    assert names(watch(source, LONG, until=1)) == ["good.jpg"]
    items = watch(source, LONG, until=3)
    assert time.monotonic() - began > 0.8
    assert sorted(names(items)) == sorted(bad)
    assert all(isinstance(item, Skipped) and item.path == str(folder / item.name) for item in items)
    assert all(item.name in item.reason for item in items)
    source.close()
    again = opened(folder, settle=0.1)
    assert watch(again, 1.0) == [], "they were acknowledged and must not be reported at every start"
    (folder / "cut.jpg").write_bytes(jpeg(60))
    assert [(type(item), item.name) for item in watch(again, LONG, until=1)] == [(Frame, "cut.jpg")]


def test_an_image_that_is_on_its_way_is_named_until_it_is_there(folder, opened, monkeypatch):
    monkeypatch.setattr(hot_folder, "_UNDECODABLE", 0.8)
    (folder / "cut.jpg").write_bytes(jpeg(1, 200)[:3000])
    source, told = opened(folder, settle=0.1), []
    end = time.monotonic() + LONG
    for item in source:
        assert time.monotonic() < end
        if isinstance(item, SourceStatus):
            assert item.available
            told.append(item.pending)
        elif item is not None:
            told.append(item.name)
        if told[-1:] == [""]:
            break
    assert told == ["cut.jpg", "cut.jpg", ""], "announced, given up, and nothing else is on its way"


def test_restart_inspects_only_what_is_new(folder, opened):
    for number in range(5):
        (folder / f"{number}.jpg").write_bytes(jpeg(number))
    first = opened(folder)
    assert len(watch(first, LONG, until=5)) == 5
    first.close()
    (folder / "new.jpg").write_bytes(jpeg(9))
    second = opened(folder)
    assert names(watch(second, LONG, until=1)) == ["new.jpg"]
    assert watch(second, QUIET) == []
    other = folder.parent / "other"
    shutil.copytree(folder, other)
    assert len(watch(opened(other), LONG, until=6)) == 6, "another folder has its own memory"


def test_a_crash_loses_nothing(folder, opened):
    """Unacknowledged items come again at the next start; within a run nothing comes twice."""
    for number in range(6):
        (folder / f"{number}.jpg").write_bytes(jpeg(number))
        os.utime(folder / f"{number}.jpg", (1000 + number, 1000 + number))
    first = opened(folder)
    items = watch(first, LONG, until=6, done=False)
    assert len(items) == 6
    for item in items[:2]:
        first.done(item)
    assert watch(first, QUIET) == []
    second = opened(folder)  # while the first is not even closed
    assert names(watch(second, LONG, until=4)) == names(items[2:])
    assert watch(second, QUIET) == []


def test_done_after_close_and_from_another_thread(folder, opened):
    (folder / "a.jpg").write_bytes(jpeg(1))
    first = opened(folder)
    (item,) = watch(first, LONG, until=1, done=False)
    first.close()
    writer = threading.Thread(target=first.done, args=(item,))
    writer.start()
    writer.join()
    first.done(item)  # twice does no harm
    assert watch(opened(folder), QUIET) == []
    first.close()


def test_a_replaced_file_is_inspected_again(folder, opened):
    (folder / "a.jpg").write_bytes(jpeg(10))
    source = opened(folder)
    assert [brightness(item) for item in watch(source, LONG, until=1)] == pytest.approx([10], abs=3)
    (folder / "a.jpg").write_bytes(jpeg(200))
    assert [brightness(item) for item in watch(source, LONG, until=1)] == pytest.approx([200], abs=3)
    source.close()
    os.utime(folder / "a.jpg", (5000, 5000))
    assert names(watch(opened(folder), LONG, until=1)) == ["a.jpg"]
    assert watch(opened(folder), QUIET) == []


def test_replaced_before_the_older_one_was_saved(folder, opened):
    (folder / "a.jpg").write_bytes(jpeg(10))
    source = opened(folder)
    old = watch(source, LONG, until=1, done=False)
    (folder / "a.jpg").write_bytes(jpeg(200))
    new = watch(source, LONG, until=1, done=False)
    source.done(old[0])
    assert names(watch(opened(folder), LONG, until=1, done=False)) == ["a.jpg"], "only the older one has been saved"
    source.done(new[0])
    assert watch(opened(folder), QUIET) == []


def test_existing_ones_may_be_left_out(folder, opened):
    (folder / "old.jpg").write_bytes(jpeg(1))
    source = opened(folder, existing=False)
    assert watch(source, QUIET) == []
    (folder / "new.jpg").write_bytes(jpeg(2))
    assert names(watch(source, LONG, until=1)) == ["new.jpg"]
    (folder / "old.jpg").write_bytes(jpeg(3))
    assert names(watch(source, LONG, until=1)) == ["old.jpg"]


def test_what_is_left_alone(folder, opened):
    for name in (".hidden.jpg", "~lock.jpg", "a.jpg.part", "a.tmp", "a.jpg.crdownload", ".tmp-x.jpg", "notes.txt"):
        (folder / name).write_bytes(jpeg(1))
    (folder / "folder.jpg").mkdir()
    if os.name != "nt":  # where links need a right
        (folder / "dead.jpg").symlink_to(folder / "nowhere.jpg")
        (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    (folder / "deeper").mkdir()
    (folder / "deeper" / "b.jpg").write_bytes(jpeg(1))
    (folder / "moved.jpg").write_bytes(jpeg(1))
    source = opened(folder)
    assert names(watch(source, QUIET)) == ["moved.jpg"]
    (folder / "a.jpg.part").rename(folder / "a.jpg")
    assert names(watch(source, LONG, until=1)) == ["a.jpg"]


def test_what_is_not_read_is_reported_once(folder, opened, monkeypatch):
    monkeypatch.setattr(hot_folder, "_UNDECODABLE", 0.2)
    (folder / "a.jpg").write_bytes(jpeg(1))
    (folder / "b").write_bytes(jpeg(1))
    (folder / "c.bak").write_bytes(jpeg(2))
    (folder / "d.psd").write_bytes(b"8BPS" + bytes(40))
    (folder / "e").write_bytes(b"no image at all")
    (folder / "f.xml").write_text("<label/>")
    items = watch(opened(folder), LONG, until=4)
    reasons = {item.name: item.reason for item in items if isinstance(item, Skipped)}
    assert sorted(reasons) == ["b", "c.bak", "d.psd"]
    assert reasons["b"] == "b contains a JPEG image, but its suffix says otherwise; give it the suffix of an image"
    assert reasons["d.psd"] == "d.psd has an unsupported format (Photoshop); save it as PNG"
    assert watch(opened(folder), QUIET) == [], "nor after a restart"


def test_sub_folders_and_a_pattern(folder, opened):
    results = folder / "x" / "run of yesterday"
    (results / "images").mkdir(parents=True)
    (results / "run.json").write_text("{}")
    for path in ("cam1_a.jpg", "cam2_a.jpg", "x/CAM1_b.jpg", "x/cam1_c.txt"):
        (folder / path).write_bytes(jpeg(1))
    (results / "images" / "cam1_d.jpg").write_bytes(jpeg(1))
    (results / "cam1_e.jpg").write_bytes(jpeg(1))
    source = opened(folder, recursive=True, pattern="cam1_*")
    items = watch(source, LONG, until=2) + watch(source, QUIET)
    assert sorted(names(items)) == ["cam1_a.jpg", "x/CAM1_b.jpg"]
    assert sorted(item.path for item in items) == sorted([str(folder / "cam1_a.jpg"), str(folder / "x" / "CAM1_b.jpg")])


def test_files_that_vanish(folder, opened):
    source = opened(folder, settle=0.4)
    (folder / "gone.jpg").write_bytes(jpeg(1))
    assert watch(source, 0.15) == []
    (folder / "gone.jpg").unlink()
    assert watch(source, QUIET) == []
    (folder / "gone.jpg").write_bytes(jpeg(2))
    items = watch(source, LONG, until=1, done=False)
    (folder / "gone.jpg").unlink()
    assert watch(source, QUIET) == []
    source.done(items[0])
    (folder / "stays.jpg").write_bytes(jpeg(3))
    assert names(watch(source, LONG, until=1)) == ["stays.jpg"]


def test_the_folder_vanishes_and_comes_back(folder, opened, monkeypatch):
    (folder / "a.jpg").write_bytes(jpeg(1))
    source = opened(folder)
    assert names(watch(source, LONG, until=1)) == ["a.jpg"]
    away = folder.with_name("away")
    monkeypatch.setattr(hot_folder, "_LOAD", 1e-6)  # the next scan is seconds away, as in a folder of many images
    watch(source, 0.2)
    with Stopwatch() as vanished:
        folder.rename(away)
        (lost,) = watch(source, LONG, until=1, done=False)
    assert vanished.seconds < 1
    assert lost == SourceStatus(False, f"The folder {folder} no longer exists; waiting for it")
    monkeypatch.undo()
    away.rename(folder)
    (folder / "b.jpg").write_bytes(jpeg(2))
    back, image = watch(source, 2 * LONG, until=2, done=False)
    assert back.available and back.message.startswith(f"The folder {folder} is available again after ")
    assert image.name == "b.jpg"


@pytest.mark.skipif(os.name == "nt" or os.getuid() == 0, reason="permissions do not bind here")
def test_a_folder_that_may_not_be_read_any_more(folder, opened):
    source = opened(folder)
    watch(source, QUIET)
    folder.chmod(0)
    try:
        (lost,) = watch(source, LONG, until=1, done=False)
        assert lost.message == f"The folder {folder} cannot be read (Permission denied); retrying"
        assert watch(source, QUIET) == [], "reported once"
    finally:
        folder.chmod(0o755)
    (back,) = watch(source, LONG, until=1, done=False)
    assert back.available


def test_a_file_that_cannot_be_opened_is_tried_again_then_reported(folder, opened, monkeypatch):
    """Errors of the system, e.g. of a network drive, simulated by a directory in place of the file."""
    monkeypatch.setattr(hot_folder, "_UNREADABLE", 0.4)
    (folder / "a.jpg").write_bytes(jpeg(1))
    source = opened(folder, settle=0.1)
    assert watch(source, 0) == []
    status = (folder / "a.jpg").stat()
    (folder / "a.jpg").unlink()
    (folder / "a.jpg").mkdir()
    monkeypatch.setattr(hot_folder, "_stamp_of", lambda entry: (status.st_size, status.st_mtime_ns))
    monkeypatch.setattr(hot_folder.HotFolder, "_changed", lambda *arguments: False)
    items = watch(source, LONG, until=1)
    assert [(item.name, item.reason) for item in items] == [("a.jpg", "cannot be read (Is a directory)")]
    assert watch(opened(folder, settle=0.1), LONG, until=1) != [], "at the next start it is tried again"


@pytest.mark.parametrize("wrong", [None, "", " ", "missing", "file.txt"])
def test_no_folder(tmp_path, monkeypatch, wrong):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(InputError):
        HotFolder(wrong)


def test_a_damaged_memory_begins_anew(folder, opened, caplog):
    (folder / "a.jpg").write_bytes(jpeg(1))
    first = opened(folder)
    assert len(watch(first, LONG, until=1)) == 1
    first.close()
    memory = plugin_folder("hot_folder") / "done.sqlite3"
    memory.write_bytes(b"rubbish " * 500)
    second = opened(folder)
    assert len(watch(second, LONG, until=1)) == 1
    assert "was damaged and is started again" in caplog.text
    assert (memory.parent / "done-damaged.sqlite3").is_file()
    second.close()
    assert watch(opened(folder), QUIET) == []


def test_a_memory_that_cannot_be_written_is_told_once(folder, opened, caplog):
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(jpeg(number))
    source = opened(folder)
    source._journal.close()
    memory = plugin_folder("hot_folder")
    shutil.rmtree(memory)
    assert len(watch(source, LONG, until=3)) == 3
    assert [record.getMessage().count("cannot be remembered") for record in caplog.records] == [1]


def test_what_is_gone_for_long_is_forgotten(folder, monkeypatch):
    journal = _journal.Journal(folder)
    for name in ("stays.jpg", "old.jpg", "young.jpg"):
        journal.add(name, (1, 2))
    with sqlite3.connect(plugin_folder("hot_folder") / "done.sqlite3") as database:
        database.execute("UPDATE done SET time = time - 31 * 86400 WHERE name != 'young.jpg'")
    database.close()
    journal.forget({"stays.jpg"})
    assert [journal.has(name, (1, 2)) for name in ("stays.jpg", "old.jpg", "young.jpg")] == [True, False, True]
    assert not journal.has("young.jpg", (1, 3))
    journal.close()


def test_ten_thousand_files_stay_cheap(folder, opened):
    (folder / "0.jpg").write_bytes(jpeg(1))
    for number in range(1, 10_000):
        (folder / f"{number}.jpg").hardlink_to(folder / "0.jpg")
    source = opened(folder, existing=False)
    for _ in source._scan():
        pass
    began = time.thread_time()
    for _ in source._scan():
        pass
    assert time.thread_time() - began < 0.5


def test_the_spec(folder):
    (spec,) = inspector_sources()
    assert (spec.id, spec.droppable) == ("hot_folder", False)
    assert claim("watch:in box") == {"folder": str(Path("in box").absolute())}
    assert claim(str(folder)) is None and claim("watch") is None
    options = check_options(spec.options, {**claim(f"watch:{folder}"), "settle": "0.1"}, "hot_folder")
    (folder / "a.jpg").write_bytes(jpeg(1))
    source = spec.open(**options)
    assert names(watch(source, LONG, until=1)) == ["a.jpg"]
    source.close()
    assert list(source) == []
