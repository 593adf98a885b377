"""One inspection: a picture with all that was found out about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inspector.domain.picture import Detection, Frame
from inspector.domain.verdict import Verdict


@dataclass(frozen=True)
class ModelInfo:
    """What an opened model says of itself.

    Attributes:
        file: file name of the weights, "" where there is none.
        sha256: of that file, hexadecimal, "" where there is none.
        architecture: such as ``yolo11n-seg``.
        names: class names in class order.
        plugin: id of the model plugin's spec.
        runtime: what computes, such as ``torch``.
        device: such as ``cpu`` or ``cuda:0``.
        imgsz: side length in pixels to which pictures are scaled; 0 where that means nothing.
    """

    file: str
    sha256: str
    architecture: str
    names: tuple[str, ...]
    plugin: str = ""
    runtime: str = ""
    device: str = "cpu"
    imgsz: int = 0


@dataclass(frozen=True)
class Timings:
    """Milliseconds of one inspection: reading, inference (with pre- and post-processing), and from read to verdict."""

    read: float = 0.0
    infer: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, eq=False)
class Inspection:
    """One picture with all that was found out about it. ``number`` counts from 1 within the run."""

    frame: Frame
    detections: tuple[Detection, ...]
    verdict: Verdict
    model: ModelInfo
    timings: Timings = Timings()
    number: int = 1
    confidence: float = 0.25
    iou: float = 0.45
    time: str = ""  # local time of the verdict, ISO 8601 with offset

    def record(self) -> dict[str, Any]:
        """The inspection as results.jsonl keeps it. The keys are a contract."""
        frame = self.frame
        return {
            "name": frame.name,
            "index": frame.index,
            "seconds": None if frame.seconds is None else round(frame.seconds, 6),
            "width": frame.width,
            "height": frame.height,
            "verdict": self.verdict.status,
            "reasons": [dict(vars(reason)) for reason in self.verdict.reasons],
            "detections": [_detection_record(d, frame.height, frame.width) for d in self.detections],
            "model": {
                "file": self.model.file,
                "sha256": self.model.sha256,
                "architecture": self.model.architecture,
            },
            "ms": {name: round(value, 3) for name, value in vars(self.timings).items()},
        }


def _detection_record(detection: Detection, height: int, width: int) -> dict[str, Any]:
    length = detection.length
    return {
        "label": detection.label,
        "score": round(detection.score, 6),
        "box": [round(float(v), 3) for v in detection.box],
        "area_px": detection.area,
        "length_px": None if length is None else round(length, 3),
        "area_mm2": None,
        "length_mm": None,
        "rle": None if detection.mask is None else detection.mask.rle(height, width),
    }
