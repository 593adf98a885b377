"""What a run is asked to do, as a snapshot that survives JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inspector.domain.errors import InputError
from inspector.domain.verdict import Rules


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
