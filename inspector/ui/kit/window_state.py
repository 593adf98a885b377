"""State the window keeps between starts: geometry, splits, last folders, recent sources and models."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from inspector.domain import Choice
from inspector.system import credentials, paths

logger = logging.getLogger(__name__)
_MOST = 12  # recent items


class WindowState:
    """A small dictionary in ``window.json``. Losing it costs nothing, so failures are only logged."""

    def __init__(self) -> None:
        self._path = paths.data_folder() / "window.json"
        self._values: dict[str, Any] = {}
        try:
            values = paths.read_json(self._path)
            self._values = values if isinstance(values, dict) else {}
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            logger.info("What the window remembered cannot be read: %s", error)
        with suppress(RecursionError):
            concealed = _concealed(self._values)
            if (
                concealed != self._values
            ):  # written by an earlier version: its passwords are kept until the program ends
                self._values = concealed
                self._save()

    def get(self, key: str, default: Any) -> Any:
        """Return the value of ``key``, if it is of the default's type."""
        value = self._values.get(key, default)
        return value if default is None or isinstance(value, type(default)) else default

    def last_model(self) -> str | None:
        """Return name or path of the last model, if it still exists."""
        last = self.get("model", "")
        return last if last and (Path(last).exists() or not Path(last).suffix) else None

    def set(self, key: str, value: Any) -> None:
        if self._values.get(key) == value:
            return
        self._values[key] = value
        self._save()

    def _save(self) -> None:
        try:
            paths.write_state(self._path, json.dumps(self._values, ensure_ascii=False, indent=2) + "\n")
        except OSError as error:
            logger.info("What the window remembers cannot be saved: %s", error)

    def recent(self, kind: str) -> list[str]:
        """Return the recent items of a kind, newest first."""
        return [text for text in self.get(f"recent_{kind}", []) if isinstance(text, str)][:_MOST]

    def add_recent(self, kind: str, text: str) -> None:
        """Add ``text`` as the newest item of its kind."""
        self.set(f"recent_{kind}", [text, *(old for old in self.recent(kind) if old != text)][:_MOST])

    def remove_recent(self, kind: str, text: str) -> None:
        self.set(f"recent_{kind}", [old for old in self.recent(kind) if old != text])

    def add_recent_source(self, text: str, choices: Sequence[Choice]) -> None:
        """Add ``text`` as the newest source; it is reopened with the options of ``choices``."""
        self.add_recent("sources", text)
        values = {**self.get("source_options", {}), text: choices_to_json(choices)}
        recent = self.recent("sources")
        self.set("source_options", {name: rows for name, rows in values.items() if name in recent})

    def source_options(self, text: str) -> tuple[Choice, ...]:
        """Return the options of a recent source; empty if its text is sufficient."""
        return choices_from_json(self.get("source_options", {}).get(text, []))

    def folder(self, purpose: str) -> str:
        """Return the initial folder of a file dialog."""
        folder = self.get(f"folder_{purpose}", "")
        return folder if folder and Path(folder).is_dir() else ""

    def remember_folder(self, purpose: str, path: str) -> None:
        """Remember the folder of a path chosen in a file dialog."""
        place = Path(path)
        self.set(f"folder_{purpose}", str(place if place.is_dir() else place.parent))


def choices_to_json(choices: Sequence[Choice]) -> list[dict[str, Any]]:
    """Convert sources with their options to JSON."""
    return [{"id": choice.id, "options": dict(choice.options)} for choice in choices]


def choices_from_json(rows: Any) -> tuple[Choice, ...]:
    """Read sources as written by :func:`choices_to_json`; empty if invalid."""
    try:
        return tuple(Choice(str(row["id"]), dict(row["options"])) for row in rows)
    except (TypeError, KeyError, ValueError):
        return ()


def _concealed(value: Any) -> Any:
    """Return ``value`` without the passwords of addresses in it."""
    if isinstance(value, str):
        return credentials.conceal(value)
    if isinstance(value, list):
        return [_concealed(item) for item in value]
    if isinstance(value, dict):
        return {_concealed(key): _concealed(item) for key, item in value.items()}
    return value
