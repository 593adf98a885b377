"""Texts for people in English and Chinese: the English sentence is the key, ``assets/locale/zh.json`` translates it."""

from __future__ import annotations

import functools
import json
import logging
import os
import sys
from typing import Literal

from inspector.domain import Reason
from inspector.paths import assets

logger = logging.getLogger(__name__)
Language = Literal["en", "zh"]
LANGUAGE_VARIABLE = "BEARING_INSPECTOR_LANGUAGE"

_REASONS = {
    "count_above": "{label}: count {value} above {limit}",
    "area_above": "{label}: area {value} above {limit}",
    "length_above": "{label}: length {value} above {limit}",
    "score_above": "{label}: score {value} above {limit}",
}
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
    if not spoken.startswith("zh"):
        return {}
    file = assets() / "locale" / "zh.json"
    try:
        texts = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        logger.warning("The Chinese texts in %s cannot be read (%s); English is shown instead", file, error)
        return {}
    return {str(english): str(chinese) for english, chinese in texts.items()}


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


def reason_text(reason: Reason, language: str) -> str:
    """Why a verdict is not OK, as a sentence: ``Defect: area 812 px² above 400 px²``."""
    template = _REASONS.get(reason.code, "{label}: {code} {value} above {limit}")
    value, limit = _numbers(reason.value, reason.limit)
    unit = f" {_UNITS.get(reason.unit, reason.unit)}" if reason.unit else ""
    return tr(template, language, label=reason.label, code=reason.code, value=f"{value}{unit}", limit=f"{limit}{unit}")


def _numbers(value: float, limit: float) -> tuple[str, str]:
    """Both as short as they still differ, from two decimals on."""
    for decimals in range(2, 8):
        texts = [f"{number:.{decimals}f}".rstrip("0").rstrip(".") for number in (value, limit)]
        if texts[0] != texts[1]:
            break
    return texts[0], texts[1]
