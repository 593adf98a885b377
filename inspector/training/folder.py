"""What the folder of a training tells, while it runs and afterwards."""

from __future__ import annotations

import csv
import itertools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from inspector import paths
from inspector.training.lock import LOCK, PLAN, held

LOG = "train.log"
State = Literal["starting", "running", "finished", "stopped", "interrupted", "failed"]
MASK, BOX = "metrics/mAP50(M)", "metrics/mAP50(B)"
_TAIL = 512 * 1024  # bytes of the log that are read
_LINES = 400  # of it that are kept
_PACE = 10  # epochs whose time is taken for those to come


@dataclass(frozen=True)
class Progress:
    """A training as its folder shows it.

    Attributes:
        folder: absolute.
        state: ``starting`` before the first step, ``running``; then ``finished``; ``stopped`` by its user; or
            ``interrupted``, killed or left by a window that died; ``failed`` with a sentence. All but a finished one
            can be gone on with where ``begun``.
        begun: there is a plan; without one nothing was trained.
        sentence: of a failure, else the last that was said.
        model: architecture or checkpoint that it started from.
        data: its ``data.yaml``.
        options: of the training, by key.
        epoch: whole epochs.
        batch, batches: steps of the epoch at hand; 0 where unknown.
        losses: means of the epoch at hand.
        rows: of ``results.csv``, by column.
        left: seconds; None where unknown.
        log: what was said last, a line each.
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

    @property
    def epochs(self) -> int:
        """How many epochs it shall have."""
        return int(self.options.get("epochs", 0))

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1."""
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
        """That the whole epochs took."""
        return self.rows[-1].get("time", 0.0) if self.rows else 0.0

    @property
    def best(self) -> Mapping[str, float]:
        """The row with the best masks; empty before the first."""
        return max(self.rows, key=lambda row: row.get(MASK, 0.0), default={})

    @property
    def weights(self) -> Path | None:
        """The best model so far."""
        file = self.folder / "weights" / "best.pt"
        return file if file.is_file() else None

    @property
    def pictures(self) -> tuple[Path, ...]:
        """Validation pictures with what the model found, the newest that were drawn."""
        return tuple(sorted(self.folder.glob("val_batch*_pred.jpg")))


def read(folder: Path, alive: bool | None = None) -> Progress:
    """Look at a training's folder.

    Args:
        folder: of the training; where nothing is in it yet, the training is starting or has failed.
        alive: whether its process runs, where the caller knows that; None: the lock tells.
    """
    alive = held(folder) if alive is None else alive
    plan, rows = _plan(folder), _rows(folder / "results.csv")
    marks, said = _log(folder / LOG)
    last = marks[-1] if marks else {}
    here = last if "batch" in last and alive else {}
    state = _state(plan, last, bool(here), alive)
    sentence = str(last.get("sentence", "")) or (said[-1].removeprefix("bearing-inspector: ") if said else "")
    epoch = int(here.get("epoch", rows[-1]["epoch"] if rows else 0))
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
        batch=int(here.get("batch", 0)),
        batches=int(here.get("batches", 0)),
        losses=here.get("losses", {}),
        rows=rows,
        left=_left(rows, here, int(options.get("epochs", 0)) - epoch) if alive else None,
        log=tuple(said[-_LINES:]),
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
        plan = json.loads((folder / PLAN).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return plan if isinstance(plan, dict) and isinstance(plan.get("options"), dict) else {}


def _rows(file: Path) -> tuple[Mapping[str, float], ...]:
    """The whole rows of a table that may be written just now."""
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
    said = []
    for line in text.replace("\r", "\n").split("\n"):
        if not line.startswith("{"):
            said.append(line.rstrip())
            continue
        try:
            marks.append(json.loads(line))
        except ValueError:
            said.append(line)
    return marks, [line for line in said if line]


def _left(rows: Sequence[Mapping[str, float]], here: Mapping[str, Any], epochs: int) -> float | None:
    """Seconds for ``epochs`` more, by the pace of the last ones, or of the one at hand where it is the first."""
    batch, batches = here.get("batch", 0), here.get("batches", 0)
    part = batch / batches if batches else 0.0
    times = [row["time"] for row in rows[-_PACE - 1 :] if "time" in row]
    paces = [later - earlier for earlier, later in itertools.pairwise(([0.0] if len(rows) <= _PACE else []) + times)]
    if paces:
        pace = sum(paces) / len(paces)
    elif part:
        pace = float(here.get("seconds", 0.0)) / part
    else:
        return None
    return max(0.0, pace * (epochs - part))


def trainings(*places: Path) -> list[Progress]:
    """The trainings in these folders, or right below them; the newest first."""
    folders: dict[Path, float] = {}
    for place in places:
        try:
            inner = list(place.iterdir()) if place.is_dir() else []
        except OSError:
            continue
        for folder in (place, *inner):
            try:
                folders[folder.absolute()] = (folder / PLAN).stat().st_mtime
            except OSError:
                continue
    newest = sorted(folders, key=lambda folder: folders[folder], reverse=True)
    return [found for folder in newest if (found := read(folder)).begun]


def known() -> list[Path]:
    """The folders of trainings that were :func:`remember`ed and are still there."""
    try:
        listed = json.loads(_memory().read_text("utf-8"))
    except (OSError, ValueError):
        return []
    return [folder for folder in map(Path, listed) if (folder / PLAN).is_file()] if isinstance(listed, list) else []


def remember(folder: Path) -> None:
    """Keep in mind where a training lies, so that it is found again wherever that is."""
    folders = dict.fromkeys([*map(str, known()), str(folder.absolute())])
    paths.write_text(_memory(), json.dumps(list(folders), ensure_ascii=False, indent=2))


def _memory() -> Path:
    return paths.data_folder() / "trainings.json"


def clear(folder: Path) -> None:
    """Take away a folder in which nothing was trained: our own two files, and itself where it is empty then."""
    if (folder / PLAN).exists():
        return
    for name in (LOG, LOCK):
        (folder / name).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
