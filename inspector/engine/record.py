"""What is kept of a run beside its results: its folder and ``run.json``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from inspector.domain import InputError, Inspection, Skipped
from inspector.paths import taken, unused_path, write_text

if TYPE_CHECKING:
    from inspector.engine.run import Run


@dataclass(frozen=True)
class Counts:
    """How far a run has come."""

    inspected: int = 0
    ok: int = 0
    warn: int = 0
    ng: int = 0
    defects: int = 0
    skipped: int = 0
    dropped: int = 0

    def after(self, result: Inspection | Skipped, dropped: int) -> Counts:
        """These counts with one result more, and as many dropped as there are by now."""
        if isinstance(result, Skipped):
            return replace(self, skipped=self.skipped + 1, dropped=dropped)
        verdict = result.verdict.status.lower()
        return replace(
            self,
            inspected=self.inspected + 1,
            defects=self.defects + len(result.detections),
            dropped=dropped,
            **{verdict: getattr(self, verdict) + 1},
        )


def save_run(run: Run, folder: Path, state: str, version: str) -> None:
    """Write ``run.json``: what was asked, with what it was done, and how far it came. It serves as a recipe."""
    document = {
        "program": {"name": "Bearing Inspector", "version": version},
        "title": run.title,
        "state": state,
        "started": run.started,
        "ended": run.ended or None,
        "job": run.job.to_json(),
        "model": None if run.model is None else asdict(run.model),
        "counts": asdict(run.counts),
        "problems": run.problems,
        "threshold_changes": run.changes,
        "files": sorted(path.relative_to(folder).as_posix() for path in run.files if path.exists()),
        "versions": _versions(),
    }
    write_text(folder / "run.json", json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def now() -> str:
    """Local time, ISO 8601 with milliseconds and offset."""
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


@contextmanager
def new_folder(wanted: Path) -> Iterator[Path]:
    """``wanted``, or a second name of it where it exists and is not empty; to nobody else it is given until it is used.

    Raises:
        InputError: it cannot be made.
    """
    folder = wanted
    with ExitStack() as stack:
        try:
            if wanted.exists() and not wanted.is_dir():
                raise InputError(f"{wanted} is a file; name a folder for the results with --output")
            wanted.parent.mkdir(parents=True, exist_ok=True)
            while True:
                try:
                    stack.enter_context(taken(folder))
                    break
                except FileExistsError:
                    folder = unused_path(wanted)
        except OSError as error:
            raise InputError(
                f"The results folder {wanted} cannot be made ({error.strerror}); name another with --output"
            ) from None
        yield folder


def _versions() -> dict[str, str]:
    import platform
    from importlib import metadata

    found = {"python": platform.python_version(), "system": platform.platform()}
    for name in ("torch", "ultralytics", "opencv-python", "numpy"):
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
