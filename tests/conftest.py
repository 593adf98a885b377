"""Every test has its own user folder; nothing reaches the real one, and nothing reaches the network."""

import os
import socket
from pathlib import Path

import pytest

# Tests run side by side on few cores: threads of several torch processes would wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
SHARED = Path(os.environ.get("BEARING_INSPECTOR_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Captured texts that are not Unicode (names of files on Linux) are escaped: pytest-xdist could not send them."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


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
