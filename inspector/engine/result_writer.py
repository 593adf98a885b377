"""Writes results: to the history first, and to the exporters once they are safe there."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from inspector.domain import Inspection, Job, ModelInfo, OpenPart, PartView, Reason, Skipped, TryAgain, message
from inspector.engine.batch import QueuedFrame
from inspector.engine.exporters import Exporters
from inspector.engine.part_tracker import Placement, part_of_its_own

logger = logging.getLogger(__name__)
PATIENCE = 60.0
"""Seconds that a run waits for a history that another program holds, or whose disk is full."""
_COMMIT_PATIENCE = 1.0  # seconds of one attempt
_RETRY_DELAY = 0.2  # seconds between two attempts
_UNSAVED_BYTES = 32 << 20  # of images whose results wait for the history
_ALONE = Placement()  # an image that is a part of its own


class ResultStore(Protocol):
    """The store of all results (the history). Used on the writer's thread only.

    While it cannot write, ``add``, ``add_skipped``, ``flush_if_due`` and ``commit`` raise TryAgain, and added rows stay
    pending.
    """

    @property
    def pending(self) -> int:
        """Number of added rows that are not yet safe on disk."""

    def begin(self, job: Job, model: ModelInfo, title: str, output: Path | None, started: str) -> int: ...
    def add(self, run: int, inspection: Inspection) -> None: ...
    def reopen(self, run: int, output: Path | None) -> None: ...
    def renumber(self, id: int, number: int) -> None: ...
    def replace(self, id: int) -> None: ...
    def add_skipped(self, run: int, skipped: Skipped, part: PartView | None = None) -> None: ...
    def put_part(self, run: int, part: OpenPart) -> None: ...
    def regroup(self, run: int, id: int, part: PartView) -> None: ...
    def flush_if_due(self) -> None: ...
    def commit(self, patience: float = ...) -> None: ...
    def discard(self) -> None: ...
    def add_event(self, run: int, kind: str, message: str, since: str, until: str = "") -> None: ...
    def finish(self, run: int, state: str, counts: Mapping[str, int]) -> None: ...
    def close(self) -> None: ...


class ResultWriter:
    """Writes results in groups. Used on the writer's thread.

    Args:
        run: id of the run in the history.
        report: called with a sentence as soon as the history cannot be written.
        withdraw: called with the same sentence once it can again.
        saved: called with each result once it is in the history and was passed to the exporters.
        watch: context manager around each call of the history and the waiting for it.
    """

    def __init__(
        self,
        store: ResultStore,
        run: int,
        exporters: Exporters,
        report: Callable[[str], None],
        withdraw: Callable[[str], None],
        saved: Callable[[Inspection | Skipped, Placement], None],
        watch: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._store, self._run, self._exporters = store, run, exporters
        self._report, self._withdraw, self._saved, self._watch = report, withdraw, saved, watch
        self._unsaved: list[tuple[QueuedFrame, Inspection | Skipped, Placement]] = []
        self._bytes = 0

    def add(self, item: QueuedFrame, result: Inspection | Skipped, placement: Placement = _ALONE) -> None:
        """Write a result and the parts that it changes; it is exported together with its group.

        Raises:
            TryAgain: the history could not be written for :data:`PATIENCE` seconds.
        """
        self._unsaved.append((item, result, placement))
        self._bytes += item.bytes
        earlier = item.earlier_inspection
        try:
            for part in placement.updated:
                self._store.put_part(self._run, part)
            if isinstance(result, Skipped):
                self._with_retries(lambda: self._store.add_skipped(self._run, result, placement.view))
            elif item.earlier is not None and earlier is not None:
                if earlier.number != result.number:
                    self._store.renumber(item.earlier.id, result.number)
                if placement.view is not None:
                    self._store.regroup(self._run, item.earlier.id, placement.view)
                self._with_retries(self._store.flush_if_due)
            else:
                if item.earlier is not None:
                    self._store.replace(item.earlier.id)
                self._with_retries(lambda: self._store.add(self._run, result))
        except TryAgain:
            raise
        except BaseException:
            self._unsaved.pop()  # it was not even added
            if placement.view is not None:
                for part in placement.updated:
                    part.remark(Reason("view_unsaved", placement.view.view, 0.0, 1.0))
            raise
        if self._bytes > _UNSAVED_BYTES:
            self._with_retries(lambda: self._store.commit(_COMMIT_PATIENCE))
        self._export_saved()

    def flush_if_due(self) -> None:
        """Write a waiting group that is due; to be called a few times per second while there are no results."""
        self._with_retries(self._store.flush_if_due)
        self._export_saved()

    def flush(self) -> None:
        """Write and export all waiting results."""
        if self._unsaved:
            self._with_retries(lambda: self._store.commit(_COMMIT_PATIENCE))
        self._export_saved()

    def end_parts(self, placement: Placement) -> None:
        """Write and export the parts that end with the run, after :meth:`flush`."""
        for part in placement.updated:
            self._store.put_part(self._run, part)
        if placement.updated:
            self._with_retries(lambda: self._store.commit(_COMMIT_PATIENCE))
        for finished in placement.finished:
            self._exporters.write_part(finished)

    def discard_unsaved(self) -> list[Inspection]:
        """After a failure: discard waiting results, so that history and files agree; return their inspections."""
        self._store.discard()
        lost = [result for _, result, _ in self._unsaved if isinstance(result, Inspection)]
        self._unsaved.clear()
        return lost

    def _export_saved(self) -> None:
        if self._store.pending or not self._unsaved:
            return
        saved, self._unsaved, self._bytes = self._unsaved, [], 0
        for item, result, placement in saved:
            if isinstance(result, Inspection):
                self._exporters.write(result, item.earlier is not None and item.earlier.image_missing)
                if placement.view is None:
                    self._exporters.write_part(part_of_its_own(result))
            for part in placement.finished:
                self._exporters.write_part(part)
            self._saved(result, placement)
            if item.on_saved is not None:
                item.on_saved()

    def _with_retries(self, call: Callable[[], None]) -> None:
        with self._watch():
            self._call(call)

    def _call(self, call: Callable[[], None]) -> None:
        try:
            call()
            return
        except TryAgain as error:
            sentence = message(
                "{reason}. The run waits, for {patience:g} seconds at most", reason=error, patience=PATIENCE
            )
        self._report(sentence)
        until = time.monotonic() + PATIENCE
        while True:
            time.sleep(_RETRY_DELAY)
            try:
                self._store.commit(_COMMIT_PATIENCE)
                break
            except TryAgain:
                if time.monotonic() >= until:
                    raise
        logger.info("The history can be written again; nothing was lost")
        self._withdraw(sentence)
