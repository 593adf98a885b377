"""Alarms of a run: raised at once, kept in run.log and the history, over when what was wrong is right again."""

import json
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from test_engine import Catalogue, finish, job, kept, until
from timing import Stopwatch

from inspector.api import SourceSpec, Text
from inspector.domain import Choice, Frame, InputError, SourceStatus
from inspector.engine import Engine
from inspector.engine.alarms import Alarms
from inspector.history import History
from inspector.system import logs
from inspector.system.paths import history_file

linux_root = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("mount") is None, reason="a small disk is mounted, which Linux's root may"
)


def start(catalogue, what, output, **more):
    return Engine(catalogue, History.open, "1", logs.run_log).start(what, output, "a run", **more)


class Script:
    """A live source that yields what the test puts into ``contents``; None ends it."""

    total = None

    def __init__(self):
        self.contents, self._index = [], 0

    def frame(self):
        self.contents.append(Frame(np.zeros((8, 8, 3), np.uint8), self._index, f"{self._index}.png", seconds=0.0))
        self._index += 1

    def __iter__(self):
        while True:
            if not self.contents:
                time.sleep(0.01)
                yield None
            elif (content := self.contents.pop(0)) is None:
                return
            else:
                yield content

    def close(self):
        pass


@pytest.fixture
def camera():
    return Script()


@pytest.fixture
def catalogue(camera):
    made = Catalogue()
    made._sources["script"] = SourceSpec("script", Text("script"), lambda: camera, droppable=True)
    return made


def raised(run):
    return [(alarm.code, alarm.active) for alarm in run.alarms.all]


def latest(run, code):
    """Whether the newest alarm of this kind is active; None without one. A busy machine may raise others as well."""
    return next((active for kind, active in reversed(raised(run)) if kind == code), None)


def events(run, kind):
    """The newest event of this kind."""
    with History.open() as history:
        return [event for event in history.events(run.history_id) if event.kind == kind][-1]


def test_a_lost_source_is_told_at_once_and_its_last_result_is_not_current(catalogue, camera, tmp_path):
    heard = []
    run = start(
        catalogue,
        job(Choice("script")),
        tmp_path / "out",
        on_alarm=lambda alarm: alarm.code == "source" and heard.append((alarm.code, alarm.active)),
    )
    camera.frame()
    until(lambda: run.counts.inspected == 1)
    with Stopwatch() as lost:
        camera.contents.append(SourceStatus(False, "cam: the connection was lost; reconnecting"))
        until(lambda: heard)
    assert heard == [("source", True)] and lost.seconds < 1
    assert run.alarms.interrupted and run.take_newest() is None
    time.sleep(0.3)
    camera.contents.append(SourceStatus(True, "cam: the connection is back"))
    until(lambda: len(heard) == 2)
    assert heard[1] == ("source", False) and latest(run, "source") is False
    assert run.take_newest() is None, "nothing new has come yet"
    camera.frame()
    until(lambda: run.counts.inspected == 2)
    assert run.take_newest().frame.index == 1
    camera.contents.append(None)
    finish(run)
    event = events(run, "source")
    assert "lost" in event.message and event.until > event.time
    log = (run.output / "run.log").read_text("utf-8")
    assert "Alarm: cam: the connection was lost; reconnecting" in log and "the connection is back" in log
    assert not run.problems, "a camera that came back is no failure of the run"


def test_what_was_read_before_an_interruption_is_kept_but_never_current(catalogue, camera, tmp_path):
    run = start(catalogue, job(Choice("script"), wait=0.4), None)
    until(lambda: run.state == "running")
    camera.frame()
    until(lambda: not camera.contents)
    time.sleep(0.1)  # the model is at work on it
    camera.contents += [SourceStatus(False, "lost"), SourceStatus(True, "back")]
    until(lambda: run.counts.inspected == 1)
    assert not run.alarms.active and run.take_newest() is None
    camera.contents.append(None)
    finish(run)
    assert len(kept()) == 1


def test_a_camera_that_falls_silent_is_noticed_though_it_says_nothing(catalogue, camera, tmp_path):
    run = start(catalogue, job(Choice("script")), None, quiet_after=0.5)
    for number in range(3):
        camera.frame()
        until(lambda number=number: run.counts.inspected == number + 1)
    until(lambda: latest(run, "quiet") is True)
    assert run.take_newest() is None
    camera.frame()
    until(lambda: run.counts.inspected == 4)
    assert latest(run, "quiet") is False and run.take_newest() is not None
    before = raised(run)
    run.pause()
    time.sleep(1.0)
    assert raised(run) == before, "a run that is paused is not silent"
    run.stop()
    finish(run)
    assert events(run, "quiet")


def test_the_limit_is_larger_than_the_usual_interval(catalogue, camera):
    run = start(catalogue, job(Choice("script")), None, quiet_after=0.1)
    for number in range(3):
        camera.frame()
        until(lambda number=number: run.counts.inspected == number + 1)
        time.sleep(0.3)
    assert run._watchdog.limit > 0.8
    run.stop()
    finish(run)


def test_a_model_that_hangs_is_noticed(catalogue, camera, monkeypatch):
    free = threading.Event()
    free.set()
    predict = catalogue.kind.predict
    monkeypatch.setattr(catalogue.kind, "predict", lambda *given: (free.wait(10), predict(*given))[1])
    run = start(catalogue, job(Choice("script")), None, quiet_after=0.4)
    camera.frame()
    until(lambda: run.counts.inspected == 1)
    free.clear()
    camera.frame()
    until(lambda: latest(run, "slow") is True)
    free.set()
    until(lambda: latest(run, "slow") is False)
    assert run.take_newest() is None, "its image is from before"
    run.stop()
    finish(run)


def test_the_first_failed_write_is_an_alarm_when_it_happens(catalogue, camera, tmp_path):
    heard = []
    what = job(Choice("script"), exporters=(Choice("names", {"fails_at": 0}),))
    run = start(catalogue, what, tmp_path / "out", on_alarm=heard.append)
    camera.frame()
    until(lambda: heard)
    assert run.state == "running" and heard[0].code == "exporter" and "no space left" in heard[0].message
    camera.contents.append(None)
    finish(run)
    event = events(run, "exporter")
    assert event.until is None
    assert json.loads((run.output / "run.json").read_text("utf-8"))["problems"] == [heard[0].message]


def test_a_model_that_fails_is_an_alarm_that_stays(catalogue, camera, tmp_path):
    run = start(catalogue, job(Choice("script"), fails_at=0), tmp_path / "out")
    camera.frame()
    finish(run)
    assert run.state == "failed" and latest(run, "model") is True
    assert events(run, "model")


def test_a_results_folder_that_vanishes_is_noticed_within_a_second(catalogue, camera, tmp_path):
    run = start(catalogue, job(Choice("script")), tmp_path / "out")
    camera.frame()
    until(lambda: run.counts.inspected == 1)
    with Stopwatch() as moved:
        run.output.rename(tmp_path / "elsewhere")
        until(lambda: latest(run, "folder") is True)
    assert moved.seconds < 1
    (tmp_path / "elsewhere").rename(run.output)
    until(lambda: latest(run, "folder") is False)
    run.stop()
    finish(run)
    assert events(run, "folder").until


def test_a_locked_history_is_noticed_within_a_second_and_the_event_is_kept_afterwards(catalogue, camera, tmp_path):
    run = start(catalogue, job(Choice("script")), tmp_path / "out")
    camera.frame()
    until(lambda: run.counts.inspected == 1)
    time.sleep(0.5)  # what was added is written
    other = sqlite3.connect(history_file(), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with Stopwatch() as locked:
        camera.frame()
        until(lambda: ("history", True) in raised(run))
    assert locked.seconds < 1.5
    other.execute("ROLLBACK")
    other.close()
    until(lambda: latest(run, "history") is False)
    camera.contents.append(None)
    finish(run)
    assert run.state == "done" and run.counts.inspected == 2
    event = events(run, "history")
    assert event.until


def test_no_run_begins_where_nothing_can_be_written(catalogue, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=3 * 10**6))
    run = start(catalogue, job(), tmp_path / "out")
    finish(run)
    assert isinstance(run.failure, InputError) and not run.output.exists()
    assert "has 3 MB free and a run needs 50 MB" in str(run.failure)


def test_little_room_is_warned_of_and_hides_nothing(catalogue, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=300 * 10**6))
    run = finish(start(catalogue, job(), tmp_path / "out"))
    (alarm,) = (alarm for alarm in run.alarms.all if alarm.code == "space")
    assert run.state == "done" and not alarm.hides and "300 MB" in alarm.message


@pytest.fixture
def disk(tmp_path):
    """A disk of 64 MB; skipped where none can be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", place], capture_output=True)
    if made.returncode:
        pytest.skip("no disk can be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@linux_root
def test_a_disk_that_fills_up_is_noticed_within_a_second(catalogue, camera, disk):
    run = start(catalogue, job(Choice("script")), disk / "out")
    camera.frame()
    until(lambda: run.counts.inspected == 1)
    with (disk / "filler").open("wb") as filler, pytest.raises(OSError):
        while True:
            filler.write(bytes(10**6))
            filler.flush()
    with Stopwatch() as full:
        until(lambda: ("disk", True) in raised(run))
    assert full.seconds < 1
    (disk / "filler").unlink()
    until(lambda: ("disk", False) in raised(run))
    run.stop()
    finish(run)
    assert run.state == "stopped"


@pytest.mark.skipif(shutil.which("chattr") is None, reason="a folder is made immutable, for root too")
def test_a_folder_that_becomes_read_only_is_noticed_and_the_history_goes_on(catalogue, camera, tmp_path):
    run = start(catalogue, job(Choice("script")), tmp_path / "out")
    camera.frame()
    until(lambda: run.counts.inspected == 1)
    if subprocess.run(["chattr", "+i", run.output], capture_output=True).returncode:
        run.stop()
        pytest.skip("this file system has no immutable folders")
    try:
        until(lambda: ("folder", True) in raised(run))
        camera.frame()
        until(lambda: run.counts.inspected == 2)
    finally:
        subprocess.run(["chattr", "-i", run.output], check=True)
    until(lambda: ("folder", False) in raised(run))
    run.stop()
    finish(run)
    assert len(kept()) == 2


def test_alarms_of_one_kind_are_told_apart_and_raised_once():
    heard = []
    alarms = Alarms(heard.append)
    for exporter in ("images", "xlsx", "images"):
        alarms.begin("exporter", f"Exporter {exporter} failed", exporter)
    assert [alarm.key for alarm in alarms.active] == ["images", "xlsx"] and len(heard) == 2
    assert alarms.end("exporter", "csv") is None
    assert alarms.end("exporter", "images").until
    assert [alarm.key for alarm in alarms.active] == ["xlsx"]
    assert [(alarm.key, alarm.active) for alarm in alarms.unrecorded()] == [
        ("images", True),
        ("xlsx", True),
        ("images", False),
    ]
    assert not alarms.interrupted and alarms.interruptions == 0
