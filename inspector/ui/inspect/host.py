"""The window as the page Inspect sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tkinter import ttk
from typing import Protocol

from inspector.ui.inspect.session import Session
from inspector.ui.kit.shell import Shell
from inspector.ui.kit.toasts import Messages


class InspectHost(Shell, Protocol):
    """The window around the page: the shell of every page, and the session that outlives it.

    Attributes:
        session: model, thresholds, source and run.
        messages: the list of messages.
        tools: the frame in the window's head that holds the page's toolbar.
        page: name of the page in front.
    """

    session: Session
    messages: Messages
    header_tools: ttk.Frame

    @property
    def page(self) -> str: ...

    def on_tick(self, ticker: Callable[[], None]) -> None:
        """Call ``ticker`` on every tick of the poll loop until the pages are rebuilt."""

    def show_error(self, error: BaseException) -> None:
        """Show the failure of a thread or callback as a message."""

    def open_path(self, path: Path) -> None:
        """Open a file or folder with the system's program."""

    def export(self) -> None:
        """Open the export dialog of the page in front."""

    def print(self) -> None:
        """Print what the page in front shows."""

    def training_progress(self) -> str:
        """Return the progress of the running training, e.g. ``3 / 100``; empty if none runs."""
