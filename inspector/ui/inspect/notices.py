"""Notices shown in place of the verdict until they are resolved or acknowledged. Uses no widgets."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from inspector.engine.alarms import DISK, EXPORTER, FOLDER, HISTORY, MODEL, QUIET, SLOW, SOURCE, Alarm
from inspector.ui.kit import strings
from inspector.ui.kit.duration import duration
from inspector.ui.kit.strings import tr

if TYPE_CHECKING:
    from inspector.engine import Run
    from inspector.ui.inspect.session import Session

State = Literal[
    "ready",
    "opening",
    "starting",
    "waiting",
    "reconnecting",
    "running",
    "paused",
    "stopping",
    "ended",
    "stopped",
    "failed",
]
_ORDER = (MODEL, SOURCE, SLOW, QUIET, DISK, FOLDER, HISTORY, EXPORTER)  # the most important first
_AGAIN = 10.0  # seconds between two sounds
_NAME = 24  # characters of a file's name that the state has room for
_FAILED = "failed"  # the key of the alarm that ended a run


@dataclass(frozen=True)
class Notice:
    """A problem to show.

    Attributes:
        text: the problem and its duration, in the current language.
        detail: the whole sentence.
        code: code of the alarm; ``error`` if it is not an alarm of a run.
        hides: no verdict may be shown with it.
        interrupts: earlier results are not current any more.
        quiet: acknowledged but not resolved.
    """

    text: str
    detail: str
    code: str
    hides: bool = True
    interrupts: bool = False
    quiet: bool = False


class Notices:
    """Alarms of the session's run, and errors reported meanwhile.

    Args:
        sound: called at a new alarm, and every ten seconds until it is resolved or acknowledged.
    """

    def __init__(self, session: Session, sound: Callable[[], object]) -> None:
        self._session, self._sound = session, sound
        self._acknowledged: set[Alarm] = set()
        self._errors: list[str] = []
        self._sounded = 0.0
        self._heard: set[Alarm] = set()

    def error(self, text: str) -> None:
        """Keep an error for the operator view until it is acknowledged or a run starts."""
        if text not in self._errors:
            self._errors.append(text)

    def begin(self) -> None:
        """Discard the notices of the last run or source."""
        self._errors.clear()
        self._acknowledged.clear()
        self._heard.clear()

    def acknowledge(self) -> None:
        """Acknowledge all current notices."""
        self._errors.clear()
        self._acknowledged.update(self._alarms())

    def current(self) -> Notice | None:
        """Return the notice to show instead of a verdict; None if verdicts are current."""
        waiting = [alarm for alarm in self._alarms() if alarm.hides]
        loud = [alarm for alarm in waiting if alarm not in self._acknowledged]
        lasting = [alarm for alarm in waiting if alarm.interrupts and self._session.active]
        self._ring(loud)
        for alarm in sorted(loud or lasting, key=lambda alarm: _ORDER.index(alarm.code)):
            detail = strings.sentence(alarm.message)
            seen = alarm in self._acknowledged
            return Notice(self._text(alarm), detail, alarm.code, interrupts=alarm.interrupts, quiet=seen)
        return None

    def hint(self) -> Notice | None:
        """Return the notice to show next to a verdict, e.g. low disk space."""
        for text in self._errors:
            return Notice(text, text, "error", hides=False)
        for alarm in self._alarms():
            if not alarm.hides and alarm not in self._acknowledged:
                return Notice(tr("The disk is nearly full"), strings.sentence(alarm.message), alarm.code, hides=False)
        return None

    def _alarms(self) -> list[Alarm]:
        run = self._session.run
        return [] if run is None else [alarm for alarm in run.alarms.all if alarm.active]

    def _ring(self, loud: list[Alarm]) -> None:
        fresh = set(loud) - self._heard
        self._heard |= fresh
        if fresh or (loud and self._session.active and time.monotonic() - self._sounded > _AGAIN):
            self._sounded = time.monotonic()
            self._sound()

    def _text(self, alarm: Alarm) -> str:
        run = self._session.run
        assert run is not None
        if alarm.key == _FAILED:
            return _ended_text(alarm)
        if alarm.code == QUIET:
            return tr("No new image for {time}", time=duration(run.silence))
        since = tr("({time})", time=duration(time.monotonic() - alarm.raised))
        if alarm.code == SOURCE:
            return f"{self._source_text(run)}\n{since}"
        words = {
            SLOW: tr("The model does not respond"),
            DISK: tr("The disk is full"),
            FOLDER: tr("The results folder cannot be written"),
            HISTORY: tr("The history cannot be written"),
        }
        return f"{words.get(alarm.code) or tr('Files are no longer saved')}\n{since}"

    def _source_text(self, run: Run) -> str:
        kind = self._session.source_kind
        begun = bool(run.counts.inspected + run.counts.skipped)
        if kind == "camera":
            if not begun:
                return tr("Waiting for the camera")
            return tr("Camera disconnected, reconnecting")
        if kind == "folder":
            return tr("Watched folder unavailable, waiting for it")
        return tr("Source unavailable, waiting for it")


def _ended_text(alarm: Alarm) -> str:
    """Return the reason why the run has ended."""
    if alarm.code == SOURCE:
        return tr("The source failed; the run has ended")
    if alarm.code == MODEL:
        return tr("The model failed; the run has ended")
    if alarm.code == DISK:
        return tr("The disk is full; the run has ended")
    return tr("The results cannot be saved; the run has ended")


def state(session: Session, stopping: bool, notice: Notice | None) -> State:
    """Return the state of the run."""
    run = session.run
    if run is None:
        return "opening" if session.loading else "ready"
    if run.failure is not None:
        return "failed"
    if not session.active:
        return "stopped" if run.state == "stopped" else "ended"
    if stopping:
        return "stopping"
    if run.paused:
        return "paused"
    if notice is not None and notice.code == SOURCE:
        return "reconnecting" if run.counts.inspected + run.counts.skipped else "waiting"
    return "running" if run.state == "running" else "starting"


def state_line(session: Session, now: State) -> str:
    """The state in words, and the image that is on its way."""
    name = session.run.pending if session.run is not None and now == "running" else ""
    if not name:
        return " · ".join(filter(None, (state_text(now), _counting(session) if now == "running" else "")))
    short = name if len(name) <= _NAME else f"…{name[-_NAME:]}"
    return f"{state_text(now)} · {tr('reading {name}…', name=short)}"


def _counting(session: Session) -> str:
    """The trigger that starts a part in a run from a camera."""
    run = session.run
    if run is None or not (run.trigger_kind or run.counts_frames):
        return ""
    texts = {
        "": tr("each frame counts"),
        "key": tr("F7 takes the next part"),
        "timer": tr("a timer takes the parts"),
        "still": tr("waits for a part to stand still"),
    }
    return texts[run.trigger_kind]


def state_text(now: State) -> str:
    """Return the name of a state, with a sign."""
    words: dict[State, str] = {
        "ready": tr("● ready"),
        "opening": tr("● opening the model…"),
        "starting": tr("● starting…"),
        "waiting": tr("◌ waiting for the source…"),
        "reconnecting": tr("◌ reconnecting…"),
        "running": tr("● running"),
        "paused": tr("❚❚ paused"),
        "stopping": tr("● stopping…"),
        "ended": tr("■ ended"),
        "stopped": tr("■ stopped"),
        "failed": tr("✕ failed"),
    }
    return words[now]
