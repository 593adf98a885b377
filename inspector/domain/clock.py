"""Local time, as results, the history and run.json record it."""

from __future__ import annotations

from datetime import datetime


def local_time() -> str:
    """Return the local time, ISO 8601 with milliseconds and offset."""
    return datetime.now().astimezone().isoformat(timespec="milliseconds")
