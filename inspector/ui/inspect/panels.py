"""Panels around the image: thresholds, classes, counters, defects of this part, position in the source."""

from __future__ import annotations

import math
import tkinter as tk
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from tkinter import font as tkfont
from tkinter import ttk
from typing import Any, Literal

from inspector.domain import Detection
from inspector.engine import Run
from inspector.ui.kit import theme
from inspector.ui.kit.scrollbars import add_scrollbars
from inspector.ui.kit.strings import tr
from inspector.ui.kit.widgets import ElidedTree, Tooltip


class ThresholdField(ttk.Frame):
    """A number from 0 to 1 as slider and entry; calls ``changed(value)`` after each change by the user."""

    def __init__(self, parent: tk.Misc, title: str, help: str, value: float, changed: Callable[[float], None]) -> None:
        super().__init__(parent)
        self._changed, self._value = changed, value
        self.columnconfigure(0, weight=1)
        ttk.Label(self, text=title, style="Head.TLabel").grid(row=0, column=0, columnspan=2, sticky="w")
        self._position = tk.DoubleVar(self, value)
        self._text = tk.StringVar(self, f"{value:.2f}")
        self.scale = ttk.Scale(self, variable=self._position, to=1.0, command=self._slid)
        self.scale.grid(row=1, column=0, sticky="ew", padx=(0, theme.px(8)))
        self.number = ttk.Spinbox(
            self, textvariable=self._text, from_=0, to=1, increment=0.01, format="%.2f", width=5, command=self._typed
        )
        self.number.grid(row=1, column=1)
        for event in ("<Return>", "<FocusOut>"):
            self.number.bind(event, lambda event: self._typed())
        for key, step in {"<Left>": -0.01, "<Right>": 0.01, "<Prior>": 0.1, "<Next>": -0.1}.items():
            self.scale.bind(key, lambda event, step=step: self._step(step))  # type: ignore[misc]
        for widget in (self.scale, self.number):
            Tooltip(widget, help)

    @property
    def value(self) -> float:
        return self._value

    @property
    def widgets(self) -> tuple[ttk.Widget, ...]:
        """The controls by which the user changes it."""
        return self.scale, self.number

    def set(self, value: float) -> None:
        """Show ``value`` without calling ``changed``."""
        self._value = value
        self._position.set(value)
        self._text.set(f"{value:.2f}")

    def _slid(self, text: str) -> None:
        self._take(round(float(text), 2))

    def _step(self, step: float) -> str:
        self._take(round(min(1.0, max(0.0, self._value + step)), 2))
        return "break"

    def _typed(self) -> None:
        try:
            value = float(self._text.get().replace(",", "."))
        except ValueError:
            value = math.nan
        if math.isnan(value):
            value = self._value
        self._take(round(min(1.0, max(0.0, value)), 4))

    def _take(self, value: float) -> None:
        changed = value != self._value
        self.set(value)
        if changed:
            self._changed(value)


def _paint(swatch: tk.Frame, colour: str) -> None:
    swatch.configure(background=colour)


class ClassList(ttk.Frame):
    """The model's classes: swatch, a mark to show or hide each, and how many were found."""

    def __init__(self, parent: tk.Misc, changed: Callable[[set[str]], None]) -> None:
        super().__init__(parent)
        self.columnconfigure(1, weight=1)
        self._changed = changed
        self._marks: dict[str, tk.BooleanVar] = {}
        self._counts: dict[str, ttk.Label] = {}

    @property
    def hidden(self) -> set[str]:
        return {name for name, mark in self._marks.items() if not mark.get()}

    def set_names(self, names: Sequence[str], colours: Sequence[str], hidden: Collection[str] = ()) -> None:
        for child in self.winfo_children():
            child.destroy()
        self._marks, self._counts = {}, {}
        for row, (name, colour) in enumerate(zip(names, colours, strict=True)):
            swatch = tk.Frame(self, width=theme.px(14), height=theme.px(14))
            swatch.grid(row=row, column=0, padx=(0, theme.px(6)))
            theme.on_theme_change(swatch, partial(_paint, swatch, colour))  # a new theme colours all frames
            mark = self._marks[name] = tk.BooleanVar(self, name not in hidden)
            box = ttk.Checkbutton(self, text=name, variable=mark, command=lambda: self._changed(self.hidden))
            box.grid(row=row, column=1, sticky="w", pady=theme.px(2))
            Tooltip(box, tr("Shown in the image. A hidden class still counts for the verdict."))
            count = self._counts[name] = ttk.Label(self, style="Muted.TLabel")
            count.grid(row=row, column=2, sticky="e")

    def set_counts(self, counts: Mapping[str, int]) -> None:
        for name, label in self._counts.items():
            text = str(counts.get(name, "")) if counts else ""
            if label.cget("text") != text:
                label.configure(text=text)


class Counters(ttk.Frame):
    """Numbers: what each is called, and its value."""

    def __init__(self, parent: tk.Misc, names: Mapping[str, str]) -> None:
        super().__init__(parent)
        self._values: dict[str, ttk.Label] = {}
        self._names: dict[str, ttk.Label] = {}
        line = tkfont.Font(self, name=theme.font("number"), exists=True).metrics("linespace")
        for place, (key, name) in enumerate(names.items()):
            card = ttk.Frame(self, style="Card.TFrame", padding=theme.px(8, 4))
            row, column = divmod(place, 2)
            card.grid(row=row, column=column, sticky="nsew", padx=theme.px(2), pady=theme.px(2))
            self._names[key] = ttk.Label(card, text=name, style="CardMuted.TLabel")
            self._names[key].pack(anchor="w")
            # The card's size depends on no number: a card that changes size with the font could change it again.
            room = ttk.Frame(card, style="Card.TFrame", height=line, width=1)
            room.pack(fill="x")
            self._values[key] = ttk.Label(room, text="—", style="CardNumber.TLabel")
            self._values[key].place(relwidth=1, relheight=1)
            self._values[key].bind("<Configure>", lambda event, key=key: self._fit(key))  # type: ignore[misc]
        for column in range(2):
            self.columnconfigure(column, weight=1, uniform="cards")

    def name(self, key: str, text: str) -> None:
        """Give a number another name."""
        if self._names[key].cget("text") != text:
            self._names[key].configure(text=text)

    def clear(self) -> None:
        self.set(**dict.fromkeys(self._values, "—"))

    def set(self, **values: str) -> None:
        for key, text in values.items():
            if self._values[key].cget("text") != text:
                self._values[key].configure(text=text)
                self._fit(key)

    def _fit(self, key: str) -> None:
        """A number that is too wide for its card is written smaller."""
        label = self._values[key]
        room = label.winfo_width()
        wide = tkfont.Font(self, name=theme.font("number"), exists=True).measure(label.cget("text"))
        font = theme.font("number" if room <= 1 or wide <= room else "head")
        if str(label.cget("font")) != font:
            label.configure(font=font)


def counted(run: Run) -> str:
    """The number of parts of a run, and of their images: ``12 (24)``; of frames, where nothing groups them."""
    counts = run.counts
    return f"{counts.parts:,}" if run.counts_frames else f"{counts.parts:,} ({counts.inspected:,})"


class DefectList(ttk.Frame):
    """List of the defects of the image shown."""

    def __init__(self, parent: tk.Misc, selected: Callable[[int | None], None]) -> None:
        super().__init__(parent)
        self._selected = selected
        self._marked: int | None = None
        self.rowconfigure(0, weight=1)
        self.columnconfigure(0, weight=1)
        self.tree = ElidedTree(self, ("label", "score", "area"), height=5)
        columns: dict[str, tuple[str, int, Literal["w", "e"]]] = {
            "label": (tr("Class"), 84, "w"),
            "score": (tr("Confidence"), 92, "e"),
            "area": (tr("Area px²"), 72, "e"),
        }
        measure = tkfont.Font(self, name=theme.font("head"), exists=True).measure
        for key, (title, width, anchor) in columns.items():
            self.tree.heading(key, text=title, anchor=anchor)
            head = measure(title) + theme.px(18)
            wide = theme.px(width) if key == "label" else max(theme.px(width), head)
            self.tree.column(key, width=wide, minwidth=theme.px(40), anchor=anchor, stretch=key == "label")
        add_scrollbars(self.tree, across=False)
        self.tree.bind("<<TreeviewSelect>>", self._on_select)
        self._shown: tuple[tuple[Any, ...], ...] = ()

    def show(self, detections: Sequence[Detection], hidden: Collection[str] = ()) -> None:
        rows = tuple(
            (index, d.label, f"{d.score:.3f}", "—" if d.area is None else f"{d.area:,}")
            for index, d in enumerate(detections)
            if d.label not in hidden
        )
        if rows == self._shown:
            return
        self._shown = rows
        self._marked = None
        self.tree.delete(*self.tree.get_children())
        for index, *cells in rows:
            self.tree.insert("", "end", iid=str(index), values=cells)

    def select(self, index: int | None) -> None:
        """Select a row without calling ``selected``."""
        item = str(index)
        self._marked = index if index is not None and self.tree.exists(item) else None
        if self._marked is None:
            self.tree.selection_set(())
        elif self.tree.selection() != (item,):
            self.tree.selection_set(item)
            self.tree.see(item)

    def _on_select(self, event: Any) -> None:
        chosen = self.tree.selection()
        index = int(chosen[0]) if chosen else None
        if index != self._marked:  # Tk reports selections made by code too, and later
            self._marked = index
            self._selected(index)


class FrameNavigator(ttk.Frame):
    """Navigation in the source: previous, slider, next, and the position as text."""

    def __init__(self, parent: tk.Misc, go: Callable[[int], None], step: Callable[[int], None]) -> None:
        super().__init__(parent)
        self._go, self._total = go, 0
        self.columnconfigure(1, weight=1)
        self._value = tk.DoubleVar(self, 0)
        back = ttk.Button(self, text="‹", width=3, style="Tool.TButton", command=lambda: step(-1))
        back.grid(row=0, column=0)
        Tooltip(back, tr("Previous image (←)"))
        self.scale = ttk.Scale(self, variable=self._value, command=self._slid)
        self.scale.grid(row=0, column=1, sticky="ew")
        forward = ttk.Button(self, text="›", width=3, style="Tool.TButton", command=lambda: step(1))
        forward.grid(row=0, column=2)
        Tooltip(forward, tr("Next image (→)"))
        self._words = ttk.Label(self, style="Muted.TLabel", width=16, anchor="e")
        self._words.grid(row=0, column=3, padx=theme.px(8, 4))

    def show(self, index: int, total: int, movable: bool) -> None:
        """Show position ``index`` of ``total`` (0: unknown)."""
        if total != self._total:
            self._total = total
            self.scale.configure(to=max(1, total - 1))
        self.scale.state(["!disabled" if movable and total > 1 else "disabled"])
        if round(self._value.get()) != index:
            self._value.set(index)
        text = f"{index + 1} / {total}" if total else ""
        if self._words.cget("text") != text:
            self._words.configure(text=text)

    def _slid(self, text: str) -> None:
        self._go(round(float(text)))
