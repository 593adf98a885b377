"""What can be built: the list, what one costs, and the check of all combinations."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from inspector.api import Architecture, Cost, InputError, InspectorError, LayerKind, LayerSpec, Text
from inspector_plugins.yolo11 import design

_PAPER = "Jocher & Qiu, 2024, Ultralytics YOLO11"
_KINDS: dict[LayerKind, tuple[str, Text]] = {
    "block": ("block", Text("in place of the bottlenecks", "替换瓶颈模块")),
    "downsample": ("down", Text("in place of the strided convolutions", "替换步长卷积")),
    "backbone": ("backbone", Text("in place of the backbone", "替换主干网络")),
    "neck": ("neck", Text("in place of upsampling and concatenation", "替换上采样与拼接")),
    "upsample": ("upsample", Text("in place of nearest-neighbour upsampling", "替换最近邻上采样")),
}
_CHECKED_AT = 64  # pixels
_STRIDE = 32  # pixels; sides of the network's input are multiples of it


class YoloArchitectures:
    """YOLO11-seg and what the layers of plugins make of it; see :class:`inspector.api.Architectures`.

    Args:
        layers: of all active plugins.
    """

    def __init__(self, layers: Sequence[LayerSpec]) -> None:
        self._layers = tuple(layers)
        self._catalogue = design.Catalogue(self._layers)

    def list(self) -> Sequence[Architecture]:
        """Bases, presets of each scale, and the modifiers that may be added to either."""
        found = [
            Architecture(f"yolo11{scale}-seg", "base", Text("YOLO11 segmentation", "YOLO11 分割模型"), _PAPER)
            for scale in design.SCALES
        ]
        for suffix, (meaning, spec) in sorted(self._catalogue.presets.items()):
            for scale in design.SCALES:
                base = f"yolo11{scale}-seg"
                found.append(Architecture(f"{base}-{suffix}", "preset", spec.title, spec.paper, base + meaning))
        for kind in get_args(LayerKind):
            word, where = _KINDS[kind]
            for name in self._catalogue.names(kind):
                spec = next(s for s in self._layers if s.kind == kind and (s.name or s.id) == name)
                title = Text(f"{spec.title.en}, {where.en}", f"{spec.title.zh or spec.title.en}，{where.zh}")
                shown = f"+{word}={name}" + ("/NAME" if spec.members else "")
                found.append(Architecture(shown, "modifier", title, spec.paper))
        return found

    def cost(self, name: str, imgsz: int = 640) -> Cost:
        """Layers, parameters, GFLOPs and stride of one architecture with one class; builds it. imgsz is rounded up to
        the stride.

        Raises:
            InputError: for a name that cannot be built.
        """
        from inspector_plugins.yolo11 import build, flops

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
        """Every base and preset; each modifier of the smallest scale with each other; each backbone, the smallest of
        each paper with all modifiers. In normal form, each once."""
        names = [*(entry.name for entry in self.list() if entry.kind != "modifier")]
        choices: list[list[str]] = []
        for word, kind in (("block", "block"), ("down", "downsample")):
            choices.append(["", *(f"+{word}={name}" for name in self._catalogue.names(kind))])  # type: ignore[arg-type]
        choices.append(
            [
                "",
                *(f"+neck={name}" for name in self._catalogue.names("neck")),
                *(f"+upsample={name}" for name in self._catalogue.names("upsample")),
            ]
        )
        backbones = [spec for spec in self._layers if spec.kind == "backbone"]
        smallest: dict[str, str] = {}
        for spec in backbones:
            own = spec.name or spec.id
            for member in _examples(spec):
                names.append(f"yolo11n-seg+backbone={own}{member}")
                smallest.setdefault(spec.paper or own, f"+backbone={own}{member}")
        choices.append(["", *smallest.values()])
        names += ["yolo11n-seg" + "".join(parts) for parts in itertools.product(*choices)]
        return list(dict.fromkeys(self._catalogue.parse(name).name for name in names))

    def check(self, name: str) -> None:
        """Build, loss and gradients on a small picture, save in 16 bit, reload by the allow-list, compare.

        Raises:
            InspectorError: saying what failed.
        """
        from inspector_plugins.yolo11 import trial

        with tempfile.TemporaryDirectory() as folder:
            try:
                trial.run(name, self._layers, Path(folder), _CHECKED_AT)
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
                raise InspectorError(f"{name}: {type(error).__name__}: {reason}") from error


def _examples(spec: LayerSpec) -> Sequence[str]:
    """What follows a backbone's name: nothing, or of a family its first few members."""
    return [""] if spec.members is None else [f"/{member}" for member in _few(spec.members())]


def _few(members: Sequence[str]) -> Sequence[str]:
    wanted = [name for name in ("resnet18", "mobilenetv3_small_100", "convnext_atto") if name in members]
    return wanted or members[:1]
