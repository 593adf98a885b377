"""Periods in local time: today, yesterday, the current shift."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from inspector.domain import InputError

Period = tuple[datetime, datetime]
"""Start (inclusive) and end (exclusive), local times with offset."""


def to_local_time(moment: datetime) -> datetime:
    """Convert ``moment`` to local time with offset; without an offset it is local already.

    Windows has no local times before 1970 and after 3000; the current offset is used for them.
    """
    try:
        return moment.astimezone()
    except OSError:
        zone = datetime.now().astimezone().tzinfo
        return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)


def day(moment: datetime, back: int = 0) -> Period:
    """Return the day of ``moment``, or the day ``back`` days before it, from midnight to midnight."""
    first = moment.date() - timedelta(days=back)
    return _at(first, time()), _at(first + timedelta(days=1), time())


def shift_starts(text: str) -> tuple[time, ...]:
    """Parse times of day, for example ``06:00, 14:00, 22:00``; return them sorted and without duplicates.

    Raises:
        InputError: there is none, or one cannot be parsed.
    """
    starts = set()
    for part in text.replace("，", ",").replace("：", ":").replace(";", ",").split(","):
        if not part.strip():
            continue
        try:
            hours, _, minutes = part.strip().partition(":")
            starts.add(time(int(hours), int(minutes or 0)))
        except ValueError:
            raise InputError(
                "{text!r} is not the start time of a shift; write the times as 06:00, 14:00, 22:00",
                text=part.strip(),
            ) from None
    if not starts:
        raise InputError("No shift begins at any time; write the times of day as 06:00, 14:00, 22:00")
    return tuple(sorted(starts))


def shift(moment: datetime, starts: Sequence[time]) -> Period:
    """Return the shift of ``moment``; shifts begin at the sorted ``starts`` and end where the next one begins."""
    days = [moment.date() + timedelta(days=add) for add in (-1, 0, 1)]
    edges = [_at(each, start) for each in days for start in starts]
    if len(edges) == 3:  # one shift a day
        edges.append(_at(days[-1] + timedelta(days=1), starts[0]))
    now = moment.astimezone()
    begin = max(edge for edge in edges if edge <= now)
    return begin, min(edge for edge in edges if edge > now)


def _at(day: date, start: time) -> datetime:
    return datetime.combine(day, start).astimezone()
