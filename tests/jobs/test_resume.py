"""Runs that ended early, resumed: their folder holds in the end what an uninterrupted run leaves."""

import csv
import json
import os
import shutil
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from media import video

from inspector import registry
from inspector.domain import Choice, Grouping, InputError, Job, Trigger
from inspector.engine import Engine
from inspector.history import History
from inspector.imaging import write_image
from inspector.jobs import resume as resuming
from inspector.jobs.sources import resolve_sources

COUNT = 24
EXPORTERS = ("images", "jsonl", "csv", "coco", "yolo", "labelme", "xlsx")
TIMES = {"ms", "time", "date_captured", "date_created"}


@pytest.fixture
def catalogue(home):
    (home / "plugins").mkdir(exist_ok=True)
    registry.new("model", "spots", home / "plugins")
    return registry.load()


@pytest.fixture
def pictures(tmp_path) -> Path:
    folder = tmp_path / "图 pictures"
    folder.mkdir()
    for number in range(COUNT):
        image = np.full((60, 80, 3), 200, np.uint8)
        image[20 : 20 + number % 3, 10 : 10 + number] = 10
        write_image(folder / f"{number:02d}.png", image)
    (folder / "broken.png").write_bytes(b"no image")
    return folder


class Runs:
    """Starts runs of ``images``, and stops them after so many results."""

    def __init__(self, catalogue, pictures: Path) -> None:
        self.catalogue = catalogue
        self.engine = Engine(catalogue, History.open, "1", open_model=self._open)
        self.inferred = 0
        self._given, self._told = 0, []  # images that the model of the present run was given; the run's results
        sources = tuple(resolve_sources(catalogue, str(pictures)))
        self.job = Job(sources, Choice("spots"), exporters=tuple(map(Choice, EXPORTERS)))
        self.run = None

    def _open(self, spec, weights, device, layers, options):
        model = spec.open(weights, device, layers=layers, **options)
        predict = model.predict

        def in_step(images, confidence, iou):
            """Wait until all earlier results are reported, so that a run ends where a test stops it."""
            end = time.monotonic() + 30
            while len(self._told) < self._given and time.monotonic() < end:
                time.sleep(0.001)
            self._given += len(images)
            self.inferred += len(images)
            return predict(images, confidence, iou)

        model.predict = in_step
        return model

    def start(self, output: Path, stop_after: int | None = None, job: Job | None = None, thresholds=None):
        return self._follow(
            lambda listen: self.engine.start(job or self.job, output, "parts", listen), stop_after, thresholds
        )

    def resume(self, text: str, stop_after: int | None = None):
        found = resuming.find(self.catalogue, text)
        return self._follow(lambda listen: resuming.start(self.engine, found, listen), stop_after)

    def _follow(self, begin, stop_after, thresholds=None):
        self._given, self._told = 0, []
        told = self._told

        def listen(result):
            told.append(result)
            while self.run is None:
                time.sleep(0.001)
            if thresholds and len(told) == 3:
                self.run.set_thresholds(*thresholds)
            if stop_after is not None and len(told) >= stop_after:
                self.run.stop()

        self.run = None
        self.run = begin(listen)
        assert self.run.wait(60), "the run hangs"
        return self.run


@pytest.fixture
def runs(catalogue, pictures) -> Runs:
    return Runs(catalogue, pictures)


def content(folder: Path) -> dict[str, object]:
    """Contents of the files except times: the bytes, JSON or rows of each."""
    found: dict[str, object] = {}
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.is_dir() or name == "run.log" or file.suffix == ".xlsx":
            continue
        if name == "run.json":
            document = json.loads(file.read_text("utf-8"))
            found[name] = {key: document[key] for key in document if key not in ("started", "ended", "run")}
        elif name == "results.jsonl":
            found[name] = [timeless(json.loads(line)) for line in file.read_text("utf-8").splitlines()]
        elif name == "coco.json":
            found[name] = timeless(json.loads(file.read_text("utf-8")))
        elif name == "inspections.csv":
            rows = csv.DictReader(file.read_text("utf-8-sig").splitlines())
            found[name] = [{key: row[key] for key in row if key != "Time" and "(ms)" not in key} for row in rows]
        else:
            found[name] = file.read_bytes()
    return found


def timeless(value):
    if isinstance(value, dict):
        return {key: timeless(inner) for key, inner in value.items() if key not in TIMES}
    return [timeless(inner) for inner in value] if isinstance(value, list) else value


def test_a_run_that_was_stopped_twice_ends_as_if_it_never_was(runs, tmp_path):
    whole = runs.start(tmp_path / "whole")
    cut = runs.start(tmp_path / "cut", stop_after=7)
    assert cut.state == "stopped" and cut.counts.inspected < COUNT
    again = runs.resume(str(tmp_path / "cut" / "run.json"), stop_after=15)
    assert again.state == "stopped" and again.history_id == cut.history_id
    last = runs.resume(str(cut.history_id))
    assert last.state == "done" and last.counts == whole.counts and last.problems == whole.problems
    assert content(tmp_path / "cut") == content(tmp_path / "whole")
    assert not list((tmp_path / "cut").rglob(".*"))
    with sqlite3.connect(os.environ["BEARING_INSPECTOR_HOME"] + "/history.sqlite3") as connection:
        rows = "SELECT number, name, verdict IS NULL FROM inspection WHERE run = ? ORDER BY ifnull(number, 99), id"
        kept = [connection.execute(rows, (run.history_id,)).fetchall() for run in (whole, last)]
        state = connection.execute("SELECT state FROM run WHERE id = ?", (last.history_id,)).fetchone()
    connection.close()
    assert kept[0] == kept[1] and len(kept[0]) == COUNT + 1 and state == ("done",)


@pytest.mark.parametrize(
    "parts", [Grouping(r"(?P<serial>\d)(?P<view>\d)", count=10), Grouping(r"\d(?P<serial>\d)"), Grouping(count=7)]
)
def test_the_parts_of_a_resumed_run_are_those_of_an_uninterrupted_one(runs, tmp_path, parts):
    runs.job = replace(runs.job, parts=parts, exporters=(Choice("jsonl"), Choice("csv")), lot="L7")
    whole = runs.start(tmp_path / "whole")
    cut = runs.start(tmp_path / "cut", stop_after=13)
    assert cut.state == "stopped" and cut.counts.inspected < COUNT
    last = runs.resume(str(cut.history_id))
    assert last.counts == whole.counts and last.problems == whole.problems and last.counts.parts_open == 0
    assert content(tmp_path / "cut") == content(tmp_path / "whole")
    with History.open() as history:
        before, after = (list(history.parts(run.history_id)) for run in (whole, last))
    assert {part.id: part for part in before} == {part.id: part for part in after} and len(before) == whole.counts.parts
    lines = [json.loads(line) for line in (tmp_path / "cut" / "parts.jsonl").read_text("utf-8").splitlines()]
    assert [line["verdict"] for line in lines].count("WARN") == whole.counts.parts_warn
    results = [json.loads(line) for line in (tmp_path / "cut" / "results.jsonl").read_text("utf-8").splitlines()]
    assert {line["part"]["id"] for line in results} <= {line["id"] for line in lines}
    assert all(line["lot"] == "L7" for line in (*lines, *results))


@pytest.mark.parametrize(
    "parts", [Grouping(stretch=True, trigger=Trigger("timer", 1.0)), Grouping(count=2, trigger=Trigger("timer", 0.3))]
)
def test_triggers_take_the_same_frames_of_a_video_in_a_resumed_run(catalogue, tmp_path, parts):
    runs = Runs(catalogue, video(tmp_path / "line.avi", 40))
    runs.job = replace(runs.job, parts=parts, exporters=(Choice("jsonl"),))
    whole = runs.start(tmp_path / "whole")
    cut = runs.start(tmp_path / "cut", stop_after=6)
    assert cut.state == "stopped" and 0 < cut.counts.inspected < whole.counts.inspected
    last = runs.resume(str(cut.history_id))
    assert last.counts == whole.counts and last.counts.parts > 3
    assert content(tmp_path / "cut") == content(tmp_path / "whole")


def test_nothing_is_inferred_twice(runs, tmp_path):
    cut = runs.start(tmp_path / "cut", stop_after=9)
    runs.inferred = 0
    last = runs.resume(str(tmp_path / "cut"))
    assert last.counts.inspected == COUNT and runs.inferred == COUNT - cut.counts.inspected > 0


def test_thresholds_that_were_changed_stay_in_force(runs, tmp_path):
    cut = runs.start(tmp_path / "cut", stop_after=15, thresholds=(0.9, 0.5))
    changed = cut.changes
    last = runs.resume(str(tmp_path / "cut"))
    assert changed and last.changes == changed
    lines = (tmp_path / "cut" / "results.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == COUNT


def test_images_that_are_new_changed_gone_or_mended(runs, tmp_path, pictures):
    runs.start(tmp_path / "cut", stop_after=12)
    (pictures / "01.png").unlink()
    write_image(pictures / "02.png", np.full((60, 90, 3), 200, np.uint8))
    write_image(pictures / "00a.png", np.full((60, 80, 3), 200, np.uint8))
    shutil.copyfile(pictures / "05.png", pictures / "broken.png")
    last = runs.resume(str(tmp_path / "cut"))
    assert last.state == "done" and last.counts.inspected == COUNT + 2 and last.counts.skipped == 0
    assert last.problems == ["01.png no longer exists; its result was saved without its image"]
    found = [json.loads(line) for line in (tmp_path / "cut" / "results.jsonl").read_text("utf-8").splitlines()]
    assert [one["name"] for one in found][:4] == ["00.png", "00a.png", "01.png", "02.png"]
    assert found[3]["width"] == 90 and "broken.png" in {one["name"] for one in found}
    assert (tmp_path / "cut" / "images" / "01.jpg").exists(), "its annotated image of before is kept"
    with History.open() as history:
        numbers = [history.get(id)["number"] for id, *_ in history.inspected(last.history_id)]
    assert numbers == list(range(1, COUNT + 3))


def test_a_folder_that_was_moved_is_found_by_its_run(runs, tmp_path):
    cut = runs.start(tmp_path / "cut", stop_after=5)
    (tmp_path / "cut").rename(tmp_path / "moved")
    last = runs.resume(str(tmp_path / "moved"))
    assert last.history_id == cut.history_id and last.state == "done" and last.output == tmp_path / "moved"
    with History.open() as history:
        assert history.runs(last.history_id)[0].output == str(tmp_path / "moved")


def test_what_cannot_be_resumed_is_a_sentence_and_changes_nothing(runs, tmp_path):
    runs.start(tmp_path / "done")
    runs.start(tmp_path / "cut", stop_after=5)
    before = content(tmp_path / "cut")

    def refused(text: str, *words: str) -> None:
        with pytest.raises(InputError) as caught:
            runs.resume(text)
        assert all(word in str(caught.value) for word in words), caught.value

    refused(str(tmp_path / "done"), "is complete")
    refused("99", "has no run 99")
    refused(str(tmp_path / "nowhere"), "does not exist")
    refused("", "does not exist")
    refused(str(tmp_path), "contains no run.json")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "run.json").write_text("[" * 1000)
    refused(str(tmp_path / "damaged"), "cannot be read")
    assert content(tmp_path / "cut") == before


def test_the_history_of_another_computer_does_not_hold_it(runs, tmp_path, home, monkeypatch):
    runs.start(tmp_path / "cut", stop_after=5)
    monkeypatch.setenv("BEARING_INSPECTOR_HOME", str(tmp_path / "elsewhere"))
    with pytest.raises(InputError, match="does not contain the run"):
        resuming.find(runs.catalogue, str(tmp_path / "cut"))


def test_a_model_that_has_changed_is_refused(runs, tmp_path):
    weights = tmp_path / "best.pt"
    weights.write_bytes(b"new")
    runs.start(tmp_path / "cut", stop_after=5)
    with sqlite3.connect(os.environ["BEARING_INSPECTOR_HOME"] + "/history.sqlite3") as connection:
        job = json.dumps({**runs.job.to_json(), "weights": str(weights)})
        connection.execute("UPDATE run SET job = ?, model_sha256 = ?", (job, "0" * 64))
    connection.close()
    with pytest.raises(InputError, match=r"cannot be resumed: its model .* has changed since"):
        resuming.find(runs.catalogue, str(tmp_path / "cut"))


def test_a_missing_plugin_is_named(runs, tmp_path, home):
    runs.start(tmp_path / "cut", stop_after=5)
    registry.disable("spots")
    with pytest.raises(InputError, match="belongs to the plugin 'spots', which is disabled"):
        resuming.find(registry.load(), str(tmp_path / "cut"))


def test_a_watched_folder_and_a_camera_are_refused(runs, tmp_path, pictures, catalogue):
    runs.start(tmp_path / "cut", stop_after=5)
    found = resuming.find(catalogue, str(tmp_path / "cut"))

    def resumed(source: Choice):
        job = Job((source,), Choice("spots"))
        return resuming.start(runs.engine, resuming.Resumable(found.entry, job, found.output))

    with pytest.raises(InputError, match="from a camera cannot be resumed"):
        resumed(Choice("camera", {"address": "camera:0"}))
    run = resumed(Choice("hot_folder", {"folder": str(pictures)}))
    assert run.wait(60) and "A watched folder has no end" in str(run.failure)


def test_what_a_kill_left_behind_in_the_middle_of_resuming_is_sorted_out(runs, tmp_path):
    whole = runs.start(tmp_path / "whole")
    runs.start(tmp_path / "cut", stop_after=7)
    before = sorted(file.name for file in (tmp_path / "cut" / "images").iterdir())
    resuming.put_aside(tmp_path / "cut")  # and here the power failed
    (tmp_path / "cut" / "images").mkdir()
    shutil.copyfile(tmp_path / "whole" / "images" / "00.jpg", tmp_path / "cut" / "images" / before[0])
    (tmp_path / "cut" / ".tmp-half.xlsx").write_bytes(b"half")
    last = runs.resume(str(tmp_path / "cut"))
    assert last.counts == whole.counts and content(tmp_path / "cut") == content(tmp_path / "whole")
