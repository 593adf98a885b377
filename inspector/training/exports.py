"""Files exported from a training's model, listed in ``exports.json`` in the training's folder."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from inspector.domain import from_json, to_json
from inspector.system import paths

EXPORTS = "exports.json"
_MOST = 1024 * 1024  # bytes of a file that is read
_KEPT = 50

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Export:
    """One exported model.

    Attributes:
        file: absolute; a folder for OpenVINO.
        format: onnx, openvino or torchscript.
        report: sentences about it, e.g. the shapes of its input and outputs.
    """

    file: Path
    format: str
    report: tuple[str, ...] = ()


def read_exports(folder: Path) -> list[Export]:
    """The exports of the training in ``folder``, newest first; empty if the list is missing or damaged."""
    try:
        with open(folder / EXPORTS, "rb") as file:
            rows = from_json(json.loads(file.read(_MOST)))
        return [Export(Path(row["file"]), str(row["format"]), tuple(map(str, row["report"]))) for row in rows]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return []


def add_export(folder: Path, export: Export) -> None:
    """Put ``export`` first in the list; if it cannot be saved, that is only logged, since the export itself is done."""
    kept = [export, *(one for one in read_exports(folder) if one.file != export.file)][:_KEPT]
    rows = [{**asdict(one), "file": str(one.file)} for one in kept]
    try:
        paths.write_state(folder / EXPORTS, json.dumps(to_json(rows), ensure_ascii=False, indent=2) + "\n")
    except OSError as error:
        logger.warning("The list of exports cannot be saved in %s (%s)", folder, error)
