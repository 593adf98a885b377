"""Validation of hook results at loading time, so that errors do not surface in the middle of a run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from inspector.api import ExporterSpec, LayerKind, LayerSpec, LossPart, ModelSpec, Option, SourceSpec, Text
from inspector.domain import InputError, message, quote
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
    """Validate the result of ``hook`` and return it as (kind, spec) pairs.

    Raises:
        Refused: not a list of the hook's specs, or one of them is invalid.
    """
    kind, wanted = HOOKS[hook]
    if not isinstance(returned, Iterable) or isinstance(returned, str | bytes | Mapping):
        raise Refused(
            "{hook} returned {returned}, not a list of {kind}", hook=hook, returned=_a(returned), kind=wanted.__name__
        )
    specs = []
    for spec in returned:
        if not isinstance(spec, wanted):
            raise Refused(
                "{hook} returned a list with {spec} in it, not only {kind}",
                hook=hook,
                spec=_a(spec),
                kind=wanted.__name__,
            )
        _check(spec)
        specs.append((kind, spec))
    return specs


def _a(value: object) -> str:
    name = message("nothing") if value is None else type(value).__name__
    return name if value is None else f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _check(spec: Spec) -> None:
    kind = type(spec).__name__
    if not isinstance(spec.id, str) or not re.fullmatch(r"[A-Za-z0-9_]{1,64}", spec.id):
        raise Refused("{kind}: id must be 1 to 64 letters, digits or '_', not {id}", kind=kind, id=quote(spec.id))
    owner = f"{kind} {spec.id}"
    if not isinstance(spec.title, Text):
        raise Refused('{owner}: title must be Text("English", "中文"), not {spec}', owner=owner, spec=quote(spec.title))
    for name in _CALLABLE:
        value = getattr(spec, name, None)
        if hasattr(spec, name) and not callable(value) and not (value is None and name in _MAY_BE_NONE):
            raise Refused("{owner}: {name} must be callable, not {value}", owner=owner, name=name, value=quote(value))
    for name in ("options", "train_options"):
        _check_options(f"{owner}, {name}", getattr(spec, name, ()))
    if isinstance(spec, ModelSpec):
        if not isinstance(spec.suffixes, tuple | list) or not all(
            isinstance(suffix, str) and suffix.startswith(".") and suffix == suffix.lower() for suffix in spec.suffixes
        ):
            raise Refused(
                "{owner}: suffixes must be like ('.pt',), in lower case, not {suffixes}",
                owner=owner,
                suffixes=quote(spec.suffixes),
            )
        if not isinstance(spec.bundled, Mapping):
            raise Refused(
                "{owner}: bundled must map names to files, not {bundled}", owner=owner, bundled=quote(spec.bundled)
            )
    if isinstance(spec, LayerSpec) and spec.kind not in get_args(LayerKind):
        raise Refused(
            "{owner}: kind must be one of {kinds}, not {kind}",
            owner=owner,
            kinds=", ".join(get_args(LayerKind)),
            kind=quote(spec.kind),
        )
    if isinstance(spec, LayerSpec):
        if (spec.kind == "loss") != bool(spec.part) or spec.part not in get_args(LossPart):
            raise Refused(
                "{owner}: part must be box, class or mask for a loss and empty for other layers, not {part}",
                owner=owner,
                part=quote(spec.part),
            )
        if not isinstance(spec.about, Text):
            raise Refused(
                '{owner}: about must be Text("English", "中文"), not {about}', owner=owner, about=quote(spec.about)
            )


def _check_options(where: str, options: Any) -> None:
    if not isinstance(options, tuple | list) or not all(isinstance(option, Option) for option in options):
        raise Refused("{where} must be a tuple of Option, not {options}", where=where, options=quote(options))
    seen = set()
    for option in options:
        if not isinstance(option.key, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", option.key):
            raise Refused(
                "{where}: key must be lower case letters, digits and '_', not {key}", where=where, key=quote(option.key)
            )
        if option.key in seen:
            raise Refused("{where}: {key} is there twice", where=where, key=option.key)
        seen.add(option.key)
        if option.type not in (bool, int, float, str, Path):
            raise Refused(
                "{where}: the type of {key} must be bool, int, float, str or Path", where=where, key=option.key
            )
        if not isinstance(option.title, Text) or not isinstance(option.help, Text):
            raise Refused(
                '{where}: title and help of {key} must be Text("English", "中文")', where=where, key=option.key
            )
        try:
            option.check(option.default)
        except InputError as error:
            raise Refused("{where}: the default is refused: {reason}", where=where, reason=error) from None
