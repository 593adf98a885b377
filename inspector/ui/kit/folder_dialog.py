"""The folder dialog of Linux. Tk's own one takes the parent of the folder that is highlighted, and makes no folders."""

from __future__ import annotations

import contextlib
import os
import sys
import tkinter as tk
from pathlib import Path
from tkinter import ttk

from inspector.ui.kit import dialogs, theme
from inspector.ui.kit.scrollbars import add_scrollbars
from inspector.ui.kit.strings import tr

# Tk's own file dialog has a white list with black names, whatever the theme is.
_COLOURS = """
auto_load ::tk::IconList
destroy .__tk_filedialog
foreach method {Create DrawSelection} {
    if {![info exists ::tk::IconListAsItCame($method)]} {
        set ::tk::IconListAsItCame($method) [info class definition ::tk::IconList $method]
    }
    lassign $::tk::IconListAsItCame($method) words body
    set map [list {-background white} {-background BACK} {-fill black} {-fill TEXT} {set fill black} {set fill TEXT}]
    oo::define ::tk::IconList method $method $words [string map $map $body]
}
"""


def install(root: tk.Tk) -> None:
    """Without native dialogs, let ``filedialog.askdirectory`` open :class:`FolderDialog`, and give
    Tk's file dialog the colours of the theme."""
    if root.tk.call("tk", "windowingsystem") == "x11" and sys.platform != "win32":
        root.tk.createcommand("tk_chooseDirectory", lambda *words: _ask(root, *words))
        theme.on_theme_change(root, lambda: _colour_list(root))


def _colour_list(root: tk.Tk) -> None:
    tokens = theme.tokens()
    with contextlib.suppress(tk.TclError):  # another version of Tk draws it differently
        root.tk.eval(_COLOURS.replace("BACK", tokens.card).replace("TEXT", tokens.text))


def _ask(root: tk.Tk, *words: str) -> str:
    """Stand in for ``tk_chooseDirectory`` (``-parent``, ``-title``, ``-initialdir``); return the folder or ""."""
    options = dict(zip(words[::2], words[1::2], strict=False))
    parent = root.nametowidget(options.get("-parent", "."))
    start = Path(options.get("-initialdir") or Path.home())
    return FolderDialog(parent, options.get("-title", ""), start if start.is_dir() else Path.home()).wait()


class FolderDialog(tk.Toplevel):
    """List of subfolders. The highlighted one is chosen, else the folder itself."""

    def __init__(self, parent: tk.Misc, title: str, place: Path) -> None:
        super().__init__(parent, background=theme.tokens().surface)
        self.withdraw()
        self.title(title or tr("Choose a folder"))
        self.transient(parent.winfo_toplevel())
        self._parent, self._answer, self._place = parent, "", place.absolute()
        self.columnconfigure(0, weight=1)
        self.rowconfigure(2, weight=1)
        pad, gap = theme.px(16), theme.px(6)
        top = ttk.Frame(self)
        top.grid(row=0, column=0, sticky="ew", padx=pad, pady=(pad, gap))
        for folder, name in self._places().items():
            ttk.Button(top, text=name, command=lambda folder=folder: self.go(folder)).pack(  # type: ignore[misc]
                side="left", padx=(0, gap)
            )
        line = ttk.Frame(self)
        line.grid(row=1, column=0, sticky="ew", padx=pad)
        line.columnconfigure(1, weight=1)
        ttk.Button(line, text="↑", width=3, command=lambda: self.go(self._place.parent)).grid(row=0, column=0)
        self.path = tk.StringVar(self)
        entry = ttk.Entry(line, textvariable=self.path)
        entry.grid(row=0, column=1, sticky="ew", padx=(gap, 0))
        entry.bind("<Return>", lambda _: self._typed())
        room = ttk.Frame(self)
        room.grid(row=2, column=0, sticky="nsew", padx=pad, pady=gap)
        self.list = ttk.Treeview(room, show="tree", selectmode="browse", height=10)
        add_scrollbars(self.list)
        self.list.bind("<Double-Button-1>", lambda _: self._enter())
        self.list.bind("<Right>", lambda _: self._enter())
        self.list.bind("<Left>", lambda _: self.go(self._place.parent))
        self.list.bind("<Return>", lambda _: self.take())
        self.status = ttk.Label(self, style="Bad.TLabel")
        self.status.grid(row=3, column=0, sticky="w", padx=pad)
        bottom = ttk.Frame(self)
        bottom.grid(row=4, column=0, sticky="ew", padx=pad, pady=(gap, pad))
        self.name = tk.StringVar(self)
        ttk.Entry(bottom, textvariable=self.name, width=16).pack(side="left")
        ttk.Button(bottom, text=tr("New folder"), command=self.make).pack(side="left", padx=gap)
        ttk.Button(bottom, text=tr("Choose"), style="Primary.TButton", command=self.take).pack(side="right")
        ttk.Button(bottom, text=tr("Cancel"), command=self.destroy).pack(side="right", padx=gap)
        self.bind("<Escape>", lambda _: self.destroy())
        self.go(self._place)

    def wait(self) -> str:
        """Show the dialog until it is closed; return the folder or an empty string."""
        dialogs.centre(self._parent, self, *theme.px(560, 460))
        self.wait_visibility()
        before = self.grab_current()  # type: ignore[no-untyped-call]
        self.grab_set()
        self.list.focus_set()
        self._parent.wait_window(self)
        if before is not None and before.winfo_exists():
            before.grab_set()
        return self._answer

    def go(self, place: Path) -> None:
        """Show the subfolders of ``place``; if they cannot be read, report it and stay."""
        try:
            folders = sorted((each.name for each in os.scandir(place) if each.is_dir()), key=str.lower)
        except OSError as error:
            self.status.configure(text=f"✕ {error.strerror}")
            return
        self._place = place
        self.status.configure(text="")
        self.path.set(str(place))
        self.list.delete(*self.list.get_children())
        for number, name in enumerate(name for name in folders if not name.startswith(".")):
            self.list.insert("", "end", iid=str(number), text=name)
        if self.list.exists("0"):
            self.list.focus("0")

    def chosen(self) -> Path:
        """Return the folder that would be chosen now."""
        marked = self.list.selection()
        return self._place / str(self.list.item(marked[0], "text")) if marked else self._place

    def take(self) -> None:
        """Answer with what is highlighted, or with the place that is shown or typed."""
        if Path(self.path.get()) != self._place and not self._typed():
            return
        self._answer = str(self.chosen())
        self.destroy()

    def make(self) -> None:
        """Make a folder of the typed name here, and highlight it."""
        name = self.name.get().strip()
        try:
            if name:
                (self._place / name).mkdir()
        except OSError as error:
            self.status.configure(text=f"✕ {error.strerror}")
            return
        self.go(self._place)
        for item in self.list.get_children():
            if self.list.item(item, "text") == name:
                self.list.selection_set(item)
                self.list.see(item)

    def _typed(self) -> bool:
        self.go(Path(self.path.get()).expanduser())
        return not self.status.cget("text")

    def _enter(self) -> None:
        if self.list.selection() or self.list.focus():
            item = (*self.list.selection(), self.list.focus())[0]
            self.go(self._place / str(self.list.item(item, "text")))

    @staticmethod
    def _places() -> dict[Path, str]:
        places = {Path.home(): tr("Home"), Path("/media"): tr("Drives"), Path("/"): "/"}
        return {place: name for place, name in places.items() if place.is_dir()}
