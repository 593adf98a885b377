"""Small images for the rows of a table, made on a worker's thread for what is visible."""

from __future__ import annotations

import logging
import threading
import tkinter as tk
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from inspector.domain import InputError
from inspector.history import History
from inspector.reexport.frame_finder import FrameFinder
from inspector.ui.kit import theme
from inspector.ui.kit.table.table import THUMBNAIL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from inspector.ui.kit.shell import Shell

logger = logging.getLogger(__name__)
_KEPT = 400  # images kept in memory, 10 KB each


class Thumbnails:
    """Images of inspections, the visible ones only; those that have left the view are not made.

    Args:
        changed: called on the Tk thread when some have come.
    """

    def __init__(self, shell: Shell, changed: Callable[[], object]) -> None:
        self._shell, self._changed = shell, changed
        self._images: OrderedDict[int, tk.PhotoImage | None] = OrderedDict()
        self._lock = threading.Lock()
        self._wanted: list[int] = []
        self._at_work = self._closed = False

    def of(self, ids: Sequence[int]) -> list[tk.PhotoImage | None]:
        """Return images of these inspections; None while being loaded or if missing."""
        with self._lock:
            self._wanted = [id for id in dict.fromkeys(ids) if id not in self._images]
            begin = bool(self._wanted) and not self._at_work and not self._closed
            self._at_work |= begin
        if begin:
            size = theme.px(THUMBNAIL[0]), theme.px(THUMBNAIL[1])
            self._shell.tasks.run(self._work, size, failed=lambda error: logger.info("No thumbnails: %s", error))
        return [self._images.get(id) for id in ids]

    def close(self) -> None:
        """End the thread's work; nothing is called any more."""
        with self._lock:
            self._closed = True
            self._wanted = []

    # on the thread

    def _work(self, size: tuple[int, int]) -> None:
        try:
            with History.open() as history, FrameFinder(self._shell.catalogue) as finder:
                outputs: dict[int, str | None] = {}
                while (id := self._next()) is not None:
                    self._shell.tasks.post(self._came, id, _image(history, finder, outputs, id, size))
        except BaseException:
            with self._lock:
                self._at_work = False
            raise

    def _next(self) -> int | None:
        with self._lock:
            if not self._wanted:
                self._at_work = False
                return None
            return self._wanted.pop(0)

    # back on the Tk thread

    def _came(self, id: int, data: bytes | None) -> None:
        if self._closed:
            return
        self._images[id] = None if data is None else tk.PhotoImage(master=self._shell.root, data=data)
        while len(self._images) > _KEPT:
            self._images.popitem(last=False)
        self._changed()


def _image(
    history: History, finder: FrameFinder, outputs: dict[int, str | None], id: int, size: tuple[int, int]
) -> bytes | None:
    """The image as PPM; None where it cannot be had."""
    try:
        record = history.get(id)
        run = record["run"]
        if run not in outputs:
            outputs[run] = next((entry.output for entry in history.runs(run)), None)
        if record["verdict"] is None:
            return None
        frame, annotated = finder.find_or_annotated(record, outputs[run])
    except InputError:
        return None
    return _small(frame.image, None if annotated else record, size)


def _small(image: Any, record: Mapping[str, Any] | None, size: tuple[int, int]) -> bytes:
    """``image`` within ``size`` as PPM, with the boxes of the record's defects."""
    import cv2

    height, width = image.shape[:2]
    scale = min(size[0] / width, size[1] / height, 1.0)
    shape = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, shape, interpolation=cv2.INTER_AREA)
    for found in record["detections"] if record is not None else ():
        left, top, right, bottom = (round(edge * scale) for edge in found["box"])
        colour = _bgr(record["verdict"]) if record is not None else (0, 0, 0)
        cv2.rectangle(small, (left - 1, top - 1), (right + 1, bottom + 1), colour, 1)
    rgb = cv2.cvtColor(small, cv2.COLOR_BGR2RGB)
    return b"P6 %d %d 255\n" % shape + bytes(rgb.tobytes())


def _bgr(verdict: str) -> tuple[int, int, int]:
    """The colour of a verdict as OpenCV takes it."""
    colours = theme.paper()
    value = int({"OK": colours.ok, "WARN": colours.warn, "NG": colours.ng}[verdict][1:], 16)
    return value & 255, value >> 8 & 255, value >> 16
