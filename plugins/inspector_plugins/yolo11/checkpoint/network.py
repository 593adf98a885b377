"""Build a network from a checkpoint's description, without calling anything that the checkpoint names.

A checkpoint describes a tree of modules, each with the name of its class, its tensors and plain attributes. For a
known class (:mod:`.allowlist`) an empty module is created without its constructor and filled with what the class
uses: parameters, buffers, children, and those plain attributes that the class's own code mentions. Names of methods,
properties and hooks are never set; the only exception is ``forward``, which in a fused network is the same
module's ``forward_fuse``. Numbers that determine memory are limited before anything computes with them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

import torch
from torch import nn
from ultralytics.nn.tasks import SegmentationModel

from inspector_plugins._shared.torch_files.content import Record, Stored, mapping, plain
from inspector_plugins.yolo11.checkpoint import forks
from inspector_plugins.yolo11.checkpoint.allowlist import METHOD, WRAPPERS, Allowlist

MOST_MODULES = 50_000  # counted at every occurrence; the largest official model has 1,000
DEEPEST = 40
LONGEST_NAME = 100
LARGEST_STRIDE = 128  # pixels
MOST_CLASSES = 10_000
MOST_VALUES = 4_000_000  # of a map inside the network, for an image of 64x64; the largest official model has 0.5
_LARGEST_ATTRIBUTE = 1 << 20  # elements of a tensor that is neither parameter nor buffer, e.g. the anchors
_LARGEST_NUMBER = 1 << 31
_OF_ROWS = frozenset({"i", "f", "type", "np"})  # set by ultralytics' parser on each row
_OF_MODEL = frozenset({"yaml", "save", "names", "inplace", "stride", "nc", "task"})
_OWN = frozenset(vars(nn.Module())) | {"_forward_hooks_with_kwargs", "_is_full_backward_hook"}
_LIMITS: Mapping[str, tuple[float, float]] = {  # attribute -> smallest and largest number
    "kernel_size": (1, 256),
    "stride": (1, 128),
    "padding": (0, 1024),
    "output_padding": (0, 128),
    "dilation": (1, 256),
    "groups": (1, 1 << 16),
    "num_groups": (1, 1 << 16),
    "num_heads": (1, 1 << 12),
    "scale_factor": (0.01, 4),
    "upscale_factor": (1, 8),
    "downscale_factor": (1, 8),
    "output_size": (1, 1024),
    "size": (1, 1024),
    "n": (0, 16),
    "nl": (1, 8),
    "nm": (1, 1024),
    "reg_max": (1, 128),
    "area": (1, 64),
    "scale": (-(1 << 16), 1 << 16),
    "max_det": (1, 100_000),
}


class MalformedNetwork(ValueError):
    """The description was not written by ultralytics."""


class Builder:
    """Builds the networks of one checkpoint.

    Args:
        allowlist: of the classes that may be built.
    """

    def __init__(self, allowlist: Allowlist) -> None:
        self._allowlist = allowlist
        self._built: dict[int, nn.Module] = {}
        self._open: set[int] = set()
        self._count = 0

    def model(self, record: Record) -> SegmentationModel:
        """Build the segmentation network that ``record`` describes, with its tensors.

        Raises:
            MalformedNetwork: it is no segmentation network, or contains something that no network contains.
        """
        model = self._module(record, 0)
        if not isinstance(model, SegmentationModel):
            raise MalformedNetwork("its network is no SegmentationModel")
        rows = model._modules.get("model")
        if not isinstance(rows, nn.Sequential) or not len(rows):
            raise MalformedNetwork("its network has no rows")
        return model

    def _module(self, record: Any, depth: int) -> nn.Module:
        self._count += 1
        if self._count > MOST_MODULES or depth > DEEPEST:
            raise MalformedNetwork("its network has more parts than any network")
        if not isinstance(record, Record) or record.name in (METHOD, *WRAPPERS):
            raise MalformedNetwork("a part of its network is no layer")
        if id(record) in self._open:
            raise MalformedNetwork("its network contains itself")
        if record.arguments or record.items or record.elements:
            raise MalformedNetwork(f"{shown(record.name)} is called with arguments")
        self._open.add(id(record))
        try:
            if id(record) not in self._built:
                self._built[id(record)] = self._make(record, depth)
            else:  # count its parts again at every occurrence
                for child in _state(record, "_modules").values():
                    if child is not None:
                        self._module(child, depth + 1)
            return self._built[id(record)]
        finally:
            self._open.discard(id(record))

    def _make(self, record: Record, depth: int) -> nn.Module:
        cls: Any = self._allowlist.layer(record.name) or forks.foreign_class(record.name)
        if cls is None:
            raise MalformedNetwork(f"{shown(record.name)} is no layer that is built here")
        state = record.state
        if not isinstance(state, dict):
            raise MalformedNetwork(f"{shown(record.name)} has no content")
        if (from_state := getattr(cls, "from_state", None)) is not None:
            made = from_state(plain(state, tensors=True))
            if not isinstance(made, cls) or not isinstance(made, nn.Module):
                raise MalformedNetwork(f"{shown(record.name)} was not built")
            _set_plain(made, state, _OF_ROWS)
            return made
        module: nn.Module = cls.__new__(cls)
        nn.Module.__init__(module)
        foreign = isinstance(module, forks.Foreign)
        for name, value in _state(record, "_parameters").items():
            module._parameters[_check_part_name(cls, name)] = None if value is None else _parameter(value)
        lasting = _state(record, "_buffers")
        for name, value in lasting.items():
            module._buffers[_check_part_name(cls, name)] = None if value is None else _tensor(value)
        passing = state.get("_non_persistent_buffers_set")
        module._non_persistent_buffers_set = {name for name in _set_elements(passing) if name in lasting}
        for name, child in _state(record, "_modules").items():
            module._modules[_check_part_name(cls, name)] = None if child is None else self._module(child, depth + 1)
        if foreign:
            _set_plain(module, state, None)
            _check_foreign(module)
            return module
        model = issubclass(cls, SegmentationModel)
        _set_plain(module, state, _OF_MODEL if model else _mentioned_attributes(cls) | _OF_ROWS)
        _set_forward(module, record, state.get("forward"))
        _complete(module)
        _check_layer(module)
        return module


def _state(record: Record, key: str) -> dict[str, Any]:
    content = record.state.get(key, {}) if isinstance(record.state, dict) else {}
    items = mapping(content)
    if items is None or len(items) > MOST_MODULES:
        raise MalformedNetwork(f"{shown(record.name)} has no {key}")
    return items


def _check_part_name(cls: type, name: object) -> str:
    """Check that a part may be called ``name``: it must not be an attribute of the class, e.g. a method."""
    if type(name) is not str or not 0 < len(name) <= LONGEST_NAME or "." in name or not name.isprintable():
        raise MalformedNetwork(f"a part of {shown(cls.__name__)} has no usable name")
    if name in _OWN or _is_behaviour(cls, name):
        raise MalformedNetwork(f"a part of {shown(cls.__name__)} has the name of what the class does ({shown(name)})")
    return name


@lru_cache(maxsize=4096)
def _is_behaviour(cls: type, name: str) -> bool:
    """Whether ``name`` is behaviour of the class, e.g. a method: defined, and not a plain value."""
    if name.startswith("__"):
        return True
    for base in cls.__mro__:
        if name in vars(base):
            value = vars(base)[name]
            return not (value is None or isinstance(value, bool | int | float | str | tuple | list | torch.Tensor))
    return False


@lru_cache(maxsize=1024)
def _mentioned_attributes(cls: type) -> frozenset[str]:
    """The attributes that the code of a class and its bases mentions, without ``nn.Module``'s."""
    found: set[str] = set()
    for base in cls.__mro__:
        if base in (nn.Module, object):
            continue
        found.update(vars(base).get("__annotations__", ()), vars(base).get("__constants__", ()))
        for member in vars(base).values():
            inner = getattr(member, "__func__", getattr(member, "fget", member))
            if isinstance(inner, FunctionType):
                for code in _codes(inner.__code__):
                    found.update(code.co_names)
                    found.update(text for text in code.co_consts if isinstance(text, str) and text.isidentifier())
    return frozenset(found)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _codes(inner)


def _set_plain(module: nn.Module, state: Mapping[str, Any], names: frozenset[str] | None) -> None:
    """Set the attributes of ``state`` that are plain values; with ``names``, only these."""
    cls: Any = type(module)
    for name, value in state.items():
        if type(name) is not str or name in _OWN or name == "training" or not name.isidentifier():
            continue
        if (names is not None and name not in names) or _is_behaviour(cls, name) or len(name) > LONGEST_NAME:
            continue
        if name in module._parameters or name in module._buffers or name in module._modules:
            if value is None:
                continue
            raise MalformedNetwork(f"{shown(cls.__name__)} has two of {shown(name)}")
        if isinstance(value, Stored):
            if value.count > _LARGEST_ATTRIBUTE:
                raise MalformedNetwork(f"{shown(name)} of {shown(cls.__name__)} is too large")
            vars(module)[name] = value.tensor()
            continue
        try:
            found = plain(value, 20_000)
        except ValueError:
            continue  # a function, or an object used in training only
        if not (isinstance(module, SegmentationModel) and name in ("yaml", "names")):
            _check_numbers(cls, name, found)
        vars(module)[name] = torch.Size(found) if isinstance(value, Record) and value.name == "torch.Size" else found


def _check_numbers(cls: type, name: str, value: Any) -> None:
    """Refuse numbers that no layer has."""
    least, most = _LIMITS.get(name, (-_LARGEST_NUMBER, _LARGEST_NUMBER))
    values = value if isinstance(value, tuple | list) else (value,)
    if len(values) > 10_000:
        raise MalformedNetwork(f"{shown(name)} of {shown(cls.__name__)} is too long")
    for one in values:
        if isinstance(one, bool | str | None | bytes | dict):
            continue
        if isinstance(one, tuple | list):
            _check_numbers(cls, name, one)
        elif not math.isfinite(one) or not least <= one <= most:
            if isinstance(one, float) and math.isinf(one) and name not in _LIMITS:
                continue
            raise MalformedNetwork(f"{shown(name)} of {shown(cls.__name__)} is {one!r}, which no network has")


def _set_forward(module: nn.Module, record: Record, forward: Any) -> None:
    """Set ``forward`` of a fused layer to ``forward_fuse``, stored in a checkpoint as ``getattr`` of the layer."""
    if forward is None:
        return
    fits = isinstance(forward, Record) and forward.name == METHOD and len(forward.arguments) == 2
    if not fits or forward.arguments[0] is not record or forward.arguments[1] not in ("forward", "forward_fuse"):
        raise MalformedNetwork(f"{shown(record.name)} computes by something else than its class")
    method = forward.arguments[1]
    if not isinstance(getattr(type(module), method, None), FunctionType):
        raise MalformedNetwork(f"{shown(record.name)} has no {method}")
    vars(module)["forward"] = getattr(module, method)


def _complete(module: nn.Module) -> None:
    """Add attributes that older versions of torch and ultralytics did not save."""
    if isinstance(module, nn.modules.conv._ConvNd):
        vars(module).setdefault("padding_mode", "zeros")
        vars(module).setdefault("output_padding", (0,) * max(module.weight.ndim - 2, 0))
    elif isinstance(module, nn.Upsample):
        vars(module).setdefault("recompute_scale_factor", None)  # before torch 1.11
    elif isinstance(module, nn.GELU):
        vars(module).setdefault("approximate", "none")
    elif isinstance(module, nn.MultiheadAttention):
        vars(module).setdefault("_qkv_same_embed_dim", True)


def _check_layer(module: nn.Module) -> None:
    """Refuse a convolution or linear layer whose attributes contradict its tensors."""
    kind = type(module).__name__
    if isinstance(module, nn.modules.conv._ConvNd):
        weight, axes = module.weight, module.weight.ndim - 2
        outer, inner = module.out_channels, module.in_channels
        if module.transposed:
            outer, inner = inner, outer
        groups = module.groups
        for name in ("kernel_size", "stride", "dilation"):
            if not isinstance(getattr(module, name), tuple) or len(getattr(module, name)) != axes:
                raise MalformedNetwork(f"{name} of {kind} does not fit its weights")
        fits = tuple(weight.shape[2:]) == module.kernel_size and weight.shape[0] == outer
        fits = fits and weight.shape[1] * groups == inner and module.out_channels % groups == 0
        if not fits or module.padding_mode not in ("zeros", "reflect", "replicate", "circular"):
            raise MalformedNetwork(f"{kind} does not fit its weights")
        if isinstance(module.padding, str):
            if module.padding not in ("same", "valid"):
                raise MalformedNetwork(f"padding of {kind} is unknown")
        elif len(module.padding) != axes:
            raise MalformedNetwork(f"padding of {kind} does not fit its weights")
        else:
            module._reversed_padding_repeated_twice = [side for side in reversed(module.padding) for _ in range(2)]
    elif isinstance(module, nn.Linear) and tuple(module.weight.shape) != (module.out_features, module.in_features):
        raise MalformedNetwork(f"{kind} does not fit its weights")


def _check_foreign(module: nn.Module) -> None:
    """Limit the sides of a fork's tensors, which determine the size of the layers built from them."""
    for value in (*module._parameters.values(), *module._buffers.values()):
        if value is not None and max(value.shape, default=0) > 1 << 14:
            raise MalformedNetwork(f"a tensor of {shown(type(module).__name__)} is too large")


def _parameter(value: Any) -> nn.Parameter:
    return nn.Parameter(_tensor(value), requires_grad=False)


def _tensor(value: Any) -> torch.Tensor:
    if not isinstance(value, Stored):
        raise MalformedNetwork("a parameter is no tensor")
    return value.tensor()


def _set_elements(value: Any) -> list[Any]:
    """The elements of a set, given as its call ``set([…])`` or as a list."""
    if isinstance(value, Record) and value.name == "builtins.set" and len(value.arguments) == 1:
        value = value.arguments[0]
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def check_computes(model: SegmentationModel, stride: int) -> None:
    """Check that the network computes, and that none of its maps grows beyond what a network needs.

    Raises:
        MalformedNetwork: one does; and any error of torch and the layers.
    """
    hooks = [module.register_forward_hook(_measure) for module in model.modules()]
    try:
        with torch.inference_mode():
            model(torch.zeros(1, 3, 2 * stride, 2 * stride))
    finally:
        for hook in hooks:
            hook.remove()


def _measure(module: nn.Module, inputs: Any, outputs: Any) -> None:
    if isinstance(outputs, torch.Tensor) and outputs.numel() > MOST_VALUES:
        raise MalformedNetwork(f"a map of {type(module).__name__} grows to {outputs.numel()} values")


def not_finite(model: nn.Module) -> str | None:
    """Name a tensor with a non-finite value; None if there is none.

    Constants among the buffers may be infinite, e.g. attention masks.
    """
    for name, value in model.state_dict().items():
        if not value.is_floating_point() or math.isfinite(float(value.sum())):  # ten times as fast as isfinite
            continue
        if not bool(torch.isfinite(value).all()):
            statistic = name.endswith(("running_mean", "running_var"))
            parameter = name in dict(model.named_parameters())
            if statistic or parameter or bool(torch.isnan(value).any()):
                return name
    return None


def shown(text: object) -> str:
    """Shorten a name from a file for a message, without control characters."""
    clean = "".join(sign if sign.isprintable() else "?" for sign in str(text)[:LONGEST_NAME])
    return clean if len(str(text)) <= LONGEST_NAME else f"{clean}…"
