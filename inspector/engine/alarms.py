"""The alarms of a run: conditions under which its verdicts are not current or its results are not saved."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from inspector.domain.clock import local_time

logger = logging.getLogger(__name__)

SOURCE, QUIET, SLOW = "source", "quiet", "slow"
MODEL, EXPORTER, FOLDER, DISK, HISTORY, SPACE = "model", "exporter", "folder", "disk", "history", "space"
_INTERRUPTING = {SOURCE, QUIET, SLOW, MODEL}


@dataclass(frozen=True)
class Alarm:
    """A condition that an operator must know at once.

    Attributes:
        code: ``source`` (its input is lost), ``quiet`` (a live source without a new image), ``slow`` (the model does
            not answer), ``model`` (failed), ``exporter`` (failed), ``folder`` (the results folder cannot be used),
            ``disk`` (full), ``space`` (nearly full) or ``history`` (cannot be written).
        message: one sentence for the user.
        key: distinguishes alarms of one code, for example by the exporter's id.
        since, until: ISO 8601 with offset; ``until`` is empty while it is active.
        raised: ``time.monotonic()`` when it was raised.
        recorded: whether it is recorded in ``run.log`` and the history.
    """

    code: str
    message: str
    key: str = ""
    since: str = field(default_factory=local_time)
    until: str = ""
    raised: float = field(default_factory=time.monotonic)
    recorded: bool = True

    @property
    def active(self) -> bool:
        return not self.until

    @property
    def interrupts(self) -> bool:
        """Whether verdicts from before it are no longer current, during it and after it."""
        return self.code in _INTERRUPTING

    @property
    def hides(self) -> bool:
        """Whether verdicts are hidden until it recovers or is acknowledged."""
        return self.code != SPACE


class Alarms:
    """The alarms of a run, the oldest first. Any thread may call any method.

    The listener is called on the thread that raises or ends an alarm, before :meth:`begin` or :meth:`end` returns.

    Attributes:
        interruptions: number of interruptions so far; an image that was read at another number is not current.
    """

    def __init__(self, listener: Callable[[Alarm], None] | None = None) -> None:
        self.interruptions = 0
        self._listener = listener
        self._alarms: list[Alarm] = []
        self._unrecorded: list[Alarm] = []
        self._lock = threading.Lock()

    def begin(self, code: str, message: str, key: str = "", recorded: bool = True, reported: bool = False) -> None:
        """Raise an alarm; no effect if it is active already.

        Args:
            reported: True if the message is printed to the terminal elsewhere.
        """
        with self._lock:
            if self._active_index(code, key) is not None:
                return
            alarm = Alarm(code, message, key, recorded=recorded)
            self._alarms.append(alarm)
            self.interruptions += alarm.interrupts
            if recorded:
                self._unrecorded.append(alarm)
        if recorded:
            logger.warning("Alarm: %s", message, extra={"told": reported})
        if self._listener is not None:
            self._listener(alarm)

    def end(self, code: str, key: str = "") -> Alarm | None:
        """End an alarm; return it, or None if it was not active."""
        with self._lock:
            index = self._active_index(code, key)
            if index is None:
                return None
            alarm = self._alarms[index] = replace(self._alarms[index], until=local_time())
            if alarm.recorded:
                self._unrecorded.append(alarm)
        if alarm.recorded:
            logger.warning("Recovered after %.1f s: %s", time.monotonic() - alarm.raised, alarm.message)
        if self._listener is not None:
            self._listener(alarm)
        return alarm

    @property
    def all(self) -> tuple[Alarm, ...]:
        with self._lock:
            return tuple(self._alarms)

    @property
    def active(self) -> tuple[Alarm, ...]:
        return tuple(alarm for alarm in self.all if alarm.active)

    @property
    def interrupted(self) -> bool:
        """Whether no verdict is current now."""
        return any(alarm.interrupts for alarm in self.active)

    def unrecorded(self) -> tuple[Alarm, ...]:
        """Return the beginnings and ends that are not yet in the history, in order; see :meth:`mark_recorded`."""
        with self._lock:
            return tuple(self._unrecorded)

    def mark_recorded(self, alarm: Alarm) -> None:
        with self._lock:
            self._unrecorded.remove(alarm)

    def _active_index(self, code: str, key: str) -> int | None:
        return next(
            (i for i, alarm in enumerate(self._alarms) if alarm.active and (alarm.code, alarm.key) == (code, key)), None
        )
