"""Calls of optional plugin functions, with errors attributed to the plugin."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from inspector.api import Architecture, Architectures, LayerSpec, ModelSpec, SourceSpec
from inspector.domain import InspectorError, describe, interrupts, message, quote

if TYPE_CHECKING:
    from inspector.registry.records import Registry

logger = logging.getLogger(__name__)
T = TypeVar("T")
_METHODS = ("list", "cost", "combinations", "check")  # of Architectures


def claimed(registry: Registry, spec: SourceSpec, text: str) -> Mapping[str, Any] | None:
    """Options with which the source ``spec`` opens a text typed by the user; None if it does not claim it.

    Raises:
        InspectorError: with the plugin's own message.
    """

    def call() -> Mapping[str, Any] | None:
        options = None if spec.claim is None else spec.claim(text)
        if options is None:
            return None
        if not isinstance(options, Mapping) or not all(isinstance(key, str) for key in options):
            raise TypeError(f"it returned {quote(options)} instead of options or None")
        return dict(options)

    return _guarded(registry, spec, "claim", call, None, passing=True)


def devices(
    registry: Registry, specs: Sequence[SourceSpec | ModelSpec], report: Callable[[str], None] | None = None
) -> list[tuple[str, str, str]]:
    """Yield (id of the spec, address, name) of each device that the specs find.

    Args:
        report: called with the message of a plugin that raises InspectorError; None: logged.
    """
    found: list[tuple[str, str, str]] = []
    for spec in specs:

        def call(spec: SourceSpec | ModelSpec = spec) -> list[tuple[str, str, str]]:
            pairs = () if spec.devices is None else spec.devices()
            return [(spec.id, str(address), str(name)) for address, name in pairs]

        try:
            found += _guarded(registry, spec, "devices", call, [], passing=report is not None)
        except InspectorError as error:
            assert report is not None
            report(message("{spec}: {reason}", spec=spec.title.en, reason=error))
    return found


def architectures(registry: Registry, spec: ModelSpec) -> Architectures | None:
    """The architectures that the model ``spec`` can build; None if there are none."""
    layers: tuple[LayerSpec, ...] = tuple(registry.layers.values())

    def call() -> Architectures | None:
        made = None if spec.architectures is None else spec.architectures(layers)
        if made is not None and not all(callable(getattr(made, name, None)) for name in _METHODS):
            raise TypeError(f"it returned {quote(made)}, which lacks one of {', '.join(_METHODS)}")
        return made

    return _guarded(registry, spec, "architectures", call, None)


def architecture_list(registry: Registry, spec: ModelSpec, known: Architectures) -> list[Architecture]:
    """The list that ``known`` of the model ``spec`` returns."""

    def call() -> list[Architecture]:
        found = list(known.list())
        if wrong := [one for one in found if not isinstance(one, Architecture)]:
            raise TypeError(f"it listed {quote(wrong[0])}, which is no Architecture")
        return found

    return _guarded(registry, spec, "the list of architectures", call, [])


def combinations(registry: Registry, spec: ModelSpec, known: Architectures) -> list[str] | None:
    """The architectures of ``known`` for a check of everything; None if they cannot be determined."""

    def call() -> list[str] | None:
        found = list(known.combinations())
        if wrong := [one for one in found if not isinstance(one, str)]:
            raise TypeError(f"it named {quote(wrong[0])}, which is no text")
        return found

    return _guarded(registry, spec, "combinations", call, None)


def _guarded(
    registry: Registry,
    spec: SourceSpec | ModelSpec,
    what: str,
    call: Callable[[], T],
    without: T,
    passing: bool = False,
) -> T:
    try:
        return call()
    except BaseException as error:
        if interrupts(error) or (passing and isinstance(error, InspectorError)):
            raise
        owner = registry.owner(spec.id)
        logger.warning("The plugin %s failed in %s of %s: %s", owner, what, spec.id, describe(error), exc_info=error)
        return without
