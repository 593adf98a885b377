"""Copying a table's rows to the clipboard, a bounded part at a time."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence

from inspector.ui.ranges import Ranges
from inspector.ui.texts import t

COPIED_MOST = 100_000
"""Rows that are copied at most."""
_PART = 500  # rows taken in one step

Fetch = Callable[[int, int], Sequence[Sequence[str] | None] | None]


class Copy:
    """Takes the chosen rows from ``fetch`` and puts them on the clipboard, separated by tabs, with their headings.

    Args:
        fetch: as :meth:`inspector.ui.table.Rows.fetch`; where rows are on their way, call :meth:`go_on` once they came.
        say: told in a sentence what became of it.
    """

    def __init__(
        self,
        widget: tk.Misc,
        titles: Sequence[str],
        fetch: Fetch,
        chosen: Ranges,
        say: Callable[[str], object] | None,
    ) -> None:
        self._widget, self._fetch, self._chosen, self._say = widget, fetch, chosen, say
        self._most = min(len(chosen), COPIED_MOST)
        self._lines = ["\t".join(titles)]
        self._soon = ""
        self.done = False
        self.go_on()

    def go_on(self) -> None:
        """Take the next rows; with what is to come, as long as they are there."""
        if not self.done and not self._soon:
            self._soon = self._widget.after(1, self._step)

    def stop(self) -> None:
        """Leave the clipboard as it is."""
        self.done = True
        if self._soon:
            self._widget.after_cancel(self._soon)
            self._soon = ""

    def _step(self) -> None:
        self._soon = ""
        taken = len(self._lines) - 1
        if taken == self._most:
            self._finish()
            return
        first = self._chosen[taken]
        end = next(stop for start, stop in self._chosen.spans if start <= first < stop)
        rows = self._fetch(first, min(end, first + _PART, first + self._most - taken))
        if rows is not None and all(row is not None for row in rows) and rows:
            self._lines += ["\t".join(" ".join(cell.split()) for cell in row or ()) for row in rows]
            self.go_on()

    def _finish(self) -> None:
        self.done = True
        self._widget.clipboard_clear()
        self._widget.clipboard_append("\n".join(self._lines) + "\n")
        if self._say is None:
            return
        if len(self._chosen) > self._most:
            every, copied = f"{len(self._chosen):,}", f"{self._most:,}"
            self._say(t("The first {n} of {all} rows were copied; export the rest to a file", n=copied, all=every))
        else:
            self._say(t("{n} rows copied", n=f"{self._most:,}"))
