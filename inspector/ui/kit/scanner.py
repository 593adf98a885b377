"""Codes from a scanner that works as a keyboard, distinguished from typing by the time between the keys."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from typing import Any

LONGEST_GAP = 50  # milliseconds between two keys of a scanner; far below the time between typed keys
SHORTEST = 4  # characters of a code
_FIELDS = ("TEntry", "TSpinbox", "TCombobox", "Entry", "Text")


class KeyBurst:
    """Collects keys that follow each other faster than typing. Times are in milliseconds."""

    def __init__(self) -> None:
        self._characters: list[str] = []
        self._last = -10 * LONGEST_GAP

    def key(self, character: str, at: int) -> None:
        """Add a character that came at this time."""
        if not 0 <= at - self._last <= LONGEST_GAP:
            self._characters.clear()
        self._characters.append(character)
        self._last = at

    def end(self, at: int) -> str:
        """Return the code that Enter ends at this time; empty if it was typed."""
        code = "".join(self._characters) if 0 <= at - self._last <= LONGEST_GAP else ""
        self._characters.clear()
        return code if len(code) >= SHORTEST else ""


class Scanner:
    """Calls ``scanned`` with each code that is scanned while no text field has the keyboard focus."""

    def __init__(self, root: tk.Tk, scanned: Callable[[str], object]) -> None:
        self._root, self._scanned = root, scanned
        self._burst = KeyBurst()
        self._keys = 0
        root.bind_all("<KeyPress>", self._key, add="+")

    def _key(self, event: Any) -> None:
        self._keys += 1
        kind = event.widget.winfo_class() if isinstance(event.widget, tk.Misc) else ""
        if kind in _FIELDS:  # a code belongs into the field, e.g. a serial number
            return
        if event.keysym in ("Return", "KP_Enter"):
            if code := self._burst.end(event.time):
                self._scanned(code)
        elif event.char and event.char.isprintable():
            self._burst.key(event.char, event.time)

    def after_single_key(self, command: Callable[[], object]) -> None:
        """Call ``command``, which a key stands for, unless another key follows as fast as in a code."""
        before = self._keys  # the key itself is counted after this
        self._root.after(LONGEST_GAP + 10, lambda: command() if self._keys <= before + 1 else None)

    def close(self) -> None:
        """Receive no more keys."""
        self._scanned = lambda code: None
