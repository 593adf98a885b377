"""Records of all plugins, and the specs of the active ones."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from inspector.api import ExporterSpec, LayerSpec, ModelSpec, SourceSpec
from inspector.domain import InputError, message, quote
from inspector.registry.manifest import State, parse

Origin = Literal["built-in", "installed", "drop-in"]
Spec = ModelSpec | SourceSpec | ExporterSpec | LayerSpec
S = TypeVar("S", ModelSpec, SourceSpec, ExporterSpec, LayerSpec)


@dataclass(frozen=True)
class PluginRecord:
    """The state of one plugin after loading.

    Attributes:
        id: from its manifest; its file or entry-point name where that could not be read.
        kinds: kinds of its specs; for an inactive plugin those of its manifest.
        reason: why it is inactive, or which part was refused; "" if everything works.
        traceback: of the error, for its author; "" if there is none.
        load_ms: milliseconds for import and hooks.
        path: its source file; None in a packed program.
        specs: (kind, id) of the specs in use.
        sha256: of a plugin installed by this program, "" for others.
    """

    id: str
    origin: Origin
    state: State
    reason: str = ""
    version: str = ""
    api: int | None = None
    kinds: tuple[str, ...] = ()
    description: str = ""
    description_zh: str = ""
    licence: str = ""
    requires: tuple[str, ...] = ()
    traceback: str = ""
    load_ms: float = 0.0
    module: str = ""
    path: Path | None = None
    specs: tuple[tuple[str, str], ...] = ()
    sha256: str = ""

    @property
    def faulty(self) -> bool:
        """Whether it failed, other than by being disabled by the user."""
        return self.state in ("incompatible", "missing", "failed") or (self.state == "active" and bool(self.reason))

    def to_json(self) -> dict[str, Any]:
        data = asdict(self)
        data["path"] = None if self.path is None else str(self.path)
        data["load_ms"] = round(self.load_ms, 3)
        data["specs"] = [{"kind": kind, "id": name} for kind, name in self.specs]
        return data


def _empty() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Registry:
    """All plugins in loading order, and the specs of the active ones by id in the same order."""

    records: tuple[PluginRecord, ...] = ()
    models: Mapping[str, ModelSpec] = field(default_factory=_empty)
    sources: Mapping[str, SourceSpec] = field(default_factory=_empty)
    exporters: Mapping[str, ExporterSpec] = field(default_factory=_empty)
    layers: Mapping[str, LayerSpec] = field(default_factory=_empty)

    def model(self, name: str) -> ModelSpec:
        """The model spec with the id ``name``; InputError for an unknown one."""
        return self._get("model", self.models, name)

    def source(self, name: str) -> SourceSpec:
        """The source spec with the id ``name``; InputError for an unknown one."""
        return self._get("source", self.sources, name)

    def exporter(self, name: str) -> ExporterSpec:
        """The exporter spec with the id ``name``; InputError for an unknown one."""
        return self._get("exporter", self.exporters, name)

    def layer(self, name: str) -> LayerSpec:
        """The layer spec with the id ``name``; InputError for an unknown one."""
        return self._get("layer", self.layers, name)

    def owner(self, name: str) -> str:
        """The id of the active plugin that provides the spec ``name``; ``name`` if unknown."""
        return next((record.id for record in self.records if name in (id for _, id in record.specs)), name)

    def bringer(self, name: str) -> PluginRecord | None:
        """The inactive plugin that would provide the spec ``name``, found by reading its source."""
        for record in self.records:
            if record.state != "active" and (record.id == name or name in _spec_ids(record.path)):
                return record
        return None

    def _get(self, kind: str, specs: Mapping[str, S], name: str) -> S:
        if name in specs:
            return specs[name]
        if record := self.bringer(name):
            raise InputError(
                "The {kind} {name!r} belongs to the plugin {id!r}, which is {state}: {reason}",
                kind=message(kind),
                name=name,
                id=record.id,
                state=message(record.state),
                reason=record.reason,
            )
        known = (
            message("known are {specs}", specs=", ".join(specs))
            if specs
            else message("there are none", cli_hint="plugins list")
        )
        raise InputError("There is no {kind} {name}; {known}", kind=message(kind), name=quote(name), known=known)


def _spec_ids(source: Path | None) -> set[str]:
    """The literal spec ids in a plugin's source, which is parsed, not run."""
    if source is None:
        return set()
    try:
        tree = parse(source)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2].endswith("Spec"):
            given = [keyword.value for keyword in node.keywords if keyword.arg == "id"] + node.args[:1]
            names |= {
                value.value for value in given if isinstance(value, ast.Constant) and isinstance(value.value, str)
            }
    return names
