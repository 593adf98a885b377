"""Build segmentation networks from rows, with plugins' layers among ultralytics' own.

The table :data:`RULES` defines for each module of YOLO11-seg how its channels follow from its position; a plugin's
layer is called as its kind requires, see :class:`inspector.api.LayerSpec`. For the stock architectures the result has
the keys, shapes and, with the same seed, the weights that ultralytics gives them.
"""

from __future__ import annotations

import copy
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
from ultralytics.nn.modules.block import Bottleneck, C3k
from ultralytics.utils.ops import make_divisible

from inspector_plugins.yolo11.architecture import design
from inspector_plugins.yolo11.architecture.model_yaml import MOST_PARAMETERS, checked

_LOCK = threading.Lock()  # ultralytics' constructor looks its parser up in a module's namespace, one per process


@dataclass(frozen=True)
class RowContext:
    """Position of a row in the network.

    Attributes:
        inputs: channels of its inputs; for a backbone's output, of all maps.
        strides: of its inputs, image pixels per pixel.
        arguments: of the row.
        repeats: of the row, scaled by the depth.
        width, largest: factor and upper limit for channels.
        classes: number of classes of the head.
        wide: whether the scale is m, l or x, whose C3k2 are all of the larger kind.
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


Built = tuple[nn.Module, Any, Any]  # a module, channels and stride of its output (for a backbone: lists)


def _conv(context: RowContext) -> Built:
    c2 = context.scaled(context.arguments[0])
    module = Conv(context.inputs[0], c2, *context.arguments[1:])
    return module, c2, context.strides[0] * module.conv.stride[0]


def _sppf(context: RowContext) -> Built:
    c2 = context.scaled(context.arguments[0])
    module = SPPF(context.inputs[0], c2, *context.arguments[1:])
    module.cv1.act = Conv.default_act  # as in all models before yolo26
    return module, c2, context.strides[0]


def _c2psa(context: RowContext) -> Built:
    c2 = context.scaled(context.arguments[0])
    return C2PSA(context.inputs[0], c2, context.repeats, *context.arguments[1:]), c2, context.strides[0]


def _c3k2(context: RowContext) -> Built:
    c2, arguments = context.scaled(context.arguments[0]), list(context.arguments[1:])
    if context.wide:
        arguments[:1] = [True]
    return C3k2(context.inputs[0], c2, context.repeats, *arguments), c2, context.strides[0]


def _upsample(context: RowContext) -> Built:
    return nn.Upsample(*context.arguments), context.inputs[0], context.strides[0] // context.arguments[1]


def _concat(context: RowContext) -> Built:
    return Concat(*context.arguments), sum(context.inputs), context.strides[0]


def _index(context: RowContext) -> Built:
    index = context.arguments[0]
    return Index(index), context.inputs[0][index], context.strides[0][index]


def _identity(context: RowContext) -> Built:
    return nn.Identity(), context.inputs[0], context.strides[0]


def _segment(context: RowContext) -> Built:
    Segment.legacy = False  # the class branch of YOLO11 and later
    _, masks, prototypes = context.arguments
    head = Segment(context.classes, masks, context.scaled(prototypes), 16, None, list(context.inputs))
    return head, None, None


def _head(context: RowContext, catalogue: design.Catalogue, name: str) -> Built:
    Segment.legacy = False
    _, masks, prototypes = context.arguments
    head = _layer(catalogue, "head", name, context.classes, masks, context.scaled(prototypes), list(context.inputs))
    if not isinstance(head, Segment):
        raise ValueError(f"the head {name} is {type(head).__name__}, which is no subclass of ultralytics' Segment")
    return head, None, None


def _pyramid(context: RowContext, catalogue: design.Catalogue, name: str) -> Built:
    outputs = tuple(context.scaled(channels) for channels in context.arguments)
    built = _layer(catalogue, "pyramid", name, tuple(context.inputs), outputs, context.strides[0])
    sizes = (16, 8, 4)
    with torch.no_grad():
        maps = built.eval()([torch.zeros(1, c, size, size) for c, size in zip(context.inputs, sizes, strict=True)])
    built.train()
    expected = [(1, c, size, size) for c, size in zip(outputs, sizes, strict=True)]
    if (found := [tuple(one.shape) for one in maps]) != expected:
        raise InputError(
            "the pyramid {name} returns maps of the shapes {shape}, where {expected} are expected",
            name=name,
            shape=found,
            expected=expected,
        )
    return built, outputs, tuple(context.strides)


RULES: Mapping[str, Callable[[RowContext], Built]] = {
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
    """Build a network with fresh weights.

    Args:
        architecture: e.g. ``yolo11n-seg-cgnet`` or ``yolo11n-seg+block=vss+neck=freqfusion``.
        classes: number of classes.
        layers: layers of plugins that the name may use.

    Raises:
        InputError: the name cannot be built; with the reason.
    """
    catalogue = design.Catalogue(layers)
    chosen = catalogue.parse(architecture)
    description = design.rows(chosen, tasks.yaml_model_load(f"yolo11{chosen.scale}-seg.yaml"))
    description["architecture"] = architecture.strip()
    return _assemble(description, classes, catalogue, architecture, verbose)


def rebuild(
    description: Mapping[str, Any], classes: int, layers: Iterable[LayerSpec] = (), verbose: bool = False
) -> tasks.SegmentationModel:
    """Build a network with fresh weights from the description that a model carries as ``yaml``.

    Raises:
        InputError: it names a layer that no active plugin provides, or that cannot be built.
    """
    try:
        described = checked(description)
        if design.is_ours(described):
            name = str(described.get("architecture", "the checkpoint's architecture"))
            if str(described.get("scale", "?")) not in design.SCALES or not described.get("scales"):
                raise ValueError("it has no scale")
            described["scales"] = tasks.yaml_model_load(f"yolo11{described['scale']}-seg.yaml")["scales"]
            return _assemble(described, classes, design.Catalogue(layers), name, verbose)
        return _stock(described, classes, verbose)
    except (ArithmeticError, AttributeError, LookupError, NotImplementedError, RuntimeError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0][:120] or type(error).__name__
        raise InputError(
            "The network that the checkpoint describes cannot be built ({reason}); "
            "name its architecture instead, and give the file as the weights to start from",
            reason=reason,
        ) from error
    except ValueError as error:
        raise InputError(
            "The network that the checkpoint describes is not built here ({reason}); "
            "name its architecture instead, and give the file as the weights to start from",
            reason=error,
        ) from error


def _stock(description: dict[str, Any], classes: int, verbose: bool) -> tasks.SegmentationModel:
    """Build a network with ultralytics' own parser; its size is checked before anything is allocated."""
    with _LOCK:
        before = Conv.default_act
        try:
            with torch.device("meta"):
                rows, _ = tasks.parse_model(copy.deepcopy(description) | {"nc": classes}, ch=3, verbose=False)
            if sum(parameter.numel() for parameter in rows.parameters()) > MOST_PARAMETERS:
                raise ValueError("it is larger than any network")
            return tasks.SegmentationModel(copy.deepcopy(description), nc=classes, verbose=verbose)
        finally:
            Conv.default_act = before


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
            raise InputError("{name}: {reason}", name=name, reason=error) from None
        except ValueError as error:
            raise InputError("{name} cannot be built: {reason}", name=name, reason=error) from error
        except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError) as error:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise InputError(
                "{name} cannot be built for images of every size ({reason}); choose another architecture",
                name=name,
                reason=reason,
            ) from error
        finally:
            tasks.parse_model = before
    strides = tuple(int(stride) for stride in model.stride)
    if strides != (8, 16, 32):
        raise InputError(
            "{name} has feature maps of stride {strides} where 8, 16 and 32 are needed; one of its layers "
            "changes the size, which its kind must not do",
            name=name,
            strides=strides,
        )
    return model


def _sequence(described: Mapping[str, Any], ch: int, catalogue: design.Catalogue) -> tuple[nn.Sequential, list[int]]:
    """Build the rows as modules with ``i`` (number), ``f`` (from), ``type``, ``np``, and list the rows to keep."""
    depth, width, largest = described["scales"][described["scale"]]
    channels: list[Any] = []
    strides: list[Any] = []
    modules: list[nn.Module] = []
    save: set[int] = set()
    for number, (source, repeats, name, arguments) in enumerate([*described["backbone"], *described["head"]]):
        sources = [source] if isinstance(source, int) else source
        context = RowContext(
            inputs=tuple(channels[one] if number else ch for one in sources),
            strides=tuple(strides[one] if number else 1 for one in sources),
            arguments=[{"None": None}.get(value, value) if isinstance(value, str) else value for value in arguments],
            repeats=max(round(repeats * depth), 1) if repeats > 1 else repeats,
            width=width,
            largest=largest,
            classes=described["nc"],
            wide=described["scale"] in ("m", "l", "x"),
        )
        module, c2, stride = _build(name, context, catalogue)
        main: Any = module
        main.i, main.f, main.type = number, source, f"{type(module).__module__}.{type(module).__qualname__}"
        main.np = sum(parameter.numel() for parameter in module.parameters())
        save.update(one % number for one in sources if one != -1)
        modules.append(module)
        channels.append(c2)
        strides.append(stride)
    return nn.Sequential(*modules), sorted(save)


def _build(name: str, context: RowContext, catalogue: design.Catalogue) -> Built:
    row, _, attention = name.partition("@")
    if attention:
        built, c2, stride = _build(row, context, catalogue)
        return _attended(built, _layer(catalogue, "attention", attention, c2, c2, stride), attention, c2), c2, stride
    module, colon, layer = name.partition(":")
    if not colon:
        if module not in RULES:
            raise InputError(
                "the builder has no rule for {module!r}; known are {rules}", module=module, rules=", ".join(RULES)
            )
        return RULES[module](context)
    if module == "C3k2":
        return _with_block(context, catalogue, layer)
    if module == "C3k2-convolution":
        return _with_convolution(context, catalogue, layer)
    if module == "head":
        return _head(context, catalogue, layer)
    if module == "pyramid":
        return _pyramid(context, catalogue, layer)
    if module == "pooling":
        c2 = context.scaled(context.arguments[0])
        built = _layer(catalogue, "pooling", layer, context.inputs[0], c2, context.strides[0])
        _try(built, layer, (context.inputs[0], 16, 16), (c2, 16, 16))
        return built, c2, context.strides[0]
    if module == "backbone":
        built = _layer(catalogue, "backbone", layer)
        given = tuple(int(count) for count in built.channels)
        if len(given) != 3:
            raise ValueError(f"the backbone {layer} tells {len(given)} channel counts, not three")
        return built, given, (8, 16, 32)
    if module == "downsample":
        c2, stride = context.scaled(context.arguments[0]), context.strides[0] * 2
        built = _layer(catalogue, "downsample", layer, context.inputs[0], c2, stride)
        _try(built, layer, (context.inputs[0], 16, 16), (c2, 8, 8))
        return built, c2, stride
    if module == "upsample":
        c2, stride = context.inputs[0], context.strides[0] // 2
        built = _layer(catalogue, "upsample", layer, c2, c2, stride)
        _try(built, layer, (c2, 16, 16), (c2, 32, 32))
        return built, c2, stride
    if module == "neck":
        deep, shallow = context.inputs
        return _layer(catalogue, "neck", layer, deep, shallow, context.strides[1]), deep + shallow, context.strides[1]
    raise InputError("the builder has no rule for {name!r}", name=name)


def _layer(catalogue: design.Catalogue, kind: LayerKind, name: str, *arguments: Any) -> Any:
    spec, member = catalogue.find(kind, name)
    make = spec.build or spec.load()[0]
    return make(*member, *arguments)


def _try(module: nn.Module, name: str, channels: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    """Refuse a layer whose sizes contradict its kind: a whole network of them may take gigabytes to find out."""
    with torch.no_grad():
        came = tuple(module.eval()(torch.zeros(1, *channels)).shape[1:])
    module.train()
    if came != wanted:
        raise InputError(
            "the layer {name} turns a map of {given} into {shape}, where {expected} is expected",
            name=name,
            shape=came,
            given=channels,
            expected=wanted,
        )


def _with_block(context: RowContext, catalogue: design.Catalogue, name: str) -> Built:
    """A C3k2 whose bottlenecks, or those of its C3k, are a plugin's blocks."""
    built, c2, stride = _c3k2(context)
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


def _with_convolution(context: RowContext, catalogue: design.Catalogue, name: str) -> Built:
    """A C3k2 in whose bottlenecks the second convolution is a plugin's."""
    built, c2, stride = _c3k2(context)
    for bottleneck in [module for module in built.modules() if isinstance(module, Bottleneck)]:
        given, wanted = bottleneck.cv2.conv.in_channels, bottleneck.cv2.conv.out_channels
        replaced = _layer(catalogue, "convolution", name, given, wanted, stride)
        _try(replaced, name, (given, 16, 16), (wanted, 16, 16))
        bottleneck.cv2 = replaced
    return built, c2, stride


def _attended(built: nn.Module, attention: nn.Module, name: str, channels: int) -> nn.Module:
    """Append an attention to a row: behind the last activation of a C3k2, so that its weights keep their keys."""
    _try(attention, name, (channels, 16, 16), (channels, 16, 16))
    cv2: Any = built.cv2 if isinstance(built, C3k2) else None
    if cv2 is None:
        return nn.Sequential(built, attention)
    cv2.act = nn.Sequential(cv2.act, attention)
    return built


def prepare_for_inference(model: tasks.SegmentationModel, fuse: bool = True) -> tasks.SegmentationModel:
    """Merge in context: branches of plugins' layers and, with ``fuse``, convolutions and norms."""
    with torch.no_grad():
        merged: list[nn.Module] = []
        for module in list(model.modules()):
            within = any(module is inner for outer in merged for inner in outer.modules())
            if not within and callable(getattr(module, "reparameterize", None)):
                module.reparameterize()
                merged.append(module)
        return model.fuse(verbose=False) if fuse else model


def copy_matching(model: nn.Module, start: nn.Module) -> tuple[list[str], list[str]]:
    """Copy from ``start`` the tensors with matching key and shape.

    Returns:
        The keys of ``model`` that were copied from ``start``, and those that were not.
    """
    own, given = model.state_dict(), start.state_dict()
    fitting = {key: given[key] for key, value in own.items() if key in given and given[key].shape == value.shape}
    model.load_state_dict(fitting, strict=False)
    return list(fitting), [key for key in own if key not in fitting]
