"""Load a stored inspection with its image and masks, and list its facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspector import i18n
from inspector.domain import InputError, Inspection, Job, ModelInfo, Part, Reason, RecipeInfo, Skipped
from inspector.history import Event, History
from inspector.history.listing import Listing
from inspector.history.periods import to_local_time
from inspector.reexport import reexport
from inspector.reexport.frame_finder import FrameFinder
from inspector.ui.history.rows import verdict_text
from inspector.ui.kit import open_externally, strings
from inspector.ui.kit.rule_summary import recipe_text, rule_set
from inspector.ui.kit.strings import tr

if TYPE_CHECKING:
    from inspector.registry import Registry
    from inspector.ui.history.rows import HistoryRows
    from inspector.ui.kit.shell import Shell

Items = list[tuple[str, Callable[[], object]]]


@dataclass(frozen=True)
class StoredInspection:
    """An inspection as stored in the history.

    Attributes:
        record: as returned by :meth:`inspector.history.History.get`.
        device: device of its run.
        events: interruptions and save failures of its run.
        inspection: with its image; None if that is unavailable, for the reason in ``missing``.
        annotated: the image is the annotated copy, which shows the defects; the original is missing.
        job: job of its run; None if unknown.
        part: its part; None if the image is a part of its own.
    """

    record: Mapping[str, Any]
    device: str
    inspection: Inspection | None
    missing: str = ""
    annotated: bool = False
    job: Job | None = None
    events: tuple[Event, ...] = ()
    part: Part | None = None


def load(catalogue: Registry, id: int) -> StoredInspection:
    """Load an inspection, with its image if it still exists. Call on a worker thread.

    Raises:
        InputError: the history has no such inspection.
    """
    with History.open() as history:
        record = history.get(id)
        runs = history.runs(record["run"])
        events, part = tuple(history.events(record["run"])), history.part_of(id)
    info = runs[0].model if runs else ModelInfo(**record["model"], names=())
    job = _job(runs[0].job) if runs else None
    if record["verdict"] is None:
        return StoredInspection(record, info.device, None, record["skipped"], job=job, events=events, part=part)
    try:
        with FrameFinder(catalogue) as finder:
            frame, annotated = finder.find_or_annotated(record, runs[0].output if runs else None)
    except InputError as error:
        return StoredInspection(record, info.device, None, str(error), job=job, events=events, part=part)
    inspection = reexport.rebuild(record, info, frame)
    return StoredInspection(record, info.device, inspection, annotated=annotated, job=job, events=events, part=part)


def _job(document: Mapping[str, Any]) -> Job | None:
    try:
        return Job.from_json(document)
    except InputError:  # of another version of the program
        return None


def load_inspection(
    catalogue: Registry, inspection: int, detection: int
) -> tuple[Inspection | Skipped, int | None, int]:
    """Load an inspection for display, and the index of one of its defects. Call on a worker thread.

    Args:
        detection: the defect's id, 0 for none.

    Returns:
        The inspection, or Skipped with the reason if its image is unavailable; index of the defect; and position in
        the run, from 0.

    Raises:
        InputError: the history has no such inspection.
    """
    stored = load(catalogue, inspection)
    with History.open() as history:
        place = history.position(inspection)
    if stored.inspection is None:
        return Skipped(stored.record["name"], stored.missing, stored.record["path"]), None, place
    if not detection:
        return stored.inspection, None, place
    with Listing() as listing:
        (row,) = listing.rows([(inspection, detection)])
    if row is None or row.box is None:
        return stored.inspection, None, place
    same = [
        i
        for i, d in enumerate(stored.inspection.detections)
        if (d.label, d.score, d.box) == (row.label, row.score, row.box)
    ]
    return stored.inspection, same[0] if same else None, place


def facts(stored: StoredInspection) -> list[tuple[str, str]]:
    """Return all stored facts of an inspection as (name, text) in the current language."""
    record, ms = stored.record, stored.record["ms"]
    reasons = [i18n.reason_text(Reason(**reason), strings.language()) for reason in record["reasons"]]
    model, part = record["model"], stored.part
    verdict = verdict_text(record["verdict"])
    rows = [
        (tr("Verdict"), verdict if record["verdict"] else f"{verdict}: {strings.sentence(record['skipped'])}"),
        (tr("Reasons"), "\n".join(reasons)),
        (tr("Part"), _part(stored)),
        (tr("Part reasons"), "\n".join(i18n.part_reasons(part, strings.language())) if part else ""),
        (tr("View"), record["part"]["view"] if part is not None else ""),
        (tr("Serial number"), record["serial"] or ""),
        (tr("Lot"), record["lot"] or ""),
        (tr("Operator"), record["operator"] or ""),
        (tr("Station"), record["station"] or ""),
        (tr("Time"), local_time(record["time"])),
        (tr("File"), record["name"]),
        (tr("Path"), record["path"] or ""),
        (tr("Frame"), f"{record['index']}  ({record['seconds']:.2f} s)" if record["seconds"] is not None else ""),
        (tr("Size"), f"{record['width']} × {record['height']} px" if record["width"] else ""),
        (tr("Run"), f"{record['run']}  {record['title']}"),
        (tr("Run events"), "\n".join(map(_event, stored.events))),
        (tr("No."), "" if record["number"] is None else str(record["number"])),
        (tr("Image shown"), tr("annotated copy; the original is missing") if stored.annotated else ""),
        (tr("Recipe"), "" if record["recipe"] is None else recipe_text(RecipeInfo(**record["recipe"]))),
        (tr("Rules"), rule_set(stored.job.rules if stored.job is not None else None, record["rules_sha256"] or "")),
        (tr("Confidence threshold"), "" if record["confidence"] is None else f"{record['confidence']:g}"),
        (tr("IoU threshold"), "" if record["iou"] is None else f"{record['iou']:g}"),
        (tr("Model"), "  ".join(part for part in (model["file"], model["architecture"]) if part)),
        ("SHA-256", model["sha256"]),
        (tr("Device"), stored.device),
        (
            tr("Milliseconds"),
            "" if ms["total"] is None else tr("reading {read:.0f}, model {infer:.0f}, all {total:.0f}", **ms),
        ),
    ]
    return [(name, text) for name, text in rows if text]


def _part(stored: StoredInspection) -> str:
    """The part with its verdict and its number of views; "" if the image is a part of its own."""
    part = stored.part
    if part is None:
        return ""
    return tr("{id}: {verdict}, views: {n}", id=part.id, verdict=verdict_text(part.verdict.status), n=len(part.views))


def _event(event: Event) -> str:
    """When it was, and what."""
    until = tr("until {time}", time=local_time(event.until)[11:]) if event.until else tr("until the end")
    return f"{local_time(event.time)} {until}: {strings.sentence(event.message)}"


def defect_cells(detection: Mapping[str, Any]) -> tuple[str, ...]:
    """Class, confidence, area and length of a defect, for a list."""
    area, length = detection["area_px"], detection["length_px"]
    measures = ("—" if area is None else f"{area:,}", "—" if length is None else f"{length:.1f}")
    return (detection["label"], f"{detection['score']:.3f}", *measures)


def as_text(stored: StoredInspection) -> str:
    """All that was kept, to be pasted elsewhere."""
    lines = [f"{name}\t{text}".replace("\n", "; ") for name, text in facts(stored)]
    if stored.record["detections"]:
        lines += ["", "\t".join((tr("Class"), tr("Confidence"), tr("Area px²"), tr("Length px")))]
        lines += ["\t".join(defect_cells(detection)) for detection in stored.record["detections"]]
    return "\n".join(lines) + "\n"


def local_time(time: str) -> str:
    """A kept time by the clock on the wall."""
    return to_local_time(datetime.fromisoformat(time)).strftime("%Y-%m-%d %H:%M:%S")


def row_menu(shell: Shell, rows: HistoryRows, index: int) -> Items:
    """Return the context menu items for a row: actions on its image file."""
    row = rows.row(index)
    return [] if row is None else path_menu(shell, row.path)


def path_menu(shell: Shell, path: str | None) -> Items:
    """Return menu items to open a file, show it in its folder and copy its path; none without a path."""
    if path is None:
        return []

    def copy() -> None:
        shell.root.clipboard_clear()
        shell.root.clipboard_append(path)

    return [
        (tr("Open file"), lambda: shell.tasks.run(open_externally.open_path, Path(path))),
        (tr("Show in folder"), lambda: shell.tasks.run(open_externally.show_in_folder, Path(path))),
        (tr("Copy path"), copy),
    ]
