"""Watches a run for stages that hang, live sources that fall silent, and disks that fill up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from inspector.domain import message
from inspector.engine import disk_space
from inspector.engine.alarms import DISK, FOLDER, HISTORY, QUIET, SLOW, SOURCE, SPACE, Alarms

QUIET_AFTER = 5.0
"""Seconds without a new result after which a camera's last verdict is no longer current."""
_TICK = 0.1
# Ticks that a call of the history may take: half a second; with 0.3 s until the next write below one second. On an
# overloaded machine ticks are late too, so that a slow history is not reported as held.
_HISTORY_PATIENCE = 5
_DISK_PATIENCE = 5.0
_DISK_TICK = 0.5
_FACTOR = 3  # times the usual interval
_PATIENT = 12  # times the limit for sources without an end that are no cameras: images may be rare


class Watchdog:
    """Raises the alarms that a stage cannot raise itself because it waits or hangs. Has threads of its own.

    Stages report to it: :meth:`history` and :meth:`inference` surround calls that may hang, :meth:`result` counts
    results.

    Args:
        paused: returns whether the run is paused, so that silence means nothing.
        quiet_after: seconds without a new result until a live source counts as silent, but at least three times its
            usual interval.
    """

    def __init__(self, alarms: Alarms, paused: Callable[[], bool], quiet_after: float = QUIET_AFTER) -> None:
        self._alarms, self._paused, self._quiet_after = alarms, paused, quiet_after
        self._busy: dict[str, float] = {}
        self._last: float | None = None  # time.monotonic() of the newest result
        self._usual = 0.0  # seconds between two results, smoothed
        self._live = self._patient = False
        self._folders: Sequence[Path] = ()
        self._output: Path | None = None
        self._over = threading.Event()
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def source(self, live: bool, endless: bool) -> None:
        """Set the kind of source: a camera is ``live``; other sources without an end are watched more patiently."""
        self._live, self._patient = live or endless, not live

    def disks(self, output: Path, folders: Sequence[Path]) -> None:
        """Start to watch the results folder, which exists, and the disks of ``folders``."""
        self._output, self._folders = output, folders
        threading.Thread(target=self._watch_disks, name="watch disks", daemon=True).start()

    @contextmanager
    def history(self) -> Iterator[None]:
        """Surround a call of the history: raise an alarm if it takes long, and end it afterwards."""
        self._busy[HISTORY] = time.monotonic()
        try:
            yield
        except BaseException:
            self._busy.pop(HISTORY, None)  # the run fails, and the alarm stays
            raise
        self._busy.pop(HISTORY, None)
        self._alarms.end(HISTORY)

    @contextmanager
    def inference(self) -> Iterator[None]:
        """Surround a call of the model."""
        self._busy[SLOW] = time.monotonic()
        try:
            yield
        finally:
            self._busy.pop(SLOW, None)

    def result(self) -> None:
        """Count a new result."""
        moment = time.monotonic()
        if self._last is not None:
            interval = moment - self._last
            self._usual = interval if not self._usual else self._usual + 0.2 * (interval - self._usual)
        self._last = moment
        self._alarms.end(QUIET)
        self._alarms.end(SLOW)

    def waiting(self) -> None:
        """Note that an image came which no trigger took: the source works, and the last verdict remains current."""
        if self._last is not None and SLOW not in self._busy:
            self._last = time.monotonic()

    @property
    def silence(self) -> float:
        """Seconds since the newest result; 0 before the first."""
        return 0.0 if self._last is None else time.monotonic() - self._last

    def stop(self) -> None:
        self._over.set()

    @property
    def limit(self) -> float:
        """Seconds without a new result until the last one is no longer current."""
        patience = self._quiet_after * (_PATIENT if self._patient else 1)
        return max(patience, _FACTOR * self._usual)

    # on the watchdog's threads

    def _watch(self) -> None:
        call, ticks = None, 0  # start of the current call of the history, and its duration in ticks
        while not self._over.wait(_TICK):
            moment = time.monotonic()
            since = self._busy.get(HISTORY)
            call, ticks = since, ticks + 1 if since is not None and since == call else 0
            if ticks >= _HISTORY_PATIENCE:
                self._alarms.begin(HISTORY, message("The history does not respond; another program may be using it"))
            since = self._busy.get("disks")
            if since is not None and moment - since > _DISK_PATIENCE:
                self._alarms.begin(
                    FOLDER, message("The disk of {folder} does not respond", folder=self._output), "disks"
                )
            self._check_silence(moment)

    def _check_silence(self, moment: float) -> None:
        if not self._live or self._last is None or self._quiet_after <= 0:
            return
        if self._paused() or any(alarm.code == SOURCE for alarm in self._alarms.active):
            self._last = moment
            self._alarms.end(QUIET)
            self._alarms.end(SLOW)
            return
        if moment - self._last <= self.limit:
            return
        since = self._busy.get(SLOW)
        if since is not None and moment - since > self.limit / 2:
            self._alarms.begin(SLOW, message("The model does not respond"))
        elif not any(alarm.code == SLOW for alarm in self._alarms.active):
            self._alarms.begin(QUIET, message("The source sends no new image"), recorded=not self._patient)

    def _watch_disks(self) -> None:
        output = self._output
        while output is not None and not self._over.wait(_DISK_TICK):
            self._busy["disks"] = time.monotonic()
            try:
                sentences = {
                    (FOLDER, "lost"): disk_space.folder_problem(output),
                    (DISK, ""): disk_space.full_disk_message(self._folders),
                    (SPACE, ""): disk_space.low_space_warning(self._folders),
                }
            except OSError as error:
                unreachable = message(
                    "The results folder {folder} cannot be reached ({reason})", folder=output, reason=error.strerror
                )
                sentences = {(FOLDER, "lost"): unreachable}
            self._busy.pop("disks", None)
            self._alarms.end(FOLDER, "disks")
            for (code, key), sentence in sentences.items():
                if sentence:
                    self._alarms.begin(code, sentence, key)
                else:
                    self._alarms.end(code, key)
