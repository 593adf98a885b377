"""Closing the window, whatever is running."""

import signal
import subprocess
import sys
import threading
import time
import tkinter as tk
from pathlib import Path

import pytest
from fakes import focus

from inspector.domain import InputError
from inspector.history import History
from inspector.ui.kit import dialogs

SAMPLES = Path(__file__).parents[2] / "sample_data"


def gone(window) -> bool:
    try:
        return not window.root.winfo_exists()
    except tk.TclError:
        return True


def closed(window, seconds=20.0):
    end = time.monotonic() + seconds
    while not gone(window):
        assert time.monotonic() < end, "it did not close"
        try:
            window.root.update()
        except tk.TclError:
            return
        time.sleep(0.003)


@pytest.fixture
def slow(window, monkeypatch):
    event = threading.Event()
    cls = window.catalogue.model("spots").open
    predict = cls.predict
    monkeypatch.setattr(cls, "predict", lambda self, *a: event.wait(20) and predict(self, *a))
    yield event
    event.set()


@pytest.fixture
def running(window, page, until, slow):
    page.start()
    until(lambda: window.session.run.state == "running")
    return window.session.run


def test_an_idle_window_closes_without_asking(window, monkeypatch):
    monkeypatch.setattr(dialogs, "ask", lambda *_: pytest.fail("it asked"))
    window.close()
    assert gone(window) and window._closing
    window.close()


def test_it_closes_while_a_model_opens(window, page, until):
    started, event = threading.Event(), threading.Event()

    def lend(chosen, device):
        started.set()
        event.wait(20)
        raise InputError("nobody hears this any more")

    window.session._acquire_model = lend
    window.session.choose_model("spots")
    assert started.wait(10)
    window.close()
    assert gone(window)
    event.set()


def test_it_closes_before_the_plugins_are_there(faults, home):
    from inspector.ui.app import App

    app = App()
    faults.watch(app.root)
    app.start()
    app.root.update()
    app.toggle_theme()
    app.close()
    assert gone(app)


def test_closing_in_a_run_stops_it_and_keeps_what_was_inspected(window, running, slow, monkeypatch):
    monkeypatch.setattr(dialogs, "ask", lambda *_: "close")
    window.close()
    assert not gone(window), "the run is still being stopped"
    slow.set()
    closed(window)
    assert running.state == "stopped"
    with History.open() as history:
        assert history.runs()[0].state == "stopped"


def test_closing_twice_asks_once(window, page, running, slow, until, monkeypatch):
    asked = []

    def ask(*arguments):
        asked.append(arguments[1])
        window.close()  # a second click while it asks
        return "close"

    monkeypatch.setattr(dialogs, "ask", ask)
    window.close()
    window.close()  # and a third while the run stops
    assert len(asked) == 1
    slow.set()
    closed(window)


def test_staying_leaves_everything_and_closing_asks_again(window, running, slow, until, monkeypatch):
    answers = ["close", "stay", "stay"]
    monkeypatch.setattr(dialogs, "ask", lambda *_: answers.pop())
    window.close()
    window.close()
    assert not window._closing and window.session.active and not running.paused
    window.close()
    slow.set()
    closed(window)


def test_a_fault_while_asking_does_not_lock_the_window(window, page, until, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(page, "close_warning", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            window.close()
    window.close()
    assert gone(window)


def test_a_page_that_cannot_close_does_not_keep_the_window_open(window, page, monkeypatch):
    monkeypatch.setattr(page, "close", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        window.close()
    assert gone(window)


def test_closing_with_a_history_that_fails_in_the_run(window, page, running, slow, faults, monkeypatch):
    monkeypatch.setattr(dialogs, "ask", lambda *_: "close")
    monkeypatch.setattr("inspector.history.store.History.add", lambda *_: 1 / 0)
    window.close()
    slow.set()
    closed(window)
    assert running.state == "failed"
    assert any("could not be saved" in fault for fault in faults.found)
    faults.found.clear()


def test_the_real_dialog_is_answered_by_escape_with_staying(window, running, slow, until):
    def press():
        dialog = next((w for w in window.root.winfo_children() if isinstance(w, tk.Toplevel)), None)
        if dialog is not None and dialog.grab_current() is dialog:
            focus(dialog)  # no window manager does it here
            dialog.event_generate("<Escape>")
        if not answered:
            window.root.after(50, press)

    answered = []
    window.root.after(10, press)
    window.close()
    answered.append(True)
    assert window.session.active and not window._closing
    slow.set()
    until(lambda: not window.session.active)


def test_the_end_of_the_session_saves_a_run_without_asking(window, running, slow, monkeypatch):
    monkeypatch.setattr(dialogs, "ask", lambda *_: pytest.fail("it asked"))
    window.leave()
    window.leave()
    slow.set()
    closed(window)
    assert running.state == "stopped"
    with History.open() as history:
        assert history.runs()[0].state == "stopped"


def test_signing_out_of_windows_stops_a_run_before_it_answers(window, running, slow, monkeypatch):
    """Tk calls this protocol for WM_QUERYENDSESSION; Windows ends the program soon after the answer."""
    monkeypatch.setattr(dialogs, "ask", lambda *_: pytest.fail("it asked"))
    threading.Timer(0.3, slow.set).start()
    window.root.tk.eval(window.root.protocol("WM_SAVE_YOURSELF"))
    assert running.state == "stopped" and not gone(window)
    closed(window)


@pytest.mark.skipif(sys.platform == "win32", reason="there a process is ended without being told")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_cleanly(home, number):
    """In a separate process, as at a logout."""
    command = [sys.executable, "-m", "inspector", "--open", str(SAMPLES)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 60
        while not (home / "history.sqlite3").exists():  # made once the window is there
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.1)
        process.send_signal(number)
        assert process.wait(30) == 0
    assert "zoomed" in (home / "window.json").read_text("utf-8")
