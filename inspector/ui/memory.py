"""What the window remembers from one start to the next: its place, splits, last folders, recent sources and models."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from inspector import paths

logger = logging.getLogger(__name__)
_MOST = 12  # recent things


class Memory:
    """A small dictionary in ``window.json``. Losing it costs nothing, so no failure of it disturbs anybody."""

    def __init__(self) -> None:
        self._path = paths.data_folder() / "window.json"
        self._held: dict[str, Any] = {}
        try:
            held = json.loads(self._path.read_text("utf-8"))
            self._held = held if isinstance(held, dict) else {}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, RecursionError) as error:
            logger.info("What the window remembered cannot be read: %s", error)

    def get(self, key: str, default: Any) -> Any:
        """What is remembered, if it is of the default's type."""
        value = self._held.get(key, default)
        return value if default is None or isinstance(value, type(default)) else default

    def last_model(self) -> str | None:
        """The model of the last time, a name or a path, if it is still there."""
        last = self.get("model", "")
        return last if last and (Path(last).exists() or not Path(last).suffix) else None

    def put(self, key: str, value: Any) -> None:
        if self._held.get(key) == value:
            return
        self._held[key] = value
        try:
            paths.write_text(self._path, json.dumps(self._held, ensure_ascii=False, indent=2) + "\n")
        except OSError as error:
            logger.info("What the window remembers cannot be saved: %s", error)

    def recent(self, kind: str) -> list[str]:
        """The last things of a kind, the newest first."""
        return [text for text in self.get(f"recent_{kind}", []) if isinstance(text, str)][:_MOST]

    def used(self, kind: str, text: str) -> None:
        """``text`` is the newest of its kind."""
        self.put(f"recent_{kind}", [text, *(old for old in self.recent(kind) if old != text)][:_MOST])

    def forget(self, kind: str, text: str) -> None:
        self.put(f"recent_{kind}", [old for old in self.recent(kind) if old != text])

    def folder(self, purpose: str) -> str:
        """The folder that a file dialog begins in."""
        folder = self.get(f"folder_{purpose}", "")
        return folder if folder and Path(folder).is_dir() else ""

    def chose(self, purpose: str, path: str) -> None:
        """A file dialog ended with ``path``."""
        place = Path(path)
        self.put(f"folder_{purpose}", str(place if place.is_dir() else place.parent))
