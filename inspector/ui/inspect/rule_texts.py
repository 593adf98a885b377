"""Limits as they are typed: names of measures, sentences that explain limits, and where rules keep them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inspector import i18n
from inspector.domain import MEASURES, Rules
from inspector.ui.kit import strings
from inspector.ui.kit.strings import tr

EVERY = "*"
ALL = "\0"
"""Label of the limits for all classes together."""
_UNITS = {"px2": "px²", "mm2": "mm²"}
Scope = tuple[str, str]
"""A region ("" for the whole image) and a class, :data:`EVERY` or :data:`ALL`."""
Typed = dict[Scope, dict[str, dict[str, str]]]
"""As typed: scope -> measure -> warn and ng."""


def typed_rows(rules: Rules) -> Typed:
    """Return the limits of rules as they would be typed."""
    document = rules.to_json()
    rows: dict[Scope, Mapping[str, Any]] = {("", label): row for label, row in document["classes"].items()}
    if "all" in document:
        rows["", ALL] = document["all"]
    for region, limits in document.get("regions", {}).items():
        rows |= {(region, label): row for label, row in limits["classes"].items()}
        if "all" in limits:
            rows[region, ALL] = limits["all"]
    return {
        scope: {
            measure: {step: f"{pair[step]:.15g}" if step in pair else "" for step in ("warn", "ng")}
            for measure, pair in row.items()
        }
        for scope, row in rows.items()
    }


def rules_document(typed: Typed) -> dict[str, Any]:
    """Return the limits as in a rule file.

    Raises:
        ValueError: a limit is no number.
    """
    document: dict[str, Any] = {"version": 2, "classes": {}}
    for (region, label), row in typed.items():
        limits = {}
        for measure, held in row.items():
            if pair := {step: number(text) for step, text in held.items() if text}:
                limits[measure] = pair
        place = document
        if region:
            place = document.setdefault("regions", {}).setdefault(region, {"classes": {}})
        if label == ALL:
            place["all"] = limits
        else:
            place["classes"][label] = limits
    return document


def measure_name(measure: str) -> str:
    name = i18n.measure_name(measure, strings.language())
    return name[0].upper() + name[1:]


def sentence(measure: str, held: Mapping[str, str]) -> tuple[str, bool]:
    """Return what the limits of a measure mean and False, or their problem and True."""
    numbers: dict[str, float] = {}
    for step, text in held.items():
        if not text:
            continue
        try:
            numbers[step] = float(number(text))
        except ValueError:
            return f"✕ {tr('Enter a number.')}", True
        if not 0 <= numbers[step] < float("inf"):
            return f"✕ {tr('Enter a number of at least {low}.', low=0)}", True
        if measure == "score" and numbers[step] > 1:
            return f"✕ {tr('Enter a number from {low} to {high}.', low=0, high=1)}", True
    minimum = MEASURES[measure].minimum
    if len(numbers) == 2 and minimum and numbers["warn"] < numbers["ng"]:
        return f"✕ {tr('The WARN limit must not be below the NG limit.')}", True
    if len(numbers) == 2 and not minimum and numbers["warn"] > numbers["ng"]:
        return f"✕ {tr('The WARN limit must not exceed the NG limit.')}", True
    sentences = [
        _meaning(measure, f"{numbers[step]:.15g}", word)
        for step, word in (("warn", "WARN"), ("ng", "NG"))
        if step in numbers
    ]
    unbroken = [text.replace(" ", "\N{NO-BREAK SPACE}") for text in sentences]
    return "  ".join(unbroken), False  # lines break between sentences only


def _meaning(measure: str, limit: str, verdict: str) -> str:
    if measure == "count":
        return tr("More than {limit} in an image: {verdict}.", limit=limit, verdict=verdict)
    of = MEASURES[measure]
    value = f"{limit} {_UNITS.get(of.unit or '', of.unit or '')}".strip()
    texts = {
        "area": tr("A defect larger than {limit}: {verdict}.", limit=value, verdict=verdict),
        "length": tr("A defect longer than {limit}: {verdict}.", limit=value, verdict=verdict),
        "width": tr("A defect wider than {limit}: {verdict}.", limit=value, verdict=verdict),
        "nearest": tr("Two defects closer than {limit}: {verdict}.", limit=value, verdict=verdict),
        "score": tr("A defect with a confidence above {limit}: {verdict}.", limit=value, verdict=verdict),
    }
    if of.total or of.quantity not in texts:
        return tr("{measure} above {limit}: {verdict}.", measure=measure_name(measure), limit=limit, verdict=verdict)
    return texts[of.quantity]


def number(text: str) -> int | float:
    """Parse a number with decimal comma or point. Raises ValueError."""
    number = float(text.replace(",", "."))
    return int(number) if number.is_integer() else number
