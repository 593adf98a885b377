"""One call when Tk is idle, and none after the widget is destroyed."""

from tkinter import ttk

import numpy as np
import pytest

from inspector.ui.kit.idle_call import IdleCall
from inspector.ui.kit.image_view.image_view import ImageView


@pytest.fixture
def calls(root):
    frame = ttk.Frame(root)
    frame.pack()
    found = []
    return frame, IdleCall(frame, lambda: found.append(1)), found


def test_many_requests_are_one_call(root, calls):
    _, call, found = calls
    for _ in range(3):
        call.request()
    assert not found, "not at once"
    root.update()
    assert found == [1]
    call.request()
    root.update()
    assert found == [1, 1]


def test_no_call_after_the_widget_is_destroyed(root, calls, faults):
    frame, call, found = calls
    call.request()
    frame.destroy()
    call.request()
    root.update()
    assert not found


def test_a_call_with_a_delay_ends_with_its_widget_too(root, wait, faults):
    frame, found = ttk.Frame(root), []
    call = IdleCall(frame, lambda: found.append(1), delay=1)
    call.request()
    call.request()
    wait(lambda: found)
    call.request()
    frame.destroy()
    root.after(20, lambda: found.append(2))
    wait(lambda: 2 in found)
    assert found == [1, 2]


def test_the_end_of_a_child_does_not_count(root, calls):
    frame, call, found = calls
    child = ttk.Label(frame)
    child.destroy()
    call.request()
    root.update()
    assert found == [1]


def test_a_view_that_draws_again_at_once_leaves_no_call_behind(root, faults):
    """The image arrives while a change is waiting: the view draws at once, and the call that waits is still known."""
    from inspector.domain import Frame

    view = ImageView(root)
    view.pack(fill="both", expand=True)
    root.update()
    view.show(Frame(np.zeros((40, 60, 3), np.uint8), 0, "a.png"))
    view._dirty = True
    view._draw_now()
    view.destroy()
    root.update()
