"""Takes over the weights of a module of the same name from other code, where its structure is the same."""

from __future__ import annotations

from typing import Any, TypeVar

from inspector.api import prepare_torch

prepare_torch()

import torch
from torch import nn

_Own = TypeVar("_Own", bound=nn.Module)
_OF_CONVOLUTION = ("kernel_size", "stride", "padding", "dilation", "groups")


def side(foreign: nn.Module, key: str, axis: int) -> int:
    """Length of the parameter or buffer ``key`` along ``axis``.

    Raises:
        ValueError: where there is no such parameter or axis.
    """
    value = foreign.state_dict().get(key)
    if value is None or value.ndim <= axis:
        has = ", ".join(foreign.state_dict()) or "nothing"
        raise ValueError(f"{key} is missing or has too few axes; there is {has}")
    return int(value.shape[axis])


def number(foreign: nn.Module, path: str) -> Any:
    """The number at ``path``, an attribute or one of a child, such as ``blocks.0.retention.num_heads``.

    Raises:
        ValueError: where there is none.
    """
    place, _, name = path.rpartition(".")
    value = getattr(child(foreign, place), name, None)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"{path} is missing; it is not to be seen from the shapes")
    return value


def child(foreign: nn.Module, path: str) -> nn.Module:
    """The child at ``path``; ValueError where there is none."""
    try:
        return foreign.get_submodule(path)
    except AttributeError:
        raise ValueError(f"{path} is missing") from None


def count(foreign: nn.Module, name: str) -> int:
    """How many children the list ``name`` has; ValueError where it has none."""
    found = sum(1 for _ in child(foreign, name).children())
    if not found:
        raise ValueError(f"{name} is empty")
    return found


def transfer(own: _Own, foreign: nn.Module) -> _Own:
    """``own`` with the weights, the normalisations' epsilon and the drop rates of ``foreign``, in inference mode.

    A class of ours names in ``SAME`` what must be the same beside the shapes; buffers are constants, but for those of
    batch norms.

    Raises:
        ValueError: naming the keys that are missing, too many or of another shape, or an attribute that is another.
    """
    title = type(own).__name__
    expected = {key: tuple(value.shape) for key, value in own.state_dict().items()}
    given = {key: tuple(value.shape) for key, value in foreign.state_dict().items()}
    both = expected.keys() & given.keys()
    wrong = {
        "missing": [key for key in expected if key not in given],
        "unknown": [key for key in given if key not in expected],
        "of another shape": [
            f"{k} {given[k]} instead of {v}" for k, v in expected.items() if k in both and given[k] != v
        ],
    }
    if said := [f"{kind}: {', '.join(keys)}" for kind, keys in wrong.items() if keys]:
        raise ValueError(f"{title} does not fit; {'; '.join(said)}")
    theirs = dict(foreign.named_modules())
    for name, part in own.named_modules():
        if name in theirs:
            _compare(part, theirs[name], f"{title} does not fit; {name or 'it'}")
    own.load_state_dict(foreign.state_dict(), strict=True)
    return own.eval()


def _compare(own: nn.Module, foreign: nn.Module, where: str) -> None:
    """Check what is not a weight, and take over what does not change the structure."""
    for attribute in _OF_CONVOLUTION if isinstance(own, nn.Conv2d) else getattr(own, "SAME", ()):
        want, has = getattr(own, attribute), getattr(foreign, attribute, None)
        if not _same(has, want):
            raise ValueError(f"{where} has {attribute} {has}, not {want}")
    if not isinstance(own, nn.BatchNorm2d):
        for name, constant in own.named_buffers(recurse=False):
            has = foreign.get_buffer(name)
            if not torch.allclose(has.float(), constant, rtol=5e-3, atol=1e-6):  # but for rounding to 16 bit
                raise ValueError(f"{where} has {name} {has.tolist()}, not {constant.tolist()}")
    for attribute in ("eps", "momentum", "drop_prob", "p"):
        if hasattr(own, attribute) and isinstance(getattr(foreign, attribute, None), float):
            setattr(own, attribute, getattr(foreign, attribute))


def _same(has: Any, want: Any) -> bool:
    """Functions by their names: a checkpoint's are not loaded, and one that is not known counts as the official one."""
    return bool((getattr(has, "__name__", want.__name__) == want.__name__) if callable(want) else has == want)
