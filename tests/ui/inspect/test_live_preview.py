"""Previewing sources without a run: real images, and a model that can be made to wait."""

import threading
import time

import numpy as np
import pytest

from inspector import registry
from inspector.api import check_options
from inspector.domain import Detection, Frame, InputError, Inspection, ModelInfo, Rules, Skipped
from inspector.imaging import write_image
from inspector.ui.inspect.live_preview import LivePreview, PreviewRequest


class Echo:
    """Finds one defect, as sure as the first pixel is bright; waits while ``gate`` is shut."""

    batch = 1
    info = ModelInfo("echo", "", "echo", ("Defect",))

    def __init__(self) -> None:
        self.gate, self.calls, self.closed = threading.Event(), 0, 0
        self.gate.set()

    def predict(self, images, confidence, iou):
        self.calls += 1
        assert self.gate.wait(20)
        score = int(images[0][0, 0, 0]) / 255
        return [[Detection("Defect", score, (0, 0, 4, 4))] if score >= confidence else []]

    def close(self) -> None:
        self.closed += 1


@pytest.fixture(scope="module")
def catalogue():
    return registry.load(False)


@pytest.fixture
def image_folder(tmp_path):
    for number in range(4):
        write_image(tmp_path / f"{number}.png", np.full((20, 30, 3), 60 * number, np.uint8))
    return tmp_path


@pytest.fixture
def looked():
    """The live preview, its results, its errors."""
    seen, failed = [], []
    live_preview = LivePreview(seen.append, failed.append)
    yield live_preview, seen, failed
    live_preview.close()
    live_preview._thread.join(10)
    assert not live_preview._thread.is_alive()


def images(catalogue, path):
    spec = catalogue.source("image_files")
    options = check_options(spec.options, {"path": str(path)}, "Source image_files")
    return lambda: spec.open(**options)


def until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.002)


def preview_request(opens, index=0, model=None, confidence=0.25, rules=None):
    return PreviewRequest(opens, index, model, confidence, 0.45, rules)


def last(seen):
    return seen[-1].content if seen else None


def test_an_image_alone_and_then_with_what_was_found(catalogue, image_folder, looked):
    live_preview, seen, failed = looked
    opens, model = [images(catalogue, image_folder)], Echo()
    live_preview.request(preview_request(opens, 2))
    until(lambda: seen)
    assert isinstance(last(seen), Frame) and (seen[0].index, seen[0].total) == (2, 4)
    live_preview.request(preview_request(opens, 2, lambda: model))
    until(lambda: isinstance(last(seen), Inspection))
    found = last(seen)
    assert isinstance(seen[-2].content, Frame), "the image is shown before the model has looked"
    assert found.frame.name == "2.png" and found.verdict.status == "NG" and found.number == 3
    assert seen[-2].content is found.frame, "it was read once"
    assert model.closed == 1 and not failed


def test_only_what_was_asked_for_last_is_looked_at(catalogue, image_folder, looked):
    live_preview, seen, _ = looked
    opens, model = [images(catalogue, image_folder)], Echo()
    model.gate.clear()
    live_preview.request(preview_request(opens, 0, lambda: model))
    until(lambda: model.calls)
    for index in (1, 2, 3):
        live_preview.request(preview_request(opens, index, lambda: model))
    model.gate.set()
    until(lambda: isinstance(last(seen), Inspection) and seen[-1].index == 3)
    assert model.calls == 2 and not {sight.index for sight in seen} & {1, 2}


def test_thresholds_and_rules_act_without_reading_again(catalogue, image_folder, looked):
    live_preview, seen, failed = looked
    opens, model = [images(catalogue, image_folder)], Echo()
    for confidence, rules, status in (
        (0.1, None, "NG"),
        (0.9, None, "OK"),
        (0.1, Rules.from_json({"classes": {"Defect": {"score": {"ng": 0.99}}}}), "OK"),
    ):
        seen.clear()
        live_preview.request(preview_request(opens, 2, lambda: model, confidence, rules))
        until(lambda: isinstance(last(seen), Inspection))
        assert last(seen).verdict.status == status and last(seen).confidence == confidence
        (image_folder / "2.png").unlink(missing_ok=True)
    assert not failed


def test_rules_for_classes_that_the_model_lacks_are_refused_and_the_model_given_back(catalogue, image_folder, looked):
    live_preview, seen, failed = looked
    model = Echo()
    rules = Rules.from_json({"classes": {"crack": {"count": {"ng": 0}}}})
    live_preview.request(preview_request([images(catalogue, image_folder)], 0, lambda: model, rules=rules))
    until(lambda: failed)
    assert isinstance(failed[0], InputError) and "crack" in str(failed[0]) and model.closed == 1
    assert isinstance(last(seen), Frame)


def test_several_sources_are_one_row_of_images(catalogue, image_folder, looked, tmp_path):
    live_preview, seen, _ = looked
    opens = [images(catalogue, image_folder / "3.png"), images(catalogue, image_folder)]
    names = []
    for index in (0, 1, 4, 99, -5):
        live_preview.request(preview_request(opens, index))
        until(lambda index=index: len(seen) > len(names))
        assert seen[-1].total == 5
        names.append((seen[-1].index, last(seen).name, last(seen).index))
    assert names == [(0, "3.png", 0), (1, "0.png", 1), (4, "3.png", 4), (4, "3.png", 4), (0, "3.png", 0)]


def test_an_image_that_cannot_be_read_is_skipped_with_its_reason(catalogue, image_folder, looked):
    live_preview, seen, failed = looked
    (image_folder / "1.png").write_bytes(b"no picture")
    model = Echo()
    live_preview.request(preview_request([images(catalogue, image_folder)], 1, lambda: model))
    until(lambda: seen)
    assert isinstance(last(seen), Skipped) and last(seen).name == "1.png" and last(seen).reason
    assert model.calls == 0 and not failed


def test_a_source_that_vanished_is_told_and_the_next_one_is_looked_at(catalogue, image_folder, looked, tmp_path):
    live_preview, seen, failed = looked
    gone = image_folder / "gone"
    gone.mkdir()
    write_image(gone / "a.png", np.zeros((9, 9, 3), np.uint8))
    opens = [images(catalogue, image_folder / "0.png"), images(catalogue, gone)]
    (gone / "a.png").unlink()
    gone.rmdir()
    live_preview.request(preview_request(opens))
    until(lambda: failed)
    assert isinstance(failed[0], InputError) and not seen
    live_preview.request(preview_request([images(catalogue, image_folder)], 3))
    until(lambda: seen)
    assert last(seen).name == "3.png"


def test_what_was_opened_before_another_failed_is_closed(looked):
    live_preview, _, failed = looked
    closed = []

    class Source:
        total = 1

        def close(self):
            closed.append(True)

    def refuse():
        raise InputError("it is gone")

    live_preview.request(preview_request([Source, refuse]))
    until(lambda: failed)
    live_preview.request(preview_request([refuse]))
    until(lambda: len(failed) == 2)
    assert closed == [True]


def test_a_fault_of_the_model_is_told_and_the_looker_lives_on(catalogue, image_folder, looked, caplog):
    live_preview, seen, failed = looked
    opens = [images(catalogue, image_folder)]

    class Broken(Echo):
        def predict(self, images, confidence, iou):
            raise RuntimeError("CUDA error")

    broken, model = Broken(), Echo()
    live_preview.request(preview_request(opens, 0, lambda: broken))
    until(lambda: failed)
    assert "CUDA error" in str(failed[0]) and broken.closed == 1
    assert [record for record in caplog.records if record.levelname == "ERROR"]
    live_preview.request(preview_request(opens, 1, lambda: model))
    until(lambda: isinstance(last(seen), Inspection))


def test_closing_waits_for_nothing(catalogue, image_folder):
    model = Echo()
    model.gate.clear()
    live_preview = LivePreview(lambda sight: None, lambda error: None)
    live_preview.request(preview_request([images(catalogue, image_folder)], 0, lambda: model))
    until(lambda: model.calls)
    began = time.monotonic()
    live_preview.close()
    assert time.monotonic() - began < 5 and live_preview._thread.is_alive()
    model.gate.set()
    live_preview._thread.join(10)
    assert not live_preview._thread.is_alive() and model.closed == 1
    live_preview.request(preview_request([images(catalogue, image_folder)]))
