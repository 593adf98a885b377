"""Takes over the weights of a module of the same name from other code, where its structure is the same."""

from __future__ import annotations

from typing import TypeVar

from inspector.api import prepare_torch

prepare_torch()

from torch import nn

_Own = TypeVar("_Own", bound=nn.Module)
_OF_CONVOLUTION = ("kernel_size", "stride", "padding", "dilation", "groups")


def side(foreign: nn.Module, key: str, axis: int) -> int:
    """Length of the parameter ``key`` along ``axis``.

    Raises:
        ValueError: where there is no such parameter or axis.
    """
    value = foreign.state_dict().get(key)
    if value is None or value.ndim <= axis:
        has = ", ".join(foreign.state_dict()) or "nothing"
        raise ValueError(f"{key} is missing or has too few axes; there is {has}")
    return int(value.shape[axis])


def count(foreign: nn.Module, name: str) -> int:
    """How many children the list ``name`` has."""
    prefix = f"{name}."
    return len({key[len(prefix) :].split(".")[0] for key in foreign.state_dict() if key.startswith(prefix)})


def transfer(own: _Own, foreign: nn.Module) -> _Own:
    """``own`` with the weights and the normalisations' epsilon of ``foreign``, in inference mode.

    Raises:
        ValueError: naming the keys that are missing, too many or of another shape, or a convolution that is another.
    """
    expected = {key: tuple(value.shape) for key, value in own.state_dict().items()}
    given = {key: tuple(value.shape) for key, value in foreign.state_dict().items()}
    missing = [key for key in expected if key not in given]
    unknown = [key for key in given if key not in expected]
    both = [key for key in expected if key in given]
    other = [f"{key} {given[key]} instead of {expected[key]}" for key in both if given[key] != expected[key]]
    kinds = {"missing": missing, "unknown": unknown, "of another shape": other}
    if wrong := [f"{kind}: {', '.join(keys)}" for kind, keys in kinds.items() if keys]:
        raise ValueError(f"{type(own).__name__} does not fit; {'; '.join(wrong)}")
    parts = dict(foreign.named_modules())
    for name, part in own.named_modules():
        theirs = parts.get(name)
        if isinstance(part, nn.Conv2d):
            for attribute in _OF_CONVOLUTION:
                want, has = getattr(part, attribute), getattr(theirs, attribute, None)
                if has != want:
                    raise ValueError(f"{type(own).__name__} does not fit; {name} has {attribute} {has}, not {want}")
        elif isinstance(part, nn.BatchNorm2d) and isinstance(theirs, nn.BatchNorm2d):
            part.eps, part.momentum = theirs.eps, theirs.momentum
    own.load_state_dict(foreign.state_dict(), strict=True)
    return own.eval()
