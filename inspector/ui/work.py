"""Work beside the Tk thread: functions on threads, their results back on the Tk thread, a bounded batch a tick."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from inspector.domain import InspectorError

logger = logging.getLogger(__name__)
_BUDGET = 0.012  # seconds a tick
_WAITING = 1000


class Tasks:
    """Runs functions on threads and brings what they say to the Tk thread.

    Args:
        failed: called on the Tk thread with the error of a function whose caller gave no ``failed``.
    """

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._failed = failed
        self._calls: queue.Queue[tuple[Callable[..., object], tuple[Any, ...]]] = queue.Queue(_WAITING)
        self._closed = threading.Event()

    def run(
        self,
        function: Callable[..., Any],
        *args: Any,
        done: Callable[[Any], object] | None = None,
        failed: Callable[[BaseException], object] | None = None,
    ) -> None:
        """Call ``function`` on a thread of its own; later ``done(result)`` or ``failed(error)`` on the Tk thread."""

        def work() -> None:
            try:
                result = function(*args)
            except Exception as error:  # the guard of this thread
                known = isinstance(error, InspectorError)
                logger.log(logging.INFO if known else logging.ERROR, "%s", error, exc_info=None if known else error)
                self.post(failed or self._failed, error)
            else:
                if done is not None:
                    self.post(done, result)

        threading.Thread(target=work, name=f"task {getattr(function, '__name__', '')}", daemon=True).start()

    def post(self, callback: Callable[..., object], *args: Any) -> None:
        """From any thread: call ``callback`` on the Tk thread, soon. Waits while very much waits already."""
        while not self._closed.is_set():
            try:
                self._calls.put((callback, args), timeout=0.2)
                return
            except queue.Full:
                if threading.current_thread() is threading.main_thread():
                    raise

    def pump(self) -> None:
        """On the Tk thread: make the calls that wait, for some milliseconds; the others next time."""
        end = time.perf_counter() + _BUDGET
        while time.perf_counter() < end and not self._closed.is_set():
            try:
                callback, args = self._calls.get_nowait()
            except queue.Empty:
                return
            callback(*args)

    def close(self) -> None:
        """What still waits, or comes later, is thrown away."""
        self._closed.set()
