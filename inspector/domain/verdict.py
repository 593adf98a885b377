"""Rules and verdicts: what a quality engineer allows, and whether a picture keeps to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from inspector.domain.errors import InputError
from inspector.domain.picture import Detection

Status = Literal["OK", "WARN", "NG"]


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

    def check_names(self, names: Iterable[str]) -> None:
        """Refuse rules for classes that a model does not know: a misspelt name would let every defect pass.

        Raises:
            InputError: naming the class and those that the model knows.
        """
        known = set(names)
        if unknown := [label for label in self.classes if label != ANY_CLASS and label not in known]:
            has = ", ".join(sorted(known))
            raise InputError(f"The rules name a class {unknown[0]!r} that this model does not know; it knows {has}")

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
                    most = 1 if name == "score" else float("inf")
                    if not number or not 0 <= value <= most or value == float("inf"):
                        bounds = "from 0 to 1" if name == "score" else "from 0"
                        raise InputError(f"{where}: {key} must be a number {bounds}, not {value!r}")
                if {"warn", "ng"} <= set(pair) and pair["warn"] > pair["ng"]:
                    raise InputError(f"{where}: warn {pair['warn']} lies above ng {pair['ng']}; swap them")
                classes.setdefault(str(label), {})[name] = Limit(pair.get("warn"), pair.get("ng"))
            classes.setdefault(str(label), {})
        return cls(classes)


def judge(detections: Iterable[Detection], rules: Rules | None = None) -> Verdict:
    """OK, WARN or NG with the reasons for just that. Pure: the same input gives the same verdict.

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
    if refused:
        return Verdict("NG", tuple(refused))
    return Verdict("WARN" if warned else "OK", tuple(warned))


def _measure(name: str, found: Sequence[Detection]) -> float:
    if name == "count":
        return len(found)
    if name == "score":
        return max(d.score for d in found)
    values = [d.area if name == "area_px" else d.length for d in found]
    return max((v for v in values if v is not None), default=0)
