"""What the commands on models share: the model that a user names, and the folder for results when none is named."""

from __future__ import annotations

import re
from pathlib import Path

from inspector import jobs
from inspector.api import ModelSpec
from inspector.domain import InputError
from inspector.registry import Registry
from inspector.settings import Settings


def results_folder(command: str, model: str) -> Path:
    """A new folder for what ``command`` finds out about ``model``, such as ``2026-11-23 101500 validate best``."""
    return jobs.default_output(Settings.load(), f"{command} {model}")


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
    spec, weights = jobs.find_model(catalogue, text)
    if weights is None:
        raise InputError(f"The model {text} has no weights file, which is needed here; give a file such as best.pt")
    return spec, Path(weights)
