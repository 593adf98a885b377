"""Decisions: the safe answer by default, verbs, the keyboard; and the dialog that opens any source."""

import tkinter as tk
from tkinter import ttk

import pytest

from inspector.api import Option, SourceSpec, Text
from inspector.ui import dialogs

BUTTONS = [("stay", "Stay", False), ("close", "Stop and close", True)]


def _all(widget):
    for child in widget.winfo_children():
        yield child
        yield from _all(child)


def asked(root) -> tk.Toplevel | None:
    return next((w for w in root.winfo_children() if isinstance(w, tk.Toplevel) and w.winfo_viewable()), None)


def verbs(window):
    return {w.cget("text"): w for w in _all(window) if isinstance(w, ttk.Button)}


@pytest.fixture
def answer(root):
    """``answer(act)``: ask, do ``act(dialog)`` once it stands there, return the answer."""

    def ask(act, default="stay"):
        def when_there():
            window = asked(root)
            if window is None or window.grab_current() is not window:
                root.after(10, when_there)
                return
            window.focus_lastfor().focus_force()
            window.update()
            act(window)

        root.after(10, when_there)
        guard = root.after(20_000, lambda: asked(root).destroy())
        try:
            return dialogs.ask(root, "Close?", "A run is at work.", BUTTONS, default)
        finally:
            root.after_cancel(guard)

    return ask


def test_escape_and_closing_mean_the_safe_answer(root, answer):
    assert answer(lambda window: window.event_generate("<Escape>")) == "stay"
    assert answer(lambda window: window.destroy()) == "stay"
    assert asked(root) is None


def test_buttons_say_what_they_do(root, answer):
    assert answer(lambda window: verbs(window)["Stop and close"].invoke()) == "close"
    assert answer(lambda window: verbs(window)["Stay"].invoke()) == "stay"


@pytest.mark.parametrize("key", ["<Return>", "<space>"])
@pytest.mark.parametrize("verb, expected", [("Stay", "stay"), ("Stop and close", "close")])
def test_the_keyboard_chooses_the_button_that_has_the_focus(root, answer, key, verb, expected):
    def press(window):
        button = verbs(window)[verb]
        button.focus_force()
        window.update()
        button.event_generate(key)

    assert answer(press) == expected


def test_the_safe_button_has_the_focus_and_the_other_looks_dangerous(root, answer):
    found = []

    def look(window):
        window.update()
        found.append((window.focus_lastfor().cget("text"), str(verbs(window)["Stop and close"].cget("style"))))
        window.destroy()

    answer(look)
    assert found == [("Stay", "Danger.TButton")]


def test_the_window_behind_is_held_while_it_asks_and_free_after(root, answer):
    held = []
    answer(lambda window: (held.append(window.grab_current() is window), window.destroy()))
    assert held == [True] and root.grab_current() is None


SPEC = SourceSpec(
    "grey",
    Text("Grey pictures"),
    lambda **options: None,
    (Option("many", int, 3, Text("How many"), minimum=1, maximum=9), Option("name", str, "x", Text("Name"))),
)


def test_a_source_is_opened_with_what_was_entered(root):
    got = []
    dialogs.open_source(root, SPEC, {"many": 7}, got.append)
    root.update()
    window = asked(root)
    verbs(window)["Open"].invoke()
    assert got == [{"many": 7, "name": "x"}] and not window.winfo_exists()


def test_what_is_wrong_is_said_and_the_dialog_stays(root):
    got = []
    dialogs.open_source(root, SPEC, {}, got.append)
    root.update()
    window = asked(root)
    number = next(w for w in _all(window) if isinstance(w, ttk.Spinbox))
    number.delete(0, "end")
    number.insert(0, "many")
    verbs(window)["Open"].invoke()
    root.update()
    assert not got and window.winfo_exists()
    assert [
        w.cget("text") for w in _all(window) if isinstance(w, ttk.Label) and w.cget("text").startswith("✕ How many")
    ]
    number.delete(0, "end")
    number.insert(0, "5")
    number.focus_force()
    root.update()
    number.event_generate("<Return>")
    root.update()
    assert got == [{"many": 5, "name": "x"}]


def test_return_on_cancel_cancels(root):
    got = []
    dialogs.open_source(root, SPEC, {}, got.append)
    root.update()
    window = asked(root)
    cancel = verbs(window)["Cancel"]
    cancel.focus_force()
    root.update()
    cancel.event_generate("<Return>")
    root.update()
    assert not got and not window.winfo_exists()


def test_remembered_values_of_a_wrong_type_do_no_harm(root):
    got = []
    dialogs.open_source(root, SPEC, {"many": ["?"], "gone": 1, "name": None}, got.append)
    root.update()
    window = asked(root)
    window.event_generate("<Escape>")
    root.update()
    assert not got


MANY = SourceSpec(
    "many",
    Text("Many options"),
    lambda **options: None,
    tuple(Option(f"o{n}", str, "", Text(f"Option {n}"), Text("What it is for")) for n in range(30)),
)


def test_what_is_higher_than_the_screen_scrolls_and_its_buttons_stay(root):
    dialogs.open_source(root, MANY, {}, lambda values: None)
    root.update()
    window = asked(root)
    assert window.winfo_height() < root.winfo_screenheight()
    button = verbs(window)["Open"]
    assert button.winfo_rooty() + button.winfo_height() <= window.winfo_rooty() + window.winfo_height()
    fields = [w for w in _all(window) if isinstance(w, ttk.Entry)]
    fields[-1].focus_force()
    root.update()
    assert window.winfo_rooty() < fields[-1].winfo_rooty() < button.winfo_rooty()


def test_a_window_is_as_high_as_what_it_asks(root):
    dialogs.open_source(root, SPEC, {}, lambda values: None)
    root.update()
    window = asked(root)
    before = window.winfo_height()
    name = [w for w in _all(window) if isinstance(w, ttk.Entry)][-1]
    assert before < 300 and name.winfo_width() > 200
    number = next(w for w in _all(window) if isinstance(w, ttk.Spinbox))
    number.set("many")
    root.update()
    assert window.winfo_height() > before  # what is wrong takes a line
