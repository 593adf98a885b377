"""Checkpoints of the common forks of ultralytics, whose pickles name classes that only those forks have.

A class of a fork is loaded as an empty :class:`Foreign` module that holds its tensors and children. Then each is
replaced by our class of the same name where structure and keys fit (``adopt``, see :class:`inspector.api.LayerSpec`),
and by ultralytics' own where a fork only exchanged the inner blocks (``C3k2_…``, ``C3k_…``, ``Bottleneck_…``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from inspector.api import prepare_torch

prepare_torch()

from torch import nn
from ultralytics.nn.modules.block import Bottleneck, C3k, C3k2

PREFIXES = ("ultralytics.nn.extra_modules.", "ultralytics.nn.backbone.", "ultralytics.nn.AddModules.")
_HELPERS = ("timm.layers.", "timm.models.layers.")  # drop path and the like, inside a fork's blocks
_WRAPPERS: Mapping[str, tuple[type[nn.Module], frozenset[str]]] = {
    "C3k2_": (C3k2, frozenset({"cv1", "cv2", "m"})),
    "C3k_": (C3k, frozenset({"cv1", "cv2", "cv3", "m"})),
    "Bottleneck_": (Bottleneck, frozenset({"cv1", "cv2"})),
}


class Foreign(nn.Module):
    """A module of a fork: tensors, children and plain attributes, without code.

    Attributes:
        origin: its class as the checkpoint names it.
    """

    origin = ""


class Misfit(ValueError):
    """A fork's modules have no counterpart here; ``reasons`` tells of each class why."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = reasons
        super().__init__("; ".join(f"{origin}: {reason}" for origin, reason in reasons.items()))


def foreign_class(name: str) -> type[Foreign] | None:
    """The placeholder for the class ``name`` of a fork; None for a name of no fork."""
    if not name.startswith((*PREFIXES, *_HELPERS)):
        return None
    return type(name.rpartition(".")[2], (Foreign,), {"origin": name})


def is_foreign(names: Iterable[str]) -> bool:
    """Whether a checkpoint with these globals comes from a fork."""
    return any(name.startswith(PREFIXES) for name in names)


def without_counterpart(names: Iterable[str], classes: Iterable[type]) -> list[str]:
    """Those classes of a fork among ``names`` for which nothing here has the name, sorted."""
    known = {cls.__name__ for cls in classes if hasattr(cls, "adopt")}
    ours = sorted(name for name in names if name.startswith(PREFIXES))
    return [n for n in ours if (last := n.rpartition(".")[2]) not in known and not last.startswith(tuple(_WRAPPERS))]


def adopt(model: nn.Module, classes: Iterable[type]) -> None:
    """Replace every placeholder below ``model`` by a module that computes.

    Args:
        classes: of the layers of plugins.

    Raises:
        Misfit: with every class that could not be replaced.
    """
    known = {cls.__name__: cls for cls in classes if hasattr(cls, "adopt")}
    reasons: dict[str, str] = {}
    _adopt_children(model, known, reasons)
    if reasons:
        raise Misfit(reasons)


def _adopt_children(parent: nn.Module, known: Mapping[str, Any], reasons: dict[str, str]) -> None:
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
        _adopt_children(ours, known, reasons)


def _counterpart(foreign: Foreign, known: Mapping[str, Any]) -> nn.Module:
    name = foreign.origin.rpartition(".")[2]
    if name in known:
        ours: nn.Module = known[name].adopt(foreign)
        return ours
    for prefix, (stock, children) in _WRAPPERS.items():
        if name.startswith(prefix):
            found = {child for child, _ in foreign.named_children()}
            if found != children or dict(_own_tensors(foreign)):
                raise ValueError(f"has the parts {', '.join(sorted(found))} where {stock.__name__} has others")
            module = stock.__new__(stock)
            module.__dict__.update(foreign.__dict__)
            return module
    raise ValueError("no installed plugin has a class of that name")


def _own_tensors(module: nn.Module) -> Iterator[tuple[str, Any]]:
    yield from module.named_parameters(recurse=False)
    yield from module.named_buffers(recurse=False)
