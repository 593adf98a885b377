"""The line at the bottom."""

import pytest

from inspector.ui.kit.status_bar import StatusBar


@pytest.fixture
def cancelled():
    return []


@pytest.fixture
def line(root, cancelled):
    line = StatusBar(root, lambda: cancelled.append(True))
    line.pack(fill="x")
    root.update()
    return line


def test_state_and_facts(line):
    line.show("● ready", "best.pt   cpu")
    assert (line._state.cget("text"), line._facts.cget("text")) == ("● ready", "best.pt   cpu")


def test_progress_with_and_without_an_end(root, line, cancelled):
    line.progress(0.25, "25 / 100", True)
    root.update()
    assert line._bar.winfo_ismapped() and float(line._bar.cget("value")) == 0.25
    line._cancel.invoke()
    assert cancelled == [True]
    line.progress(None, "7", True)
    assert float(line._bar.cget("value")) == 0 and line._progress.cget("text") == "7"
    line.progress(None, "", False)
    root.update()
    assert not line._bar.winfo_ismapped()
    line._cancel.invoke()
    assert cancelled == [True], "what does not run cannot be cancelled"
    line.progress(1.0, "", True)
    line._cancel.invoke()
    assert len(cancelled) == 2
