"""Rules and verdicts: the limits for defects, and whether an image meets them."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from inspector.domain.errors import InputError
from inspector.domain.frame import Detection, Frame
from inspector.domain.messages import message
from inspector.domain.texts import quote

Status = Literal["OK", "WARN", "NG"]


@dataclass(frozen=True)
class Reason:
    """The reason for a verdict other than OK: a code (translated for display), the measured value and the limit."""

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
    """The largest accepted values: above ``warn`` is WARN, above ``ng`` is NG. None: no limit."""

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
    """Limits by class name and measure. ``*`` is every class that is not named.

    A class that is neither named nor covered by ``*`` may not occur: unexpected defects are NG.
    As JSON: ``{"classes": {"Defect": {"area_px": {"warn": 200, "ng": 400}, "count": {"ng": 3}}, "*": {…}}}``, with
    ``"name"`` if the rule set has one.
    """

    classes: Mapping[str, Mapping[str, Limit]] = field(default_factory=dict)
    name: str = ""

    def limits(self, label: str) -> Mapping[str, Limit]:
        """Return the limits of a class by measure."""
        return self.classes.get(label, self.classes.get(ANY_CLASS, {"count": Limit(ng=0)}))

    def check_names(self, names: Iterable[str]) -> None:
        """Refuse rules for unknown classes, since a misspelt name would let every defect pass.

        Args:
            names: classes of the model.

        Raises:
            InputError: the model has no such class.
        """
        known = set(names)
        if unknown := [label for label in self.classes if label != ANY_CLASS and label not in known]:
            has = ", ".join(sorted(known))
            raise InputError(
                "The rules name a class {label!r} that this model does not have; it has {classes}",
                label=unknown[0],
                classes=has,
            )

    def to_json(self) -> dict[str, Any]:
        """Return the rules for JSON (inverse of :meth:`from_json`)."""
        named = {"name": self.name} if self.name else {}
        return named | {
            "classes": {
                label: {name: {k: v for k, v in asdict(limit).items() if v is not None} for name, limit in row.items()}
                for label, row in self.classes.items()
            }
        }

    @classmethod
    def from_json(cls, data: object) -> Rules:
        """Read and check.

        Raises:
            InputError: a key or a value is wrong.
        """
        known = isinstance(data, Mapping) and {"classes"} <= set(data) <= {"classes", "name"}
        if not isinstance(data, Mapping) or not known or not isinstance(data["classes"], Mapping):
            raise InputError('Rules must be {"classes": {CLASS: {MEASURE: {"warn": number, "ng": number}}}}')
        name = data.get("name", "")
        if not isinstance(name, str):
            raise InputError("Rules: the name must be a text, not {name!r}", name=name)
        classes: dict[str, dict[str, Limit]] = {}
        for label, row in data["classes"].items():
            if not isinstance(row, Mapping):
                raise InputError(
                    "Rules for class {label} must map measures to limits, not {row}", label=quote(label), row=quote(row)
                )
            for measure, pair in row.items():
                where = message("Rules: class {label}, measure {measure}", label=quote(label), measure=quote(measure))
                if measure not in MEASURES:
                    raise InputError(
                        "{where}: unknown measure; use {measures}", where=where, measures=", ".join(MEASURES)
                    )
                if not isinstance(pair, Mapping) or not pair or not set(pair) <= {"warn", "ng"}:
                    raise InputError(
                        '{where}: give {{"warn": number, "ng": number}}, not {pair}', where=where, pair=quote(pair)
                    )
                for key, value in pair.items():
                    number = isinstance(value, int | float) and not isinstance(value, bool)
                    most = 1 if measure == "score" else sys.float_info.max
                    if not number or not 0 <= value <= most:
                        bounds = message("from 0 to 1") if measure == "score" else message("of at least 0")
                        raise InputError(
                            "{where}: {key} must be a number {bounds}, not {value}",
                            where=where,
                            key=key,
                            bounds=bounds,
                            value=quote(value),
                        )
                if {"warn", "ng"} <= set(pair) and pair["warn"] > pair["ng"]:
                    raise InputError(
                        "{where}: warn {warn} is above ng {ng}; swap them",
                        where=where,
                        warn=quote(pair["warn"]),
                        ng=quote(pair["ng"]),
                    )
                classes.setdefault(str(label), {})[measure] = Limit(pair.get("warn"), pair.get("ng"))
            classes.setdefault(str(label), {})
        return cls(classes, " ".join(name.split()))


def rules_sha256(rules: Rules | None) -> str:
    """Return the fingerprint of the limits: SHA-256, hexadecimal, of their canonical JSON.

    Equal limits have the same fingerprint, regardless of the name of the rule set and of the order and form (200 or
    200.0) of the limits. None, "any defect is NG", has the fingerprint of a rule set without limits.
    """
    classes = {
        label: {
            name: {key: float(value) for key, value in (("warn", limit.warn), ("ng", limit.ng)) if value is not None}
            for name, limit in row.items()
        }
        for label, row in (rules.classes if rules is not None else {}).items()
    }
    text = json.dumps({"classes": classes}, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def judge(detections: Iterable[Detection], rules: Rules | None = None) -> Verdict:
    """Return OK, WARN or NG with the reasons for that verdict.

    Without rules, any defect is NG. There is one reason per class and measure, for the largest value; a value equal to
    the limit is accepted. A defect without a mask has no area and length.
    """
    rules = rules or Rules()
    by_label: dict[str, list[Detection]] = {}
    for detection in detections:
        by_label.setdefault(detection.label, []).append(detection)
    warned: list[Reason] = []
    refused: list[Reason] = []
    for label, of_class in by_label.items():
        for name, limit in rules.limits(label).items():
            code, unit = MEASURES[name]
            value = float(_measure(name, of_class))
            if limit.ng is not None and value > limit.ng:
                refused.append(Reason(code, label, value, float(limit.ng), unit))
            elif limit.warn is not None and value > limit.warn:
                warned.append(Reason(code, label, value, float(limit.warn), unit))
    if refused:
        return Verdict("NG", tuple(refused))
    return Verdict("WARN" if warned else "OK", tuple(warned))


SMALLEST_SIDE = 32
"""Smallest shorter side of a scaled image, pixels. It is one cell of the models' coarsest feature map: below it, a
single cell covers the whole width or height of the image."""


def warn_if_too_small(verdict: Verdict, frame: Frame, imgsz: int) -> Verdict:
    """Return ``verdict``, but WARN instead of OK if the scaled image was too small to detect anything.

    Args:
        imgsz: longer side to which the model scales images, pixels; 0 if it does not scale.
    """
    longer, shorter = max(frame.width, frame.height), min(frame.width, frame.height)
    if not 0 < imgsz < longer or verdict.status == "NG":
        return verdict
    scaled = shorter * imgsz / longer
    if scaled >= min(SMALLEST_SIDE, shorter):
        return verdict
    reason = Reason("scaled_below", "", round(scaled, 2), float(SMALLEST_SIDE), "px")
    return Verdict("WARN", (*verdict.reasons, reason))


def _measure(name: str, detections: Sequence[Detection]) -> float:
    if name == "count":
        return len(detections)
    if name == "score":
        return max(d.score for d in detections)
    values = [d.area if name == "area_px" else d.length for d in detections]
    return max((v for v in values if v is not None), default=0)
