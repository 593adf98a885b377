"""Options of sources, models and exporters as the user has saved them in the settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from inspector.api import Option
from inspector.domain import Choice
from inspector.registry import Registry
from inspector.settings import Settings


def plugin_options(catalogue: Registry) -> dict[str, Option]:
    """Return the options of all sources, models and exporters as settings, by ``SPECID.OPTION``."""
    kinds: tuple[Mapping[str, Any], ...] = (catalogue.sources, catalogue.models, catalogue.exporters)
    return {f"{s.id}.{option.key}": option for kind in kinds for s in kind.values() for option in s.options}


def saved_options(settings: Settings, id: str, declared: Sequence[Option]) -> dict[str, Any]:
    """Return those options of the spec ``id`` that the user has set, for JSON."""
    keys = (option.key for option in declared)
    return to_json_options({key: settings.get(f"{id}.{key}") for key in keys if f"{id}.{key}" in settings.overrides})


def to_json_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``options`` for JSON: paths become absolute texts."""
    return {key: str(value.absolute()) if isinstance(value, Path) else value for key, value in options.items()}


def with_saved_options(catalogue: Registry, settings: Settings, sources: Iterable[Choice]) -> tuple[Choice, ...]:
    """Complete ``sources`` with the options that the user has set; options that they already have win.

    Raises:
        InputError: for an unknown id.
    """
    return tuple(
        Choice(c.id, saved_options(settings, c.id, catalogue.source(c.id).options) | to_json_options(c.options))
        for c in sources
    )
