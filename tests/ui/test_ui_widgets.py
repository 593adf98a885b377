"""Tooltips by pointer and keyboard; a frame that scrolls by wheel and follows the focus."""

import tkinter as tk
from tkinter import ttk

import pytest

from inspector.ui import theme
from inspector.ui.widgets import ScrollFrame, Tooltip


def tips(root):
    return [w for w in _all(root) if isinstance(w, tk.Toplevel)]


def _all(widget):
    for child in widget.winfo_children():
        yield child
        yield from _all(child)


@pytest.fixture
def button(root):
    button = ttk.Button(root, text="Start")
    button.pack()
    root.update()
    return button


@pytest.mark.parametrize("event", ["<Enter>", "<FocusIn>"])
def test_a_tooltip_comes_after_a_while_and_goes(root, wait, button, event):
    Tooltip(button, "F5")
    button.event_generate(event)
    root.update()
    assert not tips(root), "not at once"
    (tip,) = wait(lambda: tips(root))
    assert [w.cget("text") for w in _all(tip) if isinstance(w, tk.Label)] == ["F5"]
    assert tip.winfo_rooty() >= button.winfo_rooty() + button.winfo_height()
    button.event_generate("<Leave>" if event == "<Enter>" else "<FocusOut>")
    root.update()
    assert not tips(root)


def test_a_tooltip_that_was_left_too_early_never_comes(root, wait, button):
    tooltip = Tooltip(button, "F5")
    button.event_generate("<Enter>")
    assert tooltip._waiting
    button.event_generate("<Leave>")
    assert tooltip._waiting is None and not tips(root)


def test_a_tooltip_stays_on_the_screen(root, wait, button):
    corner = ttk.Button(root, text="x")
    corner.place(relx=1, rely=1, anchor="se")
    root.update()
    Tooltip(corner, "a long text " * 20)._show()
    root.update()
    (tip,) = tips(root)
    assert tip.winfo_rootx() + tip.winfo_width() <= root.winfo_screenwidth()
    assert tip.winfo_rooty() + tip.winfo_height() <= corner.winfo_rooty()


def test_a_tooltip_dies_with_its_widget(root, wait, button, faults):
    Tooltip(button, "F5")
    button.event_generate("<Enter>")
    button.destroy()
    end = []
    root.after(800, lambda: end.append(True))
    wait(lambda: end)
    assert not tips(root) and not faults.found


@pytest.fixture
def scrolled(root):
    """Thirty buttons in a room for a few."""
    frame = ScrollFrame(root)
    frame.place(x=0, y=0, width=200, height=150)
    buttons = [ttk.Button(frame.body, text=str(number)) for number in range(30)]
    for button in buttons:
        button.pack()
    root.update()
    return frame, buttons


def seen(frame, widget) -> bool:
    top = widget.winfo_rooty() - frame.winfo_rooty()
    return top >= 0 and top + widget.winfo_height() <= frame.winfo_height()


def test_the_wheel_scrolls_what_stands_in_the_frame(root, scrolled):
    frame, buttons = scrolled
    before = frame._canvas.yview()
    buttons[0].event_generate("<Button-5>")
    root.update()
    assert frame._canvas.yview() > before
    buttons[0].event_generate("<Button-4>")
    root.update()
    assert frame._canvas.yview() == before
    outside = ttk.Button(root, text="outside")
    outside.place(x=400, y=400)
    root.update()
    outside.event_generate("<Button-5>")
    root.update()
    assert frame._canvas.yview() == before


def test_the_wheel_leaves_what_scrolls_itself(root, scrolled):
    frame, buttons = scrolled
    number = ttk.Spinbox(frame.body, from_=0, to=9)
    number.pack(before=buttons[0])
    root.update()
    number.event_generate("<Button-5>")
    root.update()
    assert frame._canvas.yview()[0] == 0


def test_what_the_keyboard_reaches_comes_into_view(root, scrolled):
    frame, buttons = scrolled
    for number in (29, 0, 15):
        assert not seen(frame, buttons[number]) or number == 15
        buttons[number].focus_force()
        root.update()
        assert seen(frame, buttons[number]), number


def test_the_bar_is_there_only_where_it_is_needed(root, scrolled):
    frame, buttons = scrolled
    assert frame._bar.winfo_ismapped()
    for button in buttons[2:]:
        button.destroy()
    root.update()
    assert not frame._bar.winfo_ismapped()
    buttons[0].event_generate("<Button-5>")
    root.update()
    assert seen(frame, buttons[0])


def test_a_frame_that_is_gone_is_no_trouble(root, scrolled):
    frame, _ = scrolled
    frame.destroy()
    other = ttk.Button(root, text="other")
    other.pack()
    other.event_generate("<Button-5>")
    other.focus_force()
    root.update()


def test_the_ground_follows_the_theme(root):
    frame = ScrollFrame(root, style="Card.TFrame")
    assert str(frame._canvas.cget("background")) == theme.tokens().card
    theme.use("dark")
    assert str(frame._canvas.cget("background")) == theme.tokens().card
