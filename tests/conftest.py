"""Every test has its own user folder, ends its own threads and reaches no network; a run that hangs says where."""

import faulthandler
import gc
import os
import socket
import sys
import threading
import time
import traceback
from pathlib import Path

import pytest

# Tests run side by side on few cores: threads of several torch processes would wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
if sys.platform == "win32":  # the tests expect English sentences, and the language of Windows is not in LANG
    os.environ.setdefault("BEARING_INSPECTOR_LANGUAGE", "en")
SHARED = Path(os.environ.get("BEARING_INSPECTOR_SHARED", Path(__file__).resolve().parents[2] / "shared"))

RUN_LIMIT = float(os.environ.get("BEARING_INSPECTOR_TEST_LIMIT", 40 * 60))  # seconds for the whole run; CI has 90 min
THREADS_END = float(os.environ.get("BEARING_INSPECTOR_TEST_THREADS_END", 20))  # seconds that threads have to end
TORCH = {  # folders of tests
    *("yolo11", "cgnet", "dysample", "freqfusion", "rmt", "timm_backbones", "unireplknet", "vmamba"),
    *("losses", "layers", "reference"),
}
# Threads of libraries that live as long as the process, by the beginning of their names, and why each may stay.
LIBRARY_THREADS = {
    "tqdm_monitor": "tqdm's watch over its bars, one for the process",
}


def pytest_configure(config):
    """End a run that takes too long, with the stacks of all threads: workers first, then the controller.

    ``faulthandler`` counts the time in C, so that it also ends a process that hangs in a library with the GIL held.
    """
    config.stderr_descriptor = os.dup(sys.__stderr__.fileno())  # a worker's own is captured while a test runs
    worker = hasattr(config, "workerinput")
    limit = RUN_LIMIT if worker else RUN_LIMIT + 10
    faulthandler.dump_traceback_later(limit, exit=True, file=config.stderr_descriptor)


def pytest_xdist_auto_num_workers(config):
    """One worker more than cores, since tests also wait: for threads, processes and timers. Each takes up to 1.5 GB."""
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores + 1, psutil.virtual_memory().available // (3 << 29), 8))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark tests that need a screen (``ui``) or compute with torch (``torch``); ``slow`` is marked at the tests."""
    for item in items:
        if "display" in item.fixturenames:
            item.add_marker("ui")
        if TORCH.intersection(item.nodeid.partition("::")[0].split("/")):
            item.add_marker("torch")


def pytest_collection_finish():
    """The tests themselves are many objects that live to the end; garbage collection need not look through them."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure(config):
    faulthandler.cancel_dump_traceback_later()


def pytest_timeout_set_timer(item, settings):
    """The time limit of one test: the stacks go to the real stderr, for a worker's terminal is lost as it ends.

    pytest-timeout's own timer writes them to the worker's terminal, which is not visible: the worker just vanishes.
    """

    def end() -> None:
        descriptor = item.config.stderr_descriptor
        os.write(descriptor, f"\nTimeout: {item.nodeid} ran longer than {settings.timeout:g} s\n".encode())
        faulthandler.dump_traceback(descriptor, all_threads=True)
        os._exit(1)

    item.time_limit = threading.Timer(settings.timeout, end)
    item.time_limit.name = "time limit"
    item.time_limit.daemon = True
    item.time_limit.start()
    return True


def pytest_timeout_cancel_timer(item):
    if (timer := getattr(item, "time_limit", None)) is not None:
        timer.cancel()
        timer.join()
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Captured texts that are not Unicode (names of files on Linux) are escaped: pytest-xdist could not send them."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


def left_threads(before) -> list[threading.Thread]:
    """The threads that were started since ``before`` and still run, without those that libraries keep."""
    alive = [thread for thread in threading.enumerate() if thread not in before]
    return [thread for thread in alive if not thread.name.startswith(tuple(LIBRARY_THREADS))]


@pytest.fixture(autouse=True)
def ended_threads():
    """Every test ends the threads that it started: one left behind disturbs later tests, or frees their objects."""
    before = set(threading.enumerate())
    yield
    end = time.monotonic() + THREADS_END
    while (left := left_threads(before)) and time.monotonic() < end:
        left[0].join(0.05)
    if left:
        frames = sys._current_frames()
        stacks = ["".join(traceback.format_stack(frames[t.ident])) if t.ident in frames else "" for t in left]
        said = "\n".join(f"{thread.name}:\n{stack}" for thread, stack in zip(left, stacks, strict=True))
        pytest.fail(f"The test left threads behind:\n{said}", pytrace=False)


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch) -> Path:
    """The user's data folder of this test."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("BEARING_INSPECTOR_HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Only this machine may be reached."""
    connect = socket.socket.connect

    def local_only(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a connection to {address} was tried; the program is offline")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout; a test that needs it is skipped where it is missing."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"no real data at {SHARED}/data")
    return SHARED
