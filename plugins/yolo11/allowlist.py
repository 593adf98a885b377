"""What a checkpoint may name: the globals of its pickle, listed without running it, and what each is loaded as.

Nothing that a file names is ever called with the file's arguments. A class stands in the allow-list as a stand-in that
makes *empty* objects of it, whose attributes the unpickler then fills; constructors never run. (ultralytics' model
constructors evaluate texts of their configuration, and torch's restricted unpickler calls any class it is allowed.)
Numpy scalars and paths become plain numbers and texts.
"""

from __future__ import annotations

import pickle
import pickletools
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import ultralytics.nn.tasks  # noqa: F401 - puts every layer's module into sys.modules
from torch import nn

from inspector_plugins.yolo11 import forks

_LOCK = threading.Lock()  # torch keeps one list of allowed globals per process
_SEGMENTATION = "ultralytics.nn.tasks.SegmentationModel"
_PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg"}  # what pickle protocol 2, torch's, calls them
_LOST = ("ultralytics.utils.loss.", "ultralytics.utils.tal.", "ultralytics.yolo.utils.loss.")


def named_globals(pickled: bytes) -> set[str]:
    """The dotted names of all globals in a pickle of protocol 2, torch's, without running it.

    Raises:
        ValueError: where it is no pickle.
    """
    pairs = (argument.split(" ", 1) for code, argument, _ in _operations(pickled) if code.name in ("GLOBAL", "INST"))
    return {f"{_PYTHON_2.get(module, module)}.{name}" for module, name in pairs}


def _operations(pickled: bytes) -> Iterator[tuple[pickletools.OpcodeInfo, Any, int | None]]:
    return pickletools.genops(pickled)


class Allowlist:
    """The globals that may be loaded: torch's own tensor helpers, network layers, a few plain values, and, as
    modules without code, the classes of ultralytics' forks (:mod:`.forks`).

    Args:
        layers: further classes, those of layer plugins.
    """

    def __init__(self, layers: Iterable[type] = ()) -> None:
        self._layers = {f"{layer.__module__}.{layer.__qualname__}": layer for layer in layers}

    def missing(self, names: Iterable[str]) -> list[str]:
        """Those of ``names`` that may not be loaded, sorted."""
        return sorted(name for name in names if not self._is_torch(name) and self._resolve(name) is None)

    @contextmanager
    def in_force(self, names: Iterable[str]) -> Iterator[None]:
        """While this lasts, ``torch.load(weights_only=True)`` accepts exactly the allowed ones of ``names``."""
        entries: list[Any] = []
        for name in names:
            if self._is_torch(name) or (found := self._resolve(name)) is None:
                continue
            stand_in, product = found
            entries.append((stand_in, name))
            if product is not None:
                # The unpickler fills only objects of listed classes. A name in a pickle ends at the line's end, so
                # no pickle can ask for this one.
                entries.append((product, f"{name}\n"))
        with _LOCK:
            before = torch.serialization.get_safe_globals()
            torch.serialization.clear_safe_globals()
            torch.serialization.add_safe_globals(entries)
            try:
                yield
            finally:
                torch.serialization.clear_safe_globals()
                torch.serialization.add_safe_globals(before)

    @staticmethod
    def _is_torch(name: str) -> bool:
        """Whether torch's restricted unpickler always accepts it: tensors, storages, dtypes, containers."""
        return name in torch._weights_only_unpickler._get_allowed_globals()

    def _resolve(self, name: str) -> tuple[Any, type | None] | None:
        """What is loaded for ``name``, and the class of the objects it makes; None for what is not allowed."""
        if name in _PLAIN:
            return _PLAIN[name]
        if name.startswith(_LOST):
            return _stand_in(_Lost), _Lost
        cls = self._layers.get(name) or _network_class(name) or forks.foreign_class(name)
        return None if cls is None else (_stand_in(cls), cls)


def _network_class(name: str) -> type | None:
    """The layer or segmentation model of torch or ultralytics called ``name``."""
    module, _, attribute = name.rpartition(".")
    if name == "ultralytics.nn.modules.block.Silence":  # as YOLOv9 was first published
        return nn.Identity
    of_layers = module.startswith(("torch.nn.modules.", "ultralytics.nn.modules."))
    if not (of_layers or module == "ultralytics.nn.modules" or name == _SEGMENTATION):
        return None
    found = getattr(sys.modules.get(module), attribute, None)
    known = isinstance(found, type) and issubclass(found, nn.Module)
    return found if known and found.__module__.startswith(("torch.nn.modules.", "ultralytics.nn.")) else None


def _stand_in(cls: type) -> type:
    """A class that takes no arguments and makes empty objects of ``cls``."""
    make: Any = cls.__new__
    return type(cls.__name__, (), {"__new__": lambda _: make(cls)})


class _Lost:
    """An object of training, such as a loss, whose content is not used."""

    def __setstate__(self, state: object) -> None:
        pass


class _Fields:
    """A namespace of settings."""


class _NumberKind:
    """A numpy dtype."""

    def __init__(self, code: str, *_: object) -> None:
        self.code, self.order = code, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1]


def _number(kind: _NumberKind, data: bytes) -> Any:
    import numpy as np

    dtype = np.dtype(f"{kind.order}{kind.code}")
    if dtype.kind not in "biuf":
        raise pickle.UnpicklingError(f"a numpy scalar of type {dtype} is not a number")
    return np.frombuffer(data, dtype)[0].item()


def _path(*parts: str) -> str:
    return "/".join(parts)


def _method(owner: object, name: str) -> Any:
    """``getattr`` as ultralytics' checkpoints need it: a layer's forward, nothing else."""
    if name not in ("forward", "forward_fuse"):
        raise pickle.UnpicklingError(f"getattr of {name!r} is not allowed")
    return getattr(owner, name) if isinstance(owner, nn.Module) else None


_PLAIN: dict[str, tuple[Any, type | None]] = {
    "builtins.getattr": (_method, None),
    "torch._C._nn.gelu": (_Lost(), None),  # an attribute in blocks of forks, which ours keep by name
    "numpy.dtype": (_NumberKind, _NumberKind),
    "numpy.core.multiarray.scalar": (_number, None),
    "numpy._core.multiarray.scalar": (_number, None),
    "ultralytics.utils.IterableSimpleNamespace": (_stand_in(_Fields), _Fields),
    "ultralytics.yolo.utils.IterableSimpleNamespace": (_stand_in(_Fields), _Fields),
    **{
        f"{module}.{kind}Path": (_path, None)
        for module in ("pathlib", "pathlib._local")
        for kind in ("Posix", "Windows")
    },
}
