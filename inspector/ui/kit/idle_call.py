"""One call of a function when Tk is idle."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from functools import partial


class IdleCall:
    """Call a function once when Tk is idle, however often that is requested, and never after its widget is destroyed.

    A command that Tk still has to call after its widget is destroyed ends in "invalid command name".

    Args:
        delay: milliseconds to wait instead; requests meanwhile are one.
    """

    def __init__(self, widget: tk.Misc, function: Callable[[], None], delay: int | None = None) -> None:
        self._widget, self._function, self._delay = widget, function, delay
        self._waiting: str | None = None
        self._destroyed = False
        widget.bind("<Destroy>", self._end, add=True)

    def request(self) -> None:
        """Call the function when Tk is idle next."""
        if self._waiting is None and not self._destroyed:
            later = self._widget.after_idle if self._delay is None else partial(self._widget.after, self._delay)
            self._waiting = later(self._call)

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
