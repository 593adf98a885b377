"""Preview of a source without a run: one image at a time, inspected with the current thresholds.

Preview results are not saved; only runs save results.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from inspector.api import Browsable, Model
from inspector.domain import (
    Calibration,
    Frame,
    InputError,
    Inspection,
    InspectorError,
    Rules,
    Skipped,
    Timings,
    judge,
    plain_frame,
    plain_outputs,
    warn_if_too_small,
)
from inspector.engine.batch import measure_detections
from inspector.engine.channel import Channel

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PreviewRequest:
    """The image to preview.

    Attributes:
        opens: functions that open the sources; another object means other sources.
        index: of the image, from 0, counted over all sources.
        model: acquires the model; None shows the image alone.
    """

    opens: Sequence[Callable[[], Any]]
    index: int
    model: Callable[[], Model] | None
    confidence: float
    iou: float
    rules: Rules | None
    calibration: Calibration | None = None


@dataclass(frozen=True)
class PreviewResult:
    """A previewed image, or its inspection once the model has processed it."""

    content: Frame | Inspection | Skipped
    index: int
    total: int


class LivePreview:
    """A thread that opens sources and inspects the image that was requested last.

    Args:
        seen: called on that thread with each :class:`PreviewResult`.
        failed: called on that thread with an error.
    """

    def __init__(self, seen: Callable[[PreviewResult], None], failed: Callable[[BaseException], None]) -> None:
        self._seen, self._failed = seen, failed
        self._requests: Channel[PreviewRequest] = Channel(latest=True)
        self._opened: list[Any] = []
        self._of: Sequence[Callable[[], Any]] = ()
        self._content: tuple[int, Frame | Skipped] | None = None
        self._thread = threading.Thread(target=self._work, name="looker", daemon=True)
        self._thread.start()

    def request(self, request: PreviewRequest) -> None:
        """Process this request next; it replaces a pending one."""
        self._requests.put(request)

    def close(self) -> None:
        """End the thread without waiting for the current image."""
        self._requests.close()

    def _work(self) -> None:
        for request in self._requests:
            try:
                self._process(request)
            except BaseException as error:
                if not isinstance(error, InspectorError):
                    logger.error("Previewing an image failed: %s", error, exc_info=error, extra={"told": True})
                self._failed(error)
        self._drop()

    def _process(self, request: PreviewRequest) -> None:
        if request.opens is not self._of:
            self._drop()
            for open in request.opens:
                self._opened.append(open())
            self._of = request.opens
        browsable = [source for source in self._opened if isinstance(source, Browsable)]
        total = sum(source.total or 0 for source in browsable)
        if not total:
            return
        index = min(max(0, request.index), total - 1)
        content = self._frame(browsable, index)
        if isinstance(content, Skipped) or request.model is None:
            self._seen(PreviewResult(content, index, total))
            return
        self._seen(PreviewResult(content, index, total))
        model = request.model()
        try:
            if request.rules is not None:
                request.rules.check_names(model.info.names)
                request.rules.check_calibration(request.calibration)
            predicted = model.predict([content.image], request.confidence, request.iou)
            detections = plain_outputs(predicted, [(content.height, content.width)], model.info.plugin)[0]
            detections = measure_detections(detections, model.info)
            verdict = warn_if_too_small(
                judge(detections, request.rules, request.calibration), content, model.info.imgsz
            )
            inspection = Inspection(
                content,
                detections,
                verdict,
                model.info,
                Timings(),
                index + 1,
                request.confidence,
                request.iou,
                calibration=request.calibration,
            )
        finally:
            model.close()
        self._seen(PreviewResult(inspection, index, total))

    def _frame(self, sources: Sequence[Browsable], index: int) -> Frame | Skipped:
        if self._content is not None and self._content[0] == index:
            return self._content[1]
        inside = index
        for source in sources:
            if inside < (source.total or 0):
                content = source.frame(inside)
                if isinstance(content, Frame):
                    content = plain_frame(content)
                if isinstance(content, Frame) and content.seconds is None:
                    content = replace(content, index=index)
                self._content = (index, content)
                return content
            inside -= source.total or 0
        raise InputError("Image {number} no longer exists", number=index + 1)

    def _drop(self) -> None:
        for source in self._opened:
            with suppress(BaseException):  # error of a plugin; the thread must continue
                source.close()
        self._opened, self._of, self._content = [], (), None
