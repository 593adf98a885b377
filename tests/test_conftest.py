"""A run that hangs, loses a worker or leaves threads behind says so: tried with runs of their own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import os, threading, time

def test_leaves_a_thread():
    threading.Thread(target=time.sleep, args=(60,), name="forgotten", daemon=True).start()

def test_hangs():
    time.sleep(60)

def test_exits():
    os._exit(1)

def test_good():
    pass
"""


@pytest.fixture
def run(tmp_path):
    """``run(name, *arguments, **environment)``: one test under this project's conftest, in a run of its own."""
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path / "conftest.py")
    (tmp_path / "test_it.py").write_text(TESTS)

    def start(names, *arguments, **environment):
        words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", names, *arguments]
        return subprocess.run(
            words, cwd=tmp_path, env={**os.environ, **environment}, capture_output=True, text=True, timeout=100
        )

    return start


def test_a_thread_that_is_left_behind_fails_its_test(run):
    done = run("thread or good", BEARING_INSPECTOR_TEST_THREADS_END="0.2")
    assert done.returncode == 1 and "2 passed, 2 deselected, 1 error" in done.stdout
    assert "left threads behind" in done.stdout and "forgotten:" in done.stdout


@pytest.mark.slow
def test_a_test_over_its_limit_ends_the_worker_with_its_stacks(run):
    done = run("hangs", "-n1", "--max-worker-restart=0", "--timeout=1", "--timeout-method=thread")
    assert done.returncode == 1 and "1 failed" in done.stdout
    assert "test_hangs ran longer than 1 s" in done.stderr and "in test_hangs" in done.stderr


@pytest.mark.slow
def test_a_run_over_its_limit_ends_with_its_stacks(run):
    done = run("hangs", "-n1", "--max-worker-restart=0", BEARING_INSPECTOR_TEST_LIMIT="4")
    assert done.returncode == 1 and "Timeout" in done.stderr and "in test_hangs" in done.stderr


def test_a_worker_that_exits_fails_the_run(run):
    done = run("exits or good", "-n1", "--max-worker-restart=0")
    assert done.returncode == 1 and "crashed while running" in done.stdout and "passed" not in done.stdout
