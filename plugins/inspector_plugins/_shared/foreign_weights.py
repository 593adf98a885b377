"""Load the weights of a module of other code into our module of the same name, if both have the same structure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import Tensor, nn

_Module = TypeVar("_Module", bound=nn.Module)
_CONVOLUTION = ("kernel_size", "stride", "padding", "dilation", "groups")
_COMPARED_IF_PRESENT = ("padding_mode", "approximate", "data_format")
_COPIED = ("eps", "momentum", "drop_prob", "p")  # numbers that do not change the structure


def load_foreign(module: _Module, foreign: nn.Module, own_name: Callable[[str], str] = lambda name: name) -> _Module:
    """Load the weights, the epsilon of normalisations and the drop rates of ``foreign``.

    A built-in class lists in ``MUST_MATCH`` the attributes and constant buffers that have to be equal in addition to
    the shapes of the weights.

    Args:
        module: filled in place; unusable after an error.
        foreign: its tensors, children and plain attributes are read, its code is not called.
        own_name: our name of one of its submodules, where other code names it differently.

    Returns:
        ``module`` in inference mode.

    Raises:
        ValueError: names the missing or unknown keys, the differing shapes or the differing attribute.
    """
    title = type(module).__name__
    fixed = {name: _fixed(part) for name, part in module.named_modules()}  # read before the buffers are overwritten
    try:
        module.load_state_dict(foreign.state_dict(), strict=True)
    except RuntimeError as error:  # its first line only names the class
        differences = " ".join(line.strip() for line in str(error).splitlines()[1:])
        raise ValueError(f"{title} does not fit; {differences}") from None
    parts = {own_name(name): part for name, part in foreign.named_modules()}
    for name, part in module.named_modules():
        if name in parts:
            _compare(part, fixed[name], parts[name], f"{title} does not fit; {name or 'it'}")
    return module.eval()


def _fixed(module: nn.Module) -> dict[str, Any]:
    """Attributes and constants that another module must have too."""
    names = _CONVOLUTION if isinstance(module, nn.Conv2d) else getattr(module, "MUST_MATCH", ())
    values = {name: getattr(module, name) for name in names}
    return {name: value.clone() if isinstance(value, Tensor) else value for name, value in values.items()}


def _compare(module: nn.Module, fixed: Mapping[str, Any], foreign: nn.Module, where: str) -> None:
    """Compare what is not a weight, and copy what does not change the structure."""
    for name, expected in fixed.items():
        actual = getattr(foreign, name, None)
        if not _equal(actual, expected):
            raise ValueError(f"{where} has {name} {_plain(actual)}, not {_plain(expected)}")
    for name in _COMPARED_IF_PRESENT:
        if name in vars(module) and vars(foreign).get(name, vars(module)[name]) != vars(module)[name]:
            raise ValueError(f"{where} has {name} {vars(foreign)[name]}, not {vars(module)[name]}")
    is_activation = isinstance(module, nn.GELU | nn.ReLU) and type(foreign).__module__.startswith("torch.nn.")
    if is_activation and type(foreign) is not type(module):
        raise ValueError(f"{where} should be {type(module).__name__}, got {type(foreign).__name__}")
    for name in _COPIED:
        if hasattr(module, name) and isinstance(getattr(foreign, name, None), float):
            setattr(module, name, getattr(foreign, name))


def _equal(actual: Any, expected: Any) -> bool:
    if isinstance(expected, Tensor):  # equal but for rounding to 16 bits
        same_shape = isinstance(actual, Tensor) and actual.shape == expected.shape
        return same_shape and torch.allclose(actual.float(), expected.float(), rtol=5e-3, atol=1e-6)
    if callable(expected):  # a checkpoint's functions are not loaded; an unknown one counts as the official one
        return bool(getattr(actual, "__name__", expected.__name__) == expected.__name__)
    return bool(actual == expected)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, Tensor) else value


def size(foreign: nn.Module, key: str, axis: int) -> int:
    """Size of the parameter or buffer ``key`` along ``axis``.

    Raises:
        ValueError: there is no such parameter or axis.
    """
    value = foreign.state_dict().get(key)
    if value is None or value.ndim <= axis:
        keys = ", ".join(foreign.state_dict()) or "nothing"
        raise ValueError(f"{key} is missing or has too few axes; there is {keys}")
    return int(value.shape[axis])


def number(foreign: nn.Module, path: str) -> Any:
    """The number at ``path``: an attribute of the module or of a submodule, e.g. ``blocks.0.retention.num_heads``.

    Raises:
        ValueError: there is none.
    """
    parent, _, name = path.rpartition(".")
    value = getattr(child(foreign, parent), name, None)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"{path} is missing; the shapes do not determine it")
    return value


def child(foreign: nn.Module, path: str) -> nn.Module:
    """The submodule at ``path``; ValueError if there is none."""
    try:
        return foreign.get_submodule(path)
    except AttributeError:
        raise ValueError(f"{path} is missing") from None


def count(foreign: nn.Module, path: str, least: int = 1) -> int:
    """Number of children of the submodule at ``path``; ValueError if there are fewer than ``least``."""
    children = sum(1 for _ in child(foreign, path).children())
    if children < least:
        raise ValueError(f"{path} is empty")
    return children
