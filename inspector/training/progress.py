"""Read the progress of a training from its folder, while it runs and afterwards."""

from __future__ import annotations

import csv
import itertools
import json
import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from inspector.domain import InputError, from_json
from inspector.system import paths
from inspector.training.lock import LOCK, PLAN, is_locked
from inspector.training.notes import Notes, read_notes

logger = logging.getLogger(__name__)
LOG = "train.log"
State = Literal["starting", "running", "finished", "stopped", "interrupted", "failed"]
MASK, BOX = "metrics/mAP50(M)", "metrics/mAP50(B)"
_TAIL = 512 * 1024  # bytes read from the end of the log
_LINES = 400  # lines of it that are kept
_PACE = 10  # epochs over which the time per epoch is averaged
_KNOWN = 1.0  # seconds of the first epoch after which its pace is meaningful


@dataclass(frozen=True)
class Progress:
    """State of a training.

    Attributes:
        folder: absolute.
        state: ``starting`` before the first step, ``running``, ``finished``, ``stopped`` by the user, ``interrupted``
            (killed, or the window died) or ``failed`` with a sentence. All but a finished one can be resumed if
            ``begun``.
        begun: there is a plan; without one nothing was trained.
        sentence: of a failure, else the last line printed.
        model: architecture or checkpoint that it started from.
        data: its ``data.yaml``.
        options: of the training, by key.
        epoch: number of complete epochs.
        batch, batches: steps of the current epoch; 0 if unknown.
        losses: means of the current epoch.
        rows: of ``results.csv``, by column.
        left: remaining seconds; None if unknown.
        log: last lines printed.
        notes: name and remark given by the user.
    """

    folder: Path
    state: State
    begun: bool = False
    sentence: str = ""
    model: str = ""
    data: Path = Path()
    options: Mapping[str, Any] = field(default_factory=dict)
    epoch: int = 0
    batch: int = 0
    batches: int = 0
    losses: Mapping[str, float] = field(default_factory=dict)
    rows: tuple[Mapping[str, float], ...] = ()
    left: float | None = None
    log: tuple[str, ...] = ()
    notes: Notes = field(default_factory=Notes)

    @property
    def name(self) -> str:
        """Display name: given by the user, or that of its folder."""
        return self.notes.name or self.folder.name

    @property
    def epochs(self) -> int:
        """Number of epochs to train."""
        return int(self.options.get("epochs", 0))

    @property
    def share(self) -> float:
        """Completed share, 0 to 1."""
        if self.state == "finished":
            return 1.0
        part = self.batch / self.batches if self.batches else 0.0
        return min(1.0, (self.epoch + part) / self.epochs) if self.epochs else 0.0

    @property
    def live(self) -> bool:
        return self.state in ("starting", "running")

    @property
    def resumable(self) -> bool:
        return self.begun and self.state in ("stopped", "interrupted", "failed")

    @property
    def seconds(self) -> float:
        """Duration of the complete epochs."""
        return self.rows[-1].get("time", 0.0) if self.rows else 0.0

    @property
    def best(self) -> Mapping[str, float]:
        """The row with the best masks; empty before the first epoch."""
        return max(self.rows, key=lambda row: row.get(MASK, 0.0), default={})

    @property
    def weights(self) -> Path | None:
        """The best model so far."""
        file = self.folder / "weights" / "best.pt"
        return file if file.is_file() else None

    @property
    def images(self) -> tuple[Path, ...]:
        """Validation images with predictions, the newest that were drawn."""
        return tuple(sorted(self.folder.glob("val_batch*_pred.jpg")))


def read_progress(folder: Path, alive: bool | None = None) -> Progress:
    """Read a training's folder.

    Args:
        folder: of the training; if it is empty, the training is starting or has failed.
        alive: whether its process is running, if known; None: ask the lock.
    """
    alive = is_locked(folder) if alive is None else alive
    plan, rows = _plan(folder), _rows(folder / "results.csv")
    marks, printed = _log(folder / LOG)
    last = marks[-1] if marks else {}
    current = last if "batch" in last and alive else {}
    state = _state(plan, last, bool(current), alive)
    sentence = str(from_json(last.get("message", last.get("sentence", ""))))
    sentence = sentence or (printed[-1].removeprefix("bearing-inspector: ") if printed else "")
    epoch = int(current.get("epoch", rows[-1]["epoch"] if rows else 0))
    options = plan.get("options", {})
    return Progress(
        folder=folder.absolute(),
        state=state,
        begun=bool(plan),
        sentence=sentence,
        model=str(plan.get("model", "")),
        data=Path(plan.get("data", "")),
        options=options,
        epoch=epoch,
        batch=int(current.get("batch", 0)),
        batches=int(current.get("batches", 0)),
        losses=current.get("losses", {}),
        rows=rows,
        left=_left(rows, current, int(options.get("epochs", 0)) - epoch) if alive else None,
        log=tuple(printed[-_LINES:]),
        notes=read_notes(folder),
    )


def _state(plan: Mapping[str, Any], last: Mapping[str, Any], stepping: bool, alive: bool) -> State:
    if alive:
        return "running" if stepping else "starting"
    if plan.get("finished"):
        return "finished"
    ended = last.get("ended")
    if ended in ("stopped", "failed"):
        return "stopped" if ended == "stopped" else "failed"
    return "interrupted" if plan else "failed"


def _plan(folder: Path) -> dict[str, Any]:
    try:
        plan = paths.read_json(folder / PLAN)
    except (OSError, ValueError):
        return {}
    return plan if isinstance(plan, dict) and isinstance(plan.get("options"), dict) else {}


def _rows(file: Path) -> tuple[Mapping[str, float], ...]:
    """The complete rows of a table that may be being written."""
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ()
    rows = []
    for row in csv.DictReader(text.splitlines()):
        try:
            rows.append({str(key).strip(): float(value) for key, value in row.items()})
        except (TypeError, ValueError):
            continue
    return tuple(row for row in rows if "epoch" in row)


def _log(file: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The JSON lines and the other lines at the end of a log."""
    try:
        with open(file, "rb") as opened:
            opened.seek(max(0, opened.seek(0, os.SEEK_END) - _TAIL))
            text = opened.read().decode("utf-8", "replace")
    except OSError:
        return [], []
    marks: list[dict[str, Any]] = []
    printed = []
    for line in text.replace("\r", "\n").split("\n"):
        if not line.startswith("{"):
            printed.append(line.rstrip())
            continue
        try:
            mark = json.loads(line)
        except (ValueError, RecursionError):
            mark = None
        if isinstance(mark, dict):
            marks.append(mark)
        else:
            printed.append(line)
    return marks, [line for line in printed if line]


def _left(rows: Sequence[Mapping[str, float]], current: Mapping[str, Any], epochs: int) -> float | None:
    """Seconds for ``epochs`` more, at the pace of the last epochs, or of the current one if it is the first."""
    batch, batches = current.get("batch", 0), current.get("batches", 0)
    part = batch / batches if batches else 0.0
    times = [row["time"] for row in rows[-_PACE - 1 :] if "time" in row]
    paces = [later - earlier for earlier, later in itertools.pairwise(([0.0] if len(rows) <= _PACE else []) + times)]
    if paces:
        pace = sum(paces) / len(paces)
    elif part and current.get("seconds", 0.0) >= _KNOWN:
        pace = float(current["seconds"]) / part
    else:
        return None
    return max(0.0, pace * (epochs - part))


def find_trainings(*parents: Path) -> list[Progress]:
    """The trainings in these folders or their direct subfolders, newest first."""
    folders: dict[Path, float] = {}
    for parent in parents:
        try:
            inner = list(parent.iterdir()) if parent.is_dir() else []
        except OSError:
            continue
        for folder in (parent, *inner):
            try:
                folders[folder.absolute()] = (folder / PLAN).stat().st_mtime
            except OSError:
                continue
    newest = sorted(folders, key=lambda folder: folders[folder], reverse=True)
    return [found for folder in newest if (found := read_progress(folder)).begun]


def known_folders() -> list[Path]:
    """The folders that were saved by :func:`remember_folder` and still hold a training."""
    try:
        listed = paths.read_json(_memory())
    except (OSError, ValueError):
        return []
    folders = [Path(text) for text in listed if isinstance(text, str)] if isinstance(listed, list) else []
    return [folder for folder in folders if (folder / PLAN).is_file()]


def remember_folder(folder: Path) -> None:
    """Save the location of a training, so that it is found again wherever it is."""
    folders = dict.fromkeys([*map(str, known_folders()), str(folder.absolute())])
    try:
        paths.write_state(_memory(), json.dumps(list(folders), ensure_ascii=False, indent=2))
    except OSError as error:  # the training itself does not depend on it
        logger.warning("The list of trainings cannot be saved: %s", error)


def _memory() -> Path:
    return paths.data_folder() / "trainings.json"


def clear(folder: Path) -> None:
    """Remove a folder in which nothing was trained: our own two files, and the folder if it is empty then."""
    if (folder / PLAN).exists():
        return
    for name in (LOG, LOCK):
        (folder / name).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def delete_training(folder: Path) -> None:
    """Delete the folder of a training.

    Raises:
        InputError: it holds no training, one is running in it, or it cannot be deleted.
    """
    if not (folder / PLAN).is_file():
        raise InputError("{folder} contains no training and is not deleted", folder=folder)
    if is_locked(folder):
        raise InputError("The training in {folder} is running; stop it first", folder=folder)
    aside = paths.unused_path(folder.with_name(f".tmp-{folder.name}"))
    try:
        paths.replace_patiently(folder, aside)
        shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise InputError(
            "{folder} cannot be deleted ({reason}); close what uses it", folder=folder, reason=error.strerror or error
        ) from None
