"""Image files on the training page: one fitted image, and the validation images of a training."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from pathlib import Path
from tkinter import ttk

from PIL import Image, ImageTk

from inspector.ui.kit import dialogs, theme
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.strings import tr


class ImageViewer(tk.Canvas):
    """Shows one image file, fitted; reloaded when the file changes. A click, or Return, shows it in a large window."""

    def __init__(self, parent: tk.Misc, shell: Shell) -> None:
        high = theme.px(300) if theme.narrow(parent) else 1
        super().__init__(parent, highlightthickness=theme.px(1), takefocus=True, width=1, height=high)
        self._shell = shell
        self._file: Path | None = None
        self._text = ""
        self._stamp: tuple[object, ...] = ()
        self._image: ImageTk.PhotoImage | None = None
        self.bind("<Configure>", lambda event: self.refresh())
        for event in ("<Button-1>", "<Return>"):
            self.bind(event, lambda _: self.enlarge())
        theme.on_theme_change(self, self._paint)

    def show(self, file: Path | None, text: str = "") -> None:
        """Show ``file``, or ``text`` if that is None."""
        self._file, self._text = file, text
        self.refresh()

    def enlarge(self) -> None:
        """Show the file in a window of its own, until a click, Return or Escape."""
        if self._file is None:
            return
        window = dialogs.new_window(self._shell.root, self._file.name)
        viewer = ImageViewer(window, self._shell)
        viewer.pack(fill="both", expand=True)
        for event in ("<Button-1>", "<Return>"):
            viewer.bind(event, lambda _: window.destroy())
        window.bind("<Escape>", lambda _: window.destroy())
        size = (self.winfo_screenwidth() * 9 // 10, self.winfo_screenheight() * 8 // 10)
        dialogs.centre(self._shell.root, window, *size)
        viewer.show(self._file)
        viewer.focus_set()

    def refresh(self) -> None:
        """Reload the file on a thread if it has changed."""
        width, height = self.winfo_width(), self.winfo_height()
        if self._file is None:
            self._stamp, self._image = (), None
            self._say()
            return
        try:
            stamp = (self._file, self._file.stat().st_mtime_ns, width, height)
        except OSError:
            return
        if stamp == self._stamp or width < 16 or height < 16:
            return
        self._stamp, file = stamp, self._file

        def read() -> Image.Image | None:
            try:
                with Image.open(file) as opened:
                    ratio = min(width / opened.width, height / opened.height, 1.0)
                    size = max(1, round(opened.width * ratio)), max(1, round(opened.height * ratio))
                    return opened.convert("RGB").resize(size, Image.Resampling.LANCZOS)
            except (OSError, SyntaxError):
                return None  # it is being written

        self._shell.tasks.run(read, done=lambda image: self._put(image, stamp))

    def _put(self, image: Image.Image | None, stamp: tuple[object, ...]) -> None:
        if not self.winfo_exists() or stamp != self._stamp:
            return
        if image is None:
            self._stamp = ()  # the next refresh reads it again
            return
        self.delete("all")
        self._image = ImageTk.PhotoImage(image, master=self)
        self.create_image(self.winfo_width() / 2, self.winfo_height() / 2, image=self._image)

    def _paint(self) -> None:
        tokens = theme.tokens()
        self.configure(
            background=tokens.canvas, highlightbackground=tokens.canvas, highlightcolor=tokens.primary, cursor="hand2"
        )

    def _say(self) -> None:
        self.delete("all")
        middle = self.winfo_width() / 2, self.winfo_height() / 2
        width = max(1, self.winfo_width() - 16)
        self.create_text(*middle, text=self._text, fill="#E4E7EB", font=theme.font("body"), width=width)


class ValidationImages(ttk.Frame):
    """Shows the validation images of a training: labels or predictions."""

    def __init__(self, parent: tk.Misc, shell: Shell) -> None:
        super().__init__(parent, padding=theme.px(6))
        self._files: tuple[Path, ...] = ()
        self._number = 0
        bar = ttk.Frame(self)
        bar.pack(fill="x", pady=theme.px(0, 4))
        self._what = tk.StringVar(self, "pred")
        for value, name in (("pred", tr("Found by the model")), ("labels", tr("Labelled"))):
            ttk.Radiobutton(bar, text=name, value=value, variable=self._what, command=self._load).pack(
                side="left", padx=theme.px(0, 10)
            )
        self._next = ttk.Button(bar, text="▶", width=3, command=lambda: self._turn(1))
        self._next.pack(side="right")
        self._back = ttk.Button(bar, text="◀", width=3, command=lambda: self._turn(-1))
        self._back.pack(side="right", padx=theme.px(4))
        self.canvas = ImageViewer(self, shell)
        self.canvas.pack(fill="both", expand=True)

    def show(self, files: Sequence[Path]) -> None:
        """Show these files, named ``*_pred.jpg``; their labels are in ``*_labels.jpg`` next to them."""
        self._files = tuple(files)
        self._number = min(self._number, max(0, len(files) - 1))
        self._load()

    def _turn(self, step: int) -> None:
        self._number = (self._number + step) % max(1, len(self._files))
        self._load()

    def _load(self) -> None:
        for button in (self._back, self._next):
            button.state(["!disabled" if len(self._files) > 1 else "disabled"])
        if not self._files:
            self.canvas.show(None, tr("Shown after the first epoch"))
            return
        file = self._files[self._number]
        self.canvas.show(file.with_name(file.name.replace("_pred.", f"_{self._what.get()}.")))
