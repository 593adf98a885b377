"""Bounds of time that hold on a busy machine too, and mean what they say on a quiet one."""

import hashlib
import threading
import time

_WORK = bytes(1 << 20)  # hashed in about a millisecond, without Python's lock
_PAUSE = 0.02


def _work() -> float:
    began = time.perf_counter()
    hashlib.sha256(_WORK)
    return time.perf_counter() - began


class Stopwatch:
    """Measures a block in the seconds that it would have taken on a machine that has nothing else to do.

    Meanwhile a thread does a little work again and again. By how much longer it takes than at its quickest, the block
    is taken to have been slowed down too::

        with Stopwatch() as watch:
            until(alarmed)
        assert watch.seconds < 1

    Attributes:
        slowdown: how many times longer things took.
    """

    _quickest = float("inf")

    def __enter__(self) -> "Stopwatch":
        self._measure(10)
        self._ended, self._taken, self.slowdown = threading.Event(), [], 1.0
        self._thread = threading.Thread(target=self._watch, name="stopwatch")
        self._began = time.perf_counter()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._elapsed = time.perf_counter() - self._began
        self._ended.set()
        self._thread.join()
        self.slowdown = max(1.0, sum(self._taken) / len(self._taken) / Stopwatch._quickest)

    def _measure(self, times: int) -> float:
        taken = [_work() for _ in range(times)]
        Stopwatch._quickest = min(Stopwatch._quickest, *taken, taken[0])
        return sum(taken)

    def _watch(self) -> None:
        while True:
            taken, slept = self._measure(1), time.perf_counter()
            ended = self._ended.wait(_PAUSE)
            late = 0.0 if ended else time.perf_counter() - slept - _PAUSE
            self._taken.append(taken + max(0.0, late))
            if ended:
                return

    @property
    def seconds(self) -> float:
        return self._elapsed / self.slowdown
