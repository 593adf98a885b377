"""Results of threads are delivered in order, in bounded batches, and not after the end."""

import queue
import threading
import time

import pytest

from inspector.domain import InputError
from inspector.ui.kit.tasks import BackgroundTasks


@pytest.fixture
def errors():
    return []


@pytest.fixture
def tasks(errors):
    tasks = BackgroundTasks(errors.append)
    yield tasks
    tasks.close()


def pump_until(tasks, condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        tasks.pump()
        time.sleep(0.001)


def test_results_and_failures_come_on_the_pumping_thread(tasks, errors, caplog):
    worked, came = [], []

    def double(value):
        worked.append(threading.current_thread().name)
        return 2 * value

    def refuse():
        raise InputError("give another file")

    def note(result):
        came.append((result, threading.current_thread()))

    tasks.run(double, 21, done=note)
    tasks.run(refuse, failed=note)
    tasks.run(refuse)
    pump_until(tasks, lambda: len(came) == 2 and errors)
    assert worked == ["task double"]
    assert {str(result) for result, _ in came} == {"42", "give another file"}
    assert {thread for _, thread in came} == {threading.current_thread()}
    assert str(errors[0]) == "give another file"
    assert not [record for record in caplog.records if record.levelname == "ERROR"], "a person's mistake is no fault"


def test_a_fault_of_ours_is_logged_with_its_trace(tasks, errors, caplog):
    tasks.run(lambda: 1 / 0)
    pump_until(tasks, lambda: errors)
    assert isinstance(errors[0], ZeroDivisionError)
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.exc_info[0] is ZeroDivisionError


def test_nothing_is_called_before_it_is_pumped_and_the_order_is_kept(tasks):
    came = []
    for number in range(50):
        tasks.post(came.append, number)
    assert came == []
    pump_until(tasks, lambda: len(came) == 50)
    assert came == list(range(50))


def test_a_thousand_calls_hold_up_no_beat(tasks):
    came, beats = [], []

    def call(number):
        end = time.thread_time() + 0.0005
        while time.thread_time() < end:
            pass
        came.append(number)

    for number in range(1000):
        tasks.post(call, number)
    while len(came) < 1000:
        began = time.thread_time()
        tasks.pump()
        beats.append(time.thread_time() - began)
    assert max(beats) < 0.03 and len(beats) > 10
    assert came == list(range(1000))


def test_who_posts_too_much_waits_until_there_is_room(tasks, monkeypatch):
    monkeypatch.setattr(tasks, "_calls", queue.Queue(3))
    came = []
    thread = threading.Thread(target=lambda: [tasks.post(came.append, number) for number in range(10)])
    thread.start()
    while not tasks._calls.full():
        time.sleep(0.001)
    assert thread.is_alive() and came == []
    pump_until(tasks, lambda: len(came) == 10)
    thread.join(5)
    assert not thread.is_alive() and came == list(range(10))


def test_the_pumping_thread_itself_is_refused_rather_than_held_up_for_ever(tasks, monkeypatch):
    monkeypatch.setattr(tasks, "_calls", queue.Queue(1))
    tasks.post(print)
    with pytest.raises(queue.Full):
        tasks.post(print)


def test_after_the_end_nothing_is_called_and_nobody_hangs(tasks, monkeypatch):
    monkeypatch.setattr(tasks, "_calls", queue.Queue(1))
    came = []
    tasks.post(came.append, 1)
    waiting = threading.Thread(target=tasks.post, args=(came.append, 2))
    waiting.start()
    tasks.close()
    waiting.join(5)
    assert not waiting.is_alive()
    tasks.pump()
    tasks.post(came.append, 3)
    tasks.pump()
    assert came == []


def test_a_call_that_fails_leaves_the_others_for_the_next_beat(tasks):
    came = []
    tasks.post(lambda: 1 / 0)
    tasks.post(came.append, "after")
    with pytest.raises(ZeroDivisionError):
        tasks.pump()
    tasks.pump()
    assert came == ["after"]
