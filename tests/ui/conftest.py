"""A real Tk on a virtual screen. Any error in a Tk callback, and anything logged as an error, fails the test."""

import ctypes
import gc
import itertools
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
import tkinter as tk
import traceback

import numpy as np
import pytest
from fakes import Shell, focus

INTERPRETERS: list = []  # every Tcl interpreter of this process; see keep_interpreters
FREEZE, PROTOCOLS = gc.freeze, itertools.count()  # see pytest_runtest_protocol


@pytest.fixture(scope="session", autouse=True)
def keep_interpreters():
    """No Tcl interpreter of a test is freed but by :func:`free_interpreters`, on the thread that made it.

    A window is a cycle of Python objects. pytest holds it until the test's last fixture has ended, and afterwards the
    garbage collector may free it on whatever thread happens to allocate. Tcl ends the process then
    ("Tcl_AsyncDelete: async handler deleted by the wrong thread"); the message goes to the captured stderr of a worker
    that is no more.
    """
    make, destroy = tk.Tk.__init__, tk.Tk.destroy

    def kept(self, *arguments, **options):
        make(self, *arguments, **options)
        INTERPRETERS.append(self.tk)

    def flushed(self):
        # What waits for an idle moment, such as <<ThemeChanged>>, would come when the application is gone.
        self.tk.call("update", "idletasks")
        destroy(self)

    tk.Tk.__init__, tk.Tk.destroy = kept, flushed
    gc.freeze = lambda: None  # the program freezes what it has made at its start; here only what precedes a test is
    yield INTERPRETERS
    tk.Tk.__init__, tk.Tk.destroy, gc.freeze = make, destroy, FREEZE


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol():
    """Free the windows of a test on this thread, once nothing refers to them any more; not before, and not elsewhere.

    Fonts, images and variables call Tk when they are freed, and wait for its main loop on another thread. What was
    there before the test is not looked through again, which takes 0.2 s where torch is loaded; all is now and then.
    """
    gc.disable()
    if next(PROTOCOLS) % 50 == 0:
        gc.unfreeze()
        gc.collect()
    FREEZE()
    try:
        return (yield)
    finally:
        gc.collect()
        free_interpreters()
        gc.enable()


def free_interpreters() -> None:
    """Free interpreters that nothing else refers to; two megabytes each."""
    for place in reversed(range(len(INTERPRETERS))):
        if sys.getrefcount(INTERPRETERS[place]) == 2:  # the list and the argument
            del INTERPRETERS[place]


@pytest.fixture(scope="session")
def display():
    """A virtual screen of 1366x768 on Linux; the real screen elsewhere."""
    if sys.platform != "linux":
        yield ""
        return
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed (packaging/system.sh installs it)")
    read, write = os.pipe()
    libc = ctypes.CDLL(None)
    # It ends with this process and not before: Xlib ends a process, without a word, whose server is gone.
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1366x768x24", "-dpi", "96", "-nolisten", "tcp", "-noreset"],
        pass_fds=[write],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: libc.prctl(1, signal.SIGTERM),  # PR_SET_PDEATHSIG
    )
    os.close(write)
    with os.fdopen(read) as answer:
        number = answer.readline().strip()
    assert number, f"Xvfb did not start ({server.poll()})"
    before = os.environ.get("DISPLAY")
    os.environ["DISPLAY"] = f":{number}"
    yield os.environ["DISPLAY"]
    if before is None:
        del os.environ["DISPLAY"]
    else:
        os.environ["DISPLAY"] = before


class Faults(logging.Handler):
    """Collects errors that the test itself does not see."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))

    def callback(self, kind, error, trace) -> None:
        self.found.append("".join(traceback.format_exception(kind, error, trace)))

    def watch(self, window) -> None:
        """Collect also errors reported by Tk itself, e.g. a timer of a destroyed widget."""
        window.report_callback_exception = self.callback
        window.tk.createcommand("bgerror", self.complaint)

    def complaint(self, said: str) -> None:
        if said != 'unknown color name ""':  # ttkbootstrap 2.2.6 when it draws its first slider; nothing is amiss
            self.found.append(said)


@pytest.fixture
def faults(display):
    """Collect logged errors and failed callbacks; a test that expects some removes them from ``found``."""
    handler = Faults()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)
    assert not handler.found, "\n".join(handler.found)


@pytest.fixture
def root(faults):
    """A themed root, visible, 1366x768, in English."""
    from inspector.ui.kit import strings, theme

    strings.set_language("en")
    window = theme.create_root()
    faults.watch(window)
    window.geometry("1366x768+0+0")
    window.deiconify()
    window.update()
    yield window
    if window.winfo_exists():
        window.destroy()


@pytest.fixture
def wait(root):
    """``wait(condition, seconds=60)``: keep the window alive until the condition holds."""

    def until(condition, seconds: float = 60.0):
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
    """A folder of five images, 80 x 60; the second and the fourth have one dark spot."""
    from inspector.imaging import write_image

    folder = tmp_path / "轴承 零件"
    folder.mkdir()
    for number in range(5):
        image = np.full((60, 80, 3), 200, np.uint8)
        if number % 2:
            image[20:30, 20:30] = 10
        write_image(folder / f"part-{number}.png", image)
    return folder


@pytest.fixture
def spots(home):
    """A model that needs no torch: the plugin that ``plugins new model`` writes. Dark spots are defects."""
    from inspector import registry

    (home / "plugins").mkdir()
    return registry.new("model", "spots", home / "plugins")


@pytest.fixture
def window(faults, home, spots, parts):
    """The whole window with the model of ``spots``, looking at the first image of ``parts``; runs write no files."""
    from inspector.settings import Settings
    from inspector.ui.app import App

    (home / "window.json").write_text(json.dumps({"model": "spots"}))
    settings = Settings.load()
    settings.set("language", "en")
    settings.set("exporters", "none")
    app = App()
    faults.watch(app.root)
    app.start([str(parts)])
    keep(app, lambda: app.ready and app.session.model is not None and app.inspect_page().banner.status)
    focus(app.root)
    yield app
    if not app._closing:
        app._end()


@pytest.fixture
def page(window):
    """The inspect page of ``window``."""
    return window.inspect_page()


@pytest.fixture
def until(window):
    """``until(condition, seconds=60)``: keep ``window`` alive until the condition holds."""
    return lambda condition, seconds=60.0: keep(window, condition, seconds)


def keep(app, condition, seconds: float = 60.0):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"it did not happen in time; said: {app.messages.history[-3:]}"
        app.root.update()
        time.sleep(0.003)
    app.root.update()
    return value


@pytest.fixture
def shell(root):
    """A fake window around one page, which records its messages."""
    shell = Shell(root)
    shell.reload_plugins()
    yield shell
    shell.tasks.close()


@pytest.fixture
def pumped(root):
    """``pumped(shell)`` brings the results of its tasks to the Tk thread until the test ends."""
    shells, waiting = [], []

    def pump():
        for shell in shells:
            shell.tasks.pump()
        waiting[:] = [root.after(5, pump)]

    pump()
    yield lambda shell: shells.append(shell) or shell
    root.after_cancel(waiting[0])
    for shell in shells:
        shell.tasks.close()
