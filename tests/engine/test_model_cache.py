"""One model for several users, on one thread, with a real channel between them."""

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from inspector.api import ModelSpec, Text
from inspector.domain import Choice, Detection, Frame, InputError, InspectorError, Job, ModelInfo
from inspector.engine import Engine
from inspector.engine.model_cache import ModelCache
from inspector.history import History


class Opened:
    """Answers with the first pixel's value; says on which thread each thing happened."""

    every: list["Opened"] = []

    def __init__(self, weights: Path | None, device: str, layers, size: int = 0, wait: float = 0.0) -> None:
        if weights is not None and weights.read_text() == "bad":
            raise InputError(f"{weights.name} is not a model")
        self.info, self.batch = ModelInfo(weights.name if weights else "", "", "echo", ("Defect",)), 3
        self.threads, self.closed, self.wait = {threading.current_thread().name}, 0, wait
        self.at_work = 0
        Opened.every.append(self)

    def predict(self, images, confidence, iou):
        assert not self.at_work, "two calls at once"
        self.at_work += 1
        self.threads.add(threading.current_thread().name)
        time.sleep(self.wait)
        self.at_work -= 1
        value = int(images[0][0, 0, 0])
        if value == 255:
            raise RuntimeError("CUDA error: device-side assert")
        if value == 254:
            raise InputError("too large")
        return [[Detection("Defect", value / 255, (0, 0, 1, 1))] for _ in images]

    def close(self) -> None:
        self.threads.add(threading.current_thread().name)
        self.closed += 1


class Several(Opened):
    """Also answers from several threads at once."""

    def many(self):
        assert threading.current_thread().name == "model cache"
        return Streams(self)


class Streams:
    streams = 2

    def __init__(self, model):
        self._model, self.priorities, self._met = model, set(), threading.Barrier(2, timeout=5)

    def predict(self, images, confidence, iou):
        assert threading.current_thread().name != "model cache"
        if sys.platform == "linux":
            self.priorities.add(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        self._met.wait()  # both are here at once
        value = int(images[0][0, 0, 0])
        if value == 255:
            raise RuntimeError("out of memory")
        return [[Detection("Defect", value / 255, (0, 0, 1, 1))]]


PARALLEL = ModelSpec("several", Text("Several"), Several, suffixes=(".pt",))
SPEC = ModelSpec("echo", Text("Echo"), Opened, suffixes=(".pt",))


@pytest.fixture
def cache():
    Opened.every.clear()
    cache = ModelCache()
    yield cache
    cache.close()
    assert all(opened.closed == 1 and opened.threads == {"model cache"} for opened in Opened.every)


@pytest.fixture
def weights(tmp_path) -> Path:
    (tmp_path / "a.pt").write_text("one")
    return tmp_path / "a.pt"


def image(value: int) -> np.ndarray:
    return np.full((4, 4, 3), value, np.uint8)


def answer(model, value: int) -> int:
    return round(model.predict([image(value)], 0.25, 0.45)[0][0].score * 255)


def test_the_same_model_stays_open_for_the_next(cache, weights):
    assert cache.current is None and not cache.busy
    for value in range(3):
        model = cache.acquire(SPEC, weights, "cpu", (), {"size": 1})
        assert (model.info.file, model.batch, answer(model, value)) == ("a.pt", 3, value)
        model.close()
    assert len(Opened.every) == 1 and not Opened.every[0].closed
    assert (cache.current.file, cache.current.plugin) == ("a.pt", "echo")


def test_anything_else_replaces_it(cache, weights):
    def lend(weights=weights, device="cpu", options=None):
        cache.acquire(SPEC, weights, device, (), options or {}).close()
        return len(Opened.every)

    assert (lend(), lend()) == (1, 1)
    assert lend(device="cuda:0") == 2
    assert lend(options={"size": 7}) == 3
    assert lend(weights=None) == 4
    assert lend() == 5
    os.utime(weights, (1, 1))
    assert lend() == 6
    weights.write_text("longer than before")
    os.utime(weights, (1, 1))
    assert lend() == 7
    assert [opened.closed for opened in Opened.every] == [1] * 6 + [0]


def test_one_that_is_still_in_use_is_closed_with_its_last_handle(cache, weights):
    first, second = cache.acquire(SPEC, weights, "cpu", (), {}), cache.acquire(SPEC, weights, "cpu", (), {})
    other = cache.acquire(SPEC, None, "cpu", (), {})
    assert cache.current.file == "" and not Opened.every[0].closed
    assert (answer(first, 5), answer(other, 6)) == (5, 6)
    first.close()
    first.close()
    assert answer(second, 7) == 7 and not Opened.every[0].closed
    second.close()
    assert Opened.every[0].closed == 1 and answer(other, 8) == 8


def test_a_closed_handle_is_not_used_on(cache, weights):
    model = cache.acquire(SPEC, weights, "cpu", (), {})
    model.close()
    with pytest.raises(InspectorError, match="is closed"):
        answer(model, 1)


def test_a_refused_file_is_told_and_the_cache_works_on(cache, weights):
    cache.acquire(SPEC, weights, "cpu", (), {}).close()
    weights.with_name("b.pt").write_text("bad")
    with pytest.raises(InputError, match=r"b\.pt is not a model"):
        cache.acquire(SPEC, weights.with_name("b.pt"), "cpu", (), {})
    assert cache.current is None and Opened.every[0].closed == 1
    with pytest.raises(FileNotFoundError):
        cache.acquire(SPEC, weights.with_name("c.pt"), "cpu", (), {})
    assert answer(cache.acquire(SPEC, weights, "cpu", (), {}), 9) == 9


def test_a_model_that_failed_is_opened_anew(cache, weights):
    model = cache.acquire(SPEC, weights, "cpu", (), {})
    with pytest.raises(InputError, match="too large"):
        answer(model, 254)
    again = cache.acquire(SPEC, weights, "cpu", (), {})
    assert len(Opened.every) == 1
    with pytest.raises(RuntimeError, match="device-side"):
        answer(again, 255)
    again.close()
    assert answer(cache.acquire(SPEC, weights, "cpu", (), {}), 3) == 3
    assert len(Opened.every) == 2 and not Opened.every[0].closed
    model.close()
    assert Opened.every[0].closed == 1


def test_many_users_take_turns(cache, weights):
    def use(number: int) -> list[int]:
        model = cache.acquire(SPEC, weights, "cpu", (), {"wait": 0.001})
        try:
            return [answer(model, number * 10 + i) for i in range(10)]
        finally:
            model.close()

    with ThreadPoolExecutor(20) as users:
        answers = list(users.map(use, range(20)))
    assert answers == [[number * 10 + i for i in range(10)] for number in range(20)]
    assert len(Opened.every) == 1


def test_one_user_works_on_several_images_at_once(cache, weights):
    assert not hasattr(cache.acquire(SPEC, weights, "cpu", (), {}), "many")
    model = cache.acquire(PARALLEL, weights, "cpu", (), {})
    many = model.many()
    with ThreadPoolExecutor(many.streams) as threads:
        assert list(threads.map(lambda value: answer(many, value), range(10))) == list(range(10))
        assert sys.platform != "linux" or min(many._many.priorities) > os.getpriority(os.PRIO_PROCESS, 0)
        again = cache.acquire(PARALLEL, weights, "cpu", (), {})
        broken = [threads.submit(answer, many, 255) for _ in range(2)]
        assert all("out of memory" in str(call.exception(5)) for call in broken)
    again.close()
    model.close()
    assert Opened.every[-1].closed == 1
    with pytest.raises(InspectorError, match="is closed"):
        model.many()


def test_closing_refuses_what_waits_and_what_comes(cache, weights):
    model = cache.acquire(SPEC, weights, "cpu", (), {"wait": 0.2})
    with ThreadPoolExecutor(12) as users:  # more than may wait
        calls = [users.submit(answer, model, 1) for _ in range(12)]
        while not Opened.every[0].at_work:
            time.sleep(0.01)
        assert cache.busy
        cache.close()
        errors = [call.exception(5) for call in calls]
    assert errors.count(None) == 1 and all(isinstance(e, InspectorError) for e in errors if e is not None)
    assert Opened.every[0].closed == 1  # although it is lent
    with pytest.raises(InspectorError, match="is closed"):
        cache.acquire(SPEC, weights, "cpu", (), {})
    model.close()
    cache.close()


def test_a_run_acquires_the_model(cache, weights, tmp_path):
    """Two runs and a look at an image between them open it once."""

    class Catalogue:
        layers: dict = {}

        def model(self, id):
            return SPEC

        def source(self, id):
            from inspector.api import SourceSpec

            return SourceSpec(id, Text(id), Two)

        def exporter(self, id):
            raise KeyError(id)

    class Two:
        total = 2

        def __iter__(self):
            return (Frame(image(i), i, str(i)) for i in range(2))

        def close(self):
            pass

    engine = Engine(Catalogue(), History.open, "1", open_model=cache.acquire)
    job = Job((Choice("two"),), Choice("echo"), str(weights), "cpu")
    for _ in range(2):
        run = engine.start(job, None)
        assert run.wait(20) and run.state == "done" and run.counts.inspected == 2
        assert (run.model.file, run.model.plugin) == ("a.pt", "echo")
        model = cache.acquire(SPEC, weights, "cpu", (), {})
        assert answer(model, 4) == 4
        model.close()
    assert len(Opened.every) == 1 and not Opened.every[0].closed


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a thread's priority is read as Linux gives it")
def test_the_model_gives_way_to_the_window():
    cache = ModelCache()
    try:
        mine = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        thread = cache._thread.native_id
        end = time.monotonic() + 10
        while os.getpriority(os.PRIO_PROCESS, thread) <= mine:
            assert time.monotonic() < end
            time.sleep(0.01)
    finally:
        cache.close()
