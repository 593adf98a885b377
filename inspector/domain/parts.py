"""Parts and their verdicts.

A *part* is one piece that is judged. A *view* is one image of it, or one file of a video. By default each image is a
part of its own. The worst view decides, and a part is never OK if a view is missing, surplus or unreadable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inspector.domain.verdicts import Reason, Status, Verdict

_RANKS: Mapping[Status, int] = {"OK": 0, "WARN": 1, "NG": 2}


@dataclass(frozen=True)
class PartView:
    """The place of an image among the parts of its run.

    Attributes:
        id: of the part, unique in the run.
        view: name of the view.
        views: number of views of the part; None while unknown.
        serial, lot: of the part; "" if unknown.
    """

    id: str
    view: str
    views: int | None
    serial: str = ""
    lot: str = ""

    def record(self) -> dict[str, Any]:
        """Return the value of ``part`` in results.jsonl."""
        return {"id": self.id, "view": self.view, "views": self.views}


@dataclass(frozen=True)
class Part:
    """A part with its verdict.

    Attributes:
        id: unique in the run.
        verdict: of the worst view; at least WARN if a view is missing, surplus or unreadable.
        reason_views: for each reason of the verdict the view that it comes from; "" for the whole part.
        views: names of the views that are there, in the order of the images.
        serial, lot: "" if unknown.
        images: number of images that were inspected.
    """

    id: str
    verdict: Verdict
    reason_views: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    serial: str = ""
    lot: str = ""
    images: int = 0

    def record(self) -> dict[str, Any]:
        """Return the part as in parts.jsonl. The keys are stable."""
        reasons = zip(self.verdict.reasons, self.reason_views, strict=True)
        return {
            "id": self.id,
            "verdict": self.verdict.status,
            "reasons": [reason.record() | {"view": view or None} for reason, view in reasons],
            "views": list(self.views),
            "serial": self.serial or None,
            "lot": self.lot or None,
        }


@dataclass(frozen=True)
class PartProgress:
    """A part as far as it has come.

    Attributes:
        verdict: of the views so far; of a part that is not complete, a missing view does not count yet.
        views: number of views so far.
        expected: number of views that it must have; None if not stated.
        final: no better verdict can come: all views are there, or the part is NG.
    """

    id: str
    verdict: Verdict
    views: int
    expected: int | None
    final: bool


@dataclass(eq=False, slots=True)
class OpenPart:
    """A part whose views are still coming.

    Attributes:
        expected: number of views that it must have; None if not stated.
        expected_views: their names, if stated.
        key: under which its images find it.
        named: the views have names from the pattern, so none may come twice.
        views: names of the views so far; ``images``: those of them that were inspected.
        counted: the verdict with which the run counts it; None if it does not yet.
    """

    id: str
    expected: int | None = None
    expected_views: tuple[str, ...] = ()
    named: bool = False
    serial: str = ""
    lot: str = ""
    key: str = ""
    views: list[str] = field(default_factory=list)
    images: int = 0
    counted: Status | None = None
    _worst: Status = "OK"
    _reasons: dict[tuple[object, ...], tuple[Reason, str]] = field(default_factory=dict)
    _remarks: list[tuple[Reason, str]] = field(default_factory=list)
    _files: set[str] = field(default_factory=set)

    def add(self, view: str, verdict: Verdict | None, file: str | None = None) -> None:
        """Add an image.

        Args:
            view: name of its view.
            verdict: None: it could not be read.
            file: identity of a file of which all images are one view (frames of a video, pages); None: it is a view
                of its own.
        """
        if file is None or file not in self._files:
            self.views.append(view)
            if file is not None:
                self._files.add(file)
        if verdict is None:
            self._remarks.append((Reason("view_unreadable", view, 0.0, 1.0), view))
            return
        self.images += 1
        if _RANKS[verdict.status] > _RANKS[self._worst]:
            self._worst = verdict.status
            self._reasons.clear()
        if verdict.status == self._worst:
            for reason in verdict.reasons:
                if reason.subject not in self._reasons or reason.worse_than(self._reasons[reason.subject][0]):
                    self._reasons[reason.subject] = (reason, view)

    def remark(self, reason: Reason) -> None:
        """Add a reason of the whole part, which makes it WARN at least."""
        self._remarks.append((reason, ""))

    @property
    def complete(self) -> bool:
        """Whether all expected views are there."""
        if self.expected_views:
            return set(self.expected_views) <= set(self.views)
        return self.expected is not None and len(self.views) >= self.expected

    @property
    def status(self) -> Status:
        """The verdict if no more views came."""
        return "WARN" if self._worst == "OK" and (self._remarks or self._lacks()) else self._worst

    def part(self) -> Part:
        """Return the part as if no more views came."""
        reasons = [*self._reasons.values(), *((reason, "") for reason in self._lacks()), *self._remarks]
        verdict = Verdict(self.status, tuple(reason for reason, _ in reasons))
        names = tuple(view for _, view in reasons)
        return Part(self.id, verdict, names, tuple(self.views), self.serial, self.lot, self.images)

    @property
    def progress(self) -> PartProgress:
        """The part as far as it has come."""
        if self.complete:
            return PartProgress(self.id, self.part().verdict, len(self.views), self.expected, True)
        reasons = [*self._reasons.values(), *self._remarks]
        status: Status = "WARN" if self._worst == "OK" and self._remarks else self._worst
        verdict = Verdict(status, tuple(reason for reason, _ in reasons))
        return PartProgress(self.id, verdict, len(self.views), self.expected, status == "NG")

    def _lacks(self) -> list[Reason]:
        """Reasons for views that are missing or surplus."""
        reasons: list[Reason] = []
        there, expected = len(self.views), self.expected
        if not self.expected_views and (not there or (expected is not None and there != expected)):
            code = "views_above" if there > (expected or 1) else "views_below"
            reasons.append(Reason(code, "", float(there), float(expected or 1)))
        if not self.named:
            return reasons
        times = Counter(self.views)
        reasons += [Reason("view_missing", view, 0.0, 1.0) for view in self.expected_views if not times[view]]
        for view, number in times.items():
            if self.expected_views and view not in self.expected_views:
                reasons.append(Reason("view_unexpected", view, float(number), 0.0))
            elif number > 1:
                reasons.append(Reason("view_surplus", view, float(number), 1.0))
        return reasons
