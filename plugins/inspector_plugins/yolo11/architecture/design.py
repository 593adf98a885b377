"""Parse architecture names, ``yolo11n-seg+block=vss+neck=freqfusion`` and presets, into rows for the builder.

A row is ultralytics' ``[from, repeats, module, arguments]``. For a plugin's layer, the module is
``KIND:NAME``, e.g. ``downsample:context_guided``; ``C3k2:NAME`` is C3k2 with that block in place of its bottlenecks,
``C3k2-convolution:NAME`` with that convolution in them, and ``ROW@NAME`` is a row followed by that attention.
The rows keep their numbers in every variant, so that weights of the stock model fit wherever a row did not change.
Losses and assigners change no row: the description names them as ``loss`` and ``assigner``.
"""

from __future__ import annotations

import copy
import difflib
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inspector.api import InputError, LayerKind, LayerSpec, message

SCALES = "nsmlx"
WORDS: Mapping[str, LayerKind] = {  # modifier -> kind of layer
    "assigner": "assigner",
    "attention": "attention",
    "backbone": "backbone",
    "block": "block",
    "convolution": "convolution",
    "down": "downsample",
    "head": "head",
    "loss": "loss",
    "neck": "neck",
    "pooling": "pooling",
    "pyramid": "pyramid",
    "upsample": "upsample",
}
_EXCLUDING = (  # (word, what it leaves no place for)
    ("block", "convolution"),
    ("neck", "upsample"),
    ("pyramid", "neck"),
    ("pyramid", "upsample"),
)
_PARTS = {"box": message("box"), "class": message("class"), "mask": message("mask")}
TRAINING_ONLY = ("loss", "assigner")  # words that change nothing at inference
Row = list[Any]


def excludes(word: str, other: str) -> bool:
    """Whether two modifiers cannot be combined."""
    return (word, other) in _EXCLUDING or (other, word) in _EXCLUDING


@dataclass(frozen=True)
class Design:
    """A parsed architecture.

    Attributes:
        scale: of YOLO11-seg: n, s, m, l or x.
        layers: word of the modifier, e.g. ``down`` -> name of the layer, with its member behind a slash; of ``loss``:
            one name for each part, in alphabetical order, with commas between them.
    """

    scale: str
    layers: Mapping[str, str]

    @property
    def name(self) -> str:
        """The normal form: presets written out, modifiers in alphabetical order."""
        return f"yolo11{self.scale}-seg" + "".join(f"+{word}={name}" for word, name in sorted(self.layers.items()))


class Catalogue:
    """The layers that architectures can use.

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
        """Names of the layers of one kind, sorted; families without their members."""
        return sorted(name for found, name in self._by_name if found == kind)

    def find(self, kind: LayerKind, name: str) -> tuple[LayerSpec, tuple[str, ...]]:
        """Find the layer ``name`` (``NAME/MEMBER`` for a family); return it and its member as a tuple of none or one.

        Raises:
            InputError: the name is unknown.
        """
        own, slash, member = name.partition("/")
        spec = self._by_name.get((kind, own))
        if spec is None:
            known: Sequence[str] = self.names(kind)
            close = difflib.get_close_matches(own, known, 1)
            hint = (
                message("known are {names}", names=", ".join(known))
                if known
                else message("no active plugin provides one")
            )
            if close:
                hint = message("did you mean {name}? {hint}", name=close[0], hint=hint)
            raise InputError("There is no {kind} {name!r}; {hint}", kind=message(kind), name=own, hint=hint)
        if (spec.members is not None) != bool(slash and member):
            example = f"{own}/{next(iter(spec.members()), 'NAME')}" if spec.members else own
            raise InputError(
                "{name!r} does not name a {kind}; write {example}", name=name, kind=message(kind), example=example
            )
        if spec.members is not None and member not in (known := spec.members()):
            close = difflib.get_close_matches(member, known, 3)
            hint = (
                message("did you mean {close}?", close=", ".join(close))
                if close
                else message("it has {count}, such as {known}", count=len(known), known=known[0])
            )
            raise InputError(
                "{own} has no {kind} {member!r}; {hint}", own=own, kind=message(kind), member=member, hint=hint
            )
        return spec, (member,) if member else ()

    def parse(self, name: str) -> Design:
        """Parse an architecture's name.

        Raises:
            InputError: with the part that is wrong, and the known names.
        """
        base, *modifiers = name.strip().split("+")
        found = re.fullmatch(r"yolo11([nsmlx])-seg(?:-([A-Za-z0-9_-]+))?", base)
        if not found:
            raise InputError(
                "Unknown architecture {name!r}; names begin with yolo11n-seg, yolo11s-seg, yolo11m-seg, "
                "yolo11l-seg or yolo11x-seg",
                name=name,
                cli_hint="bearing-inspector architectures",
            )
        layers: dict[str, str] = {}
        if suffix := found[2]:
            if suffix not in self.presets:
                known = (
                    message("known are {names}", names=", ".join(sorted(self.presets)))
                    if self.presets
                    else message("no plugin provides one")
                )
                raise InputError(
                    "There is no preset {name!r} of yolo11{size}-seg; {hint}",
                    name=suffix,
                    size=found[1],
                    hint=known,
                )
            for modifier in self.presets[suffix][0].split("+")[1:]:
                self._add(layers, modifier, self.presets[suffix][0])
        for modifier in modifiers:
            self._add(layers, modifier, name)
        self._check_together(name, layers)
        return Design(found[1], layers)

    def _check_together(self, name: str, layers: Mapping[str, str]) -> None:
        """Refuse a layer that another one leaves no place for."""
        for word, other in _EXCLUDING:
            if word in layers and other in layers:
                raise InputError(
                    "{name}: {word}={layer} leaves no place for {other}={lost}, which would have no effect; "
                    "leave one of them out",
                    name=name,
                    word=word,
                    layer=layers[word],
                    other=other,
                    lost=layers[other],
                )

    def _add(self, layers: dict[str, str], modifier: str, whole: str) -> None:
        word, _, name = modifier.partition("=")
        if word not in WORDS or not name:
            raise InputError(
                "{name}: {modifier!r} is not a modifier; write +WORD=NAME with {words} as WORD, for example "
                "+block=context_guided",
                name=whole,
                modifier=modifier,
                words=", ".join(WORDS),
            )
        if word in layers:
            raise InputError("{name}: {word} is named twice; keep one", name=whole, word=word)
        if word == "loss":
            name = self._losses(name, whole)
        else:
            self.find(WORDS[word], name)
        layers[word] = name

    def _losses(self, names: str, whole: str) -> str:
        """Check the names of losses, separated by commas, of which each part may have one; sort them."""
        of: dict[str, str] = {}
        for name in names.split(","):
            part = self.find("loss", name)[0].part
            if part in of:
                raise InputError(
                    "{name}: {one} and {other} are both losses of the {part}; keep one",
                    name=whole,
                    one=of[part],
                    other=name,
                    part=_PARTS[part],
                )
            of[part] = name
        return ",".join(sorted(of.values()))


def rows(design: Design, stock: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description of ``design`` for the builder.

    Args:
        stock: ultralytics' description of yolo11-seg of that scale, its ``backbone`` and ``head`` rows; not changed.
    """
    described: dict[str, Any] = copy.deepcopy(dict(stock))
    backbone: list[Row] = described["backbone"]
    head: list[Row] = described["head"]
    layers = design.layers
    described |= {word: layers[word] for word in TRAINING_ONLY if word in layers}
    if "backbone" in layers:
        _replace_backbone(backbone, layers["backbone"])
    if "pyramid" in layers:
        _replace_neck(backbone, head, layers["pyramid"])
    for row in backbone + head:
        module, arguments = row[2], row[3]
        if module == "C3k2" and ("block" in layers or "convolution" in layers):
            row[2] = f"C3k2:{layers['block']}" if "block" in layers else f"C3k2-convolution:{layers['convolution']}"
        elif "pooling" in layers and module == "SPPF":
            row[2:] = [f"pooling:{layers['pooling']}", arguments[:1]]
        elif "head" in layers and module == "Segment":
            row[2] = f"head:{layers['head']}"
        elif "down" in layers and module == "Conv" and arguments[1:] == [3, 2] and row is not backbone[0]:
            row[2:] = [f"downsample:{layers['down']}", arguments[:1]]
        elif "upsample" in layers and module == "nn.Upsample":
            row[2:] = [f"upsample:{layers['upsample']}", []]
    if "neck" in layers:
        for up, join in itertools.pairwise(head):
            if up[2] == "nn.Upsample" and join[2] == "Concat":
                up[2:] = ["nn.Identity", []]
                join[2:] = [f"neck:{layers['neck']}", []]
    if "attention" in layers:
        rows_of_all = backbone + head
        for number in head[-1][0]:
            rows_of_all[number][2] += f"@{layers['attention']}"
    return described


def _replace_backbone(stock: list[Row], name: str) -> None:
    """Replace all rows before SPPF by the backbone; its maps take the stock rows of equal stride: 4, 6, 8."""
    last = next(number for number, row in enumerate(stock) if row[2] == "SPPF") - 1
    stock[: last + 1] = [[-1, 1, "nn.Identity", []] for _ in range(last + 1)]
    stock[0] = [-1, 1, f"backbone:{name}", []]
    for number, index in ((last - 4, 0), (last - 2, 1), (last, 2)):
        stock[number] = [0, 1, "Index", [index]]


def _replace_neck(backbone: list[Row], head: list[Row], name: str) -> None:
    """Replace all rows between backbone and head by the pyramid; its maps take the rows that the head reads."""
    first = len(backbone)
    reads = sorted(row for join in head if join[2] == "Concat" for row in join[0] if 0 <= row < first)
    channels = [(backbone + head)[number][3][0] for number in head[-1][0]]
    places = {number: index for index, number in enumerate(head[-1][0])}
    for row, number in zip(head[:-1], range(first, first + len(head) - 1), strict=True):
        if number == first:
            row[:] = [reads, 1, f"pyramid:{name}", channels]
        elif number in places:
            row[:] = [first, 1, "Index", [places[number]]]
        else:
            row[:] = [first, 1, "nn.Identity", []]


def is_ours(description: Mapping[str, Any]) -> bool:
    """Whether a model's description has rows that only our builder understands."""
    rows_of_all = [row for part in ("backbone", "head") for row in description.get(part, ())]
    return any(":" in str(row[2]) or "@" in str(row[2]) for row in rows_of_all)
