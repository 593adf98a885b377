"""Texts for people in English and Chinese: the English text is the key, ``assets/locale/zh/*.json`` translate it."""

from __future__ import annotations

import functools
import logging
import os
import sys
from pathlib import Path
from typing import Any, Literal

from inspector.domain import Message, Part, Reason, Rules
from inspector.domain.messages import filled
from inspector.system.paths import assets, read_json

logger = logging.getLogger(__name__)
Language = Literal["en", "zh"]
LANGUAGE_VARIABLE = "BEARING_INSPECTOR_LANGUAGE"

_REASONS = {
    "count_above": "{label}: {value} found (limit {limit})",
    "area_above": "{label}: area {value} above {limit}",
    "length_above": "{label}: length {value} above {limit}",
    "score_above": "{label}: confidence {value} above {limit}",
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
_MEASURES = {
    "count": ("count", "数量"),
    "area_px": ("area (px²)", "面积 (px²)"),
    "length_px": ("length (px)", "长度 (px)"),
    "score": ("confidence", "置信度"),
}
_SENTENCES = ("errors.json", "system.json")  # of "translate"; all other files are the window's own texts
_UNITS = {"px2": "px²", "mm2": "mm²"}


def language(setting: str = "auto") -> Language:
    """The language to speak: what ``setting`` names, else ``BEARING_INSPECTOR_LANGUAGE``, else the system's.

    Args:
        setting: ``en``, ``zh`` (also such as ``zh-CN``) or ``auto``. Any other language is spoken in English.
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

        primary = ctypes.windll.kernel32.GetUserDefaultUILanguage() & 0x3FF  # the rest tells the region
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
    return tr(template, language, label=reason.label, code=reason.code, value=f"{value}{unit}", limit=f"{limit}{unit}")


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
    if rules is None or not rules.classes:
        return [any_defect]
    lines = []
    for label, row in rules.classes.items():
        limits = []
        for name, limit in row.items():
            parts = [
                f"{word} > {value:g}" for word, value in (("WARN", limit.warn), ("NG", limit.ng)) if value is not None
            ]
            limits.append(f"{_MEASURES[name][chinese]}: {', '.join(parts)}")
        lines.append(f"{every_other if label == '*' else label}: {'; '.join(limits) or nothing}")
    return lines if "*" in rules.classes else [*lines, f"{every_other}: {any_defect}"]
