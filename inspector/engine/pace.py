"""How fast a run comes along."""

from __future__ import annotations

import time
from collections import deque

_RECENT = 5.0  # seconds


class Pace:
    """Seconds at work and pictures a second. Time between :meth:`halt` and :meth:`go` does not count.

    Any thread may read; one thread counts.
    """

    def __init__(self) -> None:
        self._clock: tuple[float, float | None] = (0.0, None)  # seconds before, and since when it goes
        self._marks: deque[float] = deque()

    def go(self) -> None:
        before, since = self._clock
        self._clock = (before, time.monotonic() if since is None else since)

    def halt(self) -> None:
        self._clock = (self.elapsed, None)

    @property
    def elapsed(self) -> float:
        """Seconds at work."""
        before, since = self._clock
        return before if since is None else before + time.monotonic() - since

    def count(self) -> None:
        """One picture is done; what is done while halted is no measure of the pace."""
        if self._clock[1] is not None:
            now = self.elapsed
            self._marks.append(now)
            while len(self._marks) > 2 and self._marks[0] < now - _RECENT:
                self._marks.popleft()

    @property
    def rate(self) -> float:
        """Pictures a second over the last seconds; 0 before the second picture."""
        marks = len(self._marks)
        return (marks - 1) / max(self.elapsed - self._marks[0], 1e-3) if marks > 1 else 0.0
