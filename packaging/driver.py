"""Drives the built program from outside: real clicks and keys by xdotool, on a screen of its own.

What is on the screen, and where, is asked over Tk's own ``send``: the program is not changed for it, and nothing of it
is called. Tk allows that between programs of one screen whose server asks for a key (``Xvfb -auth``).
"""

from __future__ import annotations

import os
import secrets
import struct
import subprocess
import time
import tkinter as tk
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
_ANY = 65535  # FamilyWild: the key is for every display
# Lists the visible widgets: path, class, position, size and text of each.
_LOOK = """
proc smoke_look {w} {
    set found {}
    if {[winfo viewable $w]} {
        set words ""
        catch {set words [$w cget -text]}
        if {[winfo class $w] eq "TCombobox"} {set words [$w get]}
        set place [list [winfo rootx $w] [winfo rooty $w] [winfo width $w] [winfo height $w]]
        lappend found [list $w [winfo class $w] {*}$place $words]
        foreach child [winfo children $w] {lappend found {*}[smoke_look $child]}
    }
    return $found
}
"""


class Missing(Exception):
    """The expected state was not reached in time."""


@dataclass(frozen=True)
class Widget:
    """A visible widget; position and size in pixels of the screen."""

    path: str
    kind: str
    x: int
    y: int
    width: int
    height: int
    text: str


@contextmanager
def screen(folder: Path, size: str = "1366x768x24") -> Iterator[dict[str, str]]:
    """A virtual screen with a key; gives the environment in which programs reach it."""
    key = folder / "xauthority"
    name, data = b"MIT-MAGIC-COOKIE-1", secrets.token_bytes(16)
    key.write_bytes(struct.pack(">HHHH", _ANY, 0, 0, len(name)) + name + struct.pack(">H", len(data)) + data)
    read, write = os.pipe()
    words = [
        "Xvfb",
        "-displayfd",
        str(write),
        "-screen",
        "0",
        size,
        "-dpi",
        "96",
        "-nolisten",
        "tcp",
        "-auth",
        str(key),
    ]
    server = subprocess.Popen(words, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as answer:
            yield {"DISPLAY": f":{answer.readline().strip()}", "XAUTHORITY": str(key)}
    finally:
        server.terminate()
        server.wait()


def until(condition: Callable[[], T], what: str, seconds: float = 60.0) -> T:
    """Wait until ``condition`` is true; return its value.

    Raises:
        Missing: it was not in time.
    """
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise Missing(f"{what} did not come within {seconds:g} s")
        time.sleep(0.05)
    return value


class Eyes:
    """Looks at the one Tk program on the screen, and acts on it. ``DISPLAY`` and ``XAUTHORITY`` must be set."""

    def __init__(self) -> None:
        self._root = tk.Tk(className="smoke")
        self._root.withdraw()
        self._name = self._root.tk.call("tk", "appname")

    def close(self) -> None:
        self._root.destroy()

    def _ask(self, script: str) -> Any:
        for name in self._root.tk.splitlist(self._root.tk.call("winfo", "interps")):
            if name != self._name:
                return self._root.tk.call("send", "--", name, script)
        return ""

    def widgets(self) -> list[Widget]:
        """The visible widgets, from back to front; empty if no program runs."""
        try:
            rows = self._root.tk.splitlist(self._ask(_LOOK + "smoke_look ."))
        except tk.TclError:  # it has just ended
            return []
        found = []
        for row in rows:
            path, kind, x, y, width, height, text = self._root.tk.splitlist(row)
            found.append(Widget(str(path), str(kind), int(x), int(y), int(width), int(height), str(text)))
        return found

    def words(self) -> str:
        """All visible texts."""
        return "\n".join(widget.text for widget in self.widgets() if widget.text)

    def find(self, text: str = "", kind: str = "") -> Widget | None:
        """The foremost widget with this text; exact matches come before partial ones."""
        seen = [w for w in self.widgets() if not kind or w.kind == kind]
        exact = [w for w in seen if w.text.strip() == text]
        return next(iter((exact or [w for w in seen if text in w.text])[::-1]), None)

    def wait(self, text: str, seconds: float = 60.0, kind: str = "") -> Widget:
        return until(lambda: self.find(text, kind), f"{text!r} on the screen", seconds)

    def click(self, target: Widget | tuple[int, int]) -> None:
        x, y = target if isinstance(target, tuple) else (target.x + target.width // 2, target.y + target.height // 2)
        _xdotool("mousemove", x, y, "click", 1)
        time.sleep(0.3)

    def press(self, *keys: str) -> None:
        _xdotool("key", "--delay", 60, *keys)
        time.sleep(0.3)

    def push(self, text: str, kind: str = "TButton", seconds: float = 60.0) -> None:
        """Click the button with this text once it is enabled."""

        def enabled() -> Widget | None:
            found = self.find(text, kind)
            return found if found and str(self._ask(f"{found.path} instate !disabled")) in ("1", "True") else None

        self.click(until(enabled, f"the button {text!r}", seconds))

    def tab(self, number: int) -> None:
        """Click a tab of the first notebook."""
        book = until(lambda: next((w for w in self.widgets() if w.kind == "TNotebook"), None), "a notebook")
        for x in range(4, book.width, 6):
            if str(self._ask(f"{book.path} index @{x},10")) == str(number):
                self.click((book.x + x + 20, book.y + 10))
                return
        raise Missing(f"the tab {number} did not come")

    def write(self, widget: Widget, text: str) -> None:
        """Put ``text``, without braces, in place of what an entry holds, as pasting does."""
        self.click(widget)
        self._ask(f"{widget.path} delete 0 end; {widget.path} insert 0 {{{text}}}")
        time.sleep(0.2)

    def fill(self, label: str, text: str) -> None:
        """Write into the field in the row of a label."""
        row = self.wait(label, 10, "TLabel")
        fields = [
            w for w in self.widgets() if w.kind in ("TEntry", "TSpinbox") and abs(w.y - row.y) < 30 and w.x > row.x
        ]
        if not fields:
            raise Missing(f"a field beside {label!r} did not come")
        self.write(min(fields, key=lambda field: (abs(field.y - row.y), field.x)), text)
        self.press("Tab")

    def choose_file(self, file: Path) -> None:
        """Name a file in Tk's own dialog."""
        until(self._dialog_entry, "a dialog for files")
        time.sleep(1)  # it moves to the middle
        self.write(until(self._dialog_entry, "a dialog for files"), str(file))
        self.push("Open")
        until(lambda: self._dialog_entry() is None, "the end of the dialog for files", 10)

    def _dialog_entry(self) -> Widget | None:
        return next((w for w in self.widgets() if w.path.endswith("tk_filedialog.contents.f2.ent")), None)

    def shot(self, file: Path) -> None:
        """An image of the screen."""
        subprocess.run(["import", "-window", "root", str(file)], check=True)


def _xdotool(*words: object) -> None:
    subprocess.run(["xdotool", *map(str, words)], check=True)
