"""Find the plugin of a layer and its installed edition, without importing the layer."""

from __future__ import annotations

import hashlib
import sys
from functools import lru_cache, partial
from pathlib import Path

from inspector.api import LayerSpec, __version__

_NAMESPACES = ("inspector_plugins", "bearing_inspector_dropins")


def plugin_of(module: str) -> str:
    """The top-level module of the plugin of ``module``, e.g. ``inspector_plugins.cgnet``."""
    parts = module.split(".")
    return ".".join(parts[: 2 if parts[0] in _NAMESPACES else 1])


def origin(layer: LayerSpec) -> str:
    """The top-level module of the plugin that provides ``layer``."""
    load = layer.load
    while isinstance(load, partial):
        load = load.func
    return plugin_of(load.__module__)


def edition(layer: LayerSpec) -> str:
    """A text that changes with the plugin's version and, if its source is available, with every change of it."""
    return _edition(origin(layer))


@lru_cache
def _edition(plugin: str) -> str:
    module = sys.modules[plugin]
    told = f"{__version__} {getattr(module, 'PLUGIN', {}).get('version', '')}"
    digest = hashlib.sha256(told.encode())
    place = Path(module.__file__ or "")
    for file in sorted(place.parent.rglob("*.py")) if place.name == "__init__.py" else [place]:
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
