"""Windows that ask for a decision, with verbs on their buttons; and what windows that ask have in common."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from tkinter import ttk

from inspector.ui.kit import theme
from inspector.ui.kit.widgets import ScrollFrame

WIDTH = 460  # pixels at 96 dpi of the text in a window
CANCEL = "cancel"  # the key of a button that does nothing
_AROUND = 60  # pixels of the screen that the frame of a window and the task bar take


def ask(parent: tk.Tk, title: str, text: str, buttons: Sequence[tuple[str, str, bool]], default: str) -> str:
    """Wait for a decision.

    Args:
        buttons: ``(key, verb, dangerous)`` each.
        default: the safe key: it has the focus.

    Returns:
        The key of the button that was pressed; for Escape and closing ``cancel`` where there is such a button, else
        ``default``.
    """
    answer = [CANCEL if any(key == CANCEL for key, _, _ in buttons) else default]
    window = new_window(parent, title)

    def choose(key: str) -> None:
        answer[0] = key
        window.destroy()

    ttk.Label(window, text=title, style="Title.TLabel", wraplength=theme.px(WIDTH)).pack(
        anchor="w", padx=theme.px(20), pady=theme.px(18, 6)
    )
    ttk.Label(window, text=text, wraplength=theme.px(WIDTH), justify="left").pack(
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


def fit(window: tk.Toplevel, scroll: ScrollFrame, parent: tk.Misc | None = None) -> None:
    """Keep ``window`` as high as what ``scroll`` holds, and within the screen: there it begins to scroll.

    Args:
        parent: the window stays over its middle until a key or button is pressed; its height is known only
            when the texts in it have been wrapped, which is after it was shown.
    """
    used: list[object] = []
    for event in ("<KeyPress>", "<ButtonPress>"):
        window.bind(event, used.append, add=True)

    def resize(event: object = None) -> None:
        wanted = max(1, window.winfo_reqheight() - scroll.winfo_reqheight() + scroll.body.winfo_reqheight())
        width, height = within(window, window.winfo_reqwidth(), wanted)
        window.geometry(f"{width}x{height}")
        lowest = max(0, window.winfo_screenheight() - _AROUND - height)
        if parent is not None and not used:
            window.geometry(_middle(parent, window, width, height))
        elif window.winfo_viewable() and window.winfo_y() > lowest:
            window.geometry(f"+{window.winfo_x()}+{lowest}")

    scroll.body.bind("<Configure>", resize, add=True)
    window.update_idletasks()
    resize()


def centre(parent: tk.Misc, window: tk.Toplevel, width: int = 0, height: int = 0) -> None:
    """Show ``window`` centred over the window of ``parent``, and within the screen.

    Args:
        width, height: pixels; 0: its set or requested size.
    """
    window.update_idletasks()
    size = [int(part) for part in window.geometry().partition("+")[0].split("x")]
    asks = window.winfo_reqwidth(), window.winfo_reqheight()
    wide, high = (
        now if now > 1 else wanted_size for now, wanted_size in zip(size, asks, strict=True)
    )  # 1: never shown nor set
    wide, high = within(window, width or wide, height or high)
    place = _middle(parent, window, wide, high)
    window.geometry(f"{wide}x{high}{place}" if width or height or size[0] > 1 else place)
    window.deiconify()


def _middle(parent: tk.Misc, window: tk.Misc, wide: int, high: int) -> str:
    """Return the Tk geometry of a window of this size in pixels, centred over the parent's."""
    around = parent.winfo_toplevel()
    x = around.winfo_rootx() + (around.winfo_width() - wide) // 2
    y = around.winfo_rooty() + (around.winfo_height() - high) // 3
    x = max(0, min(x, window.winfo_screenwidth() - wide))
    y = max(0, min(y, window.winfo_screenheight() - _AROUND - high))
    return f"+{x}+{y}"


def within(window: tk.Misc, width: int, height: int) -> tuple[int, int]:
    """A size in pixels, or what of it the screen has room for."""
    return min(width, window.winfo_screenwidth()), min(height, window.winfo_screenheight() - _AROUND)


def new_window(parent: tk.Tk, title: str) -> tk.Toplevel:
    """A window over ``parent``, hidden until :func:`place`."""
    window = tk.Toplevel(parent, background=theme.tokens().surface)
    window.withdraw()
    window.title(title)
    window.transient(parent)
    window.resizable(False, False)
    return window


def _modal(parent: tk.Tk, window: tk.Toplevel) -> None:
    if parent.state() == "iconic":
        parent.deiconify()  # the question must be visible
    centre(parent, window)
    window.wait_visibility()
    window.grab_set()
    parent.wait_window(window)
