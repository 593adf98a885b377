"""Checks what a hook returned, so that a mistake is told when the plugin is loaded and not in the middle of a run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from inspector.api import ExporterSpec, LayerKind, LayerSpec, ModelSpec, Option, SourceSpec, Text
from inspector.domain import InputError
from inspector.registry.manifest import Refused
from inspector.registry.records import Spec

HOOKS: Mapping[str, tuple[str, type[Spec]]] = {
    "inspector_models": ("model", ModelSpec),
    "inspector_sources": ("source", SourceSpec),
    "inspector_exporters": ("exporter", ExporterSpec),
    "inspector_layers": ("layer", LayerSpec),
}
_CALLABLE = ("open", "load", "train", "claim", "devices")
_MAY_BE_NONE = ("train", "claim", "devices")


def checked_specs(hook: str, returned: Any) -> list[tuple[str, Spec]]:
    """What ``hook`` returned, as (kind, spec) pairs.

    Raises:
        Refused: it is no list of the hook's specs, or one of them cannot work.
    """
    kind, wanted = HOOKS[hook]
    if not isinstance(returned, Iterable) or isinstance(returned, str | bytes | Mapping):
        raise Refused(f"{hook} returned {_a(returned)}, not a list of {wanted.__name__}")
    specs = []
    for spec in returned:
        if not isinstance(spec, wanted):
            raise Refused(f"{hook} returned a list with {_a(spec)} in it, not only {wanted.__name__}")
        _check(spec)
        specs.append((kind, spec))
    return specs


def _a(value: object) -> str:
    name = "nothing" if value is None else type(value).__name__
    return name if value is None else f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _check(spec: Spec) -> None:
    kind = type(spec).__name__
    if not isinstance(spec.id, str) or not re.fullmatch(r"[A-Za-z0-9_]{1,64}", spec.id):
        raise Refused(f"{kind}: id must be 1 to 64 letters, digits or '_', not {spec.id!r}")
    owner = f"{kind} {spec.id}"
    if not isinstance(spec.title, Text):
        raise Refused(f'{owner}: title must be Text("English", "中文"), not {spec.title!r}')
    for name in _CALLABLE:
        value = getattr(spec, name, None)
        if hasattr(spec, name) and not callable(value) and not (value is None and name in _MAY_BE_NONE):
            raise Refused(f"{owner}: {name} must be callable, not {value!r}")
    for name in ("options", "train_options"):
        _check_options(f"{owner}, {name}", getattr(spec, name, ()))
    if isinstance(spec, ModelSpec):
        if not isinstance(spec.suffixes, tuple | list) or not all(
            isinstance(suffix, str) and suffix.startswith(".") and suffix == suffix.lower() for suffix in spec.suffixes
        ):
            raise Refused(f"{owner}: suffixes must be like ('.pt',), in lower case, not {spec.suffixes!r}")
        if not isinstance(spec.bundled, Mapping):
            raise Refused(f"{owner}: bundled must map names to files, not {spec.bundled!r}")
    if isinstance(spec, LayerSpec) and spec.kind not in get_args(LayerKind):
        raise Refused(f"{owner}: kind must be one of {', '.join(get_args(LayerKind))}, not {spec.kind!r}")


def _check_options(where: str, options: Any) -> None:
    if not isinstance(options, tuple | list) or not all(isinstance(option, Option) for option in options):
        raise Refused(f"{where} must be a tuple of Option, not {options!r}")
    seen = set()
    for option in options:
        if not isinstance(option.key, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", option.key):
            raise Refused(f"{where}: key must be lower case letters, digits and '_', not {option.key!r}")
        if option.key in seen:
            raise Refused(f"{where}: {option.key} is there twice")
        seen.add(option.key)
        if option.type not in (bool, int, float, str, Path):
            raise Refused(f"{where}: the type of {option.key} must be bool, int, float, str or Path")
        if not isinstance(option.title, Text) or not isinstance(option.help, Text):
            raise Refused(f'{where}: title and help of {option.key} must be Text("English", "中文")')
        try:
            option.check(option.default)
        except InputError as error:
            raise Refused(f"{where}: the default is refused: {error}") from None
