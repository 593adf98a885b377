"""Available models: bundled ones with their model cards, and those trained on this computer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inspector.registry import Registry
from inspector.settings import Settings
from inspector.system import paths
from inspector.training import Progress, find_trainings, known_folders
from inspector.training.progress import BOX, MASK

_LARGEST_CARD = 1 << 20  # bytes
_FIGURES = {
    "mask_mAP50": MASK,
    "mask_mAP50-95": "metrics/mAP50-95(M)",
    "mask_precision": "metrics/precision(M)",
    "mask_recall": "metrics/recall(M)",
    "box_mAP50": BOX,
}


@dataclass(frozen=True)
class ModelEntry:
    """A model file and its properties, known without opening it.

    Attributes:
        name: of a bundled model, or of the training.
        origin: ``bundled`` or ``trained``.
        file: the weights.
        sha256: of the file, hexadecimal.
        architecture: "" if unknown.
        parent: weights that its training started from; None if random or unknown.
        data: dataset that it was trained on.
        figures: mAP, precision and recall, 0 to 1, by name.
        card: model card of a bundled model; empty for others.
        state: of the training, for example ``finished``; ``bundled`` for a bundled model.
    """

    name: str
    origin: str
    file: Path
    sha256: str
    architecture: str = ""
    parent: str | None = None
    data: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)
    state: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the entry for JSON."""
        return {**vars(self), "file": str(self.file), "figures": dict(self.figures), "card": dict(self.card)}


def list_models(catalogue: Registry, settings: Settings) -> list[ModelEntry]:
    """Return all bundled models, then all trained ones that have weights, the newest first."""
    bundled = [
        _bundled(name, Path(file))
        for spec in catalogue.models.values()
        for name, file in spec.bundled.items()
        if file is not None and Path(file).is_file()
    ]
    chosen = settings.get("output_folder")
    folder = Path(chosen) if chosen else paths.results_folder()
    found = find_trainings(folder, *known_folders())
    return bundled + [_trained(training, training.weights) for training in found if training.weights is not None]


def _bundled(name: str, file: Path) -> ModelEntry:
    card = _card(file.with_suffix(".json"))
    figures = card.get("figures")
    return ModelEntry(
        name,
        "bundled",
        file,
        _sha256(file),
        str(card.get("architecture", "")),
        card.get("parent"),
        str(card.get("data", "")),
        figures if isinstance(figures, dict) else {},
        card,
        "bundled",
    )


def _trained(training: Progress, weights: Path) -> ModelEntry:
    from_checkpoint = training.model.lower().endswith(".pt")
    best = training.best
    return ModelEntry(
        training.name,
        "trained",
        weights,
        _sha256(weights),
        "" if from_checkpoint else training.model,
        training.model if from_checkpoint else training.options.get("weights"),
        str(training.data),
        {key: best[column] for key, column in _FIGURES.items() if column in best},
        {},
        training.state,
    )


def _card(file: Path) -> dict[str, Any]:
    try:
        with open(file, "rb") as opened:
            card = json.loads(opened.read(_LARGEST_CARD))
    except (OSError, ValueError, RecursionError):
        return {}
    return card if isinstance(card, dict) else {}


def _sha256(file: Path) -> str:
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
