"""Builds segmentation networks from rows, with the layers of plugins among ultralytics' own.

The table :data:`RULES` says for each module of YOLO11-seg how its channels follow from its place; a plugin's layer is
called as its kind demands, see :class:`inspector.api.LayerSpec`. For the stock architectures the result has the keys,
shapes and, from the same seed, the weights that ultralytics gives them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from inspector.api import InputError, LayerKind, LayerSpec, prepare_torch

prepare_torch()

import torch
from torch import nn
from ultralytics.nn import tasks
from ultralytics.nn.modules import C2PSA, SPPF, C3k2, Concat, Conv, Index, Segment
from ultralytics.nn.modules.block import C3k
from ultralytics.utils.ops import make_divisible

from inspector_plugins.yolo11 import design

_LOCK = threading.Lock()  # ultralytics' constructor finds its parser in a module's namespace, one for the process


@dataclass(frozen=True)
class Place:
    """Where a row stands.

    Attributes:
        inputs: channels of its inputs; of a backbone's output, all of them.
        strides: of its inputs, pixels of the picture a pixel.
        arguments: of the row.
        repeats: of the row, scaled in depth.
        width, largest: factor and upper bound of channels.
        classes: that the head tells apart.
        wide: of the scales m, l and x, whose C3k2 are all of the larger kind.
    """

    inputs: tuple[Any, ...]
    strides: tuple[Any, ...]
    arguments: list[Any]
    repeats: int
    width: float
    largest: float
    classes: int
    wide: bool

    def scaled(self, channels: int) -> int:
        return int(make_divisible(min(channels, self.largest) * self.width, 8))


Built = tuple[nn.Module, Any, Any]  # a module, the channels and the stride of its output (of a backbone: lists)


def _conv(place: Place) -> Built:
    c2 = place.scaled(place.arguments[0])
    module = Conv(place.inputs[0], c2, *place.arguments[1:])
    return module, c2, place.strides[0] * module.conv.stride[0]


def _sppf(place: Place) -> Built:
    c2 = place.scaled(place.arguments[0])
    module = SPPF(place.inputs[0], c2, *place.arguments[1:])
    module.cv1.act = Conv.default_act  # as in all models before yolo26
    return module, c2, place.strides[0]


def _c2psa(place: Place) -> Built:
    c2 = place.scaled(place.arguments[0])
    return C2PSA(place.inputs[0], c2, place.repeats, *place.arguments[1:]), c2, place.strides[0]


def _c3k2(place: Place) -> Built:
    c2, arguments = place.scaled(place.arguments[0]), list(place.arguments[1:])
    if place.wide:
        arguments[:1] = [True]
    return C3k2(place.inputs[0], c2, place.repeats, *arguments), c2, place.strides[0]


def _upsample(place: Place) -> Built:
    return nn.Upsample(*place.arguments), place.inputs[0], place.strides[0] // place.arguments[1]


def _concat(place: Place) -> Built:
    return Concat(*place.arguments), sum(place.inputs), place.strides[0]


def _index(place: Place) -> Built:
    index = place.arguments[0]
    return Index(index), place.inputs[0][index], place.strides[0][index]


def _identity(place: Place) -> Built:
    return nn.Identity(), place.inputs[0], place.strides[0]


def _segment(place: Place) -> Built:
    Segment.legacy = False  # the class branch of YOLO11 and later
    _, masks, prototypes = place.arguments
    head = Segment(place.classes, masks, place.scaled(prototypes), 16, None, list(place.inputs))
    return head, None, None


RULES: Mapping[str, Callable[[Place], Built]] = {
    "C2PSA": _c2psa,
    "C3k2": _c3k2,
    "Concat": _concat,
    "Conv": _conv,
    "Index": _index,
    "SPPF": _sppf,
    "Segment": _segment,
    "nn.Identity": _identity,
    "nn.Upsample": _upsample,
}


def segmentation_model(
    architecture: str, classes: int, layers: Iterable[LayerSpec] = (), verbose: bool = False
) -> tasks.SegmentationModel:
    """A network with fresh weights.

    Args:
        architecture: such as ``yolo11n-seg-cgnet`` or ``yolo11n-seg+block=vss+neck=freqfusion``.
        classes: number of classes.
        layers: layers of plugins that the name may mention.

    Raises:
        InputError: for a name that cannot be built, saying why.
    """
    catalogue = design.Catalogue(layers)
    chosen = catalogue.parse(architecture)
    description = design.rows(chosen, tasks.yaml_model_load(f"yolo11{chosen.scale}-seg.yaml"))
    description["architecture"] = architecture.strip()
    return _assemble(description, classes, catalogue, architecture, verbose)


def rebuild(
    description: Mapping[str, Any], classes: int, layers: Iterable[LayerSpec] = (), verbose: bool = False
) -> tasks.SegmentationModel:
    """A network with fresh weights from the description that a model carries as ``yaml``.

    Raises:
        InputError: where it names a layer that no active plugin brings, or that cannot be built.
    """
    if not design.is_ours(description):
        return tasks.SegmentationModel(dict(description), nc=classes, verbose=verbose)
    name = str(description.get("architecture", "the checkpoint's architecture"))
    return _assemble(dict(description), classes, design.Catalogue(layers), name, verbose)


def _assemble(
    description: dict[str, Any], classes: int, catalogue: design.Catalogue, name: str, verbose: bool
) -> tasks.SegmentationModel:
    def parse(described: Mapping[str, Any], ch: int, verbose: bool = True) -> tuple[nn.Sequential, list[int]]:
        return _sequence(described, ch, catalogue)

    with _LOCK:
        before, tasks.parse_model = tasks.parse_model, parse
        try:
            model = tasks.SegmentationModel(description, nc=classes, verbose=verbose)
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
        except ValueError as error:
            raise InputError(f"{name} cannot be built: {error}") from error
        except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError) as error:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise InputError(
                f"{name} cannot be built for pictures of any size ({reason}); choose another architecture"
            ) from error
        finally:
            tasks.parse_model = before
    strides = tuple(int(stride) for stride in model.stride)
    if strides != (8, 16, 32):
        raise InputError(
            f"{name} gives maps of stride {strides} where 8, 16 and 32 are needed; one of its layers changes sizes "
            "against its kind"
        )
    return model


def _sequence(described: Mapping[str, Any], ch: int, catalogue: design.Catalogue) -> tuple[nn.Sequential, list[int]]:
    """The rows as modules with their ``i`` (number), ``f`` (from), ``type`` and ``np``, and the numbers to keep."""
    depth, width, largest = described["scales"][described["scale"]]
    channels: list[Any] = []
    strides: list[Any] = []
    modules: list[nn.Module] = []
    save: set[int] = set()
    for number, (source, repeats, name, arguments) in enumerate([*described["backbone"], *described["head"]]):
        sources = [source] if isinstance(source, int) else source
        place = Place(
            inputs=tuple(channels[one] if number else ch for one in sources),
            strides=tuple(strides[one] if number else 1 for one in sources),
            arguments=[{"None": None}.get(value, value) if isinstance(value, str) else value for value in arguments],
            repeats=max(round(repeats * depth), 1) if repeats > 1 else repeats,
            width=width,
            largest=largest,
            classes=described["nc"],
            wide=described["scale"] in ("m", "l", "x"),
        )
        module, c2, stride = _build(name, place, catalogue)
        main: Any = module
        main.i, main.f, main.type = number, source, f"{type(module).__module__}.{type(module).__qualname__}"
        main.np = sum(parameter.numel() for parameter in module.parameters())
        save.update(one % number for one in sources if one != -1)
        modules.append(module)
        channels.append(c2)
        strides.append(stride)
    return nn.Sequential(*modules), sorted(save)


def _build(name: str, place: Place, catalogue: design.Catalogue) -> Built:
    module, colon, layer = name.partition(":")
    if not colon:
        if module not in RULES:
            raise InputError(f"the builder has no rule for {module!r}; known are {', '.join(RULES)}")
        return RULES[module](place)
    if module == "C3k2":
        return _with_block(place, catalogue, layer)
    if module == "backbone":
        built = _layer(catalogue, "backbone", layer)
        given = tuple(int(count) for count in built.channels)
        if len(given) != 3:
            raise ValueError(f"the backbone {layer} tells {len(given)} channel counts, not three")
        return built, given, (8, 16, 32)
    if module == "downsample":
        c2, stride = place.scaled(place.arguments[0]), place.strides[0] * 2
        built = _layer(catalogue, "downsample", layer, place.inputs[0], c2, stride)
        _try(built, layer, (place.inputs[0], 16, 16), (c2, 8, 8))
        return built, c2, stride
    if module == "upsample":
        c2, stride = place.inputs[0], place.strides[0] // 2
        built = _layer(catalogue, "upsample", layer, c2, c2, stride)
        _try(built, layer, (c2, 16, 16), (c2, 32, 32))
        return built, c2, stride
    if module == "neck":
        deep, shallow = place.inputs
        return _layer(catalogue, "neck", layer, deep, shallow, place.strides[1]), deep + shallow, place.strides[1]
    raise InputError(f"the builder has no rule for {name!r}")


def _layer(catalogue: design.Catalogue, kind: LayerKind, name: str, *arguments: int) -> Any:
    spec, member = catalogue.find(kind, name)
    make = spec.build or spec.load()[0]
    return make(*member, *arguments)


def _try(module: nn.Module, name: str, given: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    """Refuse a layer that changes sizes against its kind: a whole network of such may take gigabytes to find out."""
    with torch.no_grad():
        came = tuple(module.eval()(torch.zeros(1, *given)).shape[1:])
    module.train()
    if came != wanted:
        raise InputError(f"the layer {name} makes a map of {came} out of {given}, where {wanted} is wanted")


def _with_block(place: Place, catalogue: design.Catalogue, name: str) -> Built:
    """C3k2 whose bottlenecks, or those of its C3k, are a plugin's blocks."""
    built, c2, stride = _c3k2(place)
    module: Any = built

    def block(bottleneck: Any) -> Any:
        channels = bottleneck.cv2.conv.out_channels
        return _layer(catalogue, "block", name, channels, channels, stride)

    for number, inner in enumerate(module.m):
        if isinstance(inner, C3k):
            inner.m = nn.Sequential(*map(block, inner.m))
        else:
            module.m[number] = block(inner)
    return built, c2, stride


def prepare_for_inference(model: tasks.SegmentationModel, fuse: bool = True) -> tasks.SegmentationModel:
    """Merge what can be merged, in place: branches of plugins' layers and, with ``fuse``, convolutions and norms."""
    with torch.no_grad():
        merged: list[nn.Module] = []
        for module in list(model.modules()):
            within = any(module is inner for outer in merged for inner in outer.modules())
            if not within and callable(getattr(module, "reparameterize", None)):
                module.reparameterize()
                merged.append(module)
        return model.fuse(verbose=False) if fuse else model


def transfer(model: nn.Module, start: nn.Module) -> tuple[list[str], list[str]]:
    """Copy from ``start`` the tensors whose key and shape fit.

    Returns:
        The keys of ``model`` that got their values from ``start``, and those that did not.
    """
    own, given = model.state_dict(), start.state_dict()
    fitting = {key: given[key] for key, value in own.items() if key in given and given[key].shape == value.shape}
    model.load_state_dict(fitting, strict=False)
    return list(fitting), [key for key in own if key not in fitting]
