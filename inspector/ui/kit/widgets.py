"""Small widgets that several pages use."""

from __future__ import annotations

import time
import tkinter as tk
from collections.abc import Callable, Iterator, Sequence
from tkinter import font as tkfont
from tkinter import ttk
from typing import Any

from inspector.ui.kit import theme
from inspector.ui.kit.idle_call import IdleCall

_OWN_WHEEL = ("Treeview", "Text", "TSpinbox")
_SETTLED, _RETURNS = 1.0, 3  # a scroll bar needed again so soon, in seconds, and so often in a row stays
_READ_MS = 6000  # seconds of reading; a button keeps the focus throughout a run, and the text would cover the image


class Tooltip:
    """A tooltip, shown when the pointer rests on a widget or it gets the focus; one at a time."""

    _shown: Tooltip | None = None

    def __init__(self, widget: tk.Widget, text: str) -> None:
        self.widget, self.text = widget, text
        self._window: tk.Toplevel | None = None
        self._waiting: str | None = None
        widget.bind("<Enter>", self._soon, add=True)
        widget.bind("<FocusIn>", self._soon, add=True)
        for event in ("<Leave>", "<FocusOut>", "<ButtonPress>", "<Key>", "<Destroy>"):
            widget.bind(event, self._hide, add=True)

    @staticmethod
    def hide_shown() -> None:
        """Take the text away that is shown, as where its widget is scrolled away."""
        if Tooltip._shown is not None:
            Tooltip._shown._hide()

    def _soon(self, event: Any) -> None:
        self._hide()
        self._waiting = self.widget.after(600, self._show)

    def _show(self) -> None:
        self._waiting = None
        if not self.text or not self.widget.winfo_viewable():
            return
        Tooltip.hide_shown()
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
        self._waiting = self.widget.after(_READ_MS, self._hide)

    def _hide(self, event: Any = None) -> None:
        if self._waiting is not None:
            self.widget.after_cancel(self._waiting)
            self._waiting = None
        if self._window is not None:
            self._window.destroy()
            self._window = None


class FlowFrame(ttk.Frame):
    """Widgets side by side, wrapped into as many lines as needed. They are its children, in order.

    Args:
        gap: pixels at 96 dpi between two widgets and between two lines.
    """

    def __init__(self, parent: tk.Misc, gap: float = 4) -> None:
        super().__init__(parent)
        self._gap = theme.px(gap)
        self._items: list[tk.Widget] = []
        self._drawn: tuple[object, ...] = ()
        self.bind("<Configure>", lambda _: self.arrange())

    def add(self, widget: tk.Widget) -> None:
        """Put a widget behind the others."""
        self._items.append(widget)
        widget.bind("<Configure>", lambda _: self.arrange(), add=True)  # a longer text asks for more room
        self.configure(width=self.width(), height=max(each.winfo_reqheight() for each in self._items))

    def width(self) -> int:
        """Pixels that all widgets take in one line."""
        return sum(each.winfo_reqwidth() + self._gap for each in self._items)

    def arrange(self, room: int = 0) -> None:
        """Place the widgets within ``room`` pixels; without it within the width that the frame has."""
        room = room or self.winfo_width()
        sizes = tuple((each.winfo_reqwidth(), each.winfo_reqheight()) for each in self._items)
        if room <= 1 or self._drawn == (room, sizes):
            return
        self._drawn = (room, sizes)
        x = y = height = 0
        for widget, (wide, high) in zip(self._items, sizes, strict=True):
            if x and x + wide > room:
                x, y, height = 0, y + height + self._gap, 0
            flat = isinstance(widget, ttk.Separator)
            widget.place(x=x, y=y, width=min(wide, room), height=sizes[0][1] if flat else high)
            x, height = x + wide + self._gap, max(height, high)
        self.configure(width=min(self.width(), room), height=y + height)


def elided(text: str, room: int, font: str, widget: tk.Misc) -> str:
    """``text``, or as much of it as fits into ``room`` pixels with an ellipsis behind it."""
    measure = _measure(font, widget)
    if len(text) < 2 or measure(text) <= room:
        return text
    low, high = 0, len(text) - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if measure(f"{text[:middle]}…") <= room else (low, middle - 1)
    return f"{text[:low]}…"


def _measure(name: str, widget: tk.Misc) -> Callable[[str], int]:
    return tkfont.Font(widget, name=name, exists=True).measure


class ElidedTree(ttk.Treeview):
    """A small table that elides headings and cells to the width of their column.

    Cells read back are the elided texts; identify rows by their ids.
    """

    def __init__(self, parent: tk.Misc, columns: Sequence[str], **options: Any) -> None:
        super().__init__(parent, columns=tuple(columns), show="headings", **options)
        self._keys = tuple(columns)
        self._whole: dict[tuple[str, str], str] = {}
        self._given: dict[tuple[str, str], str] = {}  # texts set by this class
        self._fitting = IdleCall(self, self._fit)
        for event in ("<Configure>", "<ButtonRelease-1>"):
            self.bind(event, lambda _: self._fitting.request(), add=True)

    def insert(self, *given: Any, **named: Any) -> str:
        self._fitting.request()
        return super().insert(*given, **named)

    def _fit(self) -> None:
        rows = self.get_children()
        for key in self._keys:
            room = int(self.column(key, "width")) - theme.px(16)
            head = self._fitted(("", key), str(self.heading(key, "text")), room, theme.font("head"))
            self.heading(key, text=head)
            for row in rows:
                now = str(self.set(row, key))
                text = self._fitted((row, key), now, room, theme.font("body"))
                if text != now:
                    self.set(row, key, text)
        self._given = {cell: text for cell, text in self._given.items() if not cell[0] or cell[0] in rows}

    def _fitted(self, cell: tuple[str, str], now: str, room: int, font: str) -> str:
        if self._given.get(cell) != now:
            self._whole[cell] = now  # set by the caller
        text = self._given[cell] = elided(self._whole[cell], room, font, self)
        return text


def close_popdown(window: tk.Misc) -> None:
    """Close the drop-down list that is open in ``window``, as before another page is shown."""
    for holder in map(str, window.tk.splitlist(window.tk.call("grab", "current"))):
        if str(window.tk.call("winfo", "class", holder)) == "ComboboxPopdown":
            window.tk.call("ttk::combobox::Unpost", window.tk.call("winfo", "parent", holder))


class ScrollFrame(ttk.Frame):
    """A frame whose ``body`` scrolls vertically if it is higher than the frame.

    Args:
        width: requested width in pixels.
        fill: the body is at least as high as the frame.
        whole: the frame is as high as its body; an enclosing frame scrolls.
    """

    def __init__(
        self,
        parent: tk.Misc,
        width: int | None = None,
        style: str = "TFrame",
        *,
        fill: bool = False,
        whole: bool = False,
    ) -> None:
        super().__init__(parent, style=style)
        self._whole = whole
        self._canvas = tk.Canvas(
            self, highlightthickness=0, borderwidth=0, width=width or theme.px(200), yscrollincrement=1
        )
        self._bar = ttk.Scrollbar(self, orient="vertical", command=self._canvas.yview)
        self._bar_removed = (0.0, "")  # when, and at what size of this frame
        self._bar_returns = 0  # how often it was needed again at once
        # The canvas contains the body, and with ``fill`` a strut as high as the canvas.
        self._whole_body = self.body = ttk.Frame(self._canvas, style=style)
        self._strut: tk.Frame | None = None
        if fill:
            self._strut = tk.Frame(self._whole_body, width=0, height=1)
            self._strut.pack(side="left")
            self.body = ttk.Frame(self._whole_body, style=style)
            self.body.pack(side="left", fill="both", expand=True)
        self._item = self._canvas.create_window(0, 0, anchor="nw", window=self._whole_body)
        self._canvas.configure(yscrollcommand=self._scrolled)
        self._canvas.grid(row=0, column=0, sticky="nsew")
        self.rowconfigure(0, weight=1)
        self.columnconfigure(0, weight=1)
        self._whole_body.bind("<Configure>", self._resized)
        self._canvas.bind("<Configure>", self._resized)
        # Bound once for all widgets; they find their enclosing frame.
        for event in ("<MouseWheel>", "<Button-4>", "<Button-5>"):
            self.bind_all(event, _wheel)
        self.bind_all("<FocusIn>", _see_focus)
        theme.on_theme_change(self, self._paint)

    def _paint(self) -> None:
        style = str(self.cget("style")) or "TFrame"
        self._canvas.configure(background=ttk.Style().lookup(style, "background") or theme.tokens().surface)

    def _resized(self, event: Any) -> None:
        if self._strut is not None and int(str(self._strut.cget("height"))) != self._canvas.winfo_height():
            self._strut.configure(height=self._canvas.winfo_height())
        wanted = self._whole_body.winfo_reqheight()
        self._canvas.itemconfigure(self._item, width=self._canvas.winfo_width())
        self._canvas.configure(scrollregion=(0, 0, 1, wanted))
        if self._whole and int(self._canvas.cget("height")) != wanted:
            self._canvas.configure(height=wanted)

    def _scrolled(self, first: float | str, last: float | str) -> None:
        """Show the bar if it is needed.

        A body may be lower beside the bar than without it, for example if it then wraps into fewer lines or uses a
        smaller font. The bar would come and go for ever, so one that is needed again and again stays.
        """
        self._bar.set(first, last)
        needed, size = float(first) > 0 or float(last) < 1, f"{self.winfo_width()}x{self.winfo_height()}"
        shown, now = bool(self._bar.grid_info()), time.monotonic()
        again = self._bar_removed[1] == size and now - self._bar_removed[0] < _SETTLED
        if needed and not shown:
            self._bar_returns = self._bar_returns + 1 if again else 0
            self._bar.grid(row=0, column=1, sticky="ns")
        elif not needed and shown and not (again and self._bar_returns >= _RETURNS):
            self._bar_removed = (now, size)
            self._bar.grid_remove()

    def scroll(self, steps: int) -> bool:
        """Scroll by wheel notches, down is positive; return False at the end."""
        first, room = self._canvas.canvasy(0), self._canvas.winfo_height()
        if (first + room >= self._whole_body.winfo_reqheight()) if steps > 0 else (first <= 0):
            return False
        self._canvas.yview_scroll(steps * theme.px(60), "units")
        return True

    def see(self, widget: tk.Misc) -> None:
        """Scroll a widget of the body into view."""
        room = self._canvas.winfo_height()
        top = widget.winfo_rooty() - self._whole_body.winfo_rooty()
        bottom, height = top + widget.winfo_height(), max(1, self._whole_body.winfo_reqheight())
        first = self._canvas.canvasy(0)
        if top < first:
            self._canvas.yview_moveto(top / height)
        elif bottom > first + room > first + 1:
            self._canvas.yview_moveto((bottom - room) / height)


def room_of_page(parent: tk.Misc) -> tuple[ttk.Frame, ttk.Frame]:
    """A frame for a page, and where the page is built: the same one, but on a narrow screen a body that scrolls."""
    if not theme.narrow(parent):
        frame = ttk.Frame(parent)
        return frame, frame
    scrolling = ScrollFrame(parent, fill=True)
    return scrolling, scrolling.body


def _frames_around(widget: Any) -> Iterator[ScrollFrame]:
    """Yield the scrolling frames that contain a widget, innermost first."""
    while isinstance(widget, tk.Misc):
        if isinstance(widget, ScrollFrame):
            yield widget
        widget = widget.master


def _wheel(event: Any) -> None:
    # These scroll themselves, or change their value.
    if isinstance(event.widget, tk.Misc) and event.widget.winfo_class() in _OWN_WHEEL:
        return
    Tooltip.hide_shown()
    steps = -1 if event.num == 4 or event.delta > 0 else 1
    any(frame.scroll(steps) for frame in _frames_around(event.widget))


def _see_focus(event: Any) -> None:
    # Tk also notifies the frames around the focused widget.
    if isinstance(event.widget, tk.Misc) and str(event.widget.tk.call("focus")) == str(event.widget):
        # After a new page is laid out; scheduled by the root, which outlives the widget.
        event.widget.nametowidget(".").after_idle(_see, event.widget)


def _see(widget: tk.Misc) -> None:
    if widget.winfo_exists():
        for frame in _frames_around(widget):
            frame.see(widget)
