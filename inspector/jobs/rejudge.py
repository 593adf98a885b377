"""Judges finished runs again by other rules, from their recorded defects, without inference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from inspector.domain import (
    MEASURES,
    Calibration,
    InputError,
    Job,
    Rules,
    Status,
    Verdict,
    judge,
    rules_sha256,
    warn_if_scaled_below,
)
from inspector.domain.limits import CODES
from inspector.domain.verdicts import SCALED_BELOW
from inspector.history import History, RunEntry
from inspector.history.judgements import Judgements, StoredImage, StoredPart
from inspector.jobs import resume

_RANKS: dict[Status, int] = {"OK": 0, "WARN": 1, "NG": 2}


@dataclass(frozen=True)
class JudgedPart:
    """A part by both rules.

    Attributes:
        id: in its run, as in parts.jsonl.
        images: names of its images.
        before, after: verdict of the run, and by the other rules.
    """

    id: str
    images: tuple[str, ...]
    before: Verdict
    after: Verdict

    @property
    def changed(self) -> bool:
        """Whether the verdict is another."""
        return self.before.status != self.after.status


@dataclass(frozen=True)
class Rejudged:
    """A run judged again, not yet kept.

    Attributes:
        parts: all parts, in the order of their first images.
        images: id and new verdict of each inspection.
        grouped: row id and new verdict of each part other than a single image.
    """

    entry: RunEntry
    rules: Rules
    parts: tuple[JudgedPart, ...]
    images: tuple[tuple[int, Verdict], ...]
    grouped: tuple[tuple[int, Verdict], ...]

    @property
    def changed(self) -> tuple[JudgedPart, ...]:
        """The parts whose verdict is another."""
        return tuple(part for part in self.parts if part.changed)

    @property
    def changes(self) -> Counter[tuple[Status, Status]]:
        """Numbers of parts by verdict before and after, of those that change."""
        return Counter((part.before.status, part.after.status) for part in self.changed)

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of parts by new verdict."""
        found = Counter(part.after.status for part in self.parts)
        return {status: found[status] for status in _RANKS}

    def record(self) -> dict[str, Any]:
        """Return the preview for JSON."""
        return {
            "run": self.entry.id,
            "title": self.entry.title,
            "rules": {"name": self.rules.name, "sha256": rules_sha256(self.rules)},
            "parts": len(self.parts),
            "images": len(self.images),
            "counts": self.counts,
            "changes": [
                {"from": before, "to": after, "parts": number}
                for (before, after), number in sorted(self.changes.items())
            ],
            "changed": [
                {
                    "part": part.id,
                    "images": list(part.images),
                    "from": part.before.status,
                    "to": part.after.status,
                    "reasons": [reason.record() for reason in part.after.reasons],
                }
                for part in self.changed
            ],
        }


def rejudge(run: str, rules: Rules) -> Rejudged:
    """Judge a run again; nothing is written.

    Args:
        run: its results folder, ``run.json``, or number in the history.

    Raises:
        InputError: there is no such run, it is running, or the rules do not fit it.
    """
    with History.open() as history:
        entry = resume.find_entry(history, run)
    if entry.state == "running":
        raise InputError("Run {id} is still running; judge it again once it has ended", id=entry.id)
    job = Job.from_json(entry.job)
    rules.check_names(entry.model.names)
    rules.check_calibration(job.calibration)
    with Judgements() as judgements:
        stored = {part.id: part for part in judgements.parts(entry.id)}
        images = [(image, _judge(image, rules, job.calibration, entry)) for image in judgements.images(entry.id)]
    rules.check_regions({d.region for image, _ in images for d in image.detections if d.region})
    if not images:
        raise InputError("Run {id} has no inspected images; there is nothing to judge", id=entry.id)
    of_part: dict[int, list[tuple[StoredImage, Verdict]]] = {}
    parts: list[JudgedPart] = []
    grouped: list[tuple[int, Verdict]] = []
    for image, verdict in images:
        if image.part is None or image.part not in stored:
            parts.append(JudgedPart(str(image.number), (image.name,), image.verdict, verdict))
        else:
            of_part.setdefault(image.part, []).append((image, verdict))
    for id, part in stored.items():
        views = of_part.get(id, [])
        verdict = _worst(part, (verdict for _, verdict in views))
        grouped.append((id, verdict))
        parts.append(JudgedPart(part.name, tuple(image.name for image, _ in views), part.verdict, verdict))
    return Rejudged(entry, rules, tuple(parts), tuple((image.id, verdict) for image, verdict in images), tuple(grouped))


def keep(rejudged: Rejudged, person: str) -> int:
    """Keep a judgement beside the verdicts of the run; return its id.

    Args:
        person: who judges, "" if unknown.
    """
    with Judgements() as judgements:
        return judgements.keep(
            rejudged.entry.id, rejudged.rules, person, rejudged.images, rejudged.grouped, rejudged.counts
        )


def _judge(image: StoredImage, rules: Rules, calibration: Calibration | None, entry: RunEntry) -> Verdict:
    _require_measures(image, rules, entry)
    verdict = judge(image.detections, rules, calibration)
    verdict = warn_if_scaled_below(verdict, image.width, image.height, entry.model.imgsz)
    # What other than rules made an image doubtful makes it so by all rules.
    others = tuple(r for r in image.verdict.reasons if r.code not in CODES and r.code != SCALED_BELOW)
    if others and verdict.status != "NG":
        return Verdict("WARN", (*verdict.reasons, *others))
    return verdict


def _require_measures(image: StoredImage, rules: Rules, entry: RunEntry) -> None:
    """Refuse limits on measures that the program did not record yet, which every defect would meet."""
    for detection in image.detections:
        measures = detection.measures
        if measures is None or not measures.area_px:
            continue
        for name in rules.measures():
            quantity = MEASURES[name].quantity
            if quantity not in ("count", "score", "area", "nearest") and getattr(measures, f"{quantity}_px") is None:
                raise InputError(
                    "Run {id} was recorded by version {version}, which did not measure {measure}; inspect its images "
                    "again",
                    id=entry.id,
                    version=entry.version,
                    measure=name,
                )


def _worst(part: StoredPart, verdicts: Iterable[Verdict]) -> Verdict:
    """The worst view decides; what the part lacks makes it WARN at least."""
    found = list(verdicts)
    remarks = tuple(r for r in part.verdict.reasons if r.code.startswith(("view", "name_")))
    status: Status = max((verdict.status for verdict in found), key=lambda s: _RANKS[s], default="OK")
    reasons = tuple(reason for verdict in found if verdict.status == status for reason in verdict.reasons)
    return Verdict("WARN" if status == "OK" and remarks else status, (*reasons, *remarks))
