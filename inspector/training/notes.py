"""Names and remarks that the user gives to trainings, saved as ``notes.json`` in the training's folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from inspector.domain import InputError
from inspector.system import paths
from inspector.training.lock import PLAN

NOTES = "notes.json"
_MOST = 64 * 1024  # bytes of a file that is read
_LONGEST_NAME = 120  # characters


@dataclass(frozen=True)
class Notes:
    """A name, and a remark of any length."""

    name: str = ""
    remark: str = ""


def read_notes(folder: Path) -> Notes:
    """The notes of the training in ``folder``; empty if there are none or they are damaged."""
    try:
        with open(folder / NOTES, "rb") as file:
            document = json.loads(file.read(_MOST))
        return Notes(str(document.get("name", ""))[:_LONGEST_NAME], str(document.get("remark", "")))
    except (OSError, ValueError, AttributeError, RecursionError):
        return Notes()


def write_notes(folder: Path, notes: Notes) -> None:
    """Save ``notes``.

    Raises:
        InputError: the folder cannot be written.
    """
    kept = Notes(" ".join(notes.name.split())[:_LONGEST_NAME], notes.remark.strip())
    try:
        paths.write_state(folder / NOTES, json.dumps(asdict(kept), ensure_ascii=False, indent=2) + "\n")
    except OSError as error:
        raise InputError(
            "The notes cannot be saved in {folder} ({reason})", folder=folder, reason=error.strerror or error
        ) from None


def model_name(weights: Path) -> str:
    """Display name of a model file: for ``best.pt`` of a training, the training's name; else the file name."""
    folder = weights.parent.parent
    if weights.parent.name != "weights" or not (folder / PLAN).is_file():
        return weights.name
    name = read_notes(folder).name or folder.name
    return name if weights.name == "best.pt" else f"{name} ({weights.name})"
