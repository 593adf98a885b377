"""Durations as text."""

from __future__ import annotations

from inspector.ui.kit.strings import tr


def duration(seconds: float) -> str:
    """Format a duration in the current language, e.g. ``1 h 5 min``, ``3 min 20 s`` or ``8 s``."""
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return tr("{hours} h {minutes} min", hours=hours, minutes=minutes)
    if minutes:
        return tr("{minutes} min {seconds} s", minutes=minutes, seconds=rest)
    return tr("{seconds} s", seconds=rest)
