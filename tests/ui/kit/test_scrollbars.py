"""Scroll bars that are hidden when nothing scrolls."""

import tkinter as tk
from tkinter import ttk

import pytest

from inspector.ui.kit.scrollbars import AutoHideScrollbar, add_scrollbars


@pytest.fixture
def text(root):
    frame = ttk.Frame(root)
    frame.pack(fill="both", expand=True)
    text = tk.Text(frame, wrap="none", width=10, height=3)
    add_scrollbars(text)
    root.update()
    return text


def bars(text):
    found = [w for w in text.master.winfo_children() if isinstance(w, AutoHideScrollbar) and w.winfo_ismapped()]
    return {str(bar.cget("orient")) for bar in found}


def test_a_bar_comes_with_what_is_too_long_and_goes_with_it(root, text):
    assert bars(text) == set()
    text.insert("1.0", "a line\n" * 500)
    root.update()
    assert bars(text) == {"vertical"}
    text.delete("1.0", "end")
    text.insert("1.0", "long " * 500)
    root.update()
    assert bars(text) == {"horizontal"}


def test_a_bar_moves_what_it_belongs_to(root, text):
    text.insert("1.0", "a line\n" * 500)
    root.update()
    bar = next(w for w in text.master.winfo_children() if isinstance(w, AutoHideScrollbar) and w.winfo_ismapped())
    root.tk.call(*root.tk.splitlist(bar.cget("command")), "moveto", 0.5)
    assert text.yview()[0] == pytest.approx(0.5, abs=0.01)
