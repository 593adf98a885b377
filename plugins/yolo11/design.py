"""Names of architectures: ``yolo11n-seg+block=vss+neck=freqfusion`` and presets, turned into rows for the builder.

A row is ultralytics' ``[from, repeats, module, arguments]``. Where a plugin's layer stands, the module reads
``KIND:NAME``, such as ``downsample:context_guided``; ``C3k2:NAME`` is C3k2 with that block in place of its bottlenecks.
The rows keep their numbers in every variant, so that weights of the stock model fit wherever a row did not change.
"""

from __future__ import annotations

import copy
import difflib
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inspector.api import InputError, LayerKind, LayerSpec

SCALES = "nsmlx"
_WORDS: Mapping[str, LayerKind] = {  # what a modifier says -> the kind of layer
    "backbone": "backbone",
    "block": "block",
    "down": "downsample",
    "neck": "neck",
    "upsample": "upsample",
}
Row = list[Any]


@dataclass(frozen=True)
class Design:
    """A parsed architecture.

    Attributes:
        scale: of YOLO11-seg: n, s, m, l or x.
        layers: word of the modifier, such as ``down`` -> name of the layer, with its member behind a slash.
    """

    scale: str
    layers: Mapping[str, str]

    @property
    def name(self) -> str:
        """In its one normal form, presets written out, modifiers in alphabetical order."""
        return f"yolo11{self.scale}-seg" + "".join(f"+{word}={name}" for word, name in sorted(self.layers.items()))


class Catalogue:
    """The layers that architectures may name.

    Args:
        layers: of all active plugins.
    """

    def __init__(self, layers: Iterable[LayerSpec]) -> None:
        self.specs = tuple(layers)
        self._by_name = {(spec.kind, spec.name or spec.id): spec for spec in reversed(self.specs)}
        self.presets = {
            suffix: (meaning, spec) for spec in reversed(self.specs) for suffix, meaning in spec.presets.items()
        }

    def names(self, kind: LayerKind) -> list[str]:
        """Names of the layers of one kind, families without their members; sorted."""
        return sorted(name for found, name in self._by_name if found == kind)

    def find(self, kind: LayerKind, name: str) -> tuple[LayerSpec, tuple[str, ...]]:
        """The layer called ``name`` (``NAME/MEMBER`` for one of a family), and its member as a tuple of none or one.

        Raises:
            InputError: for an unknown name.
        """
        own, slash, member = name.partition("/")
        spec = self._by_name.get((kind, own))
        if spec is None:
            known: Sequence[str] = self.names(kind)
            close = difflib.get_close_matches(own, known, 1)
            meant = f"did you mean {close[0]}? " if close else ""
            raise InputError(
                f"There is no {kind} {own!r}; {meant}"
                f"{'known are ' + ', '.join(known) if known else 'no active plugin brings one'}"
            )
        if (spec.members is not None) != bool(slash and member):
            example = f"{own}/{next(iter(spec.members()), 'NAME')}" if spec.members else own
            raise InputError(f"{name!r} does not name a {kind}; write {example}")
        if spec.members is not None and member not in (known := spec.members()):
            close = difflib.get_close_matches(member, known, 3)
            hint = f"did you mean {', '.join(close)}?" if close else f"it has {len(known)}, such as {known[0]}"
            raise InputError(f"{own} has no {kind} {member!r}; {hint}")
        return spec, (member,) if member else ()

    def parse(self, name: str) -> Design:
        """Read an architecture's name.

        Raises:
            InputError: saying which part of it is wrong, and what is known.
        """
        base, *modifiers = name.strip().split("+")
        found = re.fullmatch(r"yolo11([nsmlx])-seg(?:-([A-Za-z0-9_-]+))?", base)
        if not found:
            raise InputError(
                f"Unknown architecture {name!r}; it begins with yolo11n-seg, yolo11s-seg, yolo11m-seg, yolo11l-seg or "
                "yolo11x-seg, see 'bearing-inspector architectures'"
            )
        layers: dict[str, str] = {}
        if suffix := found[2]:
            if suffix not in self.presets:
                known = f"known are {', '.join(sorted(self.presets))}" if self.presets else "no plugin brings one"
                raise InputError(f"There is no preset {suffix!r} of yolo11{found[1]}-seg; {known}")
            for modifier in self.presets[suffix][0].split("+")[1:]:
                self._add(layers, modifier, self.presets[suffix][0])
        for modifier in modifiers:
            self._add(layers, modifier, name)
        if {"neck", "upsample"} <= layers.keys():
            raise InputError(
                f"{name}: the neck {layers['neck']} does the upsampling itself, so upsample={layers['upsample']} would "
                "have no place; leave one of them out"
            )
        return Design(found[1], layers)

    def _add(self, layers: dict[str, str], modifier: str, whole: str) -> None:
        word, _, name = modifier.partition("=")
        if word not in _WORDS or not name:
            raise InputError(
                f"{whole}: {modifier!r} is no modifier; write +WORD=NAME with {', '.join(_WORDS)} as WORD, such as "
                "+block=context_guided"
            )
        if word in layers:
            raise InputError(f"{whole}: {word} is named twice; keep one")
        self.find(_WORDS[word], name)
        layers[word] = name


def rows(design: Design, stock: Mapping[str, Any]) -> dict[str, Any]:
    """The description of ``design`` for the builder.

    Args:
        stock: ultralytics' description of yolo11-seg of that scale, its ``backbone`` and ``head`` rows; not changed.
    """
    described: dict[str, Any] = copy.deepcopy(dict(stock))
    backbone: list[Row] = described["backbone"]
    head: list[Row] = described["head"]
    layers = design.layers
    if "backbone" in layers:
        _replace_backbone(backbone, layers["backbone"])
    for row in backbone + head:
        module, arguments = row[2], row[3]
        if "block" in layers and module == "C3k2":
            row[2] = f"C3k2:{layers['block']}"
        elif "down" in layers and module == "Conv" and arguments[1:] == [3, 2] and row is not backbone[0]:
            row[2:] = [f"downsample:{layers['down']}", arguments[:1]]
        elif "upsample" in layers and module == "nn.Upsample":
            row[2:] = [f"upsample:{layers['upsample']}", []]
    if "neck" in layers:
        for up, join in itertools.pairwise(head):
            if up[2] == "nn.Upsample" and join[2] == "Concat":
                up[2:] = ["nn.Identity", []]
                join[2:] = [f"neck:{layers['neck']}", []]
    return described


def _replace_backbone(stock: list[Row], name: str) -> None:
    """All before SPPF becomes the backbone; its maps stand where the stock ones of the same stride end: 4, 6 and 8."""
    last = next(number for number, row in enumerate(stock) if row[2] == "SPPF") - 1
    stock[: last + 1] = [[-1, 1, "nn.Identity", []] for _ in range(last + 1)]
    stock[0] = [-1, 1, f"backbone:{name}", []]
    for number, index in ((last - 4, 0), (last - 2, 1), (last, 2)):
        stock[number] = [0, 1, "Index", [index]]


def is_ours(description: Mapping[str, Any]) -> bool:
    """Whether a model's description has rows that only the builder understands."""
    return any(":" in str(row[2]) for part in ("backbone", "head") for row in description.get(part, ()))
