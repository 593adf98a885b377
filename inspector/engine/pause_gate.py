"""The gate at which a paused run waits."""

from __future__ import annotations

import threading


class PauseGate:
    """Lets all images pass, none, or a single one. Open at first; any thread may call any method."""

    def __init__(self) -> None:
        self._open, self._steps = True, 0
        self._changed = threading.Condition()

    def open(self) -> None:
        """Let all pass."""
        with self._changed:
            self._open, self._steps = True, 0
            self._changed.notify_all()

    def close(self) -> None:
        """Let none pass."""
        with self._changed:
            self._open = False

    def step(self) -> None:
        """Let a single one pass; no effect while the gate is open."""
        with self._changed:
            self._steps += not self._open
            self._changed.notify_all()

    @property
    def is_open(self) -> bool:
        return self._open

    @property
    def can_pass(self) -> bool:
        """Whether :meth:`acquire` would return at once."""
        with self._changed:
            return self._open or self._steps > 0

    def acquire(self, count: int) -> int:
        """Wait until at least one of ``count`` images may pass; return how many may."""
        with self._changed:
            self._changed.wait_for(lambda: self._open or self._steps)
            if self._open:
                return count
            self._steps -= 1
            return 1
