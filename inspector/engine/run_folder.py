"""The results folder of a run, and its record ``run.json``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from inspector.domain import InputError, Inspection, Job, ModelInfo, Skipped, rules_sha256, shorten, yield_of
from inspector.engine.alarms import Alarm
from inspector.engine.part_tracker import PartCounts
from inspector.system.paths import taken, unused_path, write_state


@dataclass(frozen=True)
class Counts:
    """Numbers of results of a run: of images, and of parts.

    Attributes:
        inspected, ok, warn, ng: images.
        defects: in all images.
        skipped: images that could not be read.
        dropped: images of a camera that were not inspected because a newer one came.
        parts, parts_ok, parts_warn, parts_ng: parts with a verdict; without grouping each inspected image is one.
        parts_open: parts whose views are still coming.
    """

    inspected: int = 0
    ok: int = 0
    warn: int = 0
    ng: int = 0
    defects: int = 0
    skipped: int = 0
    dropped: int = 0
    parts: int = 0
    parts_ok: int = 0
    parts_warn: int = 0
    parts_ng: int = 0
    parts_open: int = 0

    @property
    def good_share(self) -> float | None:
        """The yield, OK parts ÷ parts, 0 to 1; None if there is none."""
        return yield_of(self.parts_ok, self.parts)

    def after(self, result: Inspection | Skipped, dropped: int, parts: PartCounts | None = None) -> Counts:
        """Return these counts with one more result, and ``dropped`` images dropped so far.

        Args:
            parts: numbers of parts so far; None: each inspected image is a part.
        """
        if isinstance(result, Skipped):
            counts = replace(self, skipped=self.skipped + 1, dropped=dropped)
        else:
            verdict = result.verdict.status.lower()
            counts = replace(
                self,
                inspected=self.inspected + 1,
                defects=self.defects + len(result.detections),
                dropped=dropped,
                **{verdict: getattr(self, verdict) + 1},
            )
        if parts is None:
            parts = PartCounts(counts.ok, counts.warn, counts.ng)
        return counts.with_parts(parts)

    def with_parts(self, parts: PartCounts) -> Counts:
        """Return these counts with these numbers of parts."""
        judged = parts.ok + parts.warn + parts.ng
        return replace(
            self, parts=judged, parts_ok=parts.ok, parts_warn=parts.warn, parts_ng=parts.ng, parts_open=parts.open
        )


@dataclass(frozen=True)
class RunRecord:
    """The state of a run for ``run.json``.

    Attributes:
        run: id in the history.
        state: ``running``, ``done``, ``stopped`` or ``failed``.
        started, ended: local time, ISO 8601 with offset; ``ended`` is empty while it runs.
        threshold_changes: each with the number of the first image, confidence and IoU.
        files: written files, below the folder.
        version: of the program.
    """

    title: str
    run: int | None
    state: str
    started: str
    ended: str
    job: Job
    model: ModelInfo | None
    counts: Counts
    problems: Sequence[str]
    alarms: Sequence[Alarm]
    threshold_changes: Sequence[Mapping[str, float]]
    files: Sequence[Path]
    version: str


def save_run(folder: Path, record: RunRecord) -> None:
    """Write ``run.json``: job, model, counts and problems. It can be opened as a recipe.

    Raises:
        OSError: it cannot be written.
    """
    recipe = record.job.recipe
    document = {
        "program": {"name": "Bearing Inspector", "version": record.version},
        "title": record.title,
        "run": record.run,
        "state": record.state,
        "started": record.started,
        "ended": record.ended or None,
        "job": record.job.to_json(),
        "model": None if record.model is None else asdict(record.model),
        "rules_sha256": rules_sha256(record.job.rules),
        "recipe": None if recipe is None else asdict(recipe),
        "counts": asdict(record.counts),
        "problems": list(record.problems),
        "events": [
            {"time": alarm.since, "kind": alarm.code, "message": alarm.message, "until": alarm.until or None}
            for alarm in record.alarms
            if alarm.recorded
        ],
        "threshold_changes": list(record.threshold_changes),
        "files": sorted(path.relative_to(folder).as_posix() for path in record.files if path.exists()),
        "versions": _versions(),
    }
    write_state(folder / "run.json", json.dumps(document, ensure_ascii=False, indent=2) + "\n")


@contextmanager
def create_run_folder(wanted: Path) -> Iterator[Path]:
    """Create and reserve the results folder: ``wanted``, or ``wanted-2`` and so on if that is not empty.

    The reservation excludes other runs until something is written in the folder or the context ends.

    Raises:
        InputError: it cannot be created.
    """
    folder = wanted
    with ExitStack() as stack:
        try:
            if wanted.exists() and not wanted.is_dir():
                raise InputError("{path} is a file; choose a folder for the results", path=wanted, cli_hint="--output")
            if wanted.is_symlink() and not wanted.exists():
                raise InputError(
                    "{folder} is a link whose target does not exist; connect that disk, or choose another folder "
                    "for the results",
                    folder=wanted,
                    cli_hint="--output",
                )
            wanted.parent.mkdir(parents=True, exist_ok=True)
            while True:
                try:
                    stack.enter_context(taken(folder))
                    break
                except FileExistsError:
                    folder = unused_path(wanted)
        except OSError as error:
            raise InputError(
                "The results folder {folder} cannot be created ({reason}); choose another folder",
                folder=shorten(str(wanted)),
                reason=error.strerror,
                cli_hint="--output",
            ) from None
        yield folder


@contextmanager
def reopen_run_folder(folder: Path) -> Iterator[Path]:
    """Return the results folder of a resumed run, created again if it is missing.

    Raises:
        InputError: it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            "The results folder {folder} cannot be written ({reason}); make it writable", folder=folder, reason=reason
        ) from None
    yield folder


def _versions() -> dict[str, str]:
    import platform
    from importlib import metadata

    versions = {"python": platform.python_version(), "system": platform.platform()}
    for name in ("torch", "ultralytics", "opencv-python", "numpy"):
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions
