"""An inspection: an image with its detections, verdict, model and times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inspector.domain.calibration import Calibration, to_millimetres
from inspector.domain.frame import Detection, Frame, Skipped
from inspector.domain.measures import Measures
from inspector.domain.outputs import BOX_DIGITS, SCORE_DIGITS
from inspector.domain.parts import PartView
from inspector.domain.recipe import RecipeInfo
from inspector.domain.verdicts import Verdict


@dataclass(frozen=True)
class ModelInfo:
    """Information about an opened model.

    Attributes:
        file: file name of the weights, "" if there is none.
        sha256: of that file, hexadecimal, "" if there is none.
        architecture: for example ``yolo11n-seg``.
        names: class names in class order.
        plugin: id of the model plugin's spec.
        runtime: inference runtime, for example ``torch``.
        device: for example ``cpu`` or ``cuda:0``.
        imgsz: side length to which images are scaled, pixels; 0 if they are not scaled.
        note: a sentence that is shown to the user when the model is opened, "" for none.
    """

    file: str
    sha256: str
    architecture: str
    names: tuple[str, ...]
    plugin: str = ""
    runtime: str = ""
    device: str = "cpu"
    imgsz: int = 0
    note: str = ""


@dataclass(frozen=True)
class Timings:
    """Milliseconds for reading, inference (with pre- and post-processing), and in total from read to verdict."""

    read: float = 0.0
    infer: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, eq=False)
class Inspection:
    """An image with its detections, verdict, model and times.

    Attributes:
        number: position in the run, from 1, counting images that could not be read.
        time: local time of the verdict, ISO 8601 with offset.
        rules_sha256: fingerprint of the rules of the verdict, "" if unknown.
        recipe: of the run; None if it has none.
        part: its place among the parts; None: the image is a part of its own.
        lot, operator, station: of the run; "" if unknown.
        calibration: of the run; None if it has none.
    """

    frame: Frame
    detections: tuple[Detection, ...]
    verdict: Verdict
    model: ModelInfo
    timings: Timings = Timings()
    number: int = 1
    confidence: float = 0.25
    iou: float = 0.45
    time: str = ""
    rules_sha256: str = ""
    recipe: RecipeInfo | None = None
    part: PartView | None = None
    lot: str = ""
    operator: str = ""
    station: str = ""
    calibration: Calibration | None = None

    @property
    def part_view(self) -> PartView:
        """Its place among the parts; an image that is a part of its own has the id of its number."""
        return self.part or PartView(str(self.number), self.view_name, 1, lot=self.lot)

    @property
    def view_name(self) -> str:
        """Name of its view if no pattern names it: of the image, with the frame number in a stream."""
        return view_name(self.frame)

    def record(self) -> dict[str, Any]:
        """Return the inspection as in results.jsonl. The keys are stable."""
        frame, part = self.frame, self.part_view
        return {
            "name": frame.name,
            "index": frame.index,
            "seconds": None if frame.seconds is None else round(frame.seconds, 6),
            "width": frame.width,
            "height": frame.height,
            "verdict": self.verdict.status,
            "reasons": [reason.record() for reason in self.verdict.reasons],
            "detections": [_detection_record(d, frame, self.calibration) for d in self.detections],
            "model": {
                "file": self.model.file,
                "sha256": self.model.sha256,
                "architecture": self.model.architecture,
            },
            "ms": {name: round(value, 3) for name, value in vars(self.timings).items()},
            "rules_sha256": self.rules_sha256 or None,
            "recipe": None if self.recipe is None else dict(vars(self.recipe)),
            "part": part.record(),
            "serial": part.serial or None,
            "lot": part.lot or None,
            "operator": self.operator or None,
            "station": self.station or None,
            "path": frame.path,
            "notes": list(frame.notes),
        }


def view_name(content: Frame | Skipped) -> str:
    """Name of an image as a view of its part: its own, with the frame number in a stream."""
    if isinstance(content, Frame) and content.seconds is not None:
        return f"{content.name} #{content.index}"
    return content.name


def _detection_record(detection: Detection, frame: Frame, calibration: Calibration | None) -> dict[str, Any]:
    measures = detection.measures or Measures(
        area_px=detection.area, rect_length_px=None if detection.mask is None else detection.mask.rect_length
    )
    return {
        "label": detection.label,
        "score": round(detection.score, SCORE_DIGITS),
        "box": [round(float(v), BOX_DIGITS) for v in detection.box],
        **measures.to_json(),
        "area_px": detection.area,
        **to_millimetres(measures, calibration),
        "region": detection.region,
        "rle": None if detection.mask is None else detection.mask.rle(frame.height, frame.width),
    }
