"""Contact sheet of labelled images: thumbnails with their labels drawn in, page by page."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tkinter import ttk

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageTk

from inspector.datasets.importing import yolo
from inspector.datasets.importing.source import Source
from inspector.datasets.yolo_layout.report import ConversionReport, Labelled
from inspector.domain import InputError
from inspector.imaging import class_colour, read_image
from inspector.ui.kit import theme
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr
from inspector.ui.kit.widgets import FlowFrame
from inspector.ui.training.widgets import split_name

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class LabelledDataset:
    """Images of a dataset with their labels, and its class names."""

    images: tuple[Labelled, ...]
    names: tuple[str, ...]


def read_labelled_dataset(data: Path) -> LabelledDataset:
    """Read images and labels of the dataset of a ``data.yaml``.

    Raises:
        InputError: it cannot be read.
    """
    labels = yolo.read(Source(data, anywhere=True), ConversionReport())
    return LabelledDataset(tuple(labels.images), tuple(labels.names))


def draw_labelled(image: Labelled, names: Sequence[str], width: int, height: int) -> Pixels | None:
    """Return the image with its outlines, (h, w, 3) RGB, within width x height; None if it cannot be read."""
    try:
        pixels, _ = read_image(image.file)
    except InputError:
        return None
    ratio = min(width / pixels.shape[1], height / pixels.shape[0])
    size = max(1, round(pixels.shape[1] * ratio)), max(1, round(pixels.shape[0] * ratio))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR)
    tinted = small.copy()
    rings = [
        (class_colour(names.index(shape.label)), np.rint(ring * size * 16).astype(np.int32))
        for shape in image.shapes
        if shape.label in names
        for ring in shape.rings
    ]
    for colour, ring in rings:
        cv2.fillPoly(tinted, [ring], colour, cv2.LINE_AA, 4)
    small = cv2.addWeighted(tinted, 0.35, small, 0.65, 0)
    for colour, ring in rings:
        cv2.polylines(small, [ring], True, colour, 1 if max(size) < 400 else 2, cv2.LINE_AA, 4)
    return np.ascontiguousarray(small[:, :, ::-1])


class ContactSheet(ttk.Frame):
    """Shows a :class:`LabelledDataset`. Click or Return enlarges an image; again, or Escape, reduces it."""

    def __init__(self, parent: tk.Misc, shell: Shell) -> None:
        super().__init__(parent)
        self._shell = shell
        self._dataset = LabelledDataset((), ())
        self._shown: tuple[Labelled, ...] = ()
        self._first, self._marked, self._large = 0, 0, False
        self._images: list[ImageTk.PhotoImage] = []
        self._turn = 0  # to drop a page that was loaded too late
        bar = FlowFrame(self, 6)
        bar.pack(fill="x", pady=(0, theme.px(6)))
        self._split, self._kind = tk.StringVar(self), tk.StringVar(self)
        self.splits = ttk.Combobox(bar, textvariable=self._split, state="readonly", width=12)
        self.kinds = ttk.Combobox(bar, textvariable=self._kind, state="readonly", width=18)
        for box in (self.splits, self.kinds):
            bar.add(box)
            box.bind("<<ComboboxSelected>>", lambda event: self._choose())
        self._next = ttk.Button(bar, text="▶", width=3, command=lambda: self.turn(1))
        self._count = ttk.Label(bar)
        self._back = ttk.Button(bar, text="◀", width=3, command=lambda: self.turn(-1))
        for widget in (self._back, self._count, self._next):
            bar.add(widget)
        high = theme.px(340) if theme.narrow(self) else 1
        self.canvas = tk.Canvas(self, highlightthickness=theme.px(2), takefocus=True, width=1, height=high)
        self.canvas.pack(fill="both", expand=True)
        self.canvas.bind("<Configure>", lambda event: self._load())
        self.canvas.bind("<Button-1>", self._press)
        for key, command in (
            ("<Prior>", lambda: self.turn(-1)),
            ("<Next>", lambda: self.turn(1)),
            ("<Left>", lambda: self._move(-1)),
            ("<Right>", lambda: self._move(1)),
            ("<Return>", lambda: self.enlarge(not self._large)),
            ("<Escape>", lambda: self.enlarge(False)),
        ):
            self.canvas.bind(key, lambda event, command=command: command())  # type: ignore[misc]
        theme.on_theme_change(self, self._paint)

    def show(self, dataset: LabelledDataset) -> None:
        """Show these images, from the first."""
        self._dataset = dataset
        splits = [split for split in ("train", "val", "test") if any(p.split == split for p in dataset.images)]
        self.splits.configure(values=[tr("All splits"), *map(split_name, splits)])
        self.kinds.configure(values=[tr("All images"), tr("Without defects"), *dataset.names])
        self.splits.current(0)
        self.kinds.current(0)
        self._choose()

    def turn(self, pages: int) -> None:
        """Go forward or back by pages, or by images while one is enlarged."""
        step = 1 if self._large else self._room()
        if 0 <= (first := self._first + pages * step) < len(self._shown):
            self._first, self._marked = first, 0
            self._load()

    def enlarge(self, large: bool) -> None:
        """Show the marked image alone, or the whole page again."""
        if large != self._large and self._first + self._marked < len(self._shown):
            here = self._first + self._marked
            self._large = large
            self._first, self._marked = (here, 0) if large else (here - here % self._room(), here % self._room())
            self._load()

    def _paint(self) -> None:
        tokens = theme.tokens()
        self.canvas.configure(background=tokens.canvas, highlightbackground=tokens.line, highlightcolor=tokens.primary)

    def _choose(self) -> None:
        split, kind = self.splits.current(), self.kinds.current()
        wanted, name = self._split.get(), self._kind.get()
        self._shown = tuple(
            image
            for image in self._dataset.images
            if (split <= 0 or split_name(image.split) == wanted)
            and (kind <= 0 or (not image.shapes if kind == 1 else any(shape.label == name for shape in image.shapes)))
        )
        self._first, self._marked, self._large = 0, 0, False
        self._load()

    def _grid(self) -> tuple[int, int]:
        """Return the number of columns and rows that fit."""
        side = theme.px(150)
        return max(1, self.canvas.winfo_width() // side), max(1, self.canvas.winfo_height() // side)

    def _room(self) -> int:
        columns, rows = self._grid()
        return columns * rows

    def _load(self) -> None:
        columns, rows = (1, 1) if self._large else self._grid()
        page = self._shown[self._first : self._first + columns * rows]
        last = self._first + len(page)
        text = tr("{first}–{last} of {count}", first=self._first + 1, last=last, count=len(self._shown)) if page else ""
        self._count.configure(text=text)
        self._back.state(["!disabled" if self._first > 0 else "disabled"])
        self._next.state(["!disabled" if last < len(self._shown) else "disabled"])
        self._turn += 1
        turn, gap = self._turn, theme.px(8)
        line = 2 * theme.px(10)
        width = self.canvas.winfo_width() // columns - gap
        height = self.canvas.winfo_height() // rows - gap - line
        if width < 8 or height < 8:
            return
        names = self._dataset.names

        def draw() -> list[Pixels | None]:
            return [draw_labelled(image, names, width, height) for image in page if turn == self._turn]

        def drawn(images: list[Pixels | None]) -> None:
            if turn == self._turn and self.winfo_exists():
                self._put(page, images, columns, rows)

        self._shell.tasks.run(draw, done=drawn)

    def _put(self, page: Sequence[Labelled], images: Sequence[Pixels | None], columns: int, rows: int) -> None:
        canvas = self.canvas
        canvas.delete("all")
        self._images = []
        wide, high, line = canvas.winfo_width() / columns, canvas.winfo_height() / rows, 2 * theme.px(10)
        for number, (image, pixels) in enumerate(zip(page, images, strict=True)):
            x, y = (number % columns + 0.5) * wide, (number // columns) * high
            if pixels is None:
                canvas.create_text(x, y + high / 2, text=tr("cannot be read"), fill="#FFFFFF", font=theme.font("body"))
            else:
                self._images.append(ImageTk.PhotoImage(Image.fromarray(pixels), master=canvas))
                canvas.create_image(x, y + (high - line) / 2, image=self._images[-1])
            labels = ", ".join(dict.fromkeys(shape.label or "?" for shape in image.shapes)) or tr("no defect")
            message = f"{image.name} · {split_name(image.split) or '–'} · {labels}" if self._large else labels
            item = canvas.create_text(
                x, y + high - line / 2, text=message, fill="#E4E7EB", font=theme.font("caption"), tags="name"
            )
            longest = int(len(message) * wide / max(1, canvas.bbox(item)[2] - canvas.bbox(item)[0]))
            if longest < len(message):
                canvas.itemconfigure(item, text=message[: max(1, longest - 2)] + "…")
        if not page:
            message = tr("No images") if self._dataset.images else ""
            middle = canvas.winfo_width() / 2, canvas.winfo_height() / 2
            canvas.create_text(*middle, text=message, fill="#E4E7EB", font=theme.font("body"))
        elif not self._large:
            self._mark()

    def _mark(self) -> None:
        """Draw a frame around the marked image."""
        canvas, (columns, rows) = self.canvas, self._grid()
        wide, high = canvas.winfo_width() / columns, canvas.winfo_height() / rows
        x, y = (self._marked % columns) * wide, (self._marked // columns) * high
        canvas.delete("mark")
        colour = theme.tokens().primary
        canvas.create_rectangle(
            x + 2, y + 2, x + wide - 2, y + high - 2, outline=colour, width=theme.px(2), tags="mark"
        )

    def _move(self, step: int) -> None:
        if self._large:
            self.turn(step)
            return
        marked = self._marked + step
        if marked < 0 or marked >= self._room():
            self.turn(1 if step > 0 else -1)
        elif self._first + marked < len(self._shown):
            self._marked = marked
            self._mark()

    def _press(self, event: tk.Event) -> None:
        self.canvas.focus_set()
        if not self._large:
            columns, rows = self._grid()
            column = min(columns - 1, event.x * columns // max(1, self.canvas.winfo_width()))
            row = min(rows - 1, event.y * rows // max(1, self.canvas.winfo_height()))
            if self._first + row * columns + column >= len(self._shown):
                return
            self._marked = row * columns + column
        self.enlarge(not self._large)
