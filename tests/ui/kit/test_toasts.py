"""Messages stack, disappear by themselves, and stay in the list."""

import itertools
import tkinter as tk
from tkinter import ttk

import pytest
from fakes import focus

from inspector.ui.kit import toasts
from inspector.ui.kit.toasts import Messages


@pytest.fixture
def said(root):
    return Messages(root)


def words(frame):
    return [w.cget("text") for w in _all(frame) if isinstance(w, tk.Label | ttk.Label)]


def _all(widget):
    for child in widget.winfo_children():
        yield child
        yield from _all(child)


def buttons(frame):
    return {w.cget("text"): w for w in _all(frame) if isinstance(w, ttk.Button)}


def shown(said):
    return [words(frame)[1] for frame in said._shown]


def test_three_at_most_stand_and_the_oldest_makes_room(root, said):
    for number in range(5):
        said.show(f"message {number}")
    root.update()
    assert shown(said) == ["message 2", "message 3", "message 4"]
    tops = [frame.winfo_rooty() for frame in said._shown]
    assert tops == sorted(tops) and len(set(tops)) == 3
    edges = [(frame.winfo_rooty(), frame.winfo_rooty() + frame.winfo_height()) for frame in said._shown]
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(edges)), "none covers another"
    assert [message.text for message in said.history] == [f"message {number}" for number in range(5)]


def test_the_same_message_is_renewed_not_repeated(root, said):
    for text in ("one", "two", "one"):
        said.show(text)
    assert shown(said) == ["two", "one"]
    assert len(said.history) == 3


def test_they_go_by_themselves_the_bad_ones_stay(root, said, wait, monkeypatch):
    assert "bad" not in toasts._SECONDS and toasts._SECONDS["warn"] > toasts._SECONDS["info"]
    monkeypatch.setitem(toasts._SECONDS, "info", 0.05)
    said.show("a hint")
    said.show("a fault", "bad")
    wait(lambda: shown(said) == ["a fault"])
    assert [message.text for message in said.history] == ["a hint", "a fault"]


def test_one_that_was_closed_leaves_no_timer_behind(root, said, wait, faults, monkeypatch):
    monkeypatch.setitem(toasts._SECONDS, "info", 0.05)
    said.show("closed by hand")
    buttons(said._shown[0])["✕"].invoke()
    assert not said._shown
    later = []
    root.after(200, lambda: later.append(True))
    wait(lambda: later)
    assert not faults.found


@pytest.mark.parametrize("kind, sign", [("info", "ℹ"), ("good", "✓"), ("warn", "⚠"), ("bad", "✕")])
def test_the_kind_is_told_by_a_sign_not_by_colour_alone(root, said, kind, sign):
    said.show("text", kind)
    assert words(said._shown[0]) == [sign, "text"]


def test_the_action_is_done_once_and_the_message_goes(root, said):
    done = []
    said.show("text", "warn", ("Open folder", lambda: done.append(1)))
    buttons(said._shown[0])["Open folder"].invoke()
    assert done == [1] and not said._shown


def test_a_long_message_is_wrapped_inside_the_window(root, said):
    said.show("很长的消息 " * 80, "bad")
    root.update()
    (frame,) = said._shown
    assert frame.winfo_rootx() >= root.winfo_rootx()
    assert frame.winfo_rootx() + frame.winfo_width() <= root.winfo_rootx() + root.winfo_width()


def test_clearing_leaves_the_list(root, said):
    said.show("one")
    said.clear()
    assert not said._shown and len(said.history) == 1


def test_only_so_many_are_kept(root, said, monkeypatch):
    monkeypatch.setattr(toasts, "_KEPT", 10)
    for number in range(toasts._KEPT + 5):
        said.show("the same again")
        said.history[-1:] = [toasts.Message("", "info", str(number))]
    assert len(said.history) == toasts._KEPT and said.history[0].text == "5"


def test_the_list_shows_the_newest_first_and_copies_all(root, said):
    said.show("one\nline two")
    said.show("two", "bad")
    said.window()
    root.update()
    (window,) = [w for w in root.winfo_children() if isinstance(w, tk.Toplevel)]
    (table,) = [w for w in _all(window) if isinstance(w, ttk.Treeview)]
    rows = [table.item(item, "values")[1] for item in table.get_children()]
    assert rows == ["✕ two", "ℹ one line two"]
    buttons(window)["Copy all"].invoke()
    copied = root.clipboard_get()
    assert "one" in copied and copied.endswith(" two")
    focus(window)
    root.update()
    window.event_generate("<Escape>")
    root.update()
    assert not window.winfo_exists()
