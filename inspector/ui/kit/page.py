"""Base class of the pages."""

from __future__ import annotations

from tkinter import ttk
from typing import Any, ClassVar, Protocol


class HeaderToolbar(Protocol):
    """The buttons of a page in the window's header."""

    def fit(self, room: int) -> None:
        """Show texts or only icons, so that the buttons fit into ``room`` pixels."""

    def width(self) -> int:
        """Return the width in pixels that the buttons take in one row."""


class Page(ttk.Frame):
    """A page of the window. Subclasses override what they need.

    Pages are rebuilt when the language or the text size changes: :meth:`save_state` of the old page is passed to
    :meth:`restore_state` of the new one.

    Attributes:
        exports: whether :meth:`export` exports what the page shows.
        toolbar: buttons that the page has in the window's header.
    """

    exports: ClassVar[bool] = False
    toolbar: HeaderToolbar | None = None

    def on_show(self, *args: Any, **kwargs: Any) -> None:
        """Update the page when it comes to the front. A subclass declares the options that ``Shell.show`` passes."""

    def on_hide(self) -> None:
        """Handle another page coming to the front."""

    def save_state(self) -> dict[str, Any]:
        """Return what the page restores after a rebuild."""
        return {}

    def restore_state(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`save_state` returned."""

    def close_warning(self) -> str:
        """Return a sentence about what would be lost if the window closed now; empty if nothing."""
        return ""

    def activity(self) -> str:
        """Return the progress of the page's background work, e.g. ``3 / 100``; empty if there is none."""
        return ""

    def on_plugins_changed(self) -> None:
        """Show the plugins, options and models of the newly loaded catalogue."""

    def on_error_shown(self, text: str) -> None:
        """Handle an error message that the window has shown, whichever page caused it."""

    def export(self) -> None:
        """Open the dialog that exports what the page shows; only where ``exports`` is set."""

    def print(self) -> None:
        """Print what the page shows, e.g. a part or charts."""

    def close(self) -> None:
        """End threads and child processes. Called once."""
