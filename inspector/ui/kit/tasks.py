"""Background tasks: functions on threads, with results delivered on the Tk thread in bounded batches."""

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


class BackgroundTasks:
    """Run functions on threads and deliver their results on the Tk thread.

    Args:
        failed: called on the Tk thread with errors of functions whose caller passed no ``failed``.
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
        """Call ``function`` on a new thread, then ``done(result)`` or ``failed(error)`` on the Tk thread."""

        def work() -> None:
            try:
                result = function(*args)
            except BaseException as error:
                known = isinstance(error, InspectorError)
                logger.log(logging.INFO if known else logging.ERROR, "%s", error, exc_info=None if known else error)
                self.post(failed or self._failed, error)
            else:
                if done is not None:
                    self.post(done, result)

        threading.Thread(target=work, name=f"task {getattr(function, '__name__', '')}", daemon=True).start()

    def post(self, callback: Callable[..., object], *args: Any) -> None:
        """Schedule ``callback`` on the Tk thread; callable from any thread. Blocks while the queue is full."""
        while not self._closed.is_set():
            try:
                self._calls.put((callback, args), timeout=0.2)
                return
            except queue.Full:
                if threading.current_thread() is threading.main_thread():
                    raise

    def pump(self) -> None:
        """Make pending calls for some milliseconds; call on the Tk thread."""
        end = time.perf_counter() + _BUDGET
        while time.perf_counter() < end and not self._closed.is_set():
            try:
                callback, args = self._calls.get_nowait()
            except queue.Empty:
                return
            callback(*args)

    def close(self) -> None:
        """Discard pending and later calls."""
        self._closed.set()
