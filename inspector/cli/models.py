"""``bearing-inspector models``: list models. Also helpers shared by the commands on models."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from inspector import registry
from inspector.api import ModelSpec
from inspector.cli.console import emit, table
from inspector.domain import InputError, message
from inspector.jobs.build import default_output
from inspector.jobs.models import find_model
from inspector.models import list_models
from inspector.registry import Registry
from inspector.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")


def run(arguments: argparse.Namespace) -> int:
    entries = list_models(registry.load(), Settings.load())
    if arguments.json:
        emit([entry.to_json() for entry in entries])
        return 0

    def figure(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    rows = [
        [
            entry.name,
            entry.origin,
            entry.architecture or "-",
            figure(entry.figures.get("mask_mAP50")),
            figure(entry.figures.get("box_mAP50")),
            Path(entry.parent).name if entry.parent else "-",
            entry.file,
        ]
        for entry in entries
    ]
    table(["name", "origin", "architecture", "mask mAP50", "box mAP50", "parent", "file"], rows)
    return 0


def results_folder(command: str, model: str) -> Path:
    """Return a new folder for the results of ``command``, e.g. ``2026-11-23 101500 validate best``."""
    return default_output(Settings.load(), f"{command} {model}")


def explain(catalogue: Registry, architecture: str) -> None:
    """Raise InputError if ``architecture`` names a layer of an inactive plugin."""
    for word in re.findall(r"[A-Za-z0-9_]+", architecture):
        if record := catalogue.bringer(word):
            raise InputError(
                "{architecture}: {name!r} belongs to the plugin {id!r}, which is {state} ({reason}); enable it",
                architecture=architecture,
                name=word,
                id=record.id,
                state=message(record.state),
                reason=record.reason,
                cli_hint="bearing-inspector plugins list",
            )


def find(catalogue: Registry, text: str) -> tuple[ModelSpec, Path]:
    """Find the model and its weights file by a path or the name of a bundled model.

    Raises:
        InputError: there is no such file, no plugin opens it, or the model has no file.
    """
    spec, weights = find_model(catalogue, text)
    if weights is None:
        raise InputError(
            "The model {text} has no weights file, which is needed here; give a file such as best.pt", text=text
        )
    return spec, Path(weights)
