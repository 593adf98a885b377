"""What the commands on models share: the model that a user names, and the folder for results when none is named."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from inspector import paths
from inspector.api import ModelSpec
from inspector.domain import InputError
from inspector.registry import Registry
from inspector.settings import Settings


def results_folder(command: str, model: str) -> Path:
    """A new folder for what ``command`` finds out about ``model``, such as ``2026-11-23 101500 validate best``."""
    folder = Settings.load().get("output_folder") or paths.results_folder()
    return Path(folder) / paths.safe_name(f"{datetime.now():%Y-%m-%d %H%M%S} {command} {model}")


def explain(catalogue: Registry, architecture: str) -> None:
    """Raise InputError with the plugin's name where ``architecture`` names a layer of a plugin that is not active."""
    for word in re.findall(r"[A-Za-z0-9_]+", architecture):
        if record := catalogue.bringer(word):
            raise InputError(
                f"{architecture}: {word!r} belongs to the plugin {record.id!r}, which is {record.state} "
                f"({record.reason}); see 'bearing-inspector plugins list'"
            )


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
