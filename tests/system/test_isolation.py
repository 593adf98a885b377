"""A process with limits: what it gives back, and how it ends where it takes too much."""

import subprocess
import sys
import time

import pytest

from inspector.domain import InspectorError
from inspector.system import isolation

CHILD = "inspector_plugins._shared.torch_files.child"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")


def limited(code: str, memory: int = 1 << 30, seconds: int = 5) -> subprocess.CompletedProcess:
    before = f"from inspector.system import isolation; isolation.limit({memory}, {seconds})\n"
    return subprocess.run([sys.executable, "-c", before + code], capture_output=True, text=True, timeout=60)


def test_it_gives_back_what_the_module_says():
    assert b"names" in isolation.run_isolated(CHILD, b"no archive", memory=1 << 30, seconds=10)


def test_only_modules_of_the_program_are_run():
    with pytest.raises(InspectorError, match="exit code 2"):
        isolation.run_isolated("os", b"", memory=1 << 30, seconds=10)


def test_a_module_that_fails_is_told_of():
    with pytest.raises(InspectorError, match=r"failed \(exit code 1: .*JSONDecodeError"):
        isolation.run_isolated(CHILD, b"", ["no json"], memory=1 << 30, seconds=10)


def test_a_process_that_does_not_end_is_ended(monkeypatch):
    monkeypatch.setattr(isolation, "_WAIT", 0.001)
    monkeypatch.setattr(isolation, "_write", lambda stream, data: None)  # the process waits for its input
    with pytest.raises(isolation.LimitExceededError):
        isolation.run_isolated(CHILD, b"", memory=1 << 30, seconds=1)


@pytest.mark.parametrize("code", [77, -9, 1816, 0xC0000044, 0xC0000017])
def test_how_a_process_ends_that_took_too_much(code):
    """Out of memory; a signal; on Windows the end that a job object makes, or a crash for lack of memory."""
    assert isolation._ended_by_a_limit(code) and not isolation._ended_by_a_limit(1)


@POSIX
def test_memory_has_a_limit():
    assert limited("bytearray(2 << 30)").stderr.strip().endswith("MemoryError")


@POSIX
def test_time_has_a_limit():
    began = time.monotonic()
    assert limited("while True: pass", seconds=1).returncode < 0
    assert time.monotonic() - began < 30


@POSIX
def test_no_file_can_be_written(tmp_path):
    done = limited(f"file = open({str(tmp_path / 'a')!r}, 'w'); file.write('x'); file.close()")
    assert "File too large" in done.stderr and not (tmp_path / "a").read_bytes()


def test_it_starts_quickly():
    """Neither torch nor numpy: what it costs to open a checkpoint is this start."""
    code = f"import sys, {CHILD}, inspector.system.isolation;"
    code += "print([m for m in ('torch', 'numpy', 'cv2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
