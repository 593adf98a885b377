"""Templates of rules: class names of a standard or of a production line, in English and Chinese.

A model may use the key or either name of a class; upper and lower case, spaces, ``_`` and ``-`` make no difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Step = Literal["warn", "ng"]


@dataclass(frozen=True)
class DefectClass:
    """A class of a template.

    Attributes:
        key: in rule files.
        en, zh: names.
        found: verdict if there is such a defect.
    """

    key: str
    en: str
    zh: str
    found: Step = "ng"


@dataclass(frozen=True)
class Template:
    """Classes with their names, for a rule set to start from."""

    id: str
    en: str
    zh: str
    classes: tuple[DefectClass, ...]

    @cached_property
    def terms(self) -> frozenset[str]:
        """Keys of all classes."""
        return frozenset(each.key for each in self.classes)

    @cached_property
    def _keys(self) -> Mapping[str, str]:
        return {_plain(name): each.key for each in self.classes for name in (each.key, each.en, each.zh)}

    def find(self, label: str, keys: Iterable[str]) -> str | None:
        """Return the one of ``keys`` that a model's class name means; None if there is none."""
        found = self._keys.get(_plain(label))
        return found if found is not None and found in keys else None

    def name_of(self, key: str, language: str) -> str:
        """Return the name of a class in ``en`` or ``zh``; the key itself if it is none of the template's."""
        for each in self.classes:
            if each.key == key:
                return each.zh if language.startswith("zh") else each.en
        return key

    def rules_json(self) -> dict[str, object]:
        """Return the rules of the template in the form of a rule file."""
        classes = {each.key: {"count": {each.found: 0}} for each in self.classes}
        return {"version": 2, "name": self.id, "template": self.id, "classes": classes}


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").replace("-", " ").casefold().split())


_ISO_15243 = Template(
    "iso15243",
    "Damage of rolling bearings, terms of ISO 15243:2017",
    "滚动轴承损伤，ISO 15243:2017 术语",
    (
        DefectClass("subsurface_fatigue", "subsurface initiated fatigue", "次表面起源型疲劳"),
        DefectClass("surface_fatigue", "surface initiated fatigue", "表面起源型疲劳"),
        DefectClass("abrasive_wear", "abrasive wear", "磨粒磨损"),
        DefectClass("adhesive_wear", "adhesive wear", "粘着磨损"),
        DefectClass("moisture_corrosion", "moisture corrosion", "水分腐蚀"),
        DefectClass("fretting_corrosion", "fretting corrosion", "微动腐蚀"),
        DefectClass("false_brinelling", "false brinelling", "伪压痕"),
        DefectClass("excessive_current_erosion", "excessive current erosion", "过电流电蚀"),
        DefectClass("current_leakage_erosion", "current leakage erosion", "漏电流电蚀"),
        DefectClass("overload_deformation", "overload deformation", "过载变形"),
        DefectClass("particle_indentation", "indentation from particles", "颗粒压痕"),
        DefectClass("forced_fracture", "forced fracture", "强制断裂"),
        DefectClass("fatigue_fracture", "fatigue fracture", "疲劳断裂"),
        DefectClass("thermal_cracking", "thermal cracking", "热裂"),
    ),
)
_MANUFACTURING = Template(
    "manufacturing",
    "Defects of bearing production",
    "轴承制造缺陷",
    (
        DefectClass("scratch", "scratch", "划伤"),
        DefectClass("dent", "dent", "磕碰伤"),
        DefectClass("crack", "crack", "裂纹"),
        DefectClass("grinding_burn", "grinding burn", "磨削烧伤"),
        DefectClass("chatter_marks", "chatter marks", "振纹"),
        DefectClass("pit", "pit", "麻点"),
        DefectClass("rust", "rust", "锈蚀"),
        DefectClass("missing_material", "missing material", "缺料"),
        DefectClass("burr", "burr", "毛刺"),
        DefectClass("black_skin", "unground surface", "黑皮"),
        DefectClass("inclusion", "inclusion", "夹杂"),
        DefectClass("stain", "stain", "污渍", "warn"),
        DefectClass("discoloration", "discoloration", "变色", "warn"),
    ),
)
TEMPLATES: Mapping[str, Template] = {each.id: each for each in (_ISO_15243, _MANUFACTURING)}
