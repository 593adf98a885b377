"""Where a run halts and goes on."""

from __future__ import annotations

import threading


class Gate:
    """Lets everybody through, nobody, or one at a time. Open at first; any thread may call any method."""

    def __init__(self) -> None:
        self._open, self._steps = True, 0
        self._changed = threading.Condition()

    def open(self) -> None:
        with self._changed:
            self._open, self._steps = True, 0
            self._changed.notify_all()

    def shut(self) -> None:
        with self._changed:
            self._open = False

    def step(self) -> None:
        """Let one through that would have to wait; nothing where the gate is open."""
        with self._changed:
            self._steps += not self._open
            self._changed.notify_all()

    @property
    def is_open(self) -> bool:
        return self._open

    @property
    def passable(self) -> bool:
        """Whether the next one need not wait."""
        with self._changed:
            return self._open or self._steps > 0

    def go_through(self, many: int) -> int:
        """Wait until at least one may pass; returns how many of ``many`` may."""
        with self._changed:
            self._changed.wait_for(lambda: self._open or self._steps)
            if self._open:
                return many
            self._steps -= 1
            return 1
