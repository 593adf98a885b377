"""Looking through a source without a run: one picture at a time, inspected at once with the thresholds of the moment.

Nothing of it is kept: what is kept comes from runs.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from inspector.api import Browsable, Model
from inspector.channel import Channel
from inspector.domain import Frame, InputError, Inspection, InspectorError, Rules, Skipped, Timings, judge

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wish:
    """What is to be looked at.

    Attributes:
        opens: opens the sources; a new object means another place to look at.
        index: of the picture within all of them.
        model: lends the model; None shows the picture alone.
    """

    opens: Sequence[Callable[[], Any]]
    index: int
    model: Callable[[], Model] | None
    confidence: float
    iou: float
    rules: Rules | None


@dataclass(frozen=True)
class Sight:
    """What was seen: a picture, with what was found in it once the model has looked at it."""

    content: Frame | Inspection | Skipped
    index: int
    total: int


class Looker:
    """A thread that opens a source and looks at the picture that was asked for last.

    Args:
        seen: called on that thread with each :class:`Sight`.
        failed: called on that thread with an error.
    """

    def __init__(self, seen: Callable[[Sight], None], failed: Callable[[BaseException], None]) -> None:
        self._seen, self._failed = seen, failed
        self._wishes: Channel[Wish] = Channel(latest=True)
        self._opened: list[Any] = []
        self._of: Sequence[Callable[[], Any]] = ()
        self._content: tuple[int, Frame | Skipped] | None = None
        self._thread = threading.Thread(target=self._work, name="looker", daemon=True)
        self._thread.start()

    def look(self, wish: Wish) -> None:
        """Look at this next; what was asked for before and not begun is forgotten."""
        self._wishes.put(wish)

    def close(self) -> None:
        """End, without waiting for the picture at hand."""
        self._wishes.close()

    def _work(self) -> None:
        for wish in self._wishes:
            try:
                self._fulfil(wish)
            except Exception as error:
                if not isinstance(error, InspectorError):
                    logger.error("Looking at a picture failed: %s", error, exc_info=error, extra={"told": True})
                self._failed(error)
        self._drop()

    def _fulfil(self, wish: Wish) -> None:
        if wish.opens is not self._of:
            self._drop()
            for open in wish.opens:
                self._opened.append(open())
            self._of = wish.opens
        browsable = [source for source in self._opened if isinstance(source, Browsable)]
        total = sum(source.total or 0 for source in browsable)
        if not total:
            return
        index = min(max(0, wish.index), total - 1)
        content = self._frame(browsable, index)
        if isinstance(content, Skipped) or wish.model is None:
            self._seen(Sight(content, index, total))
            return
        self._seen(Sight(content, index, total))
        model = wish.model()
        try:
            if wish.rules is not None:
                wish.rules.check_names(model.info.names)
            found = tuple(model.predict([content.image], wish.confidence, wish.iou)[0])
            verdict = judge(found, wish.rules)
            inspection = Inspection(
                content, found, verdict, model.info, Timings(), index + 1, wish.confidence, wish.iou
            )
        finally:
            model.close()
        self._seen(Sight(inspection, index, total))

    def _frame(self, sources: Sequence[Browsable], index: int) -> Frame | Skipped:
        if self._content is not None and self._content[0] == index:
            return self._content[1]
        inside = index
        for source in sources:
            if inside < (source.total or 0):
                content = source.frame(inside)
                if isinstance(content, Frame) and content.seconds is None:
                    content = replace(content, index=index)
                self._content = (index, content)
                return content
            inside -= source.total or 0
        raise InputError(f"There is no picture {index + 1} any more")

    def _drop(self) -> None:
        for source in self._opened:
            with suppress(InspectorError, OSError):
                source.close()
        self._opened, self._of, self._content = [], (), None
