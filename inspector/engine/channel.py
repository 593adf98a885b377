"""A bounded queue between two threads.

``put`` returns False once the receiver has closed it, and ``get`` ends once the sender has finished, so that no stage
can wait forever for another that has failed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Channel(Generic[T]):
    """A queue from one thread to another.

    Args:
        limit: largest total size of waiting items; one item always fits, however large.
        size: returns the size of an item, in any unit; by default 1.
        latest: keep only the newest item and count dropped ones; ``put`` never waits.
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
        """Add an item; wait while the channel is full. Return False if the receiver has closed the channel."""
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
        """Wait for the next item and return it; None at the end.

        Raises:
            TimeoutError: there was none for ``timeout`` seconds.
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

    def take(self, count: int) -> list[T]:
        """Wait for the next item, and return up to ``count`` items that are ready; empty at the end."""
        first = self.get()
        if first is None:
            return []
        items = [first]
        with self._changed:
            while self._items and len(items) < count:
                item, size = self._items.popleft()
                self._waiting -= size
                items.append(item)
            self._changed.notify_all()
        return items

    def __iter__(self) -> Iterator[T]:
        while (item := self.get()) is not None:
            yield item

    def finish(self) -> None:
        """End the channel as its sender; waiting items can still be read."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def close(self) -> None:
        """End the channel as its receiver; waiting items are dropped, and ``put`` returns False."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._waiting = 0
            self._changed.notify_all()
