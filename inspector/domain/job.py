"""The job of a run: sources, model, thresholds, rules and exporters; convertible to JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inspector.domain.calibration import Calibration
from inspector.domain.errors import InputError
from inspector.domain.grouping import Grouping
from inspector.domain.recipe import RecipeInfo
from inspector.domain.rules import Rules
from inspector.domain.texts import quote

_FACTS = ("lot", "operator", "station")
_FREE = {"sources", "exporters", "language", "device", "recipe", "image_size", *_FACTS}  # change no verdict


@dataclass(frozen=True)
class Choice:
    """Id of a plugin's spec, with the options to open it with."""

    id: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """The complete specification of a run, from the window, the command line or a recipe.

    Attributes:
        sources: inspected one after the other.
        model: id of the model spec with its options (``imgsz``, ``runtime`` …).
        weights: weights file; None for a model that needs none.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        confidence: confidence threshold, 0 to 1.
        iou: NMS IoU, 0 to 1.
        exporters: of the files to write.
        rules: limits for the verdict; None: any defect is NG.
        language: of exported files, ``en`` or ``zh``.
        recipe: the recipe that defines model, thresholds and rules; None if there is none.
        parts: how images group into parts; None: each image is a part.
        calibration: size of a pixel in mm; None: measures are in pixels only.
        image_size: width and height of the images that the recipe was made with, pixels; None if unknown.
        lot, operator, station: recorded with each result; "" if unknown.
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
    recipe: RecipeInfo | None = None
    parts: Grouping | None = None
    calibration: Calibration | None = None
    image_size: tuple[int, int] | None = None
    lot: str = ""
    operator: str = ""
    station: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the job for JSON (inverse of :meth:`from_json`)."""
        followed: dict[str, Any] = {} if self.recipe is None else {"recipe": dict(vars(self.recipe))}
        if self.parts is not None:
            followed["parts"] = self.parts.to_json()
        if self.calibration is not None:
            followed["calibration"] = self.calibration.to_json()
        if self.image_size is not None:
            followed["image_size"] = list(self.image_size)
        followed |= {name: value for name in _FACTS if (value := getattr(self, name))}
        return followed | {
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

    def same_inspection(self, other: Job) -> bool:
        """Whether model, thresholds, rules and calibration are equal, regardless of the sources."""
        return _method(self) == _method(other)

    def changes(self, other: Job) -> list[str]:
        """Names of the fields that decide about verdicts and differ between two jobs.

        Sources, exporters, language, device and what is only recorded do not decide.
        """
        names = (name for name in self.__dataclass_fields__ if name not in _FREE)
        return [name for name in names if getattr(self, name) != getattr(other, name)]

    @classmethod
    def from_json(cls, data: object) -> Job:
        """Read a job and check its form; ids and options are checked when they are used.

        Raises:
            InputError: a key is missing or wrong.
        """
        if not isinstance(data, Mapping):
            raise InputError("A job must be a JSON object")
        known = set(cls.__dataclass_fields__)
        if unknown := sorted(set(data) - known):
            raise InputError(
                "Unknown key in the job: {unknown}; known are {known}",
                unknown=quote(unknown[0]),
                known=", ".join(sorted(known)),
            )

        def choice(value: object, where: str) -> Choice:
            if not isinstance(value, Mapping) or not isinstance(value.get("id"), str):
                raise InputError(
                    'Job: {where} must be {{"id": …, "options": {{…}}}}, not {value}', where=where, value=quote(value)
                )
            options = value.get("options", {})
            if not isinstance(options, Mapping):
                raise InputError(
                    "Job: the options of {where} must be an object, not {options}", where=where, options=quote(options)
                )
            return Choice(value["id"], dict(options))

        def choices(key: str) -> tuple[Choice, ...]:
            rows = data.get(key, [])
            if not isinstance(rows, list):
                raise InputError("Job: {key} must be a list, not {rows}", key=key, rows=quote(rows))
            return tuple(choice(row, key) for row in rows)

        weights, device = data.get("weights"), data.get("device", "auto")
        if not (weights is None or isinstance(weights, str)) or not isinstance(device, str):
            raise InputError("Job: weights and device must be texts")
        rules, recipe, parts = data.get("rules"), data.get("recipe"), data.get("parts")
        calibration = data.get("calibration")
        facts = {name: data.get(name) or "" for name in _FACTS}
        if not all(isinstance(value, str) for value in facts.values()):
            raise InputError("Job: {names} must be texts", names=", ".join(_FACTS))
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
            recipe=None if recipe is None else RecipeInfo.from_json(recipe),
            parts=None if parts is None else Grouping.from_json(parts),
            calibration=None if calibration is None else Calibration.from_json(calibration),
            image_size=_size(data.get("image_size")),
            **facts,
        )


def _size(value: object) -> tuple[int, int] | None:
    if value is None:
        return None
    whole = isinstance(value, list) and len(value) == 2 and all(type(side) is int and side > 0 for side in value)
    if not isinstance(value, list) or not whole:
        raise InputError("Job: image_size must be [width, height] in pixels, not {value}", value=quote(value))
    return value[0], value[1]


def _method(job: Job) -> tuple[object, ...]:
    rules = None if job.rules is None else job.rules.to_json()
    return job.model.id, dict(job.model.options), job.weights, job.confidence, job.iou, rules, job.calibration


def check_fraction(value: object, name: str) -> float:
    """Return ``value`` as a float from 0 to 1.

    Raises:
        InputError: it is not; the message names ``name`` and the value.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError("{name} must be a number from 0 to 1, not {value}", name=name, value=quote(value))
    return float(value)
