"""Decisions: the safe answer by default, verbs, the keyboard; and the dialog that opens any source."""

import tkinter as tk
from tkinter import ttk

import pytest
from fakes import focus

from inspector.api import Option, SourceSpec, Text
from inspector.system import credentials
from inspector.ui.inspect.source_dialog import open_source
from inspector.ui.kit import dialogs
from inspector.ui.kit.tasks import BackgroundTasks

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
    """``answer(act)``: ask, do ``act(dialog)`` once it is shown, return the answer."""

    def ask(act, default="stay"):
        def when_there():
            window = asked(root)
            # Tk gives the focus to a widget of a window only once the server has shown the window.
            if window is None or window.grab_current() is not window or window.focus_lastfor() is window:
                root.after(10, when_there)
                return
            focus(window.focus_lastfor())
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


def test_escape_and_closing_cancel_where_that_can_be_chosen(root, answer, monkeypatch):
    buttons = [("open", "Open", False), ("cancel", "Cancel", False)]
    monkeypatch.setitem(globals(), "BUTTONS", buttons)
    assert answer(lambda window: window.event_generate("<Escape>"), "open") == "cancel"
    assert answer(lambda window: window.destroy(), "open") == "cancel"
    assert answer(lambda window: window.focus_lastfor().invoke(), "open") == "open"


def test_buttons_say_what_they_do(root, answer):
    assert answer(lambda window: verbs(window)["Stop and close"].invoke()) == "close"
    assert answer(lambda window: verbs(window)["Stay"].invoke()) == "stay"


@pytest.mark.parametrize("key", ["<Return>", "<space>"])
@pytest.mark.parametrize("verb, expected", [("Stay", "stay"), ("Stop and close", "close")])
def test_the_keyboard_chooses_the_button_that_has_the_focus(root, answer, key, verb, expected):
    def press(window):
        button = verbs(window)[verb]
        focus(button)
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
    Text("Grey images"),
    lambda **options: None,
    (Option("many", int, 3, Text("How many"), minimum=1, maximum=9), Option("name", str, "x", Text("Name"))),
)


def test_a_source_is_opened_with_what_was_entered(root):
    got = []
    open_source(root, SPEC, {"many": 7}, got.append, None)
    root.update()
    window = asked(root)
    verbs(window)["Open"].invoke()
    assert got == [{"many": 7, "name": "x"}] and not window.winfo_exists()


def test_what_is_wrong_is_said_and_the_dialog_stays(root):
    got = []
    open_source(root, SPEC, {}, got.append, None)
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
    focus(number)
    root.update()
    number.event_generate("<Return>")
    root.update()
    assert got == [{"many": 5, "name": "x"}]


def test_return_on_cancel_cancels(root):
    got = []
    open_source(root, SPEC, {}, got.append, None)
    root.update()
    window = asked(root)
    cancel = verbs(window)["Cancel"]
    focus(cancel)
    root.update()
    cancel.event_generate("<Return>")
    root.update()
    assert not got and not window.winfo_exists()


def test_remembered_values_of_a_wrong_type_do_no_harm(root):
    got = []
    open_source(root, SPEC, {"many": ["?"], "gone": 1, "name": None}, got.append, None)
    root.update()
    window = asked(root)
    window.event_generate("<Escape>")
    root.update()
    assert not got


ADDRESS = SourceSpec(
    "far",
    Text("Network camera"),
    lambda **options: None,
    (Option("address", str, "", Text("Address")),),
    droppable=True,
)


@pytest.fixture
def tasks(monkeypatch):
    monkeypatch.setattr(credentials, "_store", lambda: None)
    working = BackgroundTasks(lambda error: pytest.fail(str(error)))
    yield working
    working.close()


def test_the_first_field_has_the_focus_and_must_not_stay_empty(root, wait, tasks):
    got = []
    focus(root)
    open_source(root, ADDRESS, {}, got.append, tasks)
    window = wait(lambda: asked(root))
    field = next(w for w in _all(window) if isinstance(w, ttk.Entry))
    wait(lambda: str(window.focus_lastfor()) == str(field))
    focus(field)
    field.event_generate("<Return>")
    root.update()
    assert not got and window.winfo_exists()
    assert any(w.cget("text") == "✕ Address: required." for w in _all(window) if isinstance(w, ttk.Label))
    field.insert(0, "rtsp://10.0.0.5/1")
    field.event_generate("<Return>")
    root.update()
    assert got == [{"address": "rtsp://10.0.0.5/1"}]


def test_a_source_without_an_end_starts_the_inspection(root, tasks):
    open_source(root, ADDRESS, {}, lambda values: None, tasks)
    root.update()
    assert "Start inspection" in verbs(asked(root))


def test_a_dialog_stands_in_the_middle_of_the_window_and_on_the_screen(root, wait, tasks):
    for place in ("700x500+300+100", "700x500+900+400"):
        root.geometry(place)
        wait(lambda place=place: root.geometry() == place)
        open_source(root, SPEC, {}, lambda values: None, tasks)
        window = wait(lambda: asked(root))
        left, top = window.winfo_rootx(), window.winfo_rooty()
        if place.endswith("+300+100"):
            assert abs(left + window.winfo_width() / 2 - (300 + 350)) < 12 and 100 < top < 350
        assert left + window.winfo_width() <= root.winfo_screenwidth()
        assert top + window.winfo_height() <= root.winfo_screenheight()
        window.destroy()


MANY = SourceSpec(
    "many",
    Text("Many options"),
    lambda **options: None,
    tuple(Option(f"o{n}", str, "", Text(f"Option {n}"), Text("What it is for")) for n in range(30)),
)


def test_what_is_higher_than_the_screen_scrolls_and_its_buttons_stay(root):
    open_source(root, MANY, {}, lambda values: None, None)
    root.update()
    window = asked(root)
    assert window.winfo_height() < root.winfo_screenheight()
    button = verbs(window)["Open"]
    assert button.winfo_rooty() + button.winfo_height() <= window.winfo_rooty() + window.winfo_height()
    fields = [w for w in _all(window) if isinstance(w, ttk.Entry)]
    focus(fields[-1])
    root.update()
    assert window.winfo_rooty() < fields[-1].winfo_rooty() < button.winfo_rooty()


def test_a_window_is_as_high_as_what_it_asks(root):
    open_source(root, SPEC, {}, lambda values: None, None)
    root.update()
    window = asked(root)
    before = window.winfo_height()
    name = [w for w in _all(window) if isinstance(w, ttk.Entry)][-1]
    assert before < 300 and name.winfo_width() > 200
    number = next(w for w in _all(window) if isinstance(w, ttk.Spinbox))
    number.set("many")
    root.update()
    assert window.winfo_height() > before  # what is wrong takes a line
