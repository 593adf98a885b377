"""A real Tk on a virtual screen. Any error in a Tk callback, and anything logged as an error, fails the test."""

import logging
import os
import shutil
import subprocess
import sys
import time
import traceback

import pytest


@pytest.fixture(scope="session")
def display():
    """A virtual screen of 1366x768 where this is Linux; the screen that is there elsewhere."""
    if sys.platform != "linux":
        yield ""
        return
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed (packaging/system.sh installs it)")
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1366x768x24", "-dpi", "96", "-nolisten", "tcp"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as answer:
        number = answer.readline().strip()
    assert number, "Xvfb did not start"
    before = os.environ.get("DISPLAY")
    os.environ["DISPLAY"] = f":{number}"
    yield os.environ["DISPLAY"]
    if before is None:
        del os.environ["DISPLAY"]
    else:
        os.environ["DISPLAY"] = before
    server.terminate()
    server.wait(10)


class Faults(logging.Handler):
    """Gathers what went wrong behind the test's back."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))

    def callback(self, kind, error, trace) -> None:
        self.found.append("".join(traceback.format_exception(kind, error, trace)))


@pytest.fixture
def faults(display):
    """What is logged as an error and what fails in a callback; a test that expects some takes it out of ``found``."""
    handler = Faults()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)
    assert not handler.found, "\n".join(handler.found)


@pytest.fixture
def root(faults):
    """A themed root, visible, 1366x768, in English."""
    from inspector.ui import texts, theme

    texts.use("en")
    window = theme.start()
    window.report_callback_exception = faults.callback
    window.geometry("1366x768+0+0")
    window.deiconify()
    window.update()
    yield window
    if window.winfo_exists():
        window.destroy()


@pytest.fixture
def wait(root):
    """``wait(condition, seconds=10)``: keep the window alive until the condition holds."""

    def until(condition, seconds: float = 10.0):
        end = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < end, "it did not happen in time"
            root.update()
            time.sleep(0.005)
        root.update()
        return value

    return until
