"""Assigns the images of a run to parts, in the order of the images, and counts the parts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from inspector.domain import Frame, Grouping, Inspection, OpenPart, Part, PartView, Reason, Skipped, view_name
from inspector.domain.grouping import known_view


@dataclass(frozen=True)
class PartCounts:
    """Numbers of parts by verdict; ``open`` are those that are not judged yet."""

    ok: int = 0
    warn: int = 0
    ng: int = 0
    open: int = 0


@dataclass(frozen=True)
class Placement:
    """Change of the parts caused by an image.

    Attributes:
        view: its place; None: the image is a part of its own, or could not be read and is no part.
        updated: parts that have changed, to be saved.
        finished: parts that are final, to be exported; an image that is a part of its own is not among them.
        counts: of all parts so far; None: parts are images.
    """

    view: PartView | None = None
    updated: tuple[OpenPart, ...] = ()
    finished: tuple[Part, ...] = ()
    counts: PartCounts | None = None


class PartTracker:
    """The parts of a run. Used on the writer's thread.

    Without an end, a part is final once all of its views are there, or once later images show that no more come. With
    one, parts that a pattern groups are final at the end, wherever in the run their images are.

    Args:
        grouping: None: each image is a part.
        lot: of the run.
        endless: the source has no end.

    Attributes:
        unmatched: number of images whose names do not fit the pattern.
        missed: number of triggers after which no image was inspected.
    """

    def __init__(self, grouping: Grouping | None, lot: str, endless: bool) -> None:
        self._grouping = None if grouping is None or grouping.single else grouping
        self._lot, self._endless = lot, endless
        self._open: dict[str, OpenPart] = {}  # by key, in the order of their first images
        self._current: OpenPart | None = None
        self._times: Counter[str] = Counter()  # parts with the same key
        self._counts: Counter[str] = Counter()
        self._number = 0
        self.unmatched = self.missed = 0

    @property
    def grouped(self) -> bool:
        """Whether a part may have several images."""
        return self._grouping is not None

    def place(self, result: Inspection | Skipped, content: Frame | Skipped, stretch: int = 0) -> Placement:
        """Assign the next image.

        Args:
            result: with its verdict; an image that could not be read counts as a view, too.
            content: the image.
            stretch: number of the trigger before it.
        """
        grouping = self._grouping
        if grouping is None or (grouping.stretch and stretch < 1):  # a problem before the first part
            return Placement()
        finished: list[OpenPart] = []
        if grouping.stretch:
            part, view = self._of_stretch(stretch, finished), view_name(content)
        elif grouping.pattern:
            part, view = self._of_pattern(grouping, content)
        else:
            part, view = self._of_count(grouping), view_name(content)
        verdict = result.verdict if isinstance(result, Inspection) else None
        # All frames of a video, and all pages of a file, are one view.
        part.add(view, verdict, f"{content.path}\n{view}" if grouping.pattern else None)
        self._settle(grouping, part, finished)
        self._current = part
        for ended in finished:
            self._close(ended)
        return Placement(
            PartView(part.id, view, part.expected, part.serial, part.lot),
            tuple({id(changed): changed for changed in (*finished, part)}.values()),
            tuple(ended.part() for ended in finished),
            self.counts,
        )

    def finish(self) -> Placement:
        """End all parts that are still open."""
        ended = tuple(self._open.values())
        for part in ended:
            self._close(part)
        return Placement(None, ended, tuple(part.part() for part in ended), self.counts if self.grouped else None)

    @property
    def newest(self) -> OpenPart | None:
        """The part of the newest image; None if each image is a part."""
        return self._current

    @property
    def counts(self) -> PartCounts:
        """Of the parts so far."""
        return PartCounts(*(self._counts[key] for key in ("OK", "WARN", "NG", "open")))

    # which part

    def _of_stretch(self, stretch: int, finished: list[OpenPart]) -> OpenPart:
        key = str(stretch)
        if key in self._open:
            return self._open[key]
        finished += self._open.values()
        for missed in range(self._number + 1, stretch):
            self.missed += 1
            finished.append(self._begin(OpenPart(str(missed), lot=self._lot), str(missed)))
        self._number = max(stretch, self._number)
        return self._begin(OpenPart(key, lot=self._lot), key)

    def _of_count(self, grouping: Grouping) -> OpenPart:
        if self._current is not None and self._current.id in self._open:
            return self._current
        self._number += 1
        key = str(self._number)
        return self._begin(OpenPart(key, grouping.count, lot=self._lot), key)

    def _of_pattern(self, grouping: Grouping, content: Frame | Skipped) -> tuple[OpenPart, str]:
        groups = grouping.match(content.path or content.name) or grouping.match(content.name)
        if groups is None:
            self.unmatched += 1
            key = f"\0{content.path or content.name}"
            if key not in self._open:
                part = self._begin(OpenPart(self._unique(content.name), 1, lot=self._lot), key)
                part.remark(Reason("name_unmatched", content.name, 0.0, 0.0))
            return self._open[key], content.name
        key = "/".join(value for name, value in groups.items() if name != "view")
        named = "view" in groups
        if key not in self._open:
            serial, lot = groups.get("serial", ""), groups.get("lot", "") or self._lot
            id = self._unique(key)
            self._begin(OpenPart(id, grouping.expected, grouping.views, named, serial, lot), key)
        view = known_view(groups["view"], grouping.views) if named else content.name
        return self._open[key], view

    def _unique(self, id: str) -> str:
        self._times[id] += 1
        return id if self._times[id] == 1 else self._unique(f"{id}#{self._times[id]}")

    def _begin(self, part: OpenPart, key: str) -> OpenPart:
        part.key = key
        self._open[key] = part
        self._counts["open"] += 1
        return part

    # which parts are judged, and which are final

    def _settle(self, grouping: Grouping, part: OpenPart, finished: list[OpenPart]) -> None:
        """Count parts that are judged now, and add those that are final to ``finished``."""
        before = self._current
        if part.expected is not None:
            if part.complete or part.counted is not None:
                self._count(part)
            if part.complete and not grouping.pattern:
                finished.append(part)
            elif part.complete and self._endless:
                # Parts come one after the other: what is still missing in an earlier one does not come any more.
                for other in self._open.values():
                    finished.append(other)
                    if other is part:
                        break
        elif grouping.pattern:
            if part.counted is not None:
                self._count(part)
            if before is not None and before is not part and before.counted is None:
                self._count(before)
                if self._endless:
                    finished.append(before)

    def _count(self, part: OpenPart) -> None:
        self._counts["open" if part.counted is None else part.counted] -= 1
        part.counted = part.status
        self._counts[part.counted] += 1

    def _close(self, part: OpenPart) -> None:
        self._count(part)
        self._open.pop(part.key, None)


def part_of_its_own(inspection: Inspection) -> Part:
    """Return the part of an image that is a part of its own."""
    view = inspection.part_view
    names = tuple(view.view for _ in inspection.verdict.reasons)
    return Part(view.id, inspection.verdict, names, (view.view,), view.serial, view.lot, 1)
