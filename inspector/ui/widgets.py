"""Small widgets that several pages use."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import Any

from inspector.ui import theme


class Tooltip:
    """A text beside a widget while the pointer rests on it or it has the keyboard's focus; one at a time."""

    _shown: Tooltip | None = None

    def __init__(self, widget: tk.Widget, text: str) -> None:
        self.widget, self.text = widget, text
        self._window: tk.Toplevel | None = None
        self._waiting: str | None = None
        widget.bind("<Enter>", self._soon, add=True)
        widget.bind("<FocusIn>", self._soon, add=True)
        for event in ("<Leave>", "<FocusOut>", "<ButtonPress>", "<Key>", "<Destroy>"):
            widget.bind(event, self._hide, add=True)

    def _soon(self, event: Any) -> None:
        self._hide()
        self._waiting = self.widget.after(600, self._show)

    def _show(self) -> None:
        self._waiting = None
        if not self.text or not self.widget.winfo_viewable():
            return
        if Tooltip._shown is not None:
            Tooltip._shown._hide()
        Tooltip._shown = self
        t = theme.tokens()
        window = self._window = tk.Toplevel(self.widget, background=t.line)
        window.overrideredirect(True)
        label = tk.Label(
            window,
            text=self.text,
            justify="left",
            background=t.card,
            foreground=t.text,
            font=theme.font("caption"),
            wraplength=theme.px(360),
            padx=theme.px(8),
            pady=theme.px(4),
        )
        label.pack(padx=1, pady=1)
        label.update_idletasks()
        x = min(self.widget.winfo_rootx(), window.winfo_screenwidth() - label.winfo_reqwidth() - theme.px(8))
        below = self.widget.winfo_rooty() + self.widget.winfo_height() + theme.px(4)
        above = self.widget.winfo_rooty() - label.winfo_reqheight() - theme.px(6)
        fits = below + label.winfo_reqheight() < window.winfo_screenheight()
        window.geometry(f"+{max(0, x)}+{below if fits else max(0, above)}")

    def _hide(self, event: Any = None) -> None:
        if self._waiting is not None:
            self.widget.after_cancel(self._waiting)
            self._waiting = None
        if self._window is not None:
            self._window.destroy()
            self._window = None


class ScrollFrame(ttk.Frame):
    """A frame whose ``body`` scrolls up and down where it is higher than the room it has."""

    def __init__(self, parent: tk.Misc, width: int | None = None, style: str = "TFrame") -> None:
        super().__init__(parent, style=style)
        self._canvas = tk.Canvas(
            self, highlightthickness=0, borderwidth=0, width=width or theme.px(200), yscrollincrement=1
        )
        self._bar = ttk.Scrollbar(self, orient="vertical", command=self._canvas.yview)
        self.body = ttk.Frame(self._canvas, style=style)
        self._item = self._canvas.create_window(0, 0, anchor="nw", window=self.body)
        self._canvas.configure(yscrollcommand=self._scrolled)
        self._canvas.grid(row=0, column=0, sticky="nsew")
        self.rowconfigure(0, weight=1)
        self.columnconfigure(0, weight=1)
        self.body.bind("<Configure>", self._resized)
        self._canvas.bind("<Configure>", self._resized)
        # For all widgets once: they find the frame in which they stand.
        for event in ("<MouseWheel>", "<Button-4>", "<Button-5>"):
            self.bind_all(event, _wheel)
        self.bind_all("<FocusIn>", _see_focus)
        theme.on_change(self, self._paint)

    def _paint(self) -> None:
        style = str(self.cget("style")) or "TFrame"
        self._canvas.configure(background=ttk.Style().lookup(style, "background") or theme.tokens().surface)

    def _resized(self, event: Any) -> None:
        self._canvas.itemconfigure(self._item, width=self._canvas.winfo_width())
        self._canvas.configure(scrollregion=(0, 0, 1, self.body.winfo_reqheight()))

    def _scrolled(self, first: float | str, last: float | str) -> None:
        self._bar.set(first, last)
        needed = float(first) > 0 or float(last) < 1
        if needed and not self._bar.winfo_ismapped():
            self._bar.grid(row=0, column=1, sticky="ns")
        elif not needed and self._bar.winfo_ismapped():
            self._bar.grid_remove()

    def scroll(self, steps: int) -> None:
        """Scroll by notches of the wheel; down is positive."""
        if self.body.winfo_reqheight() > self._canvas.winfo_height():
            self._canvas.yview_scroll(steps * theme.px(60), "units")

    def see(self, widget: tk.Misc) -> None:
        """Bring a widget of the body into view."""
        top = widget.winfo_rooty() - self.body.winfo_rooty()
        bottom, height = top + widget.winfo_height(), max(1, self.body.winfo_reqheight())
        first, last = (part * height for part in self._canvas.yview())
        if top < first:
            self._canvas.yview_moveto(top / height)
        elif bottom > last:
            self._canvas.yview_moveto((bottom - (last - first)) / height)


def _frame_around(widget: Any) -> ScrollFrame | None:
    while isinstance(widget, tk.Misc):
        if isinstance(widget, ScrollFrame):
            return widget
        widget = widget.master
    return None


def _wheel(event: Any) -> None:
    frame = _frame_around(event.widget)
    # These scroll themselves, or change their value.
    if frame is not None and event.widget.winfo_class() not in ("Treeview", "Text", "TCombobox", "TSpinbox"):
        frame.scroll(-1 if event.num == 4 or event.delta > 0 else 1)


def _see_focus(event: Any) -> None:
    frame = _frame_around(event.widget)
    # Tk also tells the frames around the widget that has the focus.
    if frame is not None and str(event.widget.tk.call("focus")) == str(event.widget):
        frame.see(event.widget)
