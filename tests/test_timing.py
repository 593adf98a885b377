"""The stopwatch of the tests: strict on a quiet machine, lenient where work takes longer."""

import threading
import time

import timing
from timing import Stopwatch


def test_it_measures_time():
    with Stopwatch() as watch:
        time.sleep(0.3)
    assert 0 < watch.seconds <= watch.seconds * watch.slowdown < 30 and watch.seconds * watch.slowdown >= 0.3


def test_on_a_quiet_machine_it_is_the_clock(monkeypatch):
    monkeypatch.setattr(timing, "_work", lambda: 0.001)
    monkeypatch.setattr(timing, "_PAUSE", 0.4)  # so that no lateness counts
    monkeypatch.setattr(Stopwatch, "_quickest", float("inf"))
    with Stopwatch() as watch:
        time.sleep(0.1)
    assert watch.slowdown == 1 and watch.seconds >= 0.1


def test_where_work_takes_longer_it_counts_less(monkeypatch):
    monkeypatch.setattr(Stopwatch, "_quickest", float("inf"))
    main = threading.current_thread()
    monkeypatch.setattr(timing, "_work", lambda: 0.001 if threading.current_thread() is main else 0.05)
    with Stopwatch() as watch:
        time.sleep(0.1)
    assert watch.slowdown >= 40 and watch.seconds < 0.1


def test_it_ends_its_thread_after_an_error():
    before = threading.active_count()
    try:
        with Stopwatch():
            raise ValueError
    except ValueError:
        assert threading.active_count() == before
