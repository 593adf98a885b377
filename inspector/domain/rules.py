"""Rules: what a quality engineer allows, by class, by region and for all classes together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

from inspector.domain.calibration import Calibration
from inspector.domain.errors import InputError
from inspector.domain.limits import FIRST_MEASURES, MEASURES, VERSION, Limit, RegionRules, Row, Unnamed
from inspector.domain.rule_templates import TEMPLATES
from inspector.domain.rules_file import read

ANY_CLASS = "*"
_T = TypeVar("_T")
_NO_DEFECT: Mapping[Unnamed, Row] = MappingProxyType(
    {"ng": {"count": Limit(ng=0)}, "warn": {"count": Limit(warn=0)}, "ok": {}}
)


@dataclass(frozen=True)
class Rules:
    """Limits by class and measure, by region, and for all classes together. docs/rules.md has the file format.

    Attributes:
        classes: limits by class; ``*`` is every class that is not named.
        name: of the rule set; has no effect.
        regions: further limits by name of a region.
        overall: limits for all classes together.
        unnamed: verdict on a defect of a class that is neither named nor covered by ``*``.
        confidence: lowest score by class with which a defect counts; ``*`` is every class that is not named.
        template: id of the template whose class names, in either language, stand for each other; "" for none.
    """

    classes: Mapping[str, Row] = field(default_factory=dict)
    name: str = ""
    regions: Mapping[str, RegionRules] = field(default_factory=dict)
    overall: Row = field(default_factory=dict)
    unnamed: Unnamed = "ng"
    confidence: Mapping[str, float] = field(default_factory=dict)
    template: str = ""

    def limits(self, label: str) -> Row:
        """Return the limits of a class in the whole image by measure, without those for all classes together."""
        row = self._named(label, self.classes)
        return _NO_DEFECT[self.unnamed] if row is None else row

    def region_limits(self, label: str, region: str) -> Row | None:
        """Return the further limits of a class in a region; None if that region does not name the class."""
        rules = self.regions.get(region)
        return None if rules is None else self._named(label, rules.classes)

    def covers(self, label: str) -> bool:
        """Whether the rules for the whole image name a class, itself or by ``*``."""
        return self._named(label, self.classes) is not None

    def least_score(self, label: str) -> float:
        """Return the lowest score with which a defect of a class counts."""
        score = self._named(label, self.confidence)
        return 0.0 if score is None else score

    def counts(self, label: str, score: float) -> bool:
        """Whether a defect counts; others are shown, but judged by no limit."""
        return score >= self.least_score(label)

    def _named(self, label: str, by_class: Mapping[str, _T]) -> _T | None:
        if label in by_class:
            return by_class[label]
        if self.template and (found := TEMPLATES[self.template].find(label, by_class)) is not None:
            return by_class[found]
        return by_class.get(ANY_CLASS)

    def rows(self) -> Iterator[Row]:
        """Yield the limits of every class and region, and those for all classes together."""
        yield from self.classes.values()
        yield self.overall
        for region in self.regions.values():
            yield from region.classes.values()
            yield region.overall

    def measures(self) -> list[str]:
        """Return the measures that have a limit, in the order of :data:`MEASURES`."""
        used = {name for row in self.rows() for name in row}
        return [name for name in MEASURES if name in used]

    def check_names(self, names: Iterable[str]) -> None:
        """Refuse rules for unknown classes, since a misspelt name would let every defect pass.

        Args:
            names: classes of the model.

        Raises:
            InputError: the model has no such class, and it is none of the template's.
        """
        known = set(names)
        named = [*self.classes, *self.confidence, *(label for each in self.regions.values() for label in each.classes)]
        terms = TEMPLATES[self.template].terms if self.template else frozenset()
        if unknown := [label for label in named if label not in known and label != ANY_CLASS and label not in terms]:
            has = ", ".join(sorted(known))
            raise InputError(
                "The rules name a class {label!r} that this model does not have; it has {classes}",
                label=unknown[0],
                classes=has,
            )

    def check_regions(self, names: Iterable[str]) -> None:
        """Refuse rules for unknown regions, whose limits would have no effect.

        Args:
            names: regions of the job.

        Raises:
            InputError: there is no such region.
        """
        known = sorted(set(names))
        if unknown := [name for name in self.regions if name not in known]:
            if not known:
                raise InputError(
                    "The rules name a region {region!r}, but images have no regions in this version; leave it out of "
                    "the rules",
                    region=unknown[0],
                )
            raise InputError(
                "The rules name a region {region!r} that this job does not have; it has {regions}",
                region=unknown[0],
                regions=", ".join(known),
            )

    def check_calibration(self, calibration: Calibration | None) -> None:
        """Refuse limits in millimetres without a calibration.

        Raises:
            InputError: a limit is in millimetres, but there is no calibration.
        """
        if calibration is not None:
            return
        if in_mm := [name for name in self.measures() if MEASURES[name].in_mm]:
            raise InputError(
                "The rules limit {measure} in millimetres, but the size of a pixel is not known; calibrate the camera, "
                "or use limits in pixels",
                measure=in_mm[0],
                cli_hint="--calibration or --mm-per-pixel",
            )

    @property
    def first_version(self) -> bool:
        """Whether version 1 of the file format can hold these rules."""
        plain = not (self.regions or self.overall or self.confidence or self.template) and self.unnamed == "ng"
        return plain and set(self.measures()) <= set(FIRST_MEASURES)

    def to_json(self) -> dict[str, Any]:
        """Return the rules for JSON (inverse of :meth:`from_json`), in version 1 where that can hold them."""
        named = {"name": self.name} if self.name else {}
        return named | self._effect() if self.first_version else {"version": VERSION, **named, **self._effect()}

    def _effect(self) -> dict[str, Any]:
        """Everything that has an effect on verdicts, in the form of the file."""
        document: dict[str, Any] = {"template": self.template} if self.template else {}
        document["classes"] = _classes_json(self.classes)
        if self.overall:
            document["all"] = _row_json(self.overall)
        if self.regions:
            document["regions"] = {
                name: {"classes": _classes_json(each.classes)}
                | ({"all": _row_json(each.overall)} if each.overall else {})
                for name, each in self.regions.items()
            }
        if self.confidence:
            document["confidence"] = dict(self.confidence)
        if self.unnamed != "ng":
            document["unnamed"] = self.unnamed
        return document

    @classmethod
    def from_json(cls, data: object) -> Rules:
        """Read and check.

        Raises:
            InputError: a key or a value is wrong.
        """
        return cls(**read(data))


def _row_json(row: Row) -> dict[str, dict[str, float]]:
    return {name: {k: v for k, v in asdict(limit).items() if v is not None} for name, limit in row.items()}


def _classes_json(classes: Mapping[str, Row]) -> dict[str, dict[str, dict[str, float]]]:
    return {label: _row_json(row) for label, row in classes.items()}


def rules_sha256(rules: Rules | None) -> str:
    """Return the fingerprint of everything that acts: SHA-256, hexadecimal, of its canonical JSON.

    Equal rules have the same fingerprint, regardless of the name of the rule set, of the version of its file, and of
    the order and form (200 or 200.0) of the limits. None, "any defect is NG", has the fingerprint of a rule set
    without limits.
    """
    document = _with_floats((rules or Rules())._effect())
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def _with_floats(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _with_floats(each) for key, each in value.items()}
    return float(value) if isinstance(value, int) else value
