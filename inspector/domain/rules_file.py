"""Reading of rule files: every key and every value is checked, and what is wrong is named."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, get_args

from inspector.domain.errors import InputError
from inspector.domain.limits import FIRST_MEASURES, MEASURES, VERSION, Limit, RegionRules, Unnamed
from inspector.domain.messages import message
from inspector.domain.rule_templates import TEMPLATES
from inspector.domain.texts import quote

_FIRST_KEYS = ("classes", "name")
_KEYS = ("version", *_FIRST_KEYS, "all", "regions", "unnamed", "confidence", "template")


def read(data: object) -> dict[str, Any]:
    """Return the fields of :class:`inspector.domain.Rules`; a document without ``version`` is of version 1.

    Raises:
        InputError: a key or a value is wrong.
    """
    version = data.get("version", 1) if isinstance(data, Mapping) else 1
    if isinstance(version, bool) or version not in (1, VERSION):
        raise InputError(
            "The rules have version {version}, but this program reads up to version {known}; update the program",
            version=quote(version),
            known=VERSION,
        )
    known = _KEYS if version == VERSION else ("version", *_FIRST_KEYS)
    if not isinstance(data, Mapping) or not isinstance(
        data.get("classes", {} if version == VERSION else None), Mapping
    ):
        raise InputError('Rules must be {"classes": {CLASS: {MEASURE: {"warn": number, "ng": number}}}}')
    if unknown := [key for key in data if key not in known]:
        raise InputError(
            'Unknown key in the rules: {unknown}; rules are {{"classes": …}} and may have {known}',
            unknown=quote(unknown[0]),
            known=", ".join(key for key in known if key != "classes"),
        )
    name = data.get("name", "")
    if not isinstance(name, str):
        raise InputError("Rules: the name must be a text, not {name!r}", name=name)
    allowed = tuple(MEASURES) if version == VERSION else FIRST_MEASURES
    return {
        "classes": _classes(data.get("classes", {}), allowed),
        "name": " ".join(name.split()),
        "regions": _regions(data.get("regions", {})),
        "overall": _row(data.get("all", {}), message("Rules for all classes together"), allowed),
        "unnamed": _unnamed(data.get("unnamed", "ng")),
        "confidence": _confidence(data.get("confidence", {})),
        "template": _template(data.get("template", "")),
    }


def _classes(
    rows: Mapping[Any, Any], allowed: tuple[str, ...], region: str | None = None
) -> dict[str, dict[str, Limit]]:
    classes = {}
    for label, row in rows.items():
        if not isinstance(row, Mapping):
            raise InputError(
                "Rules for class {label} must map measures to limits, not {row}", label=quote(label), row=quote(row)
            )
        if region is None:
            where = message("Rules: class {label}", label=quote(label))
        else:
            where = message("Rules: region {region}, class {label}", region=quote(region), label=quote(label))
        classes[str(label)] = _row(row, where, allowed)
    return classes


def _regions(data: object) -> dict[str, RegionRules]:
    if not isinstance(data, Mapping):
        raise InputError(
            'Rules: regions must be {{NAME: {{"classes": …, "all": …}}}}, not {regions}', regions=quote(data)
        )
    regions = {}
    for name, each in data.items():
        right = isinstance(each, Mapping) and set(each) <= {"classes", "all"} and each
        if not right or not isinstance(each.get("classes", {}), Mapping):
            raise InputError(
                'Rules: region {region} must be {{"classes": …, "all": …}}, not {rules}',
                region=quote(name),
                rules=quote(each),
            )
        where = message("Rules: region {region}, all classes together", region=quote(name))
        regions[str(name)] = RegionRules(
            _classes(each.get("classes", {}), tuple(MEASURES), str(name)),
            _row(each.get("all", {}), where, tuple(MEASURES)),
        )
    return regions


def _row(row: object, of: str, allowed: tuple[str, ...]) -> dict[str, Limit]:
    if not isinstance(row, Mapping):
        raise InputError("{where} must map measures to limits, not {row}", where=of, row=quote(row))
    limits = {}
    for measure, pair in row.items():
        where = message("{rules}, measure {measure}", rules=of, measure=quote(measure))
        if measure not in allowed:
            if measure in MEASURES:
                raise InputError('{where}: this measure needs "version": 2 in the rules', where=where)
            raise InputError("{where}: unknown measure; use {measures}", where=where, measures=", ".join(allowed))
        limits[measure] = _limit(measure, pair, where)
    return limits


def _limit(measure: str, pair: object, where: str) -> Limit:
    if not isinstance(pair, Mapping) or not pair or not set(pair) <= {"warn", "ng"}:
        raise InputError('{where}: give {{"warn": number, "ng": number}}, not {pair}', where=where, pair=quote(pair))
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
    if {"warn", "ng"} <= set(pair):
        values = {"where": where, "warn": quote(pair["warn"]), "ng": quote(pair["ng"])}
        if MEASURES[measure].minimum and pair["warn"] < pair["ng"]:
            raise InputError("{where}: warn {warn} is below ng {ng}, but this is a minimum; swap them", **values)
        if not MEASURES[measure].minimum and pair["warn"] > pair["ng"]:
            raise InputError("{where}: warn {warn} is above ng {ng}; swap them", **values)
    return Limit(pair.get("warn"), pair.get("ng"))


def _unnamed(value: object) -> Unnamed:
    for known in get_args(Unnamed):
        if value == known:
            return known  # type: ignore[no-any-return]
    raise InputError("Rules: unnamed must be ok, warn or ng, not {value}", value=quote(value))


def _confidence(data: object) -> dict[str, float]:
    if not isinstance(data, Mapping):
        raise InputError("Rules: confidence must map classes to numbers from 0 to 1, not {data}", data=quote(data))
    for label, value in data.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise InputError(
                "Rules: the confidence threshold of class {label} must be a number from 0 to 1, not {value}",
                label=quote(label),
                value=quote(value),
            )
    return {str(label): float(value) for label, value in data.items()}


def _template(value: object) -> str:
    if not isinstance(value, str) or (value and value not in TEMPLATES):
        raise InputError(
            "Rules: there is no template {value}; use {known}", value=quote(value), known=", ".join(TEMPLATES)
        )
    return value
