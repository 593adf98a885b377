"""Texts for people in English and Chinese: the English text is the key, ``assets/locale/zh/*.json`` translate it."""

from __future__ import annotations

import functools
import json
import logging
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
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
_TEMPLATES = "errors.json"
_PLACE = re.compile(r"\{(\d+)\}")
_WORD = re.compile(r"[A-Za-z]+")
_DEEPEST = 5  # sentences in sentences
_LONGEST = 10_000  # characters; no sentence of ours
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
    """Every text of the language: all files of its folder but the templates of ``sentence``, merged by name."""
    if not spoken.startswith("zh"):
        return {}
    folder = assets() / "locale" / "zh"
    files = sorted(file for file in folder.glob("*.json") if file.name != _TEMPLATES)
    if not files:
        logger.warning("No Chinese texts in %s; English is shown instead", folder)
    texts: dict[str, str] = {}
    for file in files:
        texts |= _read(file)
    return texts


def _read(file: Path) -> dict[str, str]:
    try:
        texts = json.loads(file.read_text("utf-8"))
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


def sentence(text: str, language: str) -> str:
    """An English sentence of ours (an error, a log line, why a picture was skipped) in ``language``, by its template.

    Values in it that are sentences of ours themselves are translated too. What no template fits comes back unchanged.
    """
    return _translated(text, _templates(language), _DEEPEST) if len(text) <= _LONGEST else text


def _translated(text: str, templates: _Templates, depth: int) -> str:
    for template in templates.near(text) if depth else ():
        values = template.values(text)
        if values is None:
            continue
        spoken = [_translated(value, templates, depth - 1) for value in values]
        if spoken != values or not template.joins:
            return _PLACE.sub(lambda place, spoken=spoken: spoken[int(place[1])], template.chinese)  # type: ignore[misc]
    return text


@dataclass(frozen=True)
class _Template:
    """An English sentence cut at its places, and the Chinese one.

    Attributes:
        literals: the text before, between and behind the places; without a place the one text.
        chinese: with the places ``{0}``, ``{1}`` …
    """

    literals: tuple[str, ...]
    chinese: str

    def values(self, text: str) -> list[str] | None:
        """What ``text`` has in the places, each as short as can be; None where it is another sentence."""
        first, *between = self.literals
        if not between:
            return [] if text == first else None
        end = len(text) - len(between[-1])
        position = len(first)
        if end < position or not text.startswith(first) or not text.endswith(between.pop()):
            return None
        values = []
        for literal in between:
            found = text.find(literal, position, end)
            if found < 0:
                return None
            values.append(text[position:found])
            position = found + len(literal)
        return [*values, text[position:end]]

    @property
    def weight(self) -> int:
        """How much it says of its sentence: its letters, and more where it knows how the sentence begins.

        A sentence that holds another one begins with its own words, the other with a place, such as a file's name.
        """
        letters = sum(len(word) for literal in self.literals for word in _WORD.findall(literal))
        return letters + 1000 * (letters > 15 and len(self.literals[0]) > 3)

    @property
    def joins(self) -> bool:
        """It says next to nothing itself, such as ``{0}: {1}``, and might fit anybody's sentence."""
        words = sum(len(_WORD.findall(literal)) for literal in self.literals)
        return words < 3 and len(self.literals) > 1 and not self.literals[0] and not self.literals[-1]

    def words(self) -> set[str]:
        """The words that stand whole in every text it fits."""
        last = len(self.literals) - 1
        return {
            word[0]
            for number, literal in enumerate(self.literals)
            for word in _WORD.finditer(literal)
            if (word.start() or not number) and (word.end() < len(literal) or number == last)
        }


class _Templates:
    """All templates, found by a word that they have and few others."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        templates = [
            _Template(tuple(_PLACE.split(english)[::2]), chinese)
            for english, chinese in texts.items()
            if set(_PLACE.findall(chinese)) <= set(_PLACE.findall(english))
        ]
        self._templates = sorted(templates, key=lambda one: (-one.weight, -sum(map(len, one.literals))))
        often = Counter(word for template in templates for word in template.words())
        self._by_word: dict[str, list[int]] = {}
        for rank, template in enumerate(self._templates):
            rarest = min(template.words(), key=lambda word: (often[word], word), default="")
            self._by_word.setdefault(rarest, []).append(rank)

    def near(self, text: str) -> Iterator[_Template]:
        """Those that may fit, the most telling first."""
        ranks = (rank for word in {"", *_WORD.findall(text)} for rank in self._by_word.get(word, ()))
        return (self._templates[rank] for rank in sorted(ranks))


@functools.cache
def _templates(spoken: str) -> _Templates:
    return _Templates(_read(assets() / "locale" / "zh" / _TEMPLATES) if spoken.startswith("zh") else {})


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
