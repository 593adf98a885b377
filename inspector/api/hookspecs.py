"""The hooks that a plugin implements, and the version of this interface."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from inspector.api.specs import ExporterSpec, LayerSpec, ModelSpec, SourceSpec

API_VERSION = 1
PROJECT = "bearing_inspector"
ENTRY_POINT_GROUP = "bearing_inspector.plugins"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hooks:
    """The hooks. A plugin implements at least one; each is called once, when the plugin is loaded."""

    @hookspec
    def inspector_models(self) -> Iterable[ModelSpec]:
        """Return the models of this plugin."""
        return ()

    @hookspec
    def inspector_sources(self) -> Iterable[SourceSpec]:
        """Return the image sources of this plugin."""
        return ()

    @hookspec
    def inspector_exporters(self) -> Iterable[ExporterSpec]:
        """Return the exporters of this plugin."""
        return ()

    @hookspec
    def inspector_layers(self) -> Iterable[LayerSpec]:
        """Return the network layers of this plugin, usable in architectures and allowed in checkpoints."""
        return ()
