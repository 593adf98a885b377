"""One inspection of the history: brought back with its picture and masks, and told with all its facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspector import i18n, jobs, replay
from inspector.domain import (
    InputError,
    Inspection,
    ModelInfo,
    Reason,
    Skipped,
)
from inspector.history import History
from inspector.history.listing import Listing
from inspector.ui import opening, texts
from inspector.ui.history_rows import verdict_text
from inspector.ui.texts import t

if TYPE_CHECKING:
    from inspector.registry import Registry
    from inspector.ui.history_rows import HistoryRows
    from inspector.ui.shell import Shell

Items = list[tuple[str, Callable[[], object]]]


@dataclass(frozen=True)
class Kept:
    """An inspection as it was kept.

    Attributes:
        record: as :meth:`inspector.history.History.get` gives it.
        device: that its run computed on.
        inspection: with its picture; None where that cannot be had, and ``missing`` says why.
    """

    record: Mapping[str, Any]
    device: str
    inspection: Inspection | None
    missing: str = ""


def load(catalogue: Registry, id: int) -> Kept:
    """Bring an inspection back, with its picture where that still is. For a worker's thread.

    Raises:
        InputError: the history has no such inspection.
    """
    with History.open() as history:
        record = history.get(id)
        runs = history.runs(record["run"])
    info = runs[0].model if runs else ModelInfo(**record["model"], names=())
    if record["verdict"] is None:
        return Kept(record, info.device, None, record["skipped"])
    try:
        frame = jobs.find_frame(catalogue, record, runs[0].output if runs else None)
    except InputError as error:
        return Kept(record, info.device, None, str(error))
    return Kept(record, info.device, replay.rebuild(record, info, frame))


def load_inspection(catalogue: Registry, inspection: int, detection: int) -> tuple[Inspection | Skipped, int | None]:
    """Bring an inspection back for the preview, and the place of one of its defects. For a worker's thread.

    Args:
        detection: the defect's id, 0 for none.

    Returns:
        The inspection, Skipped with the reason where its picture cannot be had; and the defect's index.

    Raises:
        InputError: the history has no such inspection.
    """
    kept = load(catalogue, inspection)
    if kept.inspection is None:
        return Skipped(kept.record["name"], kept.missing, kept.record["path"]), None
    if not detection:
        return kept.inspection, None
    with Listing() as listing:
        (row,) = listing.rows([(inspection, detection)])
    if row is None or row.box is None:
        return kept.inspection, None
    same = [
        i
        for i, d in enumerate(kept.inspection.detections)
        if (d.label, d.score, d.box) == (row.label, row.score, row.box)
    ]
    return kept.inspection, same[0] if same else None


def facts(kept: Kept) -> list[tuple[str, str]]:
    """All that was kept of an inspection, as name and text, in the language of the moment."""
    record, ms = kept.record, kept.record["ms"]
    reasons = [i18n.reason_text(Reason(**reason), texts.language()) for reason in record["reasons"]]
    model = record["model"]
    verdict = verdict_text(record["verdict"])
    rows = [
        (t("Verdict"), verdict if record["verdict"] else f"{verdict}: {texts.sentence(record['skipped'])}"),
        (t("Reasons"), "\n".join(reasons)),
        (t("Time"), local_time(record["time"])),
        (t("File"), record["name"]),
        (t("Path"), record["path"] or ""),
        (t("Frame"), f"{record['index']}  ({record['seconds']:.2f} s)" if record["seconds"] is not None else ""),
        (t("Size"), f"{record['width']} × {record['height']} px" if record["width"] else ""),
        (t("Inspection run"), f"{record['run']}  {record['title']}"),
        (t("No."), "" if record["number"] is None else str(record["number"])),
        (t("Confidence from"), "" if record["confidence"] is None else f"{record['confidence']:g}"),
        (t("IoU up to"), "" if record["iou"] is None else f"{record['iou']:g}"),
        (t("Model"), "  ".join(part for part in (model["file"], model["architecture"]) if part)),
        ("SHA-256", model["sha256"]),
        (t("Device"), kept.device),
        (
            t("Milliseconds"),
            "" if ms["total"] is None else t("reading {read:.0f}, model {infer:.0f}, all {total:.0f}", **ms),
        ),
    ]
    return [(name, text) for name, text in rows if text]


def defect_cells(detection: Mapping[str, Any]) -> tuple[str, ...]:
    """Class, confidence, area and length of a defect, for a list."""
    area, length = detection["area_px"], detection["length_px"]
    measures = ("—" if area is None else f"{area:,}", "—" if length is None else f"{length:.1f}")
    return (detection["label"], f"{detection['score']:.3f}", *measures)


def as_text(kept: Kept) -> str:
    """All that was kept, to be pasted elsewhere."""
    lines = [f"{name}\t{text}".replace("\n", "; ") for name, text in facts(kept)]
    if kept.record["detections"]:
        lines += ["", "\t".join((t("Class"), t("Confidence"), t("Area px²"), t("Length px")))]
        lines += ["\t".join(defect_cells(detection)) for detection in kept.record["detections"]]
    return "\n".join(lines) + "\n"


def local_time(time: str) -> str:
    """A kept time by the clock on the wall."""
    return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def row_menu(shell: Shell, rows: HistoryRows, index: int) -> Items:
    """The context menu's items for a row: what can be done with its picture's file."""
    row = rows.row(index)
    return [] if row is None else path_menu(shell, row.path)


def path_menu(shell: Shell, path: str | None) -> Items:
    """Opening a file, showing it in its folder, copying its path; nothing for a picture that has none."""
    if path is None:
        return []

    def copy() -> None:
        shell.root.clipboard_clear()
        shell.root.clipboard_append(path)

    return [
        (t("Open file"), lambda: shell.tasks.run(opening.open_path, Path(path))),
        (t("Show in folder"), lambda: shell.tasks.run(opening.show_in_folder, Path(path))),
        (t("Copy path"), copy),
    ]
