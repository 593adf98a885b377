"""Sources from user input: paths, patterns, devices and addresses."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path

from inspector import registry
from inspector.domain import Choice, InputError
from inspector.registry import Registry


def resolve_sources(catalogue: Registry, text: str) -> list[Choice]:
    """Return the sources that open what the user typed: one for a file, one or more for a folder or a pattern.

    Raises:
        InputError: no source opens it.
    """
    if not text.strip():
        raise InputError("A SOURCE is empty; give a file, a folder, a pattern such as *.jpg, camera:0 or an address")
    if _is_path(text):
        if not glob.has_magic(text) and not exists(text):
            raise InputError(
                "{source} does not exist; give a file, a folder, a pattern such as *.jpg, camera:0 or an address",
                source=text,
            )
        text = str(Path(text).absolute())
    claims = ((spec, registry.claimed(catalogue, spec, text)) for spec in catalogue.sources.values())
    choices = [Choice(spec.id, dict(options)) for spec, options in claims if options is not None]
    if choices:
        # A folder may hold images and videos; a file is inspected once.
        return choices if not exists(text) or Path(text).is_dir() else choices[:1]
    if exists(text):
        raise InputError("{source} is neither an image nor a video that can be read; choose another file", source=text)
    raise InputError(
        "{source} does not exist; give a file, a folder, a pattern such as *.jpg, camera:0 or an address", source=text
    )


def has_live_source(catalogue: Registry, sources: Iterable[Choice]) -> bool:
    """Whether one of the sources has no end: a camera, a stream, a watched folder."""
    return any(catalogue.source(choice.id).droppable or "folder" in choice.options for choice in sources)


def exists(text: str) -> bool:
    """Whether ``text`` is the path of a file or folder; False for texts that no path can have."""
    try:
        return Path(text).exists()
    except (OSError, ValueError):  # longer than any name may be, or with NUL
        return False


def _is_path(text: str) -> bool:
    """Whether ``text`` is a path rather than an address or a device (``rtsp://…``, ``camera:0``)."""
    scheme, colon, rest = text.partition(":")
    return exists(text) or not (colon and len(scheme) > 1 and scheme.isalnum() and rest)
