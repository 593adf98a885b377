"""The model that a user names, for the commands that measure and convert one."""

from __future__ import annotations

from pathlib import Path

from inspector.api import ModelSpec
from inspector.domain import InputError
from inspector.registry import Registry


def find(catalogue: Registry, text: str) -> tuple[ModelSpec, Path]:
    """The model and its weights file, for a path or the name of a bundled model.

    Raises:
        InputError: there is no such file, no plugin opens it, or the model has no file.
    """
    bundled = {name: spec for spec in catalogue.models.values() for name in spec.bundled}
    if text in bundled:
        weights = bundled[text].bundled[text]
        if weights is None:
            raise InputError(f"The model {text} has no weights file, which is needed here; give a file such as best.pt")
        return bundled[text], weights
    path = Path(text).absolute()
    if not text.strip() or not path.exists():
        names = "".join(f", or {name}" for name in bundled)
        raise InputError(f"The model {text!r} does not exist; give a file such as best.pt{names}")
    for spec in catalogue.models.values():
        if path.suffix.lower() in spec.suffixes:
            return spec, path
    known = ", ".join(sorted({suffix for spec in catalogue.models.values() for suffix in spec.suffixes}))
    raise InputError(f"{path.name} is no model file that a plugin here opens ({known or 'none is enabled'})")
