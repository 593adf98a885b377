"""Decides which images of a camera or video a trigger takes, and at which of them a part begins."""

from __future__ import annotations

import threading
from collections import deque
from math import floor
from typing import TYPE_CHECKING

from inspector.domain import Frame, InputError, Skipped, Trigger

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_GRID = (48, 36)  # columns and rows of the cells in which motion is looked for
_MOTION = 6.0  # grey levels by which the mean of a cell changes when something moves
_SPAN = 0.1  # seconds between the two images that are compared, at least


class TriggerGate:
    """Lets images pass that a trigger takes. Used on the reader's thread; any thread may call :meth:`fire`.

    Args:
        trigger: None: all images pass.
        stretch: all images from the first trigger on pass; otherwise one after each trigger.

    Attributes:
        number: of triggers that took an image.
    """

    def __init__(self, trigger: Trigger | None, stretch: bool) -> None:
        self._trigger, self._stretch = trigger, stretch
        self.number = 0
        self._lock = threading.Lock()
        self._pressed = 0
        self._due: float | None = None  # time of the next trigger in the stream, seconds
        self._stillness = Stillness(0.0 if trigger is None else trigger.seconds)

    def fire(self) -> None:
        """Take the next image (trigger ``key``)."""
        with self._lock:
            self._pressed += 1

    @property
    def pressed(self) -> int:
        """Number of triggers that wait for an image."""
        return self._pressed

    def next_source(self) -> None:
        """Start with another source, whose times begin at 0 again."""
        self._due = None
        self._stillness = Stillness(0.0 if self._trigger is None else self._trigger.seconds)

    @property
    def active(self) -> bool:
        """Whether there is a trigger."""
        return self._trigger is not None

    def check(self, content: Frame | Skipped) -> None:
        """Refuse a still image, which no trigger can take.

        Raises:
            InputError: it is one.
        """
        if isinstance(content, Frame) and content.seconds is None:
            raise InputError(
                "{name} is a still image, but a trigger takes images from a camera or a video; group images by their "
                "names or by a fixed number",
                name=content.name,
            )

    def lets_pass(self, frame: Frame) -> bool:
        """Whether the run inspects ``frame``.

        Raises:
            InputError: it is a still image.
        """
        if self._trigger is None:
            return True
        self.check(frame)
        if self._fired(self._trigger, frame, frame.seconds or 0.0):
            self.number += 1
            return True
        return self._stretch and self.number > 0

    def _fired(self, trigger: Trigger, frame: Frame, seconds: float) -> bool:
        if trigger.kind == "still":
            return self._stillness.begins(frame.image, seconds)
        if trigger.kind == "timer":
            if self._due is not None and seconds < self._due:
                return False
            due = seconds if self._due is None else self._due
            self._due = due + trigger.seconds * (floor((seconds - due) / trigger.seconds) + 1)
            return True
        with self._lock:
            fired = self._pressed > 0
            self._pressed -= fired
        return fired


class Stillness:
    """Detects that a moving part has come to rest, unless it then looks as at the start, when no part was there.

    Args:
        after: seconds without motion.
    """

    def __init__(self, after: float) -> None:
        self._after = after
        self._empty: NDArray[np.float32] | None = None  # the image at the start
        self._before: deque[tuple[float, NDArray[np.float32]]] = deque()
        self._moved: float | None = None  # time of the last motion that has not ended in stillness yet

    def begins(self, image: NDArray[np.uint8], seconds: float) -> bool:
        """Whether motion has ended with this image, and a part is there.

        Args:
            image: (H, W, 3) uint8.
            seconds: its time in the stream.
        """
        import cv2
        import numpy as np

        cells: NDArray[np.float32] = (
            cv2.resize(image, _GRID, interpolation=cv2.INTER_AREA).astype(np.float32).mean(axis=2)
        )
        if self._empty is None:
            self._empty = cells
        while len(self._before) > 1 and self._before[1][0] <= seconds - _SPAN:
            self._before.popleft()
        if self._before and _differ(cells, self._before[0][1]):
            self._moved = seconds
        self._before.append((seconds, cells))
        if self._moved is None or seconds - self._moved < self._after:
            return False
        self._moved = None
        return _differ(cells, self._empty)


def _differ(cells: NDArray[np.float32], others: NDArray[np.float32]) -> bool:
    return bool(abs(cells - others).max() > _MOTION)
