"""The session, with real sources, model cache and engine; no Tk."""

import contextlib
import http.server
import json
import threading
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest

from inspector import registry
from inspector.api import ModelSpec, Text
from inspector.domain import Choice, Detection, Frame, InputError, Inspection, ModelInfo, Rules, Skipped
from inspector.history import History, Query
from inspector.imaging import write_image
from inspector.jobs.options import plugin_options
from inspector.settings import Settings
from inspector.ui.history.stored_inspection import load
from inspector.ui.inspect.session import Session
from inspector.ui.kit.tasks import BackgroundTasks


class Gate:
    """Models that open when they may; ``names`` of those that were opened, in order, with their devices."""

    def __init__(self) -> None:
        self.shut: dict[str, threading.Event] = {}
        self.opened: list[tuple[str, str]] = []

    def hold(self, name: str) -> threading.Event:
        return self.shut.setdefault(name, threading.Event())

    def spec(self, name: str) -> ModelSpec:
        def open(weights, device, layers):
            self.opened.append((name, device))
            if name in self.shut:
                assert self.shut[name].wait(20)
            if name == "refused":
                raise InputError("refused is no model that can be opened; give another")
            if device == "cuda:7":
                raise InputError("There is no device cuda:7; known is cpu")
            return Bright(name, device)

        return ModelSpec(name, Text(name), open, bundled={name: None})


class Bright:
    """Everything that is not black is a defect, with brightness as confidence."""

    batch = 1

    def __init__(self, name, device):
        self.info = ModelInfo(name, "", "bright", ("Bright",), device=device)

    def predict(self, images, confidence, iou):
        scores = [int(image[-1, -1, 0]) / 255 for image in images]
        return [[Detection("Bright", s, (0, 0, 9, 9))] if s > 0.02 and s >= confidence else [] for s in scores]

    def close(self):
        pass


@pytest.fixture(scope="module")
def built_in():
    return registry.load(False)


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def heard():
    return {"errors": [], "models": [], "sights": []}


@pytest.fixture
def session(built_in, gate, heard):
    catalogue = replace(built_in, models={name: gate.spec(name) for name in ("first", "second", "refused")})
    settings = Settings.load(plugin_options(catalogue))
    settings.set("exporters", "none")
    tasks = BackgroundTasks(heard["errors"].append)
    session = Session(catalogue, settings, tasks)
    session.on_error = heard["errors"].append
    session.on_model = lambda: heard["models"].append((session.loading, session.model and session.model.name))
    session.on_preview = heard["sights"].append
    yield session
    for event in gate.shut.values():
        event.set()
    session.close()
    if session.run is not None:
        assert session.run.wait(20)
    tasks.close()


@pytest.fixture
def until(session):
    def wait(condition, seconds=20.0):
        end = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < end, "it did not happen in time"
            session._tasks.pump()
            time.sleep(0.002)
        return value

    return wait


@pytest.fixture
def ready(session, until):
    session.choose_model("first")
    until(lambda: session.model is not None)
    return session


@pytest.fixture
def image_folder(tmp_path):
    folder = tmp_path / "零件"
    folder.mkdir()
    for number in range(4):
        write_image(folder / f"{number}.png", np.full((20, 30, 3), 60 * number, np.uint8))
    return folder


def seen(heard):
    return heard["sights"][-1].content if heard["sights"] else None


# the model


def test_a_model_is_opened_beside_and_told(session, until, gate, heard):
    gate.hold("first")
    session.choose_model("first")
    assert session.loading == "first" and session.model is None
    until(lambda: gate.opened)
    assert heard["models"] == []
    gate.shut["first"].set()
    until(lambda: session.model is not None)
    assert session.loading == "" and session.model.info.architecture == "bright"
    assert heard["models"] == [("", "first")] and not heard["errors"]


def test_only_the_last_choice_counts(session, until, gate, heard):
    gate.hold("first")
    session.choose_model("first")
    until(lambda: gate.opened)
    session.choose_model("refused")
    session.choose_model("second")
    assert session.loading == "second"
    gate.shut["first"].set()
    until(lambda: session.model is not None)
    assert session.model.name == "second"
    until(lambda: len(gate.opened) == 3)
    until(lambda: not session._model_cache.busy)
    session._tasks.pump()
    assert session.model.name == "second" and heard["models"] == [("", "second")] and not heard["errors"]


def test_a_refused_model_leaves_the_one_that_was(ready, until, gate, heard):
    heard["models"].clear()
    ready.choose_model("refused")
    until(lambda: heard["errors"])
    assert "give another" in str(heard["errors"][0])
    assert ready.model.name == "first" and ready.loading == "" and heard["models"] == [("", "first")]
    ready.choose_model("nowhere.pt")
    until(lambda: len(heard["errors"]) == 2)
    assert "does not exist" in str(heard["errors"][1])


def test_the_error_comes_before_the_model_is_shown_again(ready, until, heard):
    order = []
    ready.on_error = lambda error: order.append("error")
    ready.on_model = lambda: order.append("model")
    ready.choose_model("refused")
    until(lambda: len(order) == 2)
    assert order == ["error", "model"]


def test_another_device_opens_the_same_model_there(ready, until, gate):
    ready.choose_device("cuda:0")
    until(lambda: not ready.loading)
    assert gate.opened[-1] == ("first", "cuda:0") and ready.model.info.device == "cuda:0"
    count = len(gate.opened)
    ready.choose_device("cuda:0")
    assert not ready.loading and len(gate.opened) == count
    ready.settings.set("device", "cpu")
    ready.settings_changed("device")
    until(lambda: not ready.loading)
    assert ready.model.info.device == "cpu"
    ready.settings_changed("language")
    assert not ready.loading


def test_a_device_chosen_while_a_model_opens_does_not_bring_back_the_old_model(ready, until, gate):
    gate.hold("second")
    ready.choose_model("second")
    until(lambda: ("second", "auto") in gate.opened)
    ready.choose_device("cpu")
    gate.shut["second"].set()
    until(lambda: not ready.loading)
    assert (ready.model.name, ready.model.info.device) == ("second", "cpu")


def test_a_device_that_is_not_there_is_told(ready, until, heard):
    ready.choose_device("cuda:7")
    until(lambda: heard["errors"])
    assert "cuda:7" in str(heard["errors"][0]) and ready.model.info.device == "auto"


# the source


def test_a_source_is_looked_at_at_once(ready, until, image_folder, heard):
    ready.open([str(image_folder)])
    assert ready.text == str(image_folder) and not ready.live
    until(lambda: isinstance(seen(heard), Inspection))
    assert (ready.index, ready.total) == (0, 4) and seen(heard).verdict.status == "OK"
    ready.preview(3)
    until(lambda: isinstance(seen(heard), Inspection) and seen(heard).frame.name == "3.png")
    assert ready.index == 3 and seen(heard).verdict.status == "NG"


def test_a_source_is_shown_before_there_is_a_model(session, until, image_folder, heard, gate):
    gate.hold("first")
    session.choose_model("first")
    session.open([str(image_folder)])
    until(lambda: isinstance(seen(heard), Frame))
    gate.shut["first"].set()
    until(lambda: isinstance(seen(heard), Inspection))


def test_several_files_are_one_source(ready, until, image_folder, heard):
    files = [str(image_folder / f"{number}.png") for number in (2, 0, 3)]
    ready.open(files)
    assert ready.text == f"{files[0]} +2" and len(ready.sources) == 3
    until(lambda: ready.total == 3)
    ready.start()
    until(lambda: not ready.active)
    assert ready.run.counts.inspected == 3 and ready.run.counts.ng == 2


@pytest.mark.parametrize("text", ["nowhere.jpg", "", " ", "x" * 3000, "ftp://x/y.jpg", "*.nothing"])
def test_a_source_that_nothing_opens_leaves_the_one_that_was(ready, until, image_folder, heard, text):
    ready.open([str(image_folder)])
    until(lambda: ready.total == 4)
    before = ready.sources, ready.text
    with pytest.raises(InputError):
        ready.open([str(image_folder / "0.png"), text])
    assert (ready.sources, ready.text) == before and ready.total == 4


def test_options_that_are_refused_leave_the_source_that_was(ready, until, image_folder):
    ready.open([str(image_folder)])
    before = ready.sources, ready.text
    with pytest.raises(InputError):
        ready.open_choices([Choice("image_files", {"path": str(image_folder), "recursive": "perhaps"})], "wrong")
    with pytest.raises(InputError):
        ready.open_choices([Choice("never heard of", {})], "wrong")
    assert (ready.sources, ready.text) == before


def test_a_source_that_vanished_between_opening_and_looking_is_told(ready, until, image_folder, heard):
    ready.open([str(image_folder)])
    until(lambda: ready.total == 4)
    for file in image_folder.iterdir():
        file.unlink()
    ready.preview(2)
    until(lambda: heard["errors"] or isinstance(seen(heard), Skipped))
    image_folder.rmdir()
    ready.open_choices([Choice("image_files", {"path": str(image_folder)})], "gone")
    until(lambda: heard["errors"])
    assert isinstance(heard["errors"][-1], InputError)
    ready.start()
    until(lambda: not ready.active)
    assert isinstance(ready.run.failure, InputError)


def test_an_image_that_cannot_be_read_is_skipped(ready, until, image_folder, heard):
    (image_folder / "1.png").write_bytes(b"no picture")
    ready.open([str(image_folder)])
    ready.preview(1)
    until(lambda: isinstance(seen(heard), Skipped))
    assert seen(heard).name == "1.png" and not heard["errors"]
    ready.start()
    until(lambda: not ready.active)
    assert ready.run.counts.skipped == 1 and ready.run.counts.inspected == 3


def test_thresholds_act_at_once(ready, until, image_folder, heard):
    ready.open([str(image_folder / "3.png")])
    until(lambda: isinstance(seen(heard), Inspection) and seen(heard).verdict.status == "NG")
    ready.set_thresholds(0.9, 0.5)
    until(lambda: isinstance(seen(heard), Inspection) and seen(heard).verdict.status == "OK")
    assert (seen(heard).confidence, seen(heard).iou) == (0.9, 0.5)
    ready.set_thresholds(0.1, 0.5)
    ready.set_rules(Rules.from_json({"classes": {"Bright": {"count": {"warn": 0}}}}))
    until(lambda: isinstance(seen(heard), Inspection) and seen(heard).verdict.status == "WARN")


# the run


def test_what_is_missing_for_a_run_is_told(session, until, image_folder):
    with pytest.raises(InputError, match="nothing to inspect"):
        session.start()
    session.open([str(image_folder)])
    with pytest.raises(InputError, match="No model"):
        session.start()
    session.stop()
    assert session.take_latest() is None and not session.active


def test_a_run_counts_and_brings_its_newest_result(ready, until, image_folder, heard):
    ready.open([str(image_folder)])
    until(lambda: isinstance(seen(heard), Inspection))
    ready.start()
    heard["sights"].clear()
    ready.preview(2)
    until(lambda: not ready.active)
    assert heard["sights"] == [], "while a run is at work nothing else is looked at"
    assert ready.counts == {"Bright": 2}
    latest = ready.take_latest()
    assert latest.frame.name == "3.png" and ready.take_latest() is None
    with History.open() as history:
        assert history.count(Query(run=ready.run.history_id)) == 4


def test_the_job_is_what_is_set_up(ready, until, image_folder):
    ready.open([str(image_folder)])
    ready.set_thresholds(0.4, 0.6)
    ready.choose_device("cpu")
    until(lambda: not ready.loading)
    ready.settings.set("exporters", "csv, nonsense ,csv,jsonl")
    job = ready.job()
    assert (job.confidence, job.iou, job.device, job.model.id) == (0.4, 0.6, "cpu", "first")
    assert [choice.id for choice in job.exporters] == ["jsonl", "csv"], "as ``--export`` orders them"
    ready.settings.set("exporters", "")
    usual = [spec.id for spec in ready.catalogue.exporters.values() if spec.default]
    assert [choice.id for choice in ready.job().exporters] == usual
    assert job == type(job).from_json(json.loads(json.dumps(job.to_json())))


def test_a_camera_is_always_waited_for_whatever_was_kept_of_it(ready):
    for kept in ({}, {"wait": False}):
        ready.open_choices([Choice("camera", {"address": "http://127.0.0.1:9/", **kept})], "camera")
        assert ready.job().sources[0].options["wait"] is True


def test_stopping_and_closing_in_a_run(ready, until, image_folder):
    for number in range(4, 200):
        write_image(image_folder / f"{number:03d}.png", np.full((20, 30, 3), 100, np.uint8))
    ready.open([str(image_folder)])
    ready.start()
    until(lambda: ready.run.counts.inspected)
    ready.close()
    assert ready.run.wait(20) and ready.run.state in ("stopped", "done")


def test_closing_while_a_model_opens_waits_for_nothing(session, until, gate, heard):
    gate.hold("first")
    session.choose_model("first")
    until(lambda: gate.opened)
    began = time.monotonic()
    session.close()
    assert time.monotonic() - began < 5 and not gate.shut["first"].is_set()
    gate.shut["first"].set()
    session._model_cache._thread.join(10)
    assert not session._model_cache._thread.is_alive()


# cameras


@pytest.fixture
def stream():
    """A camera in the network: every third image is bright."""
    dead = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            with contextlib.suppress(OSError):
                for number in range(100_000):
                    if dead.is_set():
                        return
                    image = np.full((48, 64, 3), 0 if number % 3 else 180, np.uint8)
                    data = cv2.imencode(".jpg", image)[1].tobytes()
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                    self.wfile.write(head.encode() + data + b"\r\n")
                    time.sleep(0.02)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/stream?token=secret"
    dead.set()
    server.shutdown()
    server.server_close()


def inspect_camera(session, until, stream):
    session.open([stream])
    assert session.live
    session.preview(0)
    session.start()
    until(lambda: session.run.counts.inspected >= 6 and 0 < session.run.counts.ng < session.run.counts.inspected)
    session.stop()
    until(lambda: not session.active)
    assert session.run.failure is None
    with History.open() as history:
        entries = history.search(Query(run=session.run.history_id, order="oldest", limit=100)).entries
        return [history.get(entry.id) for entry in entries]


def test_images_of_a_camera_are_kept_and_old_inspections_open_again(ready, until, stream, heard):
    records = inspect_camera(ready, until, stream)
    kept = sorted(file.name for file in (ready.run.output / "originals").iterdir())
    wanted = [record for record in records if record["verdict"] != "OK"]
    assert kept == [f"{record['number']:06d}.jpg" for record in wanted]
    record = wanted[-1]
    back = load(ready.catalogue, record["id"])
    assert back.missing == "" and back.inspection.frame.path is None
    assert back.inspection.frame.image.shape == (48, 64, 3) and back.inspection.frame.image.mean() > 150
    assert back.inspection.number == record["number"] and back.inspection.detections
    good = next(record for record in records if record["verdict"] == "OK")
    assert "not kept as a file" in load(ready.catalogue, good["id"]).missing
    (ready.run.output / "originals" / kept[-1]).unlink()
    assert "not kept as a file" in load(ready.catalogue, record["id"]).missing
    assert not heard["errors"]


def test_images_of_a_camera_are_not_kept_where_that_is_not_wished(ready, until, stream):
    ready.settings.set("keep_camera_pictures", False)
    inspect_camera(ready, until, stream)
    assert not (ready.run.output / "originals").exists()
    assert ready.run.job.exporters == ()


def test_a_watched_folder_is_live_and_a_folder_is_not(ready, image_folder):
    ready.open_choices([Choice("hot_folder", {"folder": str(image_folder)})], "watched")
    assert ready.live
    ready.open([str(image_folder)])
    assert not ready.live
