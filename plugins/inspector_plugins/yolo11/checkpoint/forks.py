"""Open checkpoints of common forks of ultralytics, whose pickles name classes that only those forks have.

A class of a fork is loaded as an empty :class:`Foreign` module that holds its tensors and children. Each is then
replaced by our class of the same name if structure and keys match (``load_foreign``, see
:class:`inspector.api.LayerSpec`), or by ultralytics' own class if a fork only exchanged the inner blocks (``C3k2_…``,
``C3k_…``, ``Bottleneck_…``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from inspector.api import prepare_torch

prepare_torch()

from torch import nn
from ultralytics.nn.modules.block import Bottleneck, C3k, C3k2

PREFIXES = ("ultralytics.nn.extra_modules.", "ultralytics.nn.backbone.", "ultralytics.nn.AddModules.")
_Loader = Callable[[nn.Module], nn.Module]
_LONGEST_NAME = 200
_HELPERS = ("timm.layers.", "timm.models.layers.")  # helpers inside a fork's blocks, e.g. drop path
_WRAPPERS: Mapping[str, tuple[type[nn.Module], frozenset[str]]] = {
    "C3k2_": (C3k2, frozenset({"cv1", "cv2", "m"})),
    "C3k_": (C3k, frozenset({"cv1", "cv2", "cv3", "m"})),
    "Bottleneck_": (Bottleneck, frozenset({"cv1", "cv2"})),
}


class Foreign(nn.Module):
    """Placeholder for a module of a fork: tensors, children and plain attributes, without code.

    Attributes:
        origin: name of its class in the checkpoint.
    """

    origin = ""


class UnsupportedForkError(ValueError):
    """A fork's modules have no counterpart here; ``reasons`` gives the reason for each class."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = reasons
        super().__init__("; ".join(f"{origin}: {reason}" for origin, reason in reasons.items()))


def is_of_fork(name: str) -> bool:
    """Whether ``name`` is a class of a fork, or a helper that forks use in their blocks."""
    last = name.rpartition(".")[2]
    return name.startswith((*PREFIXES, *_HELPERS)) and last.isidentifier() and len(name) <= _LONGEST_NAME


def foreign_class(name: str) -> type[Foreign] | None:
    """The placeholder for the class ``name`` of a fork; None for other names."""
    return type(name.rpartition(".")[2], (Foreign,), {"origin": name}) if is_of_fork(name) else None


def is_foreign(names: Iterable[str]) -> bool:
    """Whether a checkpoint with these globals comes from a fork."""
    return any(name.startswith(PREFIXES) for name in names)


def without_counterpart(names: Iterable[str], classes: Iterable[type]) -> list[str]:
    """The classes of a fork among ``names`` without a class of the same name here, sorted."""
    known = {cls.__name__ for cls in classes if _loader(cls) is not None}
    ours = sorted(name for name in names if name.startswith(PREFIXES))
    return [n for n in ours if (last := n.rpartition(".")[2]) not in known and not last.startswith(tuple(_WRAPPERS))]


def replace_foreign(model: nn.Module, classes: Iterable[type]) -> None:
    """Replace every placeholder in ``model`` by a module that computes.

    Args:
        classes: of the layers of plugins.

    Raises:
        UnsupportedForkError: names every class that could not be replaced.
    """
    known = {cls.__name__: load for cls in classes if (load := _loader(cls)) is not None}
    reasons: dict[str, str] = {}
    _replace_children(model, known, reasons)
    if reasons:
        raise UnsupportedForkError(reasons)


def _loader(cls: Any) -> _Loader | None:
    """The classmethod that loads foreign weights; ``adopt`` is its name in plugins for earlier versions."""
    return getattr(cls, "load_foreign", None) or getattr(cls, "adopt", None)


def _replace_children(parent: nn.Module, known: Mapping[str, _Loader], reasons: dict[str, str]) -> None:
    for name, child in list(parent.named_children()):
        ours = child
        if isinstance(child, Foreign):
            try:
                ours = _counterpart(child, known)
            except ValueError as error:
                reasons[child.origin] = str(error)
                continue
            for attribute in ("i", "f", "type", "np"):
                if attribute in vars(child):
                    setattr(ours, attribute, vars(child)[attribute])
            setattr(parent, name, ours)
        _replace_children(ours, known, reasons)


def _counterpart(foreign: Foreign, known: Mapping[str, _Loader]) -> nn.Module:
    name = foreign.origin.rpartition(".")[2]
    if name in known:
        module: nn.Module = known[name](foreign)
        return module
    for prefix, (stock, children) in _WRAPPERS.items():
        if name.startswith(prefix):
            found = {child for child, _ in foreign.named_children()}
            if found != children or dict(_own_tensors(foreign)):
                raise ValueError(f"has the parts {', '.join(sorted(found))} where {stock.__name__} has others")
            module = stock.__new__(stock)
            nn.Module.__init__(module)
            module._modules.update(foreign._modules)
            for attribute in ("c", "add"):
                if isinstance(number := vars(foreign).get(attribute), int):
                    vars(module)[attribute] = number
            return module
    raise ValueError("no installed plugin has a class of that name")


def _own_tensors(module: nn.Module) -> Iterator[tuple[str, Any]]:
    yield from module.named_parameters(recurse=False)
    yield from module.named_buffers(recurse=False)
