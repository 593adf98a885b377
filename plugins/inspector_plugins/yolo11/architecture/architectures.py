"""List the architectures that can be built, compute their cost, and check all combinations."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from inspector.api import Architecture, Cost, InputError, InspectorError, LayerKind, LayerSpec, Text
from inspector_plugins.yolo11.architecture import design

_PAPER = "Jocher & Qiu, 2024, Ultralytics YOLO11"
_KINDS: dict[LayerKind, tuple[str, Text]] = {
    "block": ("block", Text("in place of the bottlenecks", "替换瓶颈模块")),
    "downsample": ("down", Text("in place of the strided convolutions", "替换步长卷积")),
    "backbone": ("backbone", Text("in place of the backbone", "替换主干网络")),
    "neck": ("neck", Text("in place of upsampling and concatenation", "替换上采样与拼接")),
    "upsample": ("upsample", Text("in place of nearest-neighbour upsampling", "替换最近邻上采样")),
    "convolution": ("convolution", Text("in place of the bottlenecks' second convolution", "替换瓶颈的第二个卷积")),
    "attention": ("attention", Text("behind the blocks that the head reads", "加在检测头读取的模块之后")),
    "pooling": ("pooling", Text("in place of SPPF", "替换 SPPF")),
    "pyramid": ("pyramid", Text("in place of the whole neck", "替换整个颈部")),
    "head": ("head", Text("in place of the head", "替换检测头")),
    "loss": ("loss", Text("while training", "仅用于训练")),
    "assigner": ("assigner", Text("while training", "仅用于训练")),
}
_OF_PART = {
    "box": Text("loss of the boxes", "边界框损失"),
    "class": Text("loss of the classes", "分类损失"),
    "mask": Text("loss of the masks", "掩膜损失"),
}
_IN_TURN = ("attention", "down", "head", "neck", "pooling")
_COMBINED = ("block", "convolution", "down", "neck", "upsample", "pyramid", "attention", "pooling", "head")
_MEMBERS = 16  # of a family of backbones that are checked
_CHECKED_AT = 64  # pixels
_STRIDE = 32  # pixels; the sides of the network's input are multiples of it


class YoloArchitectures:
    """YOLO11-seg and its variants with the layers of plugins; see :class:`inspector.api.Architectures`.

    Args:
        layers: of all active plugins.
    """

    def __init__(self, layers: Sequence[LayerSpec]) -> None:
        self._layers = tuple(layers)
        self._catalogue = design.Catalogue(self._layers)

    def list(self) -> Sequence[Architecture]:
        """List bases, presets of each scale, and the modifiers that can be added to either."""
        found = [
            Architecture(f"yolo11{scale}-seg", "base", Text("YOLO11 segmentation", "YOLO11 分割模型"), _PAPER)
            for scale in design.SCALES
        ]
        for suffix, (meaning, spec) in sorted(self._catalogue.presets.items()):
            for scale in design.SCALES:
                base = f"yolo11{scale}-seg"
                name = f"{base}-{suffix}"
                found.append(Architecture(name, "preset", spec.title, spec.paper, base + meaning, spec.about))
        for kind in get_args(LayerKind):
            word, place = _KINDS[kind]
            for name in self._catalogue.names(kind):
                spec = next(s for s in self._layers if s.kind == kind and (s.name or s.id) == name)
                where = _OF_PART.get(spec.part, place)
                title = Text(f"{spec.title.en}, {where.en}", f"{spec.title.zh or spec.title.en}，{where.zh}")
                shown = f"+{word}={name}" + ("/NAME" if spec.members else "")
                found.append(Architecture(shown, "modifier", title, spec.paper, about=spec.about))
        return found

    def cost(self, name: str, imgsz: int = 640) -> Cost:
        """Build an architecture with one class; return its layers, parameters, GFLOPs, stride. imgsz is rounded up to
        the stride.

        Raises:
            InputError: the name cannot be built.
        """
        from inspector_plugins.yolo11.architecture import build, flops

        model = build.segmentation_model(name, 1, self._layers)
        imgsz = -(-imgsz // _STRIDE) * _STRIDE
        rows: Any = model.model
        return Cost(
            name=name,
            meaning=self._catalogue.parse(name).name,
            imgsz=imgsz,
            layers=sum(1 for module in model.modules() if not any(True for _ in module.children())),
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            gflops=flops.count(model, imgsz) / 1e9,
            stride=tuple(int(stride) for stride in model.stride),
            rows=tuple((row.i, str(row.f), row.type.removeprefix("inspector_plugins."), row.np) for row in rows),
        )

    def combinations(self) -> Sequence[str]:
        """List every base and preset; at the smallest scale each modifier, each pair of them (the smallest backbone of
        each paper, losses and assigners alone), and each block on each backbone with one layer of every other kind,
        taken in turn. In normal form, each once."""
        names = [*(entry.name for entry in self.list() if entry.kind != "modifier")]
        modifiers = {
            word: [f"+{word}={name}" for name in self._catalogue.names(design.WORDS[word])] for word in _COMBINED
        }
        smallest: dict[str, str] = {}
        for spec in (spec for spec in self._layers if spec.kind == "backbone"):
            own = spec.name or spec.id
            for member in _examples(spec):
                names.append(f"yolo11n-seg+backbone={own}{member}")
                smallest.setdefault(spec.paper or own, f"+backbone={own}{member}")
        modifiers["backbone"] = list(smallest.values())
        for word in design.TRAINING_ONLY:
            names += [f"yolo11n-seg+{word}={name}" for name in self._catalogue.names(design.WORDS[word])]
        names += [f"yolo11n-seg{one}" for layers in modifiers.values() for one in layers]
        for (word, ones), (other, others) in itertools.combinations(modifiers.items(), 2):
            if not design.excludes(word, other):
                names += [f"yolo11n-seg{one}{two}" for one in ones for two in others]
        in_turn = [found for word, found in modifiers.items() if word in _IN_TURN and found]
        for number, pair in enumerate(itertools.product(modifiers["block"], modifiers["backbone"])):
            names.append("yolo11n-seg" + "".join(pair) + "".join(found[number % len(found)] for found in in_turn))
        return list(dict.fromkeys(self._catalogue.parse(name).name for name in names))

    def check(self, name: str) -> None:
        """Build it, compute loss and gradients on a small image, save in 16 bit, reopen as a checkpoint, and compare.

        Raises:
            InspectorError: with what failed.
        """
        from inspector_plugins.yolo11.architecture import architecture_check

        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            try:
                architecture_check.run(name, self._layers, Path(folder), _CHECKED_AT)
            except InputError as error:
                raise InspectorError(str(error)) from error
            except (
                ArithmeticError,
                AssertionError,
                AttributeError,
                LookupError,
                RuntimeError,
                TypeError,
                ValueError,
            ) as error:
                reason = str(error).strip().partition("\n")[0]
                raise InspectorError(
                    "{name}: {kind}: {reason}", name=name, kind=type(error).__name__, reason=reason
                ) from error


def _examples(spec: LayerSpec) -> Sequence[str]:
    """Suffixes of a backbone's name: none, or the first members of a family."""
    return [""] if spec.members is None else [f"/{member}" for member in spec.members()[:_MEMBERS]]
