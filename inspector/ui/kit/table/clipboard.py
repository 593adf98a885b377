"""Copy a table's rows to the clipboard in bounded steps."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence

from inspector.domain import spreadsheet_text
from inspector.ui.kit.strings import tr
from inspector.ui.kit.table.selection import IndexRanges

COPIED_MOST = 100_000
"""Maximum number of rows copied."""
_PART = 500  # rows taken in one step

Fetch = Callable[[int, int], Sequence[Sequence[str] | None] | None]


class ClipboardCopy:
    """Copies the chosen rows to the clipboard, tab-separated with headings.

    Args:
        fetch: as :meth:`Rows.fetch`; if rows are being loaded, call :meth:`resume` once they arrive.
        say: called with a sentence about the result.
    """

    def __init__(
        self,
        widget: tk.Misc,
        titles: Sequence[str],
        fetch: Fetch,
        chosen: IndexRanges,
        say: Callable[[str], object] | None,
    ) -> None:
        self._widget, self._fetch, self._chosen, self._say = widget, fetch, chosen, say
        self._most = min(len(chosen), COPIED_MOST)
        self._lines = ["\t".join(titles)]
        self._soon = ""
        self.done = False
        self.resume()

    def resume(self) -> None:
        """Copy the next rows, as long as they are loaded."""
        if not self.done and not self._soon:
            self._soon = self._widget.after(1, self._step)

    def stop(self) -> None:
        """Stop without changing the clipboard."""
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
            self._lines += ["\t".join(spreadsheet_text(" ".join(cell.split())) for cell in row or ()) for row in rows]
            self.resume()

    def _finish(self) -> None:
        self.done = True
        self._widget.clipboard_clear()
        self._widget.clipboard_append("\n".join(self._lines) + "\n")
        if self._say is None:
            return
        if len(self._chosen) > self._most:
            every, copied = f"{len(self._chosen):,}", f"{self._most:,}"
            self._say(tr("The first {n} of {all} rows were copied; export the rest to a file", n=copied, all=every))
        else:
            self._say(tr("{n} rows copied", n=f"{self._most:,}"))
