"""Scope of an export, in words and for programs."""

import json
from datetime import datetime, timedelta

import numpy as np
import pytest

from inspector.domain import Choice, Frame, Inspection, Job, ModelInfo, Skipped, Verdict
from inspector.history import History, Query
from inspector.reexport import scope as scopes

START = datetime(2026, 11, 30, 8).astimezone()


@pytest.fixture
def history(home):
    """Two runs: four inspections (2 NG) and one image that could not be read; three inspections."""
    with History.open() as opened:
        for verdicts in (("NG", "OK", "NG", "OK"), ("OK", "OK", "OK")):
            model = ModelInfo("best.pt", "ab", "yolo11n-seg", ("Defect",))
            run = opened.begin(Job((), Choice("m")), model, "line 2", None, START.isoformat())
            for number, verdict in enumerate(verdicts, 1):
                frame = Frame(np.zeros((4, 4, 3), np.uint8), number, f"{number}.png")
                time = (START + timedelta(seconds=number)).isoformat()
                opened.add(run, Inspection(frame, (), Verdict(verdict), model, number=number, time=time))
            if len(verdicts) == 4:
                opened.add_skipped(run, Skipped("x.png", "empty"))
        opened.commit()
        yield opened


def scope(history, query, **more):
    ids = [entry.id for entry in history.search(query).entries]
    return scopes.scope_of(history, query, ids, history.runs_of(ids), more.pop("language", "en"), **more)


def test_words():
    assert scopes.describe_query(Query(), "en") == "everything in the history"
    query = Query(START, START + timedelta(seconds=9), "NG", "pit", "best.pt", "a*", "line", 3)
    assert scopes.describe_query(query, "en") == (
        "from 2026-11-30 08:00, before 2026-11-30 08:00:09, verdict NG, class pit, model best.pt, file a*, "
        "keyword “line”, run 3"
    )
    assert scopes.describe_query(Query(verdict="WARN"), "zh", selected=True) == "手工选中的行，判定 WARN"


def test_a_part_of_a_run_is_not_complete(history):
    found = scope(history, Query(verdict="NG"))
    assert (found.inspections, found.total, found.runs, found.complete) == (2, 4, 1, False)
    assert found.query == {"verdict": "NG", "selection": False} and found.by == scopes.user_name()
    assert datetime.fromisoformat(found.at).utcoffset() is not None


def test_whole_runs_are_complete_though_an_image_could_not_be_read(history):
    for query, total, runs in ((Query(), 7, 2), (Query(run=1), 4, 1), (Query(run=2), 3, 1)):
        found = scope(history, query)
        assert (found.inspections, found.total, found.runs, found.complete) == (total, total, runs, True)


def test_it_is_written_for_programs(history, tmp_path):
    found = scope(history, Query(since=START, run=2), selected=True, language="zh")
    path = scopes.write_scope(tmp_path / "scope.json", found, history.runs(2))
    held = json.loads(path.read_text("utf-8"))
    assert held["filter"] == "手工选中的行，从 2026-11-30 08:00 起，检测任务 2"
    assert held["query"] == {"since": START.isoformat(), "run": 2, "selection": True}
    assert held["complete"] is True and held["runs"][0]["title"] == "line 2" and held["version"]
