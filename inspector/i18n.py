"""Texts for people in English and Chinese: the English text is the key, ``assets/locale/zh/*.json`` translate it."""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from inspector.domain import MEASURES, Limit, Message, Part, Reason, Rules
from inspector.domain.messages import filled
from inspector.domain.verdicts import ALL
from inspector.system.paths import assets, read_json

logger = logging.getLogger(__name__)
Language = Literal["en", "zh"]
LANGUAGE_VARIABLE = "BEARING_INSPECTOR_LANGUAGE"

_REASONS = {
    "count_above": "{label}: {value} found (limit {limit})",
    "area_above": "{label}: area {value} above {limit}",
    "length_above": "{label}: length {value} above {limit}",
    "score_above": "{label}: confidence {value} above {limit}",
    "total_area_above": "{label}: total area {value} above {limit}",
    "feret_above": "{label}: Feret diameter {value} above {limit}",
    "width_above": "{label}: width {value} above {limit}",
    "width_mean_above": "{label}: mean width {value} above {limit}",
    "perimeter_above": "{label}: perimeter {value} above {limit}",
    "nearest_below": "{label}: distance to the next defect {value} below {limit}",
    "area_near": "{label}: area {value} close to {limit}",
    "total_area_near": "{label}: total area {value} close to {limit}",
    "length_near": "{label}: length {value} close to {limit}",
    "feret_near": "{label}: Feret diameter {value} close to {limit}",
    "width_near": "{label}: width {value} close to {limit}",
    "width_mean_near": "{label}: mean width {value} close to {limit}",
    "perimeter_near": "{label}: perimeter {value} close to {limit}",
    "nearest_near": "{label}: distance to the next defect {value} close to {limit}",
    "scaled_below": "the shorter side is scaled to {value}, below {limit}, where no defect can be seen: cut the image",
    "view_missing": "view {label} is missing",
    "view_surplus": "view {label} came {value} times",
    "view_unexpected": "view {label} was not expected",
    "view_unreadable": "view {label} could not be read",
    "view_unsaved": "the result of view {label} could not be saved",
    "views_below": "{value} of {limit} views are there",
    "views_above": "{value} views instead of {limit}",
    "name_unmatched": "the name {label} does not fit the pattern of the parts",
}
_PHRASES = {
    "all": "all defects",
    "region": "{label} in {region}",
    "uncertain": "{reason}, within the uncertainty of ±{uncertainty}",
}
_QUANTITIES = {
    "count": ("count", "数量"),
    "area": ("area", "面积"),
    "length": ("length", "长度"),
    "feret": ("Feret diameter", "Feret 直径"),
    "width": ("width", "宽度"),
    "width_mean": ("mean width", "平均宽度"),
    "perimeter": ("perimeter", "周长"),
    "nearest": ("distance to the next defect", "与最近缺陷的距离"),
    "score": ("confidence", "置信度"),
}
_SENTENCES = ("errors.json", "system.json")  # of "translate"; all other files are the window's own texts
_UNITS = {"px2": "px²", "mm2": "mm²"}


def language(setting: str = "auto") -> Language:
    """The language in use: that of ``setting``, else ``BEARING_INSPECTOR_LANGUAGE``, else the system's.

    Args:
        setting: ``en``, ``zh`` (or a code like ``zh-CN``) or ``auto``. Any other language falls back to English.
    """
    for chosen in (setting, os.environ.get(LANGUAGE_VARIABLE, "")):
        if chosen and chosen.lower() != "auto":
            return _spoken(chosen)
    return _system_language()


def _spoken(code: str) -> Language:
    return "zh" if code.lower().startswith("zh") else "en"


def _system_language() -> Language:
    if sys.platform == "win32":
        import ctypes

        primary = ctypes.windll.kernel32.GetUserDefaultUILanguage() & 0x3FF  # the rest is the region
        return "zh" if primary == 0x04 else "en"  # LANG_CHINESE
    for variable in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if wanted := os.environ.get(variable):
            # LANGUAGE may list several, the most wanted first.
            return next((_spoken(code) for code in wanted.split(":") if code[:2].lower() in ("zh", "en")), "en")
    return "en"


@functools.cache
def _catalogue(spoken: str) -> dict[str, str]:
    """Every text of the language: all files of its folder but those of :func:`translate`, merged by name."""
    if not spoken.startswith("zh"):
        return {}
    folder = assets() / "locale" / "zh"
    files = sorted(file for file in folder.glob("*.json") if file.name not in _SENTENCES)
    if not files:
        logger.warning("No Chinese texts in %s; English is shown instead", folder)
    texts: dict[str, str] = {}
    for file in files:
        texts |= _read(file)
    return texts


def _read(file: Path) -> dict[str, str]:
    try:
        texts = read_json(file)
        return {str(english): str(chinese) for english, chinese in texts.items()}
    except (OSError, ValueError, AttributeError) as error:
        logger.warning("The Chinese texts in %s cannot be read (%s); English is shown instead", file, error)
        return {}


def tr(text: str, language: str, **values: object) -> str:
    """``text`` in ``language``, with ``values`` put into its ``{places}``.

    A text without translation comes back in English; a translation whose places do not fit, too.
    """
    for template in (_catalogue(language).get(text, text), text):
        try:
            return template.format(**values) if values else template
        except (LookupError, ValueError, TypeError, AttributeError):
            continue
    return text


def translate(text: str, language: str) -> str:
    """Translate a message of the core (an error, a note, the reason for skipping an image) by its template.

    Messages among its parameters are translated too, and what the operating system says (``Permission denied``).
    Plain texts are looked up whole. What has no translation comes back in English.

    Args:
        text: a :class:`inspector.domain.Message`, or a plain text.
    """
    if not language.startswith("zh"):
        return text
    templates = _sentences("errors.json")
    if not isinstance(text, Message):
        return templates.get(text, text)
    template = templates.get(text.template)
    if template is None:
        return text
    phrases = _sentences("system.json")
    shown = {
        name: translate(value, language) if isinstance(value, Message) else phrases.get(value, value)
        for name, value in text.parameters.items()
    }
    return filled(template, shown)


sentence = translate


@functools.cache
def _sentences(name: str) -> dict[Any, str]:
    return dict(_read(assets() / "locale" / "zh" / name))


def reason_text(reason: Reason, language: str) -> str:
    """Why a verdict is not OK, as a sentence: ``Defect: area 812 px² above 400 px²``."""
    template = _REASONS.get(reason.code, "{label}: {code} {value} above {limit}")
    value, limit = _numbers(reason.value, reason.limit)
    unit = f" {_UNITS.get(reason.unit, reason.unit)}" if reason.unit else ""
    label = tr(_PHRASES["all"], language) if reason.label == ALL else reason.label
    if reason.region is not None:
        label = tr(_PHRASES["region"], language, label=label, region=reason.region)
    text = tr(template, language, label=label, code=reason.code, value=f"{value}{unit}", limit=f"{limit}{unit}")
    if reason.within_uncertainty:
        uncertainty = f"{reason.uncertainty:.3g}{unit}"
        return tr(_PHRASES["uncertain"], language, reason=text, uncertainty=uncertainty)
    return text


def part_reasons(part: Part, language: str) -> list[str]:
    """Why the verdict of a part is not OK, one sentence for each reason, with the view that it comes from."""
    texts = []
    for reason, view in zip(part.verdict.reasons, part.reason_views, strict=True):
        text = reason_text(reason, language)
        texts.append(f"{view}: {text}" if view and view != reason.label and len(part.views) > 1 else text)
    return texts


def _numbers(value: float, limit: float) -> tuple[str, str]:
    """Both as short as they still differ, from two decimals on."""
    for decimals in range(2, 8):
        texts = [f"{number:.{decimals}f}".rstrip("0").rstrip(".") for number in (value, limit)]
        if texts[0] != texts[1]:
            break
    return texts[0], texts[1]


def rule_lines(rules: Rules | None, language: str) -> list[str]:
    """The limits in words, one line a class; the last one says what becomes of every other class."""
    chinese = language.startswith("zh")
    any_defect = "任何缺陷均为 NG" if chinese else "any defect is NG"
    every_other, nothing = ("其他所有类别", "无限制") if chinese else ("every other class", "no limit")
    together = "所有类别合计" if chinese else "all classes together"
    if rules is None or rules == Rules(name=rules.name):
        return [any_defect]

    def line(label: str, row: Mapping[str, Limit]) -> str:
        return f"{every_other if label == '*' else label}: {'; '.join(_limit_texts(row, chinese)) or nothing}"

    lines = [line(label, row) for label, row in rules.classes.items()]
    if "*" not in rules.classes:
        others = {"ng": any_defect, "warn": any_defect.replace("NG", "WARN"), "ok": nothing}
        lines.append(f"{every_other}: {others[rules.unnamed]}")
    if rules.overall:
        lines.append(line(together, rules.overall))
    for region, limits in rules.regions.items():
        inside = [line(label, row) for label, row in limits.classes.items()]
        inside += [line(together, limits.overall)] if limits.overall else []
        lines += [f"{'区域' if chinese else 'region'} {region}, {text}" for text in inside]
    for label, score in rules.confidence.items():
        counts = f"置信度低于 {score:g} 不计" if chinese else f"does not count below confidence {score:g}"
        lines.append(f"{every_other if label == '*' else label}: {counts}")
    return lines


def measure_name(name: str, language: str) -> str:
    """Return the name of a measure that can have a limit, with its unit: ``length (mm)``."""
    measure, chinese = MEASURES[name], language.startswith("zh")
    text = _QUANTITIES[measure.quantity][chinese]
    if measure.total and measure.quantity == "area":
        text = "总面积" if chinese else "total area"
    return f"{text} ({_UNITS.get(measure.unit, measure.unit)})" if measure.unit else text


def _limit_texts(row: Mapping[str, Limit], chinese: bool) -> list[str]:
    texts = []
    for name, limit in row.items():
        sign = "<" if MEASURES[name].minimum else ">"
        steps = (("WARN", limit.warn), ("NG", limit.ng))
        parts = [f"{word} {sign} {value:g}" for word, value in steps if value is not None]
        texts.append(f"{measure_name(name, 'zh' if chinese else 'en')}: {', '.join(parts)}")
    return texts
