"""The validation pictures that a training draws: what was labelled, and what the model found."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from pathlib import Path
from tkinter import ttk

from PIL import Image, ImageTk

from inspector.ui import theme
from inspector.ui.shell import Shell
from inspector.ui.texts import t


class Pictures(ttk.Frame):
    """Shows one picture of a few, fitted; those that are written anew are read anew."""

    def __init__(self, parent: tk.Misc, shell: Shell) -> None:
        super().__init__(parent, padding=theme.px(6))
        self._shell = shell
        self._files: tuple[Path, ...] = ()
        self._stamp: tuple[object, ...] = ()
        self._number = 0
        self._image: ImageTk.PhotoImage | None = None
        bar = ttk.Frame(self)
        bar.pack(fill="x", pady=theme.px(0, 4))
        self._what = tk.StringVar(self, "pred")
        for value, name in (("pred", t("Found by the model")), ("labels", t("Labelled"))):
            ttk.Radiobutton(bar, text=name, value=value, variable=self._what, command=self._load).pack(
                side="left", padx=theme.px(0, 10)
            )
        self._next = ttk.Button(bar, text="▶", width=3, command=lambda: self._turn(1))
        self._next.pack(side="right")
        self._back = ttk.Button(bar, text="◀", width=3, command=lambda: self._turn(-1))
        self._back.pack(side="right", padx=theme.px(4))
        self.canvas = tk.Canvas(self, highlightthickness=0, width=1, height=1)
        self.canvas.pack(fill="both", expand=True)
        self.canvas.bind("<Configure>", lambda event: self._load())
        theme.on_change(self, self._paint)

    def show(self, files: Sequence[Path]) -> None:
        """Show these, which end with ``_pred.jpg``; others with ``_labels.jpg`` lie beside them."""
        self._files = tuple(files)
        self._number = min(self._number, max(0, len(files) - 1))
        self._load()

    def _paint(self) -> None:
        self.canvas.configure(background=theme.tokens().canvas)

    def _turn(self, step: int) -> None:
        self._number = (self._number + step) % max(1, len(self._files))
        self._load()

    def _load(self) -> None:
        """Read the picture on a thread, unless it is shown as it is."""
        width, height = self.canvas.winfo_width(), self.canvas.winfo_height()
        for button in (self._back, self._next):
            button.state(["!disabled" if len(self._files) > 1 else "disabled"])
        if not self._files:
            self._stamp, self._image = (), None
            self._say(t("The first ones are drawn after the first epoch"))
            return
        file = self._files[self._number]
        file = file.with_name(file.name.replace("_pred.", f"_{self._what.get()}."))
        try:
            stamp = (file, file.stat().st_mtime_ns, width, height)
        except OSError:
            return
        if stamp == self._stamp or width < 16 or height < 16:
            return
        self._stamp = stamp

        def read() -> Image.Image | None:
            try:
                with Image.open(file) as opened:
                    ratio = min(width / opened.width, height / opened.height, 1.0)
                    size = max(1, round(opened.width * ratio)), max(1, round(opened.height * ratio))
                    return opened.convert("RGB").resize(size, Image.Resampling.LANCZOS)
            except (OSError, SyntaxError):
                return None  # it is written just now

        self._shell.tasks.run(read, done=lambda picture: self._put(picture, stamp))

    def _put(self, picture: Image.Image | None, stamp: tuple[object, ...]) -> None:
        if not self.winfo_exists() or stamp != self._stamp:
            return
        if picture is None:
            self._stamp = ()  # the next look reads it again
            return
        self.canvas.delete("all")
        self._image = ImageTk.PhotoImage(picture, master=self.canvas)
        self.canvas.create_image(self.canvas.winfo_width() / 2, self.canvas.winfo_height() / 2, image=self._image)

    def _say(self, text: str) -> None:
        self.canvas.delete("all")
        middle = self.canvas.winfo_width() / 2, self.canvas.winfo_height() / 2
        self.canvas.create_text(*middle, text=text, fill="#E4E7EB", font=theme.font("body"))
