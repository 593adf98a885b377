"""What goes from stage to stage."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from inspector.api import ManyAtOnce, Model, Source
from inspector.domain import Frame, Inspection, ModelInfo, Rules, Skipped, Timings, judge


@dataclass(frozen=True, eq=False)
class Item:
    """A picture on its way, with the source it came from."""

    source: Source
    content: Frame | Skipped

    @property
    def bytes(self) -> int:
        return int(self.content.image.nbytes) if isinstance(self.content, Frame) else 1


@dataclass(frozen=True, eq=False)
class Batch:
    """Pictures that are looked at together, with what thresholds, and what comes of it: as many results, in order."""

    items: Sequence[Item]
    confidence: float
    iou: float
    results: Future[list[Inspection | Skipped]] = field(default_factory=Future)

    @property
    def bytes(self) -> int:
        return sum(item.bytes for item in self.items)

    def inspected(
        self, model: Model | ManyAtOnce, info: ModelInfo, rules: Rules | None
    ) -> Iterator[Inspection | Skipped]:
        """What becomes of each picture."""
        images = [item.content.image for item in self.items if isinstance(item.content, Frame)]
        began = time.perf_counter()
        found = iter(model.predict(images, self.confidence, self.iou) if images else ())
        inferred = (time.perf_counter() - began) * 1000 / max(1, len(images))
        for item in self.items:
            content = item.content
            if isinstance(content, Skipped):
                yield content
                continue
            began = time.perf_counter()
            detections = tuple(next(found))
            verdict = judge(detections, rules)
            judged = (time.perf_counter() - began) * 1000
            timings = Timings(content.read_ms, inferred, content.read_ms + inferred + judged)
            yield Inspection(content, detections, verdict, info, timings, confidence=self.confidence, iou=self.iou)
