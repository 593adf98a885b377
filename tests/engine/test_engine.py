"""The pipeline with parts that count, wait and fail, and a real history."""

import asyncio
import json
import os
import sqlite3
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from links import needs_links

from inspector.api import ExporterSpec, ModelSpec, Option, SourceSpec, Text
from inspector.domain import Choice, Detection, Frame, InputError, Job, Mask, ModelInfo, Skipped, TryAgain
from inspector.engine import Engine, Run
from inspector.engine.run_folder import create_run_folder
from inspector.history import History, Query


class Pictures:
    """Yields frames whose pixel value is their number; odd ones are to be found defective."""

    def __init__(self, count: int = 6, bad: tuple[int, ...] = (), fails_at: int = -1, wait: float = 0.0):
        self.total, self._bad, self._fails_at, self._wait = count, bad, fails_at, wait
        self.closed_on = ""
        self.acknowledged: list[str] = []

    def __iter__(self):
        for i in range(self.total):
            if i == self._fails_at:
                raise OSError("the disk is gone")
            time.sleep(self._wait)
            if i in self._bad:
                yield Skipped(f"{i}.png", "is broken")
            else:
                yield None
                yield Frame(np.full((8, 8, 3), i % 256, np.uint8), i, f"{i}.png")

    def done(self, content):
        self.acknowledged.append(content.name)

    def close(self):
        self.closed_on = threading.current_thread().name


class Odd:
    """Finds one defect in every image of an odd value, where confidence allows."""

    error: BaseException = RuntimeError("out of memory")
    info = ModelInfo("odd.pt", "00", "odd", ("Defect",))

    def __init__(self, weights, device, layers, batch: int = 1, fails_at: int = -1, wait: float = 0.0):
        self.batch, self._fails_at, self._wait = batch, fails_at, wait
        self.seen: list[tuple[int, float]] = []

    def predict(self, images, confidence, iou):
        time.sleep(self._wait)
        results = []
        for image in images:
            value = int(image[0, 0, 0])
            if value == self._fails_at:
                raise self.error
            self.seen.append((value, confidence))
            odd = value % 2 and confidence <= 0.5
            results.append([Detection("Defect", 0.5, (0, 0, 2, 2), Mask(0, 0, np.ones((2, 2), bool)))] * bool(odd))
        return results

    def close(self):
        pass


class Names:
    """Write the names of the images; fail at the chosen place."""

    def __init__(self, folder: Path, run, fails_at: int = -1):
        self._path, self._names, self._fails_at = folder / "names.txt", [], fails_at

    def write(self, inspection):
        if inspection.frame.index == self._fails_at:
            raise OSError("no space left")
        self._names.append(inspection.frame.name)

    def close(self):
        self._path.write_text("\n".join(self._names))
        return [self._path]


class Several(Odd):
    """Works on three images at once, the later ones done sooner; never on more."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.at_work, self.most, self._changed = 0, 0, threading.Lock()

    def many(self):
        return Streams(self)


class Streams:
    streams = 3

    def __init__(self, model):
        self._model = model

    def predict(self, images, confidence, iou):
        model = self._model
        with model._changed:
            model.at_work += 1
            model.most = max(model.most, model.at_work)
        time.sleep(0.001 * (7 - int(images[0][0, 0, 0]) % 7))
        try:
            return model.predict(images, confidence, iou)
        finally:
            with model._changed:
                model.at_work -= 1


def option(key, kind, default):
    return Option(key, kind, default, Text(key))


class Catalogue:
    layers: dict = {}
    kind = Odd

    def __init__(self, **source):
        self.opened: list[Pictures] = []
        self.models: list[Odd] = []

        def open_source(**options):
            self.opened.append(Pictures(**options, **source))
            return self.opened[-1]

        def open_model(*args, **options):
            self.models.append(self.kind(*args, **options))
            return self.models[-1]

        numbers = (option("fails_at", int, -1), option("wait", float, 0.0))
        self._model = ModelSpec("odd", Text("odd"), open_model, options=(option("batch", int, 1), *numbers))
        self._sources = {
            id: SourceSpec(
                id, Text(id), open_source, droppable=id == "live", options=(option("count", int, 6), *numbers)
            )
            for id in ("files", "live")
        }

        def refuse(**options):
            raise InputError("there is nothing there")

        self._sources["missing"] = SourceSpec("missing", Text("missing"), refuse)
        self._exporter = ExporterSpec("names", Text("names"), Names, options=(option("fails_at", int, -1),))

    def model(self, id):
        return self._model

    def source(self, id):
        return self._sources[id]

    def exporter(self, id):
        return self._exporter


def job(*sources: Choice, **options) -> Job:
    exporters = options.pop("exporters", (Choice("names"),))
    return Job(sources or (Choice("files"),), Choice("odd", options), exporters=exporters)


def start(catalogue: Catalogue, what: Job, output: Path | None, **more) -> Run:
    return Engine(catalogue, History.open, "1").start(what, output, "a run", **more)


def finish(run: Run) -> Run:
    assert run.wait(20), "the run hangs"
    return run


def kept() -> list[str]:
    with History.open() as history:
        return [entry.name for entry in history.search(Query(limit=10_000)).entries][::-1]


def test_every_image_is_judged_kept_and_exported_in_order(tmp_path):
    results = []
    run = finish(start(Catalogue(), job(batch=4), tmp_path / "out", on_result=results.append))
    names = [f"{i}.png" for i in range(6)]
    assert run.state == "done" and run.failure is None and not run.problems
    assert (run.counts.inspected, run.counts.ok, run.counts.ng, run.counts.defects) == (6, 3, 3, 3)
    assert (tmp_path / "out" / "names.txt").read_text().split() == names == kept()
    assert [r.number for r in results] == [1, 2, 3, 4, 5, 6]
    document = json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))
    assert document["state"] == "done" and document["files"] == ["names.txt"]
    assert Job.from_json(document["job"]) == run.job


def test_a_image_that_cannot_be_read_is_reported_and_the_run_goes_on(tmp_path):
    catalogue = Catalogue(bad=(2,))
    run = finish(start(catalogue, job(), tmp_path / "out"))
    assert (run.state, run.counts.inspected, run.counts.skipped) == ("done", 5, 1)
    assert run.problems == ["2.png: is broken"]
    assert "2.png" in kept()


def test_sources_hear_what_is_safe_on_disk(tmp_path):
    catalogue = Catalogue(bad=(2,))
    finish(start(catalogue, job(), tmp_path / "out"))
    assert catalogue.opened[0].acknowledged == [f"{i}.png" for i in range(6)]


def test_each_part_is_closed_on_its_own_thread(tmp_path):
    catalogue = Catalogue()
    finish(start(catalogue, job(), tmp_path / "out"))
    assert catalogue.opened[0].closed_on == "_read"


def test_a_failing_exporter_is_closed_and_the_run_goes_on(tmp_path):
    exporters = (Choice("names", {"fails_at": 3}),)
    run = finish(start(Catalogue(), job(exporters=exporters), tmp_path / "out"))
    assert run.state == "done" and run.counts.inspected == 6
    assert run.problems == ["Exporter names failed: OSError: no space left"]
    assert (tmp_path / "out" / "names.txt").read_text().split() == ["0.png", "1.png", "2.png"]


def test_a_failing_source_ends_the_run_with_all_else_saved(tmp_path):
    run = finish(start(Catalogue(), job(Choice("files", {"fails_at": 4})), tmp_path / "out"))
    assert run.state == "failed" and "the disk is gone" in str(run.failure)
    assert run.counts.inspected == 4 and len(kept()) == 4
    assert len((tmp_path / "out" / "names.txt").read_text().split()) == 4


def test_a_failing_model_ends_the_run_with_all_else_saved(tmp_path):
    run = finish(start(Catalogue(), job(fails_at=4), tmp_path / "out"))
    assert run.state == "failed" and "out of memory" in str(run.failure)
    assert len(kept()) == 4
    assert json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))["state"] == "failed"


@pytest.mark.parametrize(
    ("score", "box"),
    [
        (float("nan"), (0, 0, 2, 2)),
        (float("inf"), (0, 0, 2, 2)),
        (np.float32("nan"), (0, 0, 2, 2)),
        (0.5, (0, 0, float("nan"), 2)),
        (0.5, (0, float("-inf"), 2, 2)),
        (0.5, (3, 0, 2, 2)),
    ],
)
def test_what_is_computed_from_no_numbers_is_never_judged(tmp_path, monkeypatch, score, box):
    def predict(self, images, confidence, iou):
        bad = [int(image[0, 0, 0]) == 4 for image in images]
        return [[Detection("Defect", score if one else 0.5, box if one else (0, 0, 2, 2))] for one in bad]

    monkeypatch.setattr(Odd, "predict", predict)
    run = finish(start(Catalogue(), job(), tmp_path / "out"))
    assert run.state == "failed" and "odd.pt computed a score or box that is not a number" in str(run.failure)
    assert len(kept()) == 4


def test_a_part_that_tries_to_exit_has_failed(tmp_path, monkeypatch):
    monkeypatch.setattr(Odd, "error", SystemExit(0))
    run = finish(start(Catalogue(), job(fails_at=4), tmp_path / "out"))
    assert run.state == "failed" and "SystemExit" in str(run.failure) and len(kept()) == 4


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_folder_name_that_is_not_text_does_not_matter(tmp_path):
    output = Path(os.fsdecode(bytes(tmp_path) + b"/\xff"))
    try:
        output.mkdir()
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    run = finish(start(Catalogue(), replace(job(), weights=str(output / "w")), output))
    assert run.state == "done"
    json.loads((output / "run.json").read_text("utf-8"))


def test_a_failing_history_ends_the_run(tmp_path):
    class Full(History):
        def add(self, run, inspection):
            raise OSError("database or disk is full")

    run = finish(Engine(Catalogue(), Full.open, "1").start(job(), tmp_path / "out"))
    assert run.state == "failed" and "disk is full" in str(run.failure)


def test_nothing_is_written_when_the_source_does_not_open(tmp_path):
    run = finish(start(Catalogue(), job(Choice("missing")), tmp_path / "out"))
    assert run.state == "failed" and isinstance(run.failure, InputError)
    assert not (tmp_path / "out").exists()


def test_one_source_of_several_may_be_missing(tmp_path):
    run = finish(start(Catalogue(), job(Choice("missing"), Choice("files")), tmp_path / "out"))
    assert run.state == "done" and run.counts.inspected == 6 and run.problems == ["there is nothing there"]


def test_several_sources_follow_each_other(tmp_path):
    run = finish(start(Catalogue(), job(Choice("files"), Choice("files", {"count": 3})), tmp_path / "out"))
    assert run.counts.inspected == 9 and run.total == 9


def test_still_images_of_several_sources_are_numbered_through(tmp_path):
    results = []
    what = job(Choice("files", {"count": 2}), Choice("files", {"count": 3}))
    finish(start(Catalogue(), what, tmp_path / "out", on_result=results.append))
    assert [r.frame.index for r in results] == [0, 1, 2, 3, 4]


def test_stop_ends_at_once_and_saves_what_is_done(tmp_path):
    run = start(Catalogue(), job(Choice("files", {"count": 10_000}), wait=0.01), tmp_path / "out")
    while run.counts.inspected < 3:
        time.sleep(0.01)
    before = run.counts.inspected
    run.stop()
    finish(run)
    assert run.state == "stopped" and run.counts.inspected <= before + 25
    assert len(kept()) == run.counts.inspected


def test_pause_halts_before_the_next_frame_and_resume_goes_on(tmp_path):
    run = start(Catalogue(), job(Choice("files", {"count": 40}), wait=0.01), tmp_path / "out")
    while run.counts.inspected < 3:
        time.sleep(0.01)
    run.pause()
    time.sleep(0.3)
    halted = run.counts.inspected
    time.sleep(0.3)
    assert run.counts.inspected == halted < 40 and run.paused
    run.resume()
    assert finish(run).counts.inspected == 40


def until(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.005)


@pytest.mark.parametrize("batch", [1, 4])
def test_one_image_forward(tmp_path, batch):
    results = []
    what = job(Choice("files", {"count": 40}), wait=0.01, batch=batch)
    run = start(Catalogue(bad=(9,)), what, tmp_path / "out", on_result=results.append)
    until(lambda: run.counts.inspected >= 3)
    run.step()  # means nothing while it runs
    run.pause()
    time.sleep(0.2)
    halted = len(results)
    for number in range(1, 5):
        run.step()
        until(lambda number=number: len(results) == halted + number)
        time.sleep(0.1)
        assert len(results) == halted + number and run.paused
    run.resume()
    assert finish(run).counts.inspected == 39


def test_steps_to_the_end_end_the_run(tmp_path):
    run = start(Catalogue(), job(Choice("files", {"count": 3})), tmp_path / "out")
    run.pause()
    for _ in range(3):
        run.step()
    assert finish(run).counts.inspected == 3 and run.state == "done"


def test_a_step_of_a_camera_shows_what_is_there_now(tmp_path):
    results = []
    what = job(Choice("live", {"count": 200, "wait": 0.01}), wait=0.03)
    run = start(Catalogue(), what, tmp_path / "out", on_result=results.append)
    until(lambda: len(results) >= 3)
    run.pause()
    time.sleep(0.2)
    halted, dropped = len(results), run.counts.dropped
    time.sleep(0.3)
    run.step()
    until(lambda: len(results) > halted)
    time.sleep(0.1)
    assert len(results) == halted + 1
    assert results[-1].frame.index > results[-2].frame.index + 30  # of half a second ago there is nothing left
    assert run.counts.dropped <= dropped + 3  # what a camera sees in a pause is not dropped
    run.stop()
    finish(run)


def test_the_throughput_leaves_pauses_out(tmp_path):
    run = start(Catalogue(), job(Choice("files", {"count": 60}), wait=0.02), tmp_path / "out")
    assert run.remaining is None or run.remaining > 0
    until(lambda: run.counts.inspected >= 20)
    run.pause()
    assert 0.5 < run.rate < 100 and 0 < run.elapsed < 60  # it can make 50
    time.sleep(0.1)
    elapsed, remaining = run.elapsed, run.remaining
    time.sleep(0.5)
    assert run.elapsed == elapsed and 0.5 < run.remaining <= remaining
    run.step()
    run.resume()
    finish(run)
    assert run.remaining == 0 and elapsed + 0.5 < run.elapsed < 120
    kept = run.elapsed
    time.sleep(0.05)
    assert run.elapsed == kept


def test_the_run_says_where_the_history_keeps_it(tmp_path):
    runs = [finish(start(Catalogue(), job(), tmp_path / "out")) for _ in range(2)]
    with History.open() as history:
        assert [entry.id for entry in history.runs()] == [runs[1].history_id, runs[0].history_id]
    assert finish(start(Catalogue(), job(Choice("missing")), None)).history_id is None


def test_a_model_may_be_opened_elsewhere(tmp_path):
    asked = []

    def open_model(spec, weights, device, layers, options):
        asked.append((spec.id, weights, device, layers, options))
        return Odd(weights, device, layers, **options)

    run = Engine(Catalogue(), History.open, "1", open_model=open_model).start(job(batch=2), None)
    assert finish(run).counts.inspected == 6
    assert asked == [("odd", None, "auto", (), {"batch": 2, "fails_at": -1, "wait": 0.0})]


def test_a_video_obeys_within_a_frame(tmp_path):
    """A real film, through pause, one forward, thresholds, resume and stop; the model takes 20 ms a frame."""
    from inspector.system.paths import sample_data
    from inspector_plugins.video_files import inspector_sources

    catalogue = Catalogue()
    catalogue._sources["video_files"] = inspector_sources()[0]
    results = []
    what = job(Choice("video_files", {"path": str(sample_data() / "turning.mp4")}), wait=0.02, exporters=())
    run = start(catalogue, what, None, on_result=results.append)
    until(lambda: len(results) >= 5)
    at = len(results)
    run.pause()
    time.sleep(0.2)
    halted = len(results)
    assert halted <= at + 2  # the one at work, and one that was just finished
    run.set_thresholds(0.9, 0.3)
    run.step()
    until(lambda: len(results) == halted + 1)
    assert (results[-1].confidence, results[-1].iou, results[-1].frame.index) == (0.9, 0.3, halted)
    assert all(result.confidence == 0.25 for result in results[:-1])
    run.resume()
    until(lambda: len(results) >= halted + 5)
    at = len(results)
    run.set_thresholds(0.1, 0.3)
    until(lambda: results[-1].confidence == 0.1)
    assert next(i for i, r in enumerate(results) if r.confidence == 0.1) <= at + 2
    assert run.total == 90
    at = len(results)
    run.stop()
    assert finish(run).state == "stopped" and len(results) <= at + 2 < 90
    assert [result.frame.index for result in results] == list(range(len(results)))
    assert [result.number for result in results] == list(range(1, len(results) + 1))


class Parallel(Catalogue):
    kind = Several


def test_several_images_at_once_stay_in_order(tmp_path):
    catalogue, results = Parallel(bad=(5, 17)), []
    run = finish(start(catalogue, job(Choice("files", {"count": 60})), tmp_path / "out", on_result=results.append))
    (model,) = catalogue.models
    assert (run.state, run.counts.inspected, run.counts.skipped) == ("done", 58, 2)
    assert [getattr(r, "frame", r).name for r in results] == [f"{i}.png" for i in range(60)]
    numbers = [r.number for r in results if not isinstance(r, Skipped)]
    assert numbers == [i + 1 for i in range(60) if i not in (5, 17)]  # the place in the source
    assert kept() == [f"{i}.png" for i in range(60)]
    assert model.most == 3 and model.seen != sorted(model.seen)


def test_a_camera_is_looked_at_one_by_one(tmp_path):
    catalogue = Parallel()
    run = finish(start(catalogue, job(Choice("live", {"count": 10, "wait": 0.01})), tmp_path / "out"))
    assert run.counts.inspected and catalogue.models[0].most == 0


def test_what_is_waited_for_is_handed_over_before_the_next_image_comes(tmp_path):
    catalogue, results = Parallel(), []
    run = start(catalogue, job(Choice("files", {"count": 3, "wait": 0.5})), None, on_result=results.append)
    until(lambda: len(results) == 1)
    assert catalogue.models[0].seen == [(0, 0.25)]
    finish(run)


def test_one_of_several_at_once_fails(tmp_path):
    catalogue = Parallel()
    run = finish(start(catalogue, job(Choice("files", {"count": 60}), fails_at=20), tmp_path / "out"))
    assert run.state == "failed" and "out of memory" in str(run.failure)
    names = kept()
    assert names[:20] == [f"{i}.png" for i in range(20)] and "20.png" not in names
    assert len(names) < 60, "those that were begun meanwhile are kept, the rest is not inspected"


def test_several_at_once_obey_within_as_many_images(tmp_path):
    results = []
    run = start(Parallel(), job(Choice("files", {"count": 5000}), wait=0.01), None, on_result=results.append)
    until(lambda: len(results) >= 5)
    run.pause()
    time.sleep(0.2)
    halted = len(results)
    time.sleep(0.1)
    assert len(results) == halted
    run.set_thresholds(0.9, 0.3)
    run.step()
    until(lambda: len(results) == halted + 1)
    assert results[-1].confidence == 0.9
    run.resume()
    until(lambda: len(results) >= halted + 5)
    at = len(results)
    run.stop()
    assert finish(run).state == "stopped" and len(results) <= at + 7
    assert [result.frame.index for result in results] == list(range(len(results)))
    assert [change["number"] for change in run.changes] == [halted + 1]


def test_a_paused_run_can_be_stopped(tmp_path):
    run = start(Catalogue(), job(Choice("files", {"count": 1000}), wait=0.01), tmp_path / "out")
    run.pause()
    run.stop()
    assert finish(run).state == "stopped"


def test_thresholds_change_from_the_next_frame_on(tmp_path):
    results = []
    what = job(Choice("files", {"count": 200}), wait=0.005)
    run = start(Catalogue(), what, tmp_path / "out", on_result=results.append)
    while run.counts.inspected < 5:
        time.sleep(0.005)
    run.set_thresholds(0.9, 0.45)
    finish(run)
    confidences = [r.confidence for r in results]
    assert confidences[0] == 0.25 and confidences[-1] == 0.9 and sorted(confidences) == confidences
    assert all(not r.detections for r in results if r.confidence == 0.9)


def test_a_droppable_source_keeps_the_newest_and_counts_the_rest(tmp_path):
    what = job(Choice("live", {"count": 100, "wait": 0.002}), wait=0.05)
    run = finish(start(Catalogue(), what, tmp_path / "out"))
    assert run.state == "done"
    assert run.counts.inspected < 60
    # The last ones may lie in the channel when the count is taken.
    assert 98 <= run.counts.inspected + run.counts.dropped <= 100


def test_a_camera_is_not_combined_with_files(tmp_path):
    with pytest.raises(InputError, match="camera"):
        start(Catalogue(), job(Choice("live"), Choice("files")), tmp_path / "out")


def test_an_unknown_option_is_refused_before_anything_starts(tmp_path):
    with pytest.raises(InputError, match="colour"):
        start(Catalogue(), job(Choice("files", {"colour": 1})), tmp_path / "out")


def test_a_folder_with_results_is_never_written_over(tmp_path):
    first = finish(start(Catalogue(), job(), tmp_path / "out"))
    second = finish(start(Catalogue(), job(), tmp_path / "out"))
    assert (first.output.name, second.output.name) == ("out", "out-2")


def test_runs_that_begin_at_once_get_folders_of_their_own(tmp_path):
    given, barrier = [], threading.Barrier(8)

    def take() -> None:
        barrier.wait()
        with create_run_folder(tmp_path / "out") as folder:
            barrier.wait()
            given.append(folder.name)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given) == sorted(path.name for path in tmp_path.iterdir()) and len(given) == 8
    assert "out" in given and not any(any(path.iterdir()) for path in tmp_path.iterdir())


def test_an_output_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    run = finish(start(Catalogue(), job(), tmp_path / "file" / "out"))
    assert isinstance(run.failure, InputError) and run.failure.message.cli_hint == "--output"


def test_without_an_output_folder_only_the_history_is_kept(tmp_path):
    run = finish(start(Catalogue(), job(), None))
    assert run.state == "done" and len(kept()) == 6 and run.files == []


class Panic(BaseException):
    """Panics of libraries written in Rust are no Exception."""


BASE = [Panic("panicked"), asyncio.CancelledError(), GeneratorExit(), KeyboardInterrupt(), SystemExit(0)]


@pytest.mark.parametrize("error", BASE, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("kind", [Odd, Several])
def test_whatever_a_model_raises_the_run_has_failed(tmp_path, monkeypatch, error, kind):
    monkeypatch.setattr(Odd, "error", error)
    catalogue = Catalogue()
    catalogue.kind = kind
    run = finish(start(catalogue, job(fails_at=4), tmp_path / "out"))
    assert run.state == "failed" and type(error).__name__ in str(run.failure)
    assert kept()[:4] == [f"{i}.png" for i in range(4)] and "4.png" not in kept()
    assert json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))["state"] == "failed"


@pytest.mark.parametrize("error", BASE, ids=lambda error: type(error).__name__)
def test_whatever_a_source_raises_the_run_has_failed(tmp_path, monkeypatch, error):
    def read(self):
        yield Frame(np.zeros((8, 8, 3), np.uint8), 0, "0.png")
        raise error

    monkeypatch.setattr(Pictures, "__iter__", read)
    run = finish(start(Catalogue(), job(), tmp_path / "out"))
    assert run.state == "failed" and "The source failed" in str(run.failure) and len(kept()) == 1


@pytest.mark.parametrize("error", BASE, ids=lambda error: type(error).__name__)
def test_whatever_an_exporter_raises_it_is_closed_and_reported(tmp_path, monkeypatch, error):
    write = Names.write

    def fail(self, inspection):
        if inspection.frame.index == 3:
            raise error
        write(self, inspection)

    monkeypatch.setattr(Names, "write", fail)
    run = finish(start(Catalogue(), job(), tmp_path / "out"))
    assert run.state == "done" and run.counts.inspected == 6 and len(run.problems) == 1
    assert type(error).__name__ in run.problems[0]
    assert (tmp_path / "out" / "names.txt").read_text().split() == ["0.png", "1.png", "2.png"]


def test_a_history_that_panics_ends_the_run_as_failed_in_run_json_too(tmp_path):
    class Panicking(History):
        def add(self, run, inspection):
            if inspection.number == 3:
                raise Panic("panicked")
            super().add(run, inspection)

    run = finish(Engine(Catalogue(), Panicking.open, "1").start(job(), tmp_path / "out"))
    document = json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))
    assert run.state == document["state"] == "failed" and document["counts"]["inspected"] == len(kept()) == 2
    assert (tmp_path / "out" / "names.txt").read_text().split() == ["0.png", "1.png"]


@pytest.mark.slow
def test_a_history_that_is_held_is_waited_for_and_that_is_told_at_once(tmp_path, home):
    held = sqlite3.connect(home / "history.sqlite3", isolation_level=None, check_same_thread=False)
    what = job(Choice("files", {"count": 200}), wait=0.01)
    run = start(Catalogue(), what, tmp_path / "out")
    until(lambda: run.counts.inspected >= 3)
    held.execute("BEGIN IMMEDIATE")
    until(lambda: bool(run.problems))
    assert "is in use by another program" in run.problems[0] and run.state == "running"
    exported = run.counts.inspected
    held.execute("ROLLBACK")
    held.close()
    finish(run)
    assert run.state == "done" and run.counts.inspected == 200 > exported and run.problems == []
    assert kept() == (tmp_path / "out" / "names.txt").read_text().split()


def test_what_no_history_takes_is_in_no_file_and_is_told_exactly(tmp_path, monkeypatch):
    monkeypatch.setattr("inspector.engine.result_writer.PATIENCE", 0.5)

    class Full(History):
        def _write(self, group):
            if any(waiting.row[1] > 3 for waiting in group):
                raise TryAgain("database or disk is full")
            super()._write(group)

        def flush_if_due(self):
            self.commit()

    run = finish(Engine(Catalogue(), Full.open, "1").start(job(), tmp_path / "out"))
    assert run.state == "failed" and run.counts.inspected == 3 and len(kept()) == 3
    assert (tmp_path / "out" / "names.txt").read_text().split() == ["0.png", "1.png", "2.png"]
    assert any("1 inspections are neither in the history nor in the files, from number 4 on" in p for p in run.problems)


def test_an_exporter_cannot_draw_on_the_others_image(tmp_path, monkeypatch):
    def draw(self, inspection):
        inspection.frame.image[:] = 0

    monkeypatch.setattr(Names, "write", draw)
    results = []
    run = finish(start(Catalogue(), job(), tmp_path / "out", on_result=results.append))
    assert "read-only" in run.problems[0] and run.counts.inspected == 6
    assert [int(result.frame.image[0, 0, 0]) for result in results] == list(range(6))


def found(*detections):
    return lambda self, images, confidence, iou: [list(detections) for _ in images]


def test_scalars_of_numpy_in_a_detection_are_plain_numbers_everywhere(tmp_path, monkeypatch):
    mask = Mask(np.int64(-1), np.int32(6), np.ones((4, 4), bool))
    odd = Detection(np.str_("Defect"), np.float32(0.5), np.array([1, 2, 3, 4], np.float32), mask, np.int64(0))
    monkeypatch.setattr(Odd, "predict", found(odd))
    results = []
    run = finish(start(Catalogue(), job(), tmp_path / "out", on_result=results.append))
    assert run.state == "done" and run.counts.defects == 6
    (one,) = json.loads(json.dumps(results[0].record()))["detections"]
    assert (one["label"], one["score"], one["box"], one["area_px"]) == ("Defect", 0.5, [1.0, 2.0, 3.0, 4.0], 6)


@pytest.mark.parametrize(
    "returned, complaint",
    [
        (found(Detection("Defect", 0.5, (0, 0, 1, 1), Mask(90, 0, np.ones((2, 2), bool)))), "a mask at 90, 0 is outs"),
        (found(Detection("Defect", "high", (0, 0, 1, 1))), "could not convert string to float"),
        (found("Defect"), "is no Detection"),
        (lambda self, images, confidence, iou: [], "returned 0 results for 1 images"),
        (lambda self, images, confidence, iou: None, "returned 0 results for 1 images"),
    ],
)
def test_a_model_that_returns_nonsense_is_named(tmp_path, monkeypatch, returned, complaint):
    monkeypatch.setattr(Odd, "predict", returned)
    run = finish(start(Catalogue(), job(), tmp_path / "out"))
    assert run.state == "failed" and complaint in str(run.failure) and "The model odd returned" in str(run.failure)


def test_a_source_that_yields_nonsense_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(Pictures, "__iter__", lambda self: iter([7]))
    run = finish(start(Catalogue(), job(), tmp_path / "out"))
    assert run.state == "failed" and "Source files gave 7 instead of an image" in str(run.failure)


@needs_links
@pytest.mark.parametrize("target", ["unplugged/disk", "out"])
def test_an_output_that_is_a_link_to_nothing_is_a_sentence(tmp_path, target):
    (tmp_path / "out").symlink_to(tmp_path / target)
    run = finish(start(Catalogue(), job(), tmp_path / "out"))
    assert isinstance(run.failure, InputError) and "is a link whose target does not exist" in str(run.failure)
    run = finish(start(Catalogue(), job(), tmp_path / "out" / "inner"))
    assert isinstance(run.failure, InputError) and "cannot be created" in str(run.failure)


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "x/" * 3000])
def test_an_output_that_cannot_be_is_a_sentence(tmp_path, name):
    run = finish(start(Catalogue(), job(), tmp_path / name))
    assert isinstance(run.failure, InputError) and "cannot be created" in str(run.failure)
    assert len(str(run.failure)) < 3000
