"""What a page is given, and what it gives."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from inspector.i18n import Language
from inspector.registry import Registry
from inspector.settings import Settings
from inspector.ui.work import Tasks

Kind = Literal["info", "good", "warn", "bad"]
Action = tuple[str, Callable[[], object]]


class Shell(Protocol):
    """The window around the pages."""

    root: tk.Tk
    settings: Settings
    catalogue: Registry
    tasks: Tasks

    def toast(self, text: str, kind: Kind = "info", action: Action | None = None) -> None:
        """A message that disturbs nobody and goes by itself; it stays in the list of messages."""

    def ask(self, title: str, text: str, buttons: Sequence[tuple[str, str, bool]], default: str) -> str:
        """Let the person decide: ``(key, verb, dangerous)`` a button. Escape and closing give ``default``."""

    def show(self, page: str, **what: Any) -> None:
        """Bring a page to the front; ``what`` is handed to its ``shown``."""

    def reload_plugins(self) -> None:
        """Load the plugins anew, after one was installed or switched."""

    def settings_changed(self, key: str) -> None:
        """A setting was saved; make it act."""

    def language(self) -> Language: ...


class Page(Protocol):
    """A page. Built anew when the language or the text size changes; ``kept`` goes into ``restore`` then."""

    def shown(self, **what: Any) -> None: ...

    def hidden(self) -> None: ...

    def kept(self) -> dict[str, Any]: ...

    def restore(self, state: dict[str, Any]) -> None: ...

    def busy(self) -> str:
        """What would be lost if the window closed now, as a sentence; empty if nothing."""

    def close(self) -> None:
        """End threads and children. Called once."""
