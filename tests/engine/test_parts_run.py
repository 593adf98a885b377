"""Runs whose images group into parts, with a real history, and a camera that a test holds in its hand."""

import json
import threading
import time
from queue import Queue

import numpy as np
import pytest

from inspector.api import ExporterSpec, ModelSpec, SourceSpec, Text
from inspector.domain import Choice, Detection, Frame, Grouping, InputError, Inspection, Job, ModelInfo, Part, Trigger
from inspector.engine import Engine
from inspector.history import History


class Hand:
    """A camera: the test puts images into it; None ends the stream."""

    total = None

    def __init__(self):
        self.images: Queue[np.ndarray | None] = Queue()
        self.given = 0

    def __iter__(self):
        while (image := self.images.get()) is not None:
            yield Frame(image, self.given, "cam", self.given * 0.1)
            self.given += 1

    def close(self):
        pass


class Dark:
    """Every image that begins with a dark pixel has a defect."""

    info = ModelInfo("dark.pt", "00", "dark", ("Defect",))
    batch = 1

    def predict(self, images, confidence, iou):
        return [[Detection("Defect", 0.9, (0, 0, 2, 2))] * bool(image[0, 0, 0] < 50) for image in images]

    def close(self):
        pass


class Seen:
    """An exporter that notes what it gets, in order."""

    def __init__(self, folder, run, calls):
        self._calls = calls

    def write(self, inspection):
        self._calls.append(inspection)

    def write_part(self, part):
        self._calls.append(part)

    def close(self):
        return []


class Catalogue:
    layers: dict = {}

    def __init__(self):
        self.hand, self.calls = Hand(), []

    def model(self, id):
        return ModelSpec("dark", Text("dark"), lambda *arguments, **options: Dark())

    def source(self, id):
        return SourceSpec(id, Text(id), lambda: self.hand, droppable=id == "live")

    def exporter(self, id):
        return ExporterSpec("seen", Text("seen"), lambda folder, run: Seen(folder, run, self.calls))


BRIGHT, BAD = np.full((48, 64, 3), 200, np.uint8), np.full((48, 64, 3), 10, np.uint8)


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.005)


@pytest.fixture
def station(tmp_path):
    """``station(grouping, source)`` starts a run; it is stopped at the end."""
    runs = []

    def begin(grouping, source="live"):
        catalogue = Catalogue()
        job = Job((Choice(source),), Choice("dark"), exporters=(Choice("seen"),), parts=grouping)
        run = Engine(catalogue, History.open, "1").start(job, tmp_path / "out", "station")
        runs.append((run, catalogue))
        until(lambda: run.state == "running")
        return run, catalogue

    yield begin
    for run, catalogue in runs:
        catalogue.hand.images.put(None)
        run.stop()
        assert run.wait(20)


def test_a_key_takes_one_image_as_one_part_and_the_preview_between_counts_nothing(station):
    run, catalogue = station(Grouping(trigger=Trigger("key")))
    for number, image in enumerate((BRIGHT, BAD, BRIGHT)):
        for _ in range(4):
            catalogue.hand.images.put(BRIGHT)
        until(lambda number=number: catalogue.hand.given >= 5 * number + 4)
        run.trigger()
        catalogue.hand.images.put(image)
        until(lambda number=number: run.counts.parts == number + 1)
    catalogue.hand.images.put(BRIGHT)
    until(lambda: catalogue.hand.given == 16)
    until(lambda: (frame := run.take_passing()) is not None and frame.index == 15)  # what a preview shows
    assert (run.counts.inspected, run.counts.parts, run.counts.parts_ng, run.counts.dropped) == (3, 3, 1, 0)
    assert run.trigger_kind == "key" and not run.counts_frames


def test_a_key_for_each_view(station):
    run, catalogue = station(Grouping(count=2, trigger=Trigger("key")))
    for image in (BRIGHT, BAD, BRIGHT):
        run.trigger()
        catalogue.hand.images.put(image)
    until(lambda: run.counts.inspected == 3)
    assert (run.counts.parts, run.counts.parts_ng, run.counts.parts_open) == (1, 1, 1)
    catalogue.hand.images.put(None)
    assert run.wait(20)
    assert (run.counts.parts, run.counts.parts_warn, run.counts.parts_open) == (2, 1, 0)
    kinds = ["part" if isinstance(call, Part) else call.part.id for call in catalogue.calls]
    assert kinds == ["1", "1", "part", "2", "part"]  # a part after its last image


def test_a_stretch_of_a_camera_between_two_keys(station):
    run, catalogue = station(Grouping(stretch=True, trigger=Trigger("key")))
    catalogue.hand.images.put(BAD)  # before the first trigger: no part
    until(lambda: catalogue.hand.given == 1)
    for images in ((BRIGHT, BAD), (BRIGHT,)):
        run.trigger()
        for image in images:
            before = run.counts.inspected
            catalogue.hand.images.put(image)
            until(lambda before=before: run.counts.inspected == before + 1)
    assert (run.counts.parts, run.counts.parts_ng, run.counts.parts_open) == (1, 1, 1)
    catalogue.hand.images.put(None)
    assert run.wait(20)
    parts = [call for call in catalogue.calls if isinstance(call, Part)]
    assert [(part.id, part.verdict.status, part.images) for part in parts] == [("1", "NG", 2), ("2", "OK", 1)]
    with History.open() as history:
        assert list(history.parts(run.history_id)) == parts
        assert history.runs()[0].counts["parts"] == 2


def test_a_camera_without_a_trigger_counts_frames_as_before(station):
    run, catalogue = station(None)
    catalogue.hand.images.put(BRIGHT)
    until(lambda: run.counts.inspected == 1)
    assert run.counts_frames and run.counts.parts == 1 and run.trigger_kind == ""
    run.trigger()  # means nothing
    until(lambda: len(catalogue.calls) == 2)
    inspection, part = catalogue.calls
    assert isinstance(inspection, Inspection) and inspection.part is None
    assert part.id == "1" and part.views == ("cam #0",)


def test_what_a_source_cannot_give_is_refused(tmp_path):
    engine = Engine(Catalogue(), History.open, "1")
    for source, grouping, said in (
        ("live", Grouping("{serial}_{view}"), "have no names"),
        ("files", Grouping(trigger=Trigger("key")), "A key triggers a camera only"),
    ):
        with pytest.raises(InputError, match=said):
            engine.start(Job((Choice(source),), Choice("dark"), parts=grouping), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_triggered_images_wait_for_a_slow_model_instead_of_being_dropped(station, monkeypatch):
    hold = threading.Event()
    predict = Dark.predict

    def slow(self, *arguments):
        hold.wait(20)
        return predict(self, *arguments)

    monkeypatch.setattr(Dark, "predict", slow)
    run, catalogue = station(Grouping(trigger=Trigger("key")))
    for number in range(5):
        run.trigger()
        catalogue.hand.images.put(BRIGHT)
        until(lambda number=number: catalogue.hand.given >= number)
    hold.set()
    until(lambda: run.counts.parts == 5)
    assert run.counts.dropped == 0


def test_the_record_of_a_run_counts_parts_and_images(station, tmp_path):
    run, catalogue = station(Grouping(count=2), "files")
    for image in (BRIGHT, BRIGHT, BAD):
        catalogue.hand.images.put(image)
    catalogue.hand.images.put(None)
    assert run.wait(20)
    document = json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))
    counts = {key: document["counts"][key] for key in ("inspected", "parts", "parts_ok", "parts_warn", "parts_ng")}
    assert counts == {"inspected": 3, "parts": 2, "parts_ok": 1, "parts_warn": 0, "parts_ng": 1}
    assert document["job"]["parts"] == {"count": 2} and Job.from_json(document["job"]).parts == Grouping(count=2)


def test_in_a_watched_folder_a_part_is_final_when_its_views_are_there(station, monkeypatch):
    noted = []
    monkeypatch.setattr(Hand, "done", lambda self, item: noted.append(item.name), raising=False)
    names = iter(["A_front", "B_front", "B_back"])

    def frames(self):
        while (image := self.images.get()) is not None:
            yield Frame(image, self.given, next(names))
            self.given += 1

    monkeypatch.setattr(Hand, "__iter__", frames)
    run, catalogue = station(Grouping("{serial}_{view}", ("front", "back")), "files")
    for _ in range(3):
        catalogue.hand.images.put(BRIGHT)
    until(lambda: sum(isinstance(call, Part) for call in catalogue.calls) == 2)
    assert not run.wait(0) and (run.counts.parts_ok, run.counts.parts_warn, run.counts.parts_open) == (1, 1, 0)
    parts = [call for call in catalogue.calls if isinstance(call, Part)]
    assert [(part.id, part.verdict.status) for part in parts] == [("A", "WARN"), ("B", "OK")]
    assert noted == ["A_front", "B_front", "B_back"]


def test_a_history_that_fails_leaves_no_part_that_is_ok_without_its_views(station, monkeypatch):
    run, catalogue = station(Grouping(count=2), "files")
    catalogue.hand.images.put(BRIGHT)
    until(lambda: any(isinstance(call, Inspection) for call in catalogue.calls))

    def refuse(self, *arguments):
        raise RuntimeError("no more")

    with monkeypatch.context() as patched:
        patched.setattr(History, "add", refuse)
        catalogue.hand.images.put(BRIGHT)
        catalogue.hand.images.put(None)
        assert run.wait(20) and run.state == "failed"
    with History.open() as history:
        assert [(part.id, part.verdict.status) for part in history.parts(run.history_id)] == [("1", "WARN")]
