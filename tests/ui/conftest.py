"""A real Tk on a virtual screen. Any error in a Tk callback, and anything logged as an error, fails the test."""

import gc
import json
import logging
import os
import shutil
import subprocess
import sys
import time
import traceback

import numpy as np
import pytest
from fakes import Shell


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

    def watch(self, window) -> None:
        """Gather also what Tk itself complains of, such as a timer of a widget that is gone."""
        window.report_callback_exception = self.callback
        window.tk.createcommand("bgerror", self.complaint)

    def complaint(self, said: str) -> None:
        if said != 'unknown color name ""':  # ttkbootstrap 2.2.6 when it draws its first slider; nothing is amiss
            self.found.append(said)


@pytest.fixture
def faults(display):
    """What is logged as an error and what fails in a callback; a test that expects some takes it out of ``found``."""
    handler = Faults()
    logging.getLogger().addHandler(handler)
    # Of a window that is gone, collected on some thread: a Tk variable would wait for its main loop, and Tcl ends the
    # process over an interpreter.
    gc.disable()
    yield handler
    logging.getLogger().removeHandler(handler)
    gc.collect()
    gc.enable()
    assert not handler.found, "\n".join(handler.found)


@pytest.fixture
def root(faults):
    """A themed root, visible, 1366x768, in English."""
    from inspector.ui import texts, theme

    texts.use("en")
    window = theme.start()
    faults.watch(window)
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


@pytest.fixture
def parts(tmp_path):
    """A folder of five pictures, 80 x 60; the second and the fourth have one dark spot."""
    from inspector.imaging import write_image

    folder = tmp_path / "轴承 零件"
    folder.mkdir()
    for number in range(5):
        picture = np.full((60, 80, 3), 200, np.uint8)
        if number % 2:
            picture[20:30, 20:30] = 10
        write_image(folder / f"part-{number}.png", picture)
    return folder


@pytest.fixture
def spots(home):
    """A model that needs no torch: the plugin that ``plugins new model`` writes. Dark spots are defects."""
    from inspector import registry

    (home / "plugins").mkdir()
    return registry.new("model", "spots", home / "plugins")


@pytest.fixture
def window(faults, home, spots, parts):
    """The whole window with the model of ``spots``, looking at the first picture of ``parts``; runs write no files."""
    from inspector.settings import Settings
    from inspector.ui.app import App

    (home / "window.json").write_text(json.dumps({"model": "spots"}))
    settings = Settings.load()
    settings.set("language", "en")
    settings.set("exporters", "none")
    app = App()
    faults.watch(app.root)
    app.start([str(parts)])
    keep(app, lambda: hasattr(app, "session") and app.session.model is not None and app.inspect_page().banner.status)
    app.root.focus_force()
    yield app
    if not app._closing:
        app._end()


@pytest.fixture
def page(window):
    """The page of ``window`` that inspects."""
    return window.inspect_page()


@pytest.fixture
def until(window):
    """``until(condition, seconds=20)``: keep ``window`` alive until the condition holds."""
    return lambda condition, seconds=20.0: keep(window, condition, seconds)


def keep(app, condition, seconds: float = 20.0):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"it did not happen in time; said: {app.messages.kept[-3:]}"
        app.root.update()
        time.sleep(0.003)
    app.root.update()
    return value


@pytest.fixture
def shell(root):
    """A window around one page, which keeps what the page says."""
    made = Shell(root)
    yield made
    made.tasks.close()
