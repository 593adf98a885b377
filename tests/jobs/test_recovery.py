"""Killed runs are marked, and old inspections are deleted."""

import json

import numpy as np
import pytest
from links import needs_links, needs_pipes

from inspector.domain import Choice, Frame, Inspection, Job, ModelInfo, Verdict
from inspector.domain.clock import local_time
from inspector.history import History, Query
from inspector.jobs.recovery import open_history, recover_interrupted_runs

MODEL = ModelInfo("m", "", "", ("Defect",))


def test_the_history_forgets_what_is_old():
    with History.open() as history:
        run = history.begin(Job((), Choice("yolo11")), MODEL, "parts", None, "2026-11-23T10:00:00+01:00")
        for time in ("2001-01-01T10:00:00.000+01:00", local_time()):
            frame = Frame(np.zeros((4, 4, 3), np.uint8), 0, "a.png")
            history.add(run, Inspection(frame, (), Verdict("OK"), MODEL, time=time))
        history.finish(run, "done", {})
    with open_history(0) as history:
        assert history.count(Query()) == 2
    with open_history(30) as history:
        assert history.count(Query()) == 1


def test_runs_that_were_killed_are_mended_whatever_came_after(tmp_path):
    folders = [tmp_path / name for name in ("先", "gone", "after")]
    with History.open() as history:
        for folder in folders:
            run = history.begin(Job((), Choice("yolo11")), MODEL, folder.name, folder, "2026-11-23T10:00:00+01:00")
        history.finish(run, "done", {})
    for folder in (folders[0], folders[2]):
        folder.mkdir()
        (folder / ".tmp-1.xlsx").write_bytes(b"half")
        (folder / "run.json").write_text('{"state": "running", "title": "批"}', "utf-8")
    with open_history(0) as history:
        newest = recover_interrupted_runs(history)
    assert newest is not None and newest.title == "gone"
    assert json.loads((folders[0] / "run.json").read_text("utf-8")) == {"state": "interrupted", "title": "批"}
    assert [file.name for file in folders[0].iterdir()] == ["run.json"]
    assert len(list(folders[2].iterdir())) == 2


PIPE, DEVICE = pytest.param("pipe", marks=needs_pipes), pytest.param("device", marks=needs_links)


@pytest.mark.parametrize("damage", ["nested", "text", "folder", PIPE, "list", DEVICE])
@pytest.mark.timeout(60)
def test_a_damaged_run_json_stops_no_start_and_is_named_in_the_log(tmp_path, caplog, damage):
    import os

    with History.open() as history:
        info = ModelInfo("best.pt", "00", "yolo11n-seg", ("Crack",))
        history.begin(Job((Choice("x"),), Choice("y")), info, "killed", tmp_path, "2026-11-30T10:00:00+01:00")
    file = tmp_path / "run.json"
    if damage == "folder":
        file.mkdir()
    elif damage == "pipe":
        os.mkfifo(file)
    elif damage == "device":
        file.symlink_to("/dev/zero")
    else:
        file.write_text({"nested": "[" * 1000 + "]" * 1000, "text": '{"state": "runn', "list": "[1]"}[damage])
    with caplog.at_level("INFO"), open_history(0) as history:
        assert [run.state for run in history.runs()] == ["interrupted"]
    assert damage == "list" or str(file) in caplog.text
