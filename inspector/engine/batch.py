"""The items that pipeline stages pass on: images and batches of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from inspector.api import ConcurrentPredictor, Model
from inspector.domain import (
    Calibration,
    Detection,
    Frame,
    Inspection,
    InspectorError,
    ModelInfo,
    Rules,
    Skipped,
    Timings,
    judge,
    plain_outputs,
    warn_if_too_small,
)
from inspector.measure import measure


@dataclass(frozen=True, eq=False)
class EarlierResult:
    """An inspection that a resumed run takes over from its earlier part.

    Attributes:
        id: in the history.
        inspection: with its image, or with a black one if ``image_missing``. None: the image has changed since and is
            inspected again.
        image_missing: its file does not exist any more.
    """

    id: int
    inspection: Inspection | None
    image_missing: bool = False


@dataclass(frozen=True, eq=False)
class QueuedFrame:
    """An image in the pipeline, or one that could not be read.

    Attributes:
        content: with plain values, and numbered through the run.
        earlier: its earlier result in a resumed run.
        interruptions: number of interruptions of the run before it was read.
        stretch: number of the trigger before it; 0 without triggers.
        on_saved: called on the writer's thread once its result is safe on disk.
    """

    content: Frame | Skipped
    earlier: EarlierResult | None = None
    interruptions: int = 0
    on_saved: Callable[[], object] | None = None
    stretch: int = 0

    @property
    def earlier_inspection(self) -> Inspection | None:
        """The earlier result, if it still holds."""
        return None if self.earlier is None else self.earlier.inspection

    @property
    def bytes(self) -> int:
        """Size of the image in memory."""
        return int(self.content.image.nbytes) if isinstance(self.content, Frame) else 1


@dataclass(frozen=True, eq=False)
class Batch:
    """Images that are inferred together, their thresholds, and a future with one result per image, in order."""

    items: Sequence[QueuedFrame]
    confidence: float
    iou: float
    results: Future[list[Inspection | Skipped]] = field(default_factory=Future)

    @property
    def bytes(self) -> int:
        return sum(item.bytes for item in self.items)

    def infer(
        self,
        model: Model | ConcurrentPredictor,
        info: ModelInfo,
        rules: Rules | None,
        calibration: Calibration | None = None,
    ) -> Iterator[Inspection | Skipped]:
        """Run the model on the images and judge the detections; yields one result per item.

        Raises:
            InspectorError: the model returned results that cannot be used.
        """
        images = [
            item.content.image
            for item in self.items
            if isinstance(item.content, Frame) and item.earlier_inspection is None
        ]
        began = time.perf_counter()
        predictions = model.predict(images, self.confidence, self.iou) if images else ()
        inferred = (time.perf_counter() - began) * 1000 / max(1, len(images))
        outputs = iter(plain_outputs(predictions, (image.shape[:2] for image in images), info.plugin))
        for item in self.items:
            content = item.content
            if isinstance(content, Skipped):
                yield content
                continue
            if item.earlier_inspection is not None:
                yield replace(item.earlier_inspection, model=info)
                continue
            began = time.perf_counter()
            detections = measure_detections(next(outputs), info)
            verdict = warn_if_too_small(judge(detections, rules, calibration), content, info.imgsz)
            judged = (time.perf_counter() - began) * 1000
            timings = Timings(content.read_ms, inferred, content.read_ms + inferred + judged)
            yield Inspection(content, detections, verdict, info, timings, confidence=self.confidence, iou=self.iou)


def measure_detections(detections: Iterable[Detection], info: ModelInfo) -> tuple[Detection, ...]:
    """Return the detections of an image with their measures; refuse NaN and infinity, which no verdict may rely on.

    Raises:
        InspectorError: a score or a box is not finite, or a box has a negative size.
    """
    checked = tuple(detections)
    if not all(detection.sound for detection in checked):
        raise InspectorError(
            "{file} computed a score or box that is not a number, so nothing is judged by it: use another "
            "model, or another precision",
            file=info.file or info.architecture,
        )
    return measure(checked)
