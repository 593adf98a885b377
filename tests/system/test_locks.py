import errno
import os
import subprocess
import sys

import pytest

from inspector.system.locks import locked

TRY = """
import os, sys
from inspector.system.locks import locked
print(locked(os.open(sys.argv[1], os.O_RDWR), shared=sys.argv[2] == "shared"))
"""


def tries(file, how):
    done = subprocess.run([sys.executable, "-c", TRY, str(file), how], capture_output=True, text=True, check=True)
    return done.stdout.strip() == "True"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "锁 1"
    path.write_bytes(b"x")
    return path


def test_one_process_holds_it_until_it_closes_the_file(file):
    descriptor = os.open(file, os.O_RDWR)
    assert locked(descriptor) and not tries(file, "alone") and not tries(file, "shared")
    os.close(descriptor)
    assert tries(file, "alone")


@pytest.mark.skipif(sys.platform == "win32", reason="no shared locks there")
def test_who_only_looks_hinders_nobody_who_looks(file):
    descriptor = os.open(file, os.O_RDWR)
    assert locked(descriptor, shared=True) and tries(file, "shared") and not tries(file, "alone")
    os.close(descriptor)


@pytest.mark.skipif(sys.platform == "win32", reason="flock")
@pytest.mark.parametrize(("number", "answer"), [(errno.ENOLCK, True), (errno.EOPNOTSUPP, True), (errno.EAGAIN, False)])
def test_a_file_system_without_locks_hinders_nobody(file, monkeypatch, number, answer):
    import fcntl

    def refuse(*arguments):
        raise OSError(number, "")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert locked(0) is answer
