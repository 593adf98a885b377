"""Windows that ask: a decision with verbs on its buttons, and how a source is to be opened."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from tkinter import ttk
from typing import Any

from inspector.api import SourceSpec
from inspector.domain import InputError
from inspector.ui import texts, theme
from inspector.ui.form import Form
from inspector.ui.texts import t
from inspector.ui.widgets import ScrollFrame

_WIDTH = 460  # pixels at 96 dpi of the text in a window
_AROUND = 60  # pixels of the screen that the frame of a window and the task bar take


def ask(parent: tk.Tk, title: str, text: str, buttons: Sequence[tuple[str, str, bool]], default: str) -> str:
    """Wait for a decision.

    Args:
        buttons: ``(key, verb, dangerous)`` each.
        default: the safe key: it has the focus, and Escape and closing mean it.
    """
    answer = [default]
    window = _window(parent, title)

    def choose(key: str) -> None:
        answer[0] = key
        window.destroy()

    ttk.Label(window, text=title, style="Title.TLabel", wraplength=theme.px(_WIDTH)).pack(
        anchor="w", padx=theme.px(20), pady=theme.px(18, 6)
    )
    ttk.Label(window, text=text, wraplength=theme.px(_WIDTH), justify="left").pack(
        anchor="w", padx=theme.px(20), pady=theme.px(0, 18)
    )
    row = ttk.Frame(window)
    row.pack(fill="x", padx=theme.px(20), pady=theme.px(0, 18))
    for key, verb, dangerous in reversed(buttons):
        style = "Primary.TButton" if key == default else "Danger.TButton" if dangerous else "TButton"
        button = ttk.Button(row, text=verb, style=style, command=lambda key=key: choose(key))  # type: ignore[misc]
        button.pack(side="right", padx=(theme.px(8), 0))
        if key == default:
            button.focus_set()
    window.bind("<Escape>", lambda event: window.destroy())
    _modal(parent, window)
    return answer[0]


def open_source(
    parent: tk.Tk, spec: SourceSpec, values: Mapping[str, Any], opened: Callable[[dict[str, Any]], None]
) -> None:
    """Ask for the options of a source; ``opened(options)`` when they are right. Works for anybody's plugin."""
    window = _window(parent, texts.read(spec.title))
    ttk.Label(window, text=texts.read(spec.title), style="Title.TLabel").pack(
        anchor="w", padx=theme.px(20), pady=theme.px(16, 8)
    )
    row = ttk.Frame(window)
    row.pack(side="bottom", fill="x", padx=theme.px(20), pady=theme.px(12, 16))
    said = ttk.Label(window, style="Bad.TLabel", wraplength=theme.px(_WIDTH))
    said.pack(side="bottom", anchor="w", padx=theme.px(20))
    scroll = ScrollFrame(window, width=theme.px(_WIDTH))
    scroll.pack(fill="both", expand=True, padx=theme.px(20))
    form = Form(scroll.body, spec.options, values)
    form.pack(fill="x")

    def go() -> None:
        try:
            chosen = form.values()
        except InputError as error:
            said.configure(text=f"✕ {texts.sentence(str(error))}")
            return
        window.destroy()
        opened(chosen)

    ttk.Button(row, text=t("Open"), style="Primary.TButton", command=go).pack(side="right", padx=(theme.px(8), 0))
    ttk.Button(row, text=t("Cancel"), command=window.destroy).pack(side="right")
    window.bind("<Escape>", lambda event: window.destroy())
    window.bind("<Return>", lambda event: go())
    _place(parent, window)
    fit(window, scroll)


def fit(window: tk.Toplevel, scroll: ScrollFrame) -> None:
    """Keep ``window`` as high as what ``scroll`` holds, and within the screen: there it begins to scroll."""

    def resize(event: object = None) -> None:
        wanted = window.winfo_reqheight() - scroll.winfo_reqheight() + scroll.body.winfo_reqheight()
        width, height = within(window, window.winfo_reqwidth(), wanted)
        window.geometry(f"{width}x{height}")
        lowest = max(0, window.winfo_screenheight() - _AROUND - height)
        if window.winfo_y() > lowest:
            window.geometry(f"+{window.winfo_x()}+{lowest}")

    scroll.body.bind("<Configure>", resize, add=True)
    window.update_idletasks()
    resize()


def within(window: tk.Misc, width: int, height: int) -> tuple[int, int]:
    """A size in pixels, or what of it the screen has room for."""
    return min(width, window.winfo_screenwidth()), min(height, window.winfo_screenheight() - _AROUND)


def _window(parent: tk.Tk, title: str) -> tk.Toplevel:
    window = tk.Toplevel(parent, background=theme.tokens().surface)
    window.withdraw()
    window.title(title)
    window.transient(parent)
    window.resizable(False, False)
    return window


def _place(parent: tk.Tk, window: tk.Toplevel) -> None:
    window.update_idletasks()
    width, height = window.winfo_reqwidth(), window.winfo_reqheight()
    x = parent.winfo_rootx() + max(0, (parent.winfo_width() - width) // 2)
    y = parent.winfo_rooty() + max(0, (parent.winfo_height() - height) // 3)
    window.geometry(f"+{x}+{y}")
    window.deiconify()


def _modal(parent: tk.Tk, window: tk.Toplevel) -> None:
    if parent.state() == "iconic":
        parent.deiconify()  # what is asked must be seen
    _place(parent, window)
    window.wait_visibility()
    window.grab_set()
    parent.wait_window(window)
