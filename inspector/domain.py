"""What the program talks about: frames, masks, detections, rules, verdicts, inspections and jobs.

Plain frozen data. Nothing here knows a toolkit, a plugin or a file format, and nothing of ours is imported.
Pixel coordinates have their origin at the outer corner of the top left pixel: x to the right, y down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

Status = Literal["OK", "WARN", "NG"]
Box = tuple[float, float, float, float]


class InspectorError(Exception):
    """Something a user must be told, in one sentence: what is wrong and what to do."""


class InputError(InspectorError):
    """What the user gave cannot be used (exit code 2)."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture from a source.

    Attributes:
        image: (H, W, 3) uint8, BGR.
        index: number within its source, from 0.
        name: what a person calls it, a file name for files. Unique only together with ``index``.
        seconds: position in the stream; None for a still picture.
        rate: nominal frames per second of the stream; None for a still picture or where unknown.
        path: the file it came from, where there is one.
        read_ms: milliseconds spent on reading and decoding.
        notes: remarks on the reading that a user should see, such as "page 1 of 3".
    """

    image: Image
    index: int
    name: str
    seconds: float | None = None
    rate: float | None = None
    path: str | None = None
    read_ms: float = 0.0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape, kind = getattr(self.image, "shape", None), str(getattr(self.image, "dtype", None))
        if shape is None or len(shape) != 3 or shape[2] != 3 or 0 in shape or kind != "uint8":
            raise ValueError(f"Frame.image must be (H, W, 3) uint8 BGR and not empty, not {shape} {kind}")

    @property
    def width(self) -> int:
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        return int(self.image.shape[0])


@dataclass(frozen=True)
class Skipped:
    """A picture that a source could not read; the run goes on and reports it."""

    name: str
    reason: str
    path: str | None = None


@dataclass(frozen=True, eq=False)
class Mask:
    """A defect's pixels, cropped to their bounding box. The bitmap is the truth: holes count as holes.

    Attributes:
        x, y: column and row of the crop's top left pixel in the full image.
        pixels: (h, w) bool.
    """

    x: int
    y: int
    pixels: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or str(self.pixels.dtype) != "bool":
            raise ValueError(f"Mask.pixels must be (h, w) bool, not {self.pixels.shape} {self.pixels.dtype}")

    @cached_property
    def area(self) -> int:
        """Number of pixels, px²."""
        return int(self.pixels.sum())

    @cached_property
    def length(self) -> float:
        """Long side of the smallest rotated rectangle around the pixels' outer corners, px; 0 for an empty mask."""
        import cv2
        import numpy as np

        rows, columns = np.nonzero(self.pixels)
        if rows.size == 0:
            return 0.0
        # Per row only the outermost pixels can touch the hull.
        first = np.full(self.pixels.shape[0], self.pixels.shape[1], np.int64)
        last = np.full(self.pixels.shape[0], -1, np.int64)
        np.minimum.at(first, rows, columns)
        np.maximum.at(last, rows, columns)
        used = np.flatnonzero(last >= 0)
        corners = [
            np.stack([side[used] + right, used + down], 1) for side, right in ((first, 0), (last, 1)) for down in (0, 1)
        ]
        _, size, _ = cv2.minAreaRect(np.concatenate(corners).astype(np.float32))
        return float(max(size))

    def rle(self, height: int, width: int) -> dict[str, Any]:
        """COCO's compressed run-length encoding on a full image of ``height`` x ``width``.

        Returns:
            ``{"size": [height, width], "counts": str}``, as pycocotools reads and writes it.
        """
        import numpy as np
        from pycocotools import mask as coco

        rows, columns = np.nonzero(self.pixels.T)[::-1]  # column-major order, COCO's
        places = (columns + self.x) * height + rows + self.y
        if places.size == 0:
            counts = [height * width]
        else:
            breaks = np.flatnonzero(np.diff(places) != 1)
            starts = places[np.concatenate([[0], breaks + 1])]
            ends = places[np.concatenate([breaks, [places.size - 1]])] + 1
            edges = np.stack([starts, ends], 1).ravel()
            counts = np.diff(np.concatenate([[0], edges, [height * width]])).tolist()
            if counts[-1] == 0:
                counts.pop()
        encoded = coco.frPyObjects({"counts": counts, "size": [height, width]}, height, width)
        return {"size": [height, width], "counts": encoded["counts"].decode("ascii")}

    @classmethod
    def from_rle(cls, rle: Mapping[str, Any]) -> Mask:
        """The cropped mask of a COCO run-length encoding (inverse of :meth:`rle`)."""
        import numpy as np
        from pycocotools import mask as coco

        counts = rle["counts"]
        packed = {
            "size": list(rle["size"]),
            "counts": counts.encode("ascii") if isinstance(counts, str) else counts,
        }
        x, y, w, h = (int(v) for v in coco.toBbox(packed))
        return cls(x, y, np.ascontiguousarray(coco.decode(packed)[y : y + h, x : x + w]).astype(bool))

    def polygons(self) -> list[NDArray[np.float32]]:
        """Outer contours in full-image pixels, each (n, 2) float32 with n >= 3, largest first. Holes are not kept.

        Vertices lie on the outer pixel corners, so the polygon of a filled rectangle has exactly its area.
        """
        import cv2
        import numpy as np

        # Doubling puts the pixels' corners on the integer grid that findContours walks.
        big = cv2.resize(self.pixels.astype(np.uint8), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
        contours, _ = cv2.findContours(big, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        found = []
        for contour in sorted(contours, key=cv2.contourArea, reverse=True):
            points = contour[:, 0].astype(np.float32)
            # Odd indices are a pixel's right or lower half: the corner lies half a step beyond.
            points = np.floor((points + 1) / 2) + np.array([self.x, self.y], np.float32)
            if len(points) >= 3:
                found.append(points)
        return found


@dataclass(frozen=True, eq=False)
class Detection:
    """One defect.

    Attributes:
        label: class name.
        score: confidence, 0 to 1.
        box: (x1, y1, x2, y2) in full-image pixels.
        mask: its pixels; None from a model that gives boxes only.
        class_id: index of the label in the model's names.
    """

    label: str
    score: float
    box: Box
    mask: Mask | None = None
    class_id: int = 0

    @property
    def area(self) -> int | None:
        """Pixels of the mask, px²; None without a mask."""
        return None if self.mask is None else self.mask.area

    @property
    def length(self) -> float | None:
        """Long side of the smallest rotated rectangle, px; None without a mask."""
        return None if self.mask is None else self.mask.length


@dataclass(frozen=True)
class Reason:
    """Why a verdict is not OK: a code that the shell translates, with the measured value and the limit it broke."""

    code: str
    label: str
    value: float
    limit: float
    unit: str | None = None


@dataclass(frozen=True)
class Verdict:
    status: Status
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class Limit:
    """The largest value still accepted: above ``warn`` is WARN, above ``ng`` is NG. None means no limit."""

    warn: float | None = None
    ng: float | None = None


MEASURES: Mapping[str, tuple[str, str | None]] = {
    "count": ("count_above", None),
    "area_px": ("area_above", "px2"),
    "length_px": ("length_above", "px"),
    "score": ("score_above", None),
}
ANY_CLASS = "*"


@dataclass(frozen=True)
class Rules:
    """Limits per class name and measure. ``*`` stands for every class that is not named.

    A class that is neither named nor covered by ``*`` may not occur at all: what nobody thought of is NG.
    As JSON: ``{"classes": {"Defect": {"area_px": {"warn": 200, "ng": 400}, "count": {"ng": 3}}, "*": {…}}}``.
    """

    classes: Mapping[str, Mapping[str, Limit]] = field(default_factory=dict)

    def limits(self, label: str) -> Mapping[str, Limit]:
        return self.classes.get(label, self.classes.get(ANY_CLASS, {"count": Limit(ng=0)}))

    def to_json(self) -> dict[str, Any]:
        return {
            "classes": {
                label: {name: {k: v for k, v in asdict(limit).items() if v is not None} for name, limit in row.items()}
                for label, row in self.classes.items()
            }
        }

    @classmethod
    def from_json(cls, data: object) -> Rules:
        """Read and check.

        Raises:
            InputError: naming the place that is wrong.
        """
        if not isinstance(data, Mapping) or set(data) != {"classes"} or not isinstance(data["classes"], Mapping):
            raise InputError('Rules must be {"classes": {CLASS: {MEASURE: {"warn": number, "ng": number}}}}')
        classes: dict[str, dict[str, Limit]] = {}
        for label, row in data["classes"].items():
            if not isinstance(row, Mapping):
                raise InputError(f"Rules for class {label!r} must map measures to limits, not {row!r}")
            for name, pair in row.items():
                where = f"Rules: class {label!r}, measure {name!r}"
                if name not in MEASURES:
                    raise InputError(f"{where}: unknown measure; use {', '.join(MEASURES)}")
                if not isinstance(pair, Mapping) or not pair or not set(pair) <= {"warn", "ng"}:
                    raise InputError(f'{where}: give {{"warn": number, "ng": number}}, not {pair!r}')
                for key, value in pair.items():
                    number = isinstance(value, int | float) and not isinstance(value, bool)
                    if not number or not 0 <= value < float("inf"):
                        raise InputError(f"{where}: {key} must be a number from 0, not {value!r}")
                if {"warn", "ng"} <= set(pair) and pair["warn"] > pair["ng"]:
                    raise InputError(f"{where}: warn {pair['warn']} lies above ng {pair['ng']}; swap them")
                classes.setdefault(str(label), {})[name] = Limit(pair.get("warn"), pair.get("ng"))
            classes.setdefault(str(label), {})
        return cls(classes)


def judge(detections: Iterable[Detection], rules: Rules | None = None) -> Verdict:
    """OK, WARN or NG with the reasons, the worst first. Pure: the same input gives the same verdict.

    Without rules no defect is OK and any defect is NG. Per class and measure one reason is given, for the largest
    value; equal to the limit is still accepted. A defect without a mask is not measured by area and length.
    """
    rules = rules or Rules()
    by_label: dict[str, list[Detection]] = {}
    for detection in detections:
        by_label.setdefault(detection.label, []).append(detection)
    warned: list[Reason] = []
    refused: list[Reason] = []
    for label, found in by_label.items():
        for name, limit in rules.limits(label).items():
            code, unit = MEASURES[name]
            value = float(_measure(name, found))
            if limit.ng is not None and value > limit.ng:
                refused.append(Reason(code, label, value, float(limit.ng), unit))
            elif limit.warn is not None and value > limit.warn:
                warned.append(Reason(code, label, value, float(limit.warn), unit))
    return Verdict("NG" if refused else "WARN" if warned else "OK", tuple(refused + warned))


def _measure(name: str, found: Sequence[Detection]) -> float:
    if name == "count":
        return len(found)
    if name == "score":
        return max(d.score for d in found)
    values = [d.area if name == "area_px" else d.length for d in found]
    return max((v for v in values if v is not None), default=0)


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
            "reasons": [asdict(reason) for reason in self.verdict.reasons],
            "detections": [_detection_record(d, frame.height, frame.width) for d in self.detections],
            "model": {
                "file": self.model.file,
                "sha256": self.model.sha256,
                "architecture": self.model.architecture,
            },
            "ms": {name: round(value, 3) for name, value in asdict(self.timings).items()},
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


@dataclass(frozen=True)
class Choice:
    """A plugin's spec by id, with the options it is opened with."""

    id: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """All that a run needs to know, as a snapshot: the same from the window, the command line and a recipe.

    Attributes:
        sources: inspected one after the other.
        model: id of the model spec with its options (``imgsz``, ``runtime`` …).
        weights: file with the weights; None for a model that needs none.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        confidence: smallest score that counts, 0 to 1.
        iou: largest overlap of two detections of one class, 0 to 1.
        exporters: what is written.
        rules: limits for the verdict; None: any defect is NG.
        language: ``en`` or ``zh``, for what exporters write for people.
    """

    sources: tuple[Choice, ...]
    model: Choice
    weights: str | None = None
    device: str = "auto"
    confidence: float = 0.25
    iou: float = 0.45
    exporters: tuple[Choice, ...] = ()
    rules: Rules | None = None
    language: str = "en"

    def to_json(self) -> dict[str, Any]:
        return {
            "sources": [{"id": c.id, "options": dict(c.options)} for c in self.sources],
            "model": {"id": self.model.id, "options": dict(self.model.options)},
            "weights": self.weights,
            "device": self.device,
            "confidence": self.confidence,
            "iou": self.iou,
            "exporters": [{"id": c.id, "options": dict(c.options)} for c in self.exporters],
            "rules": None if self.rules is None else self.rules.to_json(),
            "language": self.language,
        }

    @classmethod
    def from_json(cls, data: object) -> Job:
        """Read and check the form; ids and options are checked where they are used.

        Raises:
            InputError: naming the key that is missing or wrong.
        """
        if not isinstance(data, Mapping):
            raise InputError("A job must be a JSON object")
        known = set(cls.__dataclass_fields__)
        if unknown := sorted(set(data) - known):
            raise InputError(f"Unknown key in the job: {unknown[0]!r}; known are {', '.join(sorted(known))}")

        def choice(value: object, where: str) -> Choice:
            if not isinstance(value, Mapping) or not isinstance(value.get("id"), str):
                raise InputError(f'Job: {where} must be {{"id": …, "options": {{…}}}}, not {value!r}')
            options = value.get("options", {})
            if not isinstance(options, Mapping):
                raise InputError(f"Job: the options of {where} must be an object, not {options!r}")
            return Choice(value["id"], dict(options))

        def choices(key: str) -> tuple[Choice, ...]:
            rows = data.get(key, [])
            if not isinstance(rows, list):
                raise InputError(f"Job: {key} must be a list, not {rows!r}")
            return tuple(choice(row, key) for row in rows)

        weights, device = data.get("weights"), data.get("device", "auto")
        if not (weights is None or isinstance(weights, str)) or not isinstance(device, str):
            raise InputError("Job: weights and device must be texts")
        rules = data.get("rules")
        return cls(
            sources=choices("sources"),
            model=choice(data.get("model"), "model"),
            weights=weights,
            device=device,
            confidence=check_fraction(data.get("confidence", 0.25), "confidence"),
            iou=check_fraction(data.get("iou", 0.45), "iou"),
            exporters=choices("exporters"),
            rules=None if rules is None else Rules.from_json(rules),
            language="zh" if data.get("language") == "zh" else "en",
        )


def check_fraction(value: object, name: str) -> float:
    """``value`` as a float from 0 to 1.

    Raises:
        InputError: naming ``name`` and what came instead.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(f"{name} must be a number from 0 to 1, not {value!r}")
    return float(value)
