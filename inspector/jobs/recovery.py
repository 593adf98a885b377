"""Housekeeping of the history and of run folders: killed runs, old entries, old original images."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta
from pathlib import Path

from inspector.history import History, RunEntry, originals
from inspector.settings import Settings
from inspector.system import paths

logger = logging.getLogger(__name__)
_NEWEST = 20  # killed runs whose folders are cleaned up


def open_history(days: int) -> History:
    """Open the history, recover killed runs, and delete inspections older than ``days`` (0 keeps all)."""
    opened = History.open()
    recover_interrupted_runs(opened)
    if days:
        opened.purge(before=datetime.now().astimezone() - timedelta(days=days))
    return opened


def recover_interrupted_runs(history: History) -> RunEntry | None:
    """Mark runs whose program was killed as interrupted in their ``run.json``, and remove their temporary files.

    Returns:
        The newest such run.
    """
    killed = history.runs(state="interrupted")
    for run in killed[:_NEWEST]:
        if run.output:
            _recover(Path(run.output))
    return killed[0] if killed else None


def purge_originals(settings: Settings) -> originals.Purged:
    """Delete original images beyond the limits in the settings, the oldest first. For a worker thread."""
    with History.open() as history:
        outputs = history.outputs()
    return originals.purge(outputs, settings.get("originals_days"), settings.get("originals_gb"))


def _recover(folder: Path) -> None:
    file = folder / "run.json"
    try:
        document = paths.read_json(file)
        if isinstance(document, dict) and document.get("state") == "running":
            for part in folder.rglob(".tmp-*"):
                part.unlink(missing_ok=True)
            paths.write_state(
                file, json.dumps({**document, "state": "interrupted"}, ensure_ascii=False, indent=2) + "\n"
            )
    except (FileNotFoundError, NotADirectoryError):
        return  # it was removed or moved
    except (OSError, ValueError) as error:
        logger.info("%s cannot be read and was left as it is: %s", file, error)
