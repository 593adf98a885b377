"""One call of a function when Tk is idle."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable


class IdleCall:
    """Call a function once when Tk is idle, however often that is requested, and never after its widget is destroyed.

    A command that Tk still has to call after its widget is destroyed ends in "invalid command name".
    """

    def __init__(self, widget: tk.Misc, function: Callable[[], None]) -> None:
        self._widget, self._function = widget, function
        self._waiting: str | None = None
        self._destroyed = False
        widget.bind("<Destroy>", self._end, add=True)

    def request(self) -> None:
        """Call the function when Tk is idle next."""
        if self._waiting is None and not self._destroyed:
            self._waiting = self._widget.after_idle(self._call)

    def _call(self) -> None:
        self._waiting = None
        self._function()

    def _end(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is not self._widget:
            return
        self._destroyed = True
        if self._waiting is not None:
            self._widget.after_cancel(self._waiting)
            self._waiting = None
