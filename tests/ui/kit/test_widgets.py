"""Tooltips, frames that scroll, rows that wrap, texts that are cut, and drop-down lists under the keyboard."""

import tkinter as tk
from tkinter import ttk

import pytest
from fakes import focus

from inspector.ui.kit import theme
from inspector.ui.kit.widgets import ElidedTree, FlowFrame, ScrollFrame, Tooltip, close_popdown, elided


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
    """Thirty buttons in space for a few."""
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


def test_what_the_keyboard_reaches_comes_into_view(root, wait, scrolled):
    frame, buttons = scrolled
    for number in (29, 0, 15):
        assert not seen(frame, buttons[number]) or number == 15
        focus(buttons[number])
        wait(lambda number=number: seen(frame, buttons[number]))


def test_a_frame_in_a_frame_is_as_high_as_its_body_and_the_outer_one_scrolls(root, wait):
    outer = ScrollFrame(root, width=200, fill=True)
    outer.place(width=300, height=200)
    inner = ScrollFrame(outer.body, width=150, whole=True)
    inner.pack(fill="x")
    buttons = [ttk.Button(inner.body, text=str(number)) for number in range(20)]
    for button in buttons:
        button.pack()
    wait(lambda: inner.winfo_height() >= inner.body.winfo_reqheight() > 200)
    assert not inner._bar.winfo_ismapped() and outer._bar.winfo_ismapped()
    buttons[0].event_generate("<Button-5>")
    root.update()
    assert outer._canvas.yview()[0] > 0 == inner._canvas.yview()[0]
    focus(buttons[19])
    wait(lambda: seen(outer, buttons[19]))


def test_a_body_that_fills_its_frame_may_grow_beyond_it_later(root, wait):
    frame = ScrollFrame(root, width=200, fill=True)
    frame.place(width=300, height=200)
    inner = tk.Frame(frame.body, height=50, width=10)
    inner.pack(fill="both", expand=True)
    wait(lambda: inner.winfo_height() == 200)
    inner.configure(height=500)
    wait(lambda: inner.winfo_height() == 500 and frame._bar.winfo_ismapped())
    inner.configure(height=80)
    wait(lambda: inner.winfo_height() == 200 and not frame._bar.winfo_ismapped())


def test_the_wheel_goes_on_in_the_outer_frame_where_the_inner_one_has_ended(root, wait):
    outer = ScrollFrame(root, width=200, fill=True)
    outer.place(width=300, height=200)
    inner = ScrollFrame(outer.body, width=150)
    inner.pack(fill="x")
    tk.Frame(outer.body, height=500, width=10).pack()
    buttons = [ttk.Button(inner.body, text=str(number)) for number in range(20)]
    for button in buttons:
        button.pack()
    wait(lambda: inner._bar.winfo_ismapped())
    for _ in range(40):
        buttons[0].event_generate("<Button-5>")
        root.update()
    assert inner._canvas.yview()[1] == 1 and outer._canvas.yview()[0] > 0


def test_a_tooltip_goes_when_its_widget_is_scrolled_away(root, wait, scrolled):
    _, buttons = scrolled
    tip = Tooltip(buttons[1], "F5")
    tip._show()
    assert tips(root)
    buttons[0].event_generate("<Button-5>")
    root.update()
    assert not tips(root)


def test_the_wheel_changes_no_choice(root, wait):
    box = ttk.Combobox(root, values=["a", "b", "c"], state="readonly")
    box.pack()
    box.current(1)
    root.update()
    for event in ("<Button-4>", "<Button-5>"):
        box.event_generate(event)
        root.update()
    assert box.get() == "b"


def test_heads_and_cells_end_in_an_ellipsis_and_come_back(root, wait):
    tree = ElidedTree(root, ("name", "size"))
    tree.heading("name", text="Confidence")
    tree.column("name", width=40, stretch=False)
    tree.pack()
    tree.insert("", "end", "one", values=("a long name that does not fit", "1"))
    wait(lambda: tree.set("one", "name").endswith("…"))
    assert tree.heading("name", "text").endswith("…") and tree.set("one", "size") == "1"
    tree.column("name", width=600)
    tree.event_generate("<ButtonRelease-1>")
    wait(lambda: tree.set("one", "name") == "a long name that does not fit")
    assert tree.heading("name", "text") == "Confidence"
    tree.set("one", "name", "another")
    tree.event_generate("<ButtonRelease-1>")
    root.update()
    assert tree.set("one", "name") == "another"
    tree.delete("one")
    tree.insert("", "end", "one", values=("new", "2"))
    root.update()
    assert tree.set("one", "name") == "new", "an id may come again with another text"


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


def test_a_body_that_is_lower_beside_the_bar_does_not_make_it_come_and_go_for_ever(root):
    frame = ScrollFrame(root, width=200)
    frame.pack(fill="both", expand=True)
    block, changes = ttk.Frame(frame.body, width=10), []
    block.pack(fill="x")

    def fit(event):
        changes.append(event.width)
        if len(changes) > 100:
            frame.destroy()  # so that the failing test ends
        else:
            block.configure(height=height + (40 if event.width > narrow else -40))

    root.update()
    height, narrow = frame.winfo_height(), frame.winfo_width() - frame._bar.winfo_reqwidth()
    block.bind("<Configure>", fit)
    block.configure(height=height + 40)
    root.update()
    assert len(changes) < 20
    assert frame._bar.winfo_ismapped()


def test_a_frame_that_is_gone_is_no_trouble(root, scrolled):
    frame, _ = scrolled
    frame.destroy()
    other = ttk.Button(root, text="other")
    other.pack()
    other.event_generate("<Button-5>")
    focus(other)
    root.update()


def test_the_ground_follows_the_theme(root):
    frame = ScrollFrame(root, style="Card.TFrame")
    assert str(frame._canvas.cget("background")) == theme.tokens().card
    theme.configure("dark")
    assert str(frame._canvas.cget("background")) == theme.tokens().card


@pytest.fixture
def flow(root):
    made = FlowFrame(root)
    for number in range(6):
        made.add(ttk.Button(made, text=f"button {number}"))
    made.pack(fill="x")
    return made


def lines(flow):
    """Number of widgets in each line."""
    tops = [widget.winfo_y() for widget in flow._items]
    return [tops.count(top) for top in sorted(set(tops))]


def test_a_row_of_buttons_goes_on_in_a_second_line(root, flow, wait):
    root.geometry(f"{flow.width() + 20}x300")
    wait(lambda: lines(flow) == [6])
    height = flow.winfo_height()
    root.geometry(f"{flow.width() * 2 // 3}x300")
    wait(lambda: len(lines(flow)) == 2 and flow.winfo_height() > 1.8 * height)
    for button in flow._items:
        assert button.winfo_x() + button.winfo_width() <= flow.winfo_width()
        assert button.winfo_width() >= button.winfo_reqwidth()


def test_a_text_that_is_too_long_ends_in_an_ellipsis(root):
    font = theme.font("body")
    whole = "132, 120, 160, 154"
    assert elided(whole, 1000, font, root) == whole
    short = elided(whole, 60, font, root)
    assert short.endswith("…") and whole.startswith(short[:-1]) and 2 < len(short) < len(whole)


@pytest.fixture
def box(root, wait):
    made = ttk.Combobox(root, values=["one", "two", "three"], state="readonly")
    made.pack()
    root.update()
    focus(made)
    made.event_generate("<Down>")
    wait(lambda: opened(made))
    return made


def opened(box):
    popdown = f"{box}.popdown"
    return bool(int(box.tk.call("winfo", "exists", popdown))) and bool(int(box.tk.call("winfo", "viewable", popdown)))


def test_a_drop_down_list_obeys_the_keyboard(root, box, wait):
    inner = f"{box}.popdown.f.l"
    wait(lambda: str(box.tk.call("focus")) == inner)
    chosen = []
    box.bind("<<ComboboxSelected>>", lambda event: chosen.append(box.get()))
    for key in ("<Down>", "<Down>", "<Up>", "<Down>", "<Return>"):
        box.tk.call("event", "generate", inner, key)
        root.update()
    wait(lambda: chosen == ["three"])
    assert not opened(box)


def test_escape_closes_a_drop_down_list_and_keeps_what_was(root, box, wait):
    inner = f"{box}.popdown.f.l"
    wait(lambda: str(box.tk.call("focus")) == inner)
    box.tk.call("event", "generate", inner, "<Escape>")
    wait(lambda: not opened(box))
    assert box.get() == ""


def test_a_drop_down_list_closes_with_its_page(root, box, wait):
    close_popdown(root)
    wait(lambda: not opened(box))
