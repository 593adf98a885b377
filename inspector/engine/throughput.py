"""Throughput of a run."""

from __future__ import annotations

import time
from collections import deque

_RECENT = 5.0  # seconds


class Throughput:
    """Working time and images per second; time between :meth:`pause` and :meth:`start` does not count.

    Any thread may read; one thread counts.
    """

    def __init__(self) -> None:
        self._clock: tuple[float, float | None] = (0.0, None)  # seconds before, and start of the current period
        self._marks: deque[float] = deque()

    def start(self) -> None:
        """Start or continue the clock."""
        before, since = self._clock
        self._clock = (before, time.monotonic() if since is None else since)

    def pause(self) -> None:
        """Stop the clock."""
        self._clock = (self.elapsed, None)

    @property
    def elapsed(self) -> float:
        """Working time, seconds."""
        before, since = self._clock
        return before if since is None else before + time.monotonic() - since

    def count(self) -> None:
        """Count one image; ignored while paused, since results of earlier images still arrive then."""
        if self._clock[1] is not None:
            now = self.elapsed
            self._marks.append(now)
            while len(self._marks) > 2 and self._marks[0] < now - _RECENT:
                self._marks.popleft()

    @property
    def rate(self) -> float:
        """Images per second over the last seconds; 0 before the second image."""
        marks = len(self._marks)
        return (marks - 1) / max(self.elapsed - self._marks[0], 1e-3) if marks > 1 else 0.0
