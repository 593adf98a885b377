"""Names that a checkpoint may contain. A single unlisted name refuses the whole file, although nothing is executed.

Nothing that a file names is ever instantiated or called; a listed name is looked up in our own tables by
:mod:`.network`, which builds the module.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import lru_cache

import ultralytics.nn.tasks  # noqa: F401 - puts every layer's module into sys.modules
from torch import nn

from inspector_plugins.yolo11.checkpoint import forks

SEGMENTATION = "ultralytics.nn.tasks.SegmentationModel"
WRAPPERS = frozenset(  # a model trained on several devices is their ``module``
    {"torch.nn.parallel.data_parallel.DataParallel", "torch.nn.parallel.distributed.DistributedDataParallel"}
)
METHOD = "builtins.getattr"
_LOST = ("ultralytics.utils.loss.", "ultralytics.utils.tal.", "ultralytics.yolo.utils.loss.")
_PLAIN = frozenset(
    {
        METHOD,
        "_codecs.encode",
        "builtins.set",
        "collections.OrderedDict",
        "numpy.core.multiarray.scalar",
        "numpy._core.multiarray.scalar",
        "numpy.dtype",
        "torch.Size",
        "torch.device",
        "torch._C._nn.gelu",  # an attribute in blocks of forks; built-in blocks keep it by name
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_parameter_with_state",
        "torch._utils._rebuild_tensor",
        "torch._utils._rebuild_tensor_v2",
        "ultralytics.utils.IterableSimpleNamespace",
        "ultralytics.yolo.utils.IterableSimpleNamespace",
        *(f"torch.{kind}" for kind in ("float16", "bfloat16", "float32", "float64", "int32", "int64", "uint8", "bool")),
        *(
            f"torch.{kind}Storage"
            for kind in ("Byte", "Char", "Bool", "Short", "Int", "Long", "Half", "BFloat16", "Float", "Double")
        ),
        *(
            f"{module}.{kind}Path"
            for module in ("pathlib", "pathlib._local")
            for kind in ("Posix", "Windows", "PurePosix", "PureWindows")
        ),
    }
)
_BUILT = frozenset(  # modules of torch whose layers are built; others, e.g. losses, may only be named
    f"torch.nn.modules.{module}"
    for module in (
        *("activation", "batchnorm", "channelshuffle", "container", "conv", "dropout", "flatten", "fold"),
        *("instancenorm", "linear", "normalization", "padding", "pixelshuffle", "pooling", "upsampling"),
    )
)
_CONTAINERS = frozenset({nn.Sequential, nn.ModuleList, nn.ModuleDict})


class Allowlist:
    """Names that a checkpoint may contain: torch's tensors, network layers, a few plain values, and the classes of
    ultralytics' forks (:mod:`.forks`).

    Args:
        layers: additional classes, from layer plugins.
    """

    def __init__(self, layers: Iterable[type] = ()) -> None:
        self._layers = {f"{layer.__module__}.{layer.__qualname__}": layer for layer in layers}

    def missing(self, names: Iterable[str]) -> list[str]:
        """The names that are not allowed, sorted."""
        return sorted(name for name in names if not self._is_known(name))

    def layer(self, name: str) -> type[nn.Module] | None:
        """Our class, or torch's or ultralytics', that is built for ``name``; None if there is none."""
        if name in self._layers:
            return self._layers[name]
        found = _network_class(name)
        if found is None or not found.__module__.startswith("torch."):
            return found
        container = found.__module__ == "torch.nn.modules.container" and found not in _CONTAINERS
        return None if found.__module__ not in _BUILT or container or found.__name__.startswith("Lazy") else found

    def _is_known(self, name: str) -> bool:
        plain = name in _PLAIN or name in WRAPPERS or name.startswith(_LOST)
        return plain or name in self._layers or _network_class(name) is not None or forks.is_of_fork(name)


@lru_cache(maxsize=1024)
def _network_class(name: str) -> type[nn.Module] | None:
    """The layer or segmentation model of torch or ultralytics called ``name``."""
    module, _, attribute = name.rpartition(".")
    if name == "ultralytics.nn.modules.block.Silence":  # as YOLOv9 was first published
        return nn.Identity
    of_layers = module.startswith(("torch.nn.modules.", "ultralytics.nn.modules."))
    if not (of_layers or module == "ultralytics.nn.modules" or name == SEGMENTATION):
        return None
    found = vars(sys.modules.get(module, nn)).get(attribute)
    known = isinstance(found, type) and issubclass(found, nn.Module) and found.__name__ not in ("Module", "TorchVision")
    return found if known and found.__module__.startswith(("torch.nn.modules.", "ultralytics.nn.")) else None
