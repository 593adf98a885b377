"""A table of any length: a Treeview that holds the visible rows only, fed by a provider."""

from __future__ import annotations

import sys
import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from tkinter import ttk

from inspector.ui.kit import theme
from inspector.ui.kit.idle_call import IdleCall
from inspector.ui.kit.scrollbars import AutoHideScrollbar
from inspector.ui.kit.strings import tr
from inspector.ui.kit.table.clipboard import ClipboardCopy
from inspector.ui.kit.table.context_menu import ARROWS, Item, add_orders, context_menu
from inspector.ui.kit.table.rows import Column, ListRows, Rows
from inspector.ui.kit.table.selection import IndexRanges, Selection
from inspector.ui.kit.widgets import elided

__all__ = ["Column", "Rows", "VirtualTable"]

_WAITING = "…"  # shown in cells while their row is being loaded
_SHIFT, _CONTROL = 0x1, 0x4
THUMBNAIL = 56, 40
"""Largest width and height of a row's image, pixels at 96 dpi."""
_HIGH = "Thumbnails.Treeview"


class VirtualTable(ttk.Frame):
    """A virtual table: as fast with a million rows as with ten.

    Args:
        on_select: called with the selected indices when the user changes them.
        on_open: called with an index for a double click and for Return.
        on_sort: called with a column's key and whether to sort descending; the caller sets new rows.
        menu: returns the context menu items of a row: (text, command).
        images: returns small images for the rows of these indices, None if missing or not loaded; rows are then
            high enough for them.
        on_cell: called with index and column key of a click; returns True if it handled the click.
        say: called with a sentence about the result of a copy.
        empty: sentence shown if there are no rows.
        height: requested height in rows.
    """

    def __init__(
        self,
        parent: tk.Misc,
        columns: Sequence[Column],
        *,
        on_select: Callable[[IndexRanges], object] | None = None,
        on_open: Callable[[int], object] | None = None,
        on_sort: Callable[[str, bool], object] | None = None,
        menu: Callable[[int], Sequence[tuple[str, Callable[[], object]]]] | None = None,
        images: Callable[[range], Sequence[tk.PhotoImage | None]] | None = None,
        on_cell: Callable[[int, str], bool] | None = None,
        say: Callable[[str], object] | None = None,
        empty: str = "",
        height: int = 4,
    ) -> None:
        super().__init__(parent)
        self.columns = tuple(columns)
        self._on_select, self._on_open, self._on_sort, self._menu, self._say = on_select, on_open, on_sort, menu, say
        self._images, self._on_cell = images, on_cell
        self._rows: Rows = ListRows()
        self._known = 0  # rows when last drawn
        self._prepended = self._version = 0
        self._top = 0
        self._at = Selection()
        self._follow = False
        self._sorted: tuple[str, bool] | None = None
        self._copying: ClipboardCopy | None = None
        self._popup: tk.Menu | None = None
        self._dragging = False
        self._slots: list[str] = []
        self._shown: list[tuple[object, ...] | None] = []
        self._drawing = IdleCall(self, self._draw)
        self._lengths: dict[tuple[str, int], str] = {}  # (text, width) -> elided text
        self._row_height = 1
        self._build(empty, height)
        self._bind_events()
        theme.on_theme_change(self, self._recolour)

    # public interface

    def set_rows(self, rows: Rows | tuple[()]) -> None:
        """Show other rows from their first one, or none; nothing is selected then."""
        self._rows = ListRows() if isinstance(rows, tuple) else rows
        self._begin()
        self.refresh()

    def refresh(self) -> None:
        """The rows have become more, fewer or known: draw them again, at the same place."""
        if self._rows.version != self._version:
            self._begin()
        at_end = self._top >= self._last_top(self._known)
        self._take_prepended()
        count = len(self._rows)
        if count < self._known:
            self._at.clip(count)
        self._known = count
        if self._follow and at_end:
            self._top = self._last_top(count)
        self._drawing.request()
        if self._copying is not None:
            self._copying.resume()

    def follow(self, on: bool) -> None:
        """Follow the last row while rows are appended, unless the user has scrolled away."""
        self._follow = on
        if on:
            self._scroll_to(self._last_top(len(self._rows)))

    def select(self, index: int | None, see: bool = True) -> None:
        """Select one row, or none. ``on_select`` is not called."""
        if index is None:
            self._at.chosen = IndexRanges()
        else:
            self._at.choose(index)
            if see:
                self._see(index)
        self._drawing.request()

    def selection(self) -> IndexRanges:
        """The selected indices, ascending: a sequence that stays small for a million rows."""
        return self._at.chosen

    def select_all(self) -> None:
        """Select all rows, like Ctrl+A."""
        self._change(IndexRanges([(0, len(self._rows))]))

    @property
    def current(self) -> int:
        """Index of the row that the keyboard is at."""
        return self._at.current

    def sorted_by(self, key: str | None, descending: bool = False) -> None:
        """Show the arrow of this order in the heading; ``on_sort`` is not called."""
        self._sorted = None if key is None else (key, descending)
        for column in self.columns:
            arrow = ARROWS[descending] if column.key == key else ""
            self.tree.heading(column.key, text=column.title + arrow)

    def set_empty(self, text: str) -> None:
        """The sentence shown where there are no rows."""
        self._empty.configure(text=text)
        self._drawing.request()

    def widths(self) -> dict[str, int]:
        """Width of each column, pixels at 96 dpi."""
        return {column.key: round(int(self.tree.column(column.key, "width")) / self._scale) for column in self.columns}

    def set_widths(self, widths: Mapping[str, int]) -> None:
        """Set columns to what :meth:`widths` gave; others stay."""
        self._scale = theme.px(1000) / 1000
        for column in self.columns:
            if column.key in widths:
                self.tree.column(column.key, width=max(theme.px(24), theme.px(int(widths[column.key]))))

    def focus_set(self) -> None:
        """Give the keyboard to the rows."""
        self.tree.focus_set()

    focus = focus_set

    def destroy(self) -> None:
        if self._copying is not None:
            self._copying.stop()
        super().destroy()

    # construction

    def _build(self, empty: str, height: int) -> None:
        self._scale = theme.px(1000) / 1000  # the columns keep it when the text size changes; a new table is made then
        keys = [column.key for column in self.columns]
        self._ring = tk.Frame(self, highlightthickness=max(1, theme.px(1)))  # focus indicator
        self._ring.grid(row=0, column=0, sticky="nsew")
        self._ring.columnconfigure(0, weight=1)
        self._ring.rowconfigure(0, weight=1)
        self.tree = ttk.Treeview(self._ring, columns=keys, show="headings", selectmode="none", height=height)
        if self._images is not None:
            self.tree.configure(show="tree headings", style=_HIGH)
            self.tree.column("#0", width=theme.px(THUMBNAIL[0] + 24), minwidth=theme.px(24), stretch=False)
        for column in self.columns:
            width = theme.px(column.width)
            narrowest = round(width * 0.6) if column.stretch else theme.px(24)
            self.tree.column(column.key, width=width, minwidth=narrowest, anchor=column.anchor, stretch=column.stretch)
            self.tree.heading(column.key, text=column.title, anchor=column.anchor)
            if column.sortable and self._on_sort is not None:
                self.tree.heading(column.key, command=partial(self._sort, column.key))
        self._vertical = AutoHideScrollbar(self, orient="vertical", command=self._scroll)
        self._horizontal = AutoHideScrollbar(self, orient="horizontal", command=self.tree.xview)
        self.tree.configure(xscrollcommand=self._horizontal.set)
        self.tree.grid(row=0, column=0, sticky="nsew")
        self._vertical.grid(row=0, column=1, sticky="ns")
        self._horizontal.grid(row=1, column=0, sticky="ew")
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self._empty = ttk.Label(self.tree, text=empty, anchor="center", justify="center", style="CardMuted.TLabel")

    def _bind_events(self) -> None:
        tree = self.tree
        for key in ("Up", "Down", "Prior", "Next", "Home", "End"):
            tree.bind(f"<{key}>", self._key)
        tree.bind("<space>", self._key_space)
        tree.bind("<Return>", self._key_open)
        tree.bind("<KP_Enter>", self._key_open)
        tree.bind("<Left>", lambda _: self._sideways(-1))
        tree.bind("<Right>", lambda _: self._sideways(1))
        for letter in ("a", "A"):
            tree.bind(f"<Control-{letter}>", self._key_all)
        for letter in ("c", "C"):
            tree.bind(f"<Control-{letter}>", self._key_copy)
        tree.bind("<Button-1>", self._press)
        tree.bind("<B1-Motion>", self._drag)
        tree.bind("<Double-Button-1>", self._double)
        tree.bind("<ButtonRelease-1>", lambda _: self._drawing.request(), add=True)  # a column may be wider now
        tree.bind("<Button-2>" if sys.platform == "darwin" else "<Button-3>", self._menu_at_pointer)
        for key in ("Shift-F10", "Menu", "App"):
            with suppress(tk.TclError):  # this system has no such key
                tree.bind(f"<{key}>", self._menu_at_current)
        tree.bind("<MouseWheel>", lambda event: self._wheel(-3 * event.delta / (120 if abs(event.delta) >= 120 else 1)))
        tree.bind("<Shift-MouseWheel>", lambda event: self._sideways(-1 if event.delta > 0 else 1))
        if tree.tk.call("tk", "windowingsystem") == "x11":
            tree.bind("<Button-4>", lambda _: self._wheel(-3))
            tree.bind("<Button-5>", lambda _: self._wheel(3))
            tree.bind("<Shift-Button-4>", lambda _: self._sideways(-1))
            tree.bind("<Shift-Button-5>", lambda _: self._sideways(1))
        tree.bind("<Configure>", lambda _: self._resized())
        tree.bind("<FocusIn>", lambda _: self._drawing.request())
        tree.bind("<FocusOut>", lambda _: self._drawing.request())

    def _recolour(self) -> None:
        tokens = theme.tokens()
        style = ttk.Style(self)
        if self._images is not None:
            style.configure(_HIGH, rowheight=theme.px(THUMBNAIL[1] + 4))
        self._lengths.clear()
        self._row_height = max(1, int(style.lookup(_HIGH if self._images else "Treeview", "rowheight")))
        colours = {"ng": tokens.ng_text, "warn": tokens.warn_text, "ok": tokens.text}
        for tag, colour in (colours | {"skipped": tokens.muted, "waiting": tokens.muted}).items():
            self.tree.tag_configure(tag, foreground=colour)
        self.tree.tag_configure("current", background=blend(tokens.card, tokens.selection, 0.5))
        self._resized()

    # drawing

    def _resized(self) -> None:
        """Create as many slots as whole rows fit; keep the current row in view."""
        self._stretch()
        box = self.tree.bbox(self._slots[0]) if self._slots else ""
        heading = int(box[1]) if box else round(1.25 * self._row_height)
        fit = max(1, (self.tree.winfo_height() - heading) // self._row_height)
        seen = self._top <= self._at.current < self._top + len(self._slots)
        at_end = self._follow and self._top >= self._last_top(self._known)
        while len(self._slots) < fit:
            self._slots.append(self.tree.insert("", "end"))
            self._shown.append(None)
        while len(self._slots) > fit:
            self.tree.delete(self._slots.pop())
            self._shown.pop()
        if at_end:
            self._top = self._last_top(len(self._rows))
        elif seen:
            self._see(self._at.current)
        self._drawing.request()

    def _stretch(self) -> None:
        """Give the columns that stretch what the others leave: Tk makes them wider, but not narrower."""
        elastic = [column.key for column in self.columns if column.stretch]
        taken = sum(int(self.tree.column(column.key, "width")) for column in self.columns if not column.stretch)
        if self._images is not None:
            taken += int(self.tree.column("#0", "width"))
        room = self.tree.winfo_width() - taken
        for key in elastic if self.tree.winfo_width() > 1 else ():
            self.tree.column(key, width=max(room // len(elastic), int(self.tree.column(key, "minwidth"))))

    def _draw(self) -> None:
        count, room = len(self._rows), len(self._slots)
        self._top = max(0, min(self._top, self._last_top(count)))
        stop = min(self._top + room, count)
        rows = self._rows.fetch(self._top, stop) if stop > self._top else []
        if rows is None:
            rows = [None] * (stop - self._top)
        focused = self._focused()
        ring = theme.tokens().primary if focused else theme.tokens().line
        self._ring.configure(highlightbackground=ring, highlightcolor=ring)
        blank, waiting = ("",) * len(self.columns), (_WAITING,) * len(self.columns)
        images = self._images(range(self._top, stop)) if self._images is not None else ()
        selected = []
        for place, slot in enumerate(self._slots):
            index = self._top + place
            cells, tags = (blank, ()) if index >= stop else (waiting, ("waiting",))
            if place < len(rows) and (row := rows[place]) is not None:
                cells, tags = self._cut(row), (self._rows.tag(index),)
            if index < stop and index in self._at.chosen:
                selected.append(slot)
            elif index < stop and focused and index == self._at.current:
                tags = (*tags, "current")
            image = (images[place] if place < len(images) else None) or ""
            if self._shown[place] != (cells, tags, image):
                self._shown[place] = (cells, tags, image)
                self.tree.item(slot, values=cells, tags=tags, image=image)
        self.tree.selection_set(selected)
        self._vertical.set(*((0, 1) if count <= room else (self._top / count, (self._top + room) / count)))
        if count:
            self._empty.place_forget()
        else:
            self._empty.place(relx=0.5, rely=0.5, anchor="center", relwidth=0.9)

    def _cut(self, cells: Sequence[object]) -> tuple[str, ...]:
        """The cells with an ellipsis where their column is too narrow: a number that is cut reads as another one."""
        around = 2 * theme.px(6)
        return tuple(
            self._elided(str(cell), int(self.tree.column(column.key, "width")) - around)
            for column, cell in zip(self.columns, cells, strict=False)
        )

    def _elided(self, text: str, room: int) -> str:
        known = self._lengths.get((text, room))
        if known is None:
            if len(self._lengths) > 5000:
                self._lengths.clear()
            known = self._lengths[text, room] = elided(text, room, theme.font("body"), self)
        return known

    def _focused(self) -> bool:
        return str(self.tk.call("focus")) == str(self.tree)

    def _last_top(self, count: int) -> int:
        return max(0, count - len(self._slots))

    def _begin(self) -> None:
        """Reset to the first row with nothing selected."""
        self._prepended = self._rows.prepended
        self._version = self._rows.version
        self._top = self._known = 0
        self._at = Selection()
        if self._copying is not None:  # it would copy other rows
            self._copying.stop()
            self._copying = None

    def _take_prepended(self) -> None:
        prepended = self._rows.prepended
        by, self._prepended = prepended - self._prepended, prepended
        if by:
            self._known += by
            self._at.shift(by)
            if not (self._follow and self._top == 0):
                self._top += by

    # moving

    def _scroll_to(self, top: float) -> None:
        top = max(0, min(int(top), self._last_top(len(self._rows))))
        if top != self._top:
            self._top = top
            self._drawing.request()

    def _scroll(self, action: str, amount: str, unit: str = "") -> None:
        """Handle a scroll bar command."""
        if action == "moveto":
            self._scroll_to(round(float(amount) * len(self._rows)))
        else:
            page = max(1, len(self._slots) - 1)
            self._scroll_to(self._top + int(amount) * (page if unit.startswith("page") else 1))

    def _wheel(self, rows: float) -> str:
        self._scroll_to(self._top + round(rows))
        return "break"

    def _sideways(self, direction: int) -> str:
        self.tree.xview_scroll(direction * theme.px(40), "units")
        return "break"

    def _see(self, index: int) -> None:
        room = max(1, len(self._slots))
        if index < self._top:
            self._top = index
        elif index >= self._top + room:
            self._top = index - room + 1

    # selecting

    def _choose(self, index: int, state: int) -> None:
        """Go to a row as a click or a key asks: alone, with Shift up to it, with Ctrl too."""
        if count := len(self._rows):
            before = self._at.chosen
            self._at.choose(max(0, min(index, count - 1)), bool(state & _SHIFT), bool(state & _CONTROL))
            self._see(self._at.current)
            self._tell(before)

    def _tell(self, before: IndexRanges) -> None:
        self._drawing.request()
        if self._at.chosen != before and self._on_select is not None:
            self._on_select(self._at.chosen)

    def _change(self, chosen: IndexRanges) -> None:
        before, self._at.chosen = self._at.chosen, chosen
        self._tell(before)

    def _key(self, event: tk.Event) -> str:
        page, end = max(1, len(self._slots) - 1), len(self._rows) - 1
        steps = {"Up": -1, "Down": 1, "Prior": -page, "Next": page}
        index = self._at.current + steps[event.keysym] if event.keysym in steps else end * (event.keysym == "End")
        state = int(event.state)
        if state & _CONTROL and not state & _SHIFT:  # moves without selecting; Ctrl+Space selects
            if len(self._rows):
                self._at.current = max(0, min(index, len(self._rows) - 1))
                self._see(self._at.current)
                self._drawing.request()
        else:
            self._choose(index, state & _SHIFT)
        return "break"

    def _key_space(self, event: tk.Event) -> str:
        self._choose(self._at.current, int(event.state))
        return "break"

    def _key_open(self, _: tk.Event) -> str:
        self._open(self._at.current)
        return "break"

    def _key_all(self, _: tk.Event) -> str:
        self.select_all()
        return "break"

    def _key_copy(self, _: tk.Event) -> str:
        self.copy()
        return "break"

    def _index_at(self, event: tk.Event) -> int | None:
        slot = self.tree.identify_row(event.y)
        index = self._top + self._slots.index(slot) if slot else len(self._rows)
        return index if index < len(self._rows) else None

    def _press(self, event: tk.Event) -> str | None:
        self._dragging = False
        if self.tree.identify_region(event.x, event.y) in ("heading", "separator"):
            return None  # Tk sorts and resizes
        self.tree.focus_set()
        index = self._index_at(event)
        self._dragging = index is not None
        if index is not None:
            if self._on_cell is not None and self._on_cell(index, self._column_at(event)):
                self._dragging = False
                return "break"
            self._choose(index, int(event.state))
        elif not int(event.state) & (_SHIFT | _CONTROL):
            self._change(IndexRanges())
        return "break"

    def _column_at(self, event: tk.Event) -> str:
        """Key of the column at the pointer, "" for the one with the images."""
        number = int(self.tree.identify_column(event.x)[1:] or 0)
        return self.columns[number - 1].key if 0 < number <= len(self.columns) else ""

    def _drag(self, event: tk.Event) -> str | None:
        if not self._dragging:
            return None
        row = (event.y - self._first_y()) // self._row_height
        self._choose(self._top + row, _SHIFT | int(event.state) & _CONTROL)
        return "break"

    def _first_y(self) -> int:
        box = self.tree.bbox(self._slots[0])
        return int(box[1]) if box else 0

    def _double(self, event: tk.Event) -> str | None:
        if self.tree.identify_region(event.x, event.y) in ("heading", "separator"):
            return None
        if (index := self._index_at(event)) is not None:
            self._open(index)
        return "break"

    def _open(self, index: int) -> None:
        if self._on_open is not None and index < len(self._rows):
            self._on_open(index)

    def _sort(self, key: str) -> None:
        descending = self._sorted == (key, False)
        self.sorted_by(key, descending)
        if self._on_sort is not None:
            self._on_sort(key, descending)

    # the context menu

    def _menu_at_pointer(self, event: tk.Event) -> str:
        self.tree.focus_set()
        index = self._index_at(event)
        if index is not None and index not in self._at.chosen:
            self._choose(index, 0)
        self._show_menu(index, event.x_root, event.y_root)
        return "break"

    def _menu_at_current(self, _: tk.Event) -> str:
        index = self._at.current if len(self._rows) else None
        box = self.tree.bbox(self._slots[index - self._top]) if index is not None and self._visible(index) else ""
        x, y = (int(box[0]) + theme.px(24), int(box[1]) + self._row_height) if box else (0, 0)
        self._show_menu(index, self.tree.winfo_rootx() + x, self.tree.winfo_rooty() + y)
        return "break"

    def _visible(self, index: int) -> bool:
        return self._top <= index < self._top + len(self._slots)

    def _show_menu(self, index: int | None, x: int, y: int) -> None:
        menu = self.context_menu(index)
        if menu.index("end") is not None:
            menu.tk_popup(x, y)

    def context_menu(self, index: int | None) -> tk.Menu:
        """The menu for a row, or for the place below the last one."""
        if self._popup is not None:
            self._popup.destroy()
        items: list[Item] = []
        if index is not None:
            items += self._menu(index) if self._menu is not None else ()
            items.append((tr("Copy rows"), self.copy, "Ctrl+C"))
        items.append((tr("Select all"), self.select_all, "Ctrl+A"))
        self._popup = context_menu(self, items)
        if self._on_sort is not None:
            add_orders(self._popup, self.columns, self._sorted, self._sort)
        return self._popup

    def copy(self) -> None:
        """Copy the selected rows to the clipboard, tab-separated with headings, up to :data:`COPIED_MOST`."""
        if self._at.chosen:
            titles = [column.title for column in self.columns]
            self._copying = ClipboardCopy(self, titles, self._rows.fetch, self._at.chosen, self._say)


def blend(colour: str, other: str, part: float) -> str:
    """Return the ``#rrggbb`` colour at fraction ``part`` between two colours."""
    pairs = [(int(colour[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in pairs)
