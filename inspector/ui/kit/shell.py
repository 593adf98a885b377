"""The window as its pages see it."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from inspector.i18n import Language
from inspector.registry import Registry
from inspector.settings import Settings
from inspector.ui.kit.tasks import BackgroundTasks
from inspector.ui.kit.window_state import WindowState

Kind = Literal["info", "good", "warn", "bad"]
PageName = Literal["inspect", "history", "statistics", "training", "plugins", "settings", "help"]
Action = tuple[str, Callable[[], object]]


class Shell(Protocol):
    """The window around the pages."""

    root: tk.Tk
    settings: Settings
    catalogue: Registry
    tasks: BackgroundTasks
    window_state: WindowState

    def toast(self, text: str, kind: Kind = "info", action: Action | None = None) -> None:
        """Show a non-modal message that disappears by itself and is kept in the list of messages."""

    def ask(self, title: str, text: str, buttons: Sequence[tuple[str, str, bool]], default: str) -> str:
        """Ask the user a question and return the key of the button pressed.

        Args:
            buttons: ``(key, text, dangerous)`` of each button.
            default: returned also for Escape and when the dialog is closed.
        """

    def show(self, page: PageName, **options: Any) -> None:
        """Bring a page to the front; ``options`` are passed to its ``on_show``."""

    def reload_plugins(self) -> None:
        """Reload the plugins after one was installed, removed, enabled or disabled."""

    def settings_changed(self, key: str) -> None:
        """Apply a setting that was saved."""

    def language(self) -> Language:
        """Return the language of the window."""
