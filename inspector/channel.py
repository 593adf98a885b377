"""A bounded hand-over between two threads.

``put`` answers False once the reader is gone, and ``get`` ends once the writer is done, so no stage can hang on
another that has failed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Channel(Generic[T]):
    """Carries items from one thread to another, in order.

    Args:
        limit: largest sum of sizes that may wait; one item always fits, however large.
        size: size of an item, in any unit (bytes for pictures); 1 each by default.
        latest: keep only the newest item and count what was dropped; ``put`` never waits.
    """

    def __init__(self, limit: int = 1, size: Callable[[T], int] | None = None, latest: bool = False) -> None:
        if limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit}")
        self._limit, self._size, self.latest = limit, size or (lambda item: 1), latest
        self._items: deque[tuple[T, int]] = deque()
        self._waiting = 0
        self._finished = self._closed = False
        self._changed = threading.Condition()
        self.dropped = 0

    def put(self, item: T) -> bool:
        """Hand over; waits while the channel is full. False: the reader is gone, stop producing."""
        size = self._size(item)
        with self._changed:
            if self.latest:
                self.dropped += len(self._items)
                self._items.clear()
                self._waiting = 0
            while not self._closed and self._items and self._waiting + size > self._limit:
                self._changed.wait()
            if self._closed or self._finished:
                return False
            self._items.append((item, size))
            self._waiting += size
            self._changed.notify_all()
            return True

    def get(self, timeout: float | None = None) -> T | None:
        """The next item; None when there will be none any more.

        Raises:
            TimeoutError: when ``timeout`` seconds have passed and there may still be one.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._items or self._finished or self._closed, timeout):
                raise TimeoutError
            if self._closed or not self._items:
                return None
            item, size = self._items.popleft()
            self._waiting -= size
            self._changed.notify_all()
            return item

    def take(self, most: int) -> list[T]:
        """Wait for the next item, then take what else is ready, ``most`` at most; empty at the end."""
        first = self.get()
        if first is None:
            return []
        items = [first]
        with self._changed:
            while self._items and len(items) < most:
                item, size = self._items.popleft()
                self._waiting -= size
                items.append(item)
            self._changed.notify_all()
        return items

    def __iter__(self) -> Iterator[T]:
        while (item := self.get()) is not None:
            yield item

    def finish(self) -> None:
        """The writer is done: what waits is still read, then reading ends."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def close(self) -> None:
        """The reader is gone: what waits is thrown away, and ``put`` answers False."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._waiting = 0
            self._changed.notify_all()
