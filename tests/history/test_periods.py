"""Today, yesterday, this shift."""

from datetime import UTC, datetime, timedelta

import pytest

from inspector.domain import InputError
from inspector.history.periods import day, shift, shift_starts, to_local_time

THREE = shift_starts("06:00, 14:00, 22:00")


def local(text):
    return datetime.fromisoformat(text).astimezone()


@pytest.mark.parametrize(
    ("now", "begin", "end"),
    [
        ("2026-11-30 13:59:59", "2026-11-30 06:00", "2026-11-30 14:00"),
        ("2026-11-30 14:00", "2026-11-30 14:00", "2026-11-30 22:00"),
        ("2026-11-30 23:10", "2026-11-30 22:00", "2026-12-01 06:00"),
        ("2026-12-01 00:30", "2026-11-30 22:00", "2026-12-01 06:00"),
        ("2026-12-01 05:59", "2026-11-30 22:00", "2026-12-01 06:00"),
    ],
)
def test_three_shifts(now, begin, end):
    assert shift(local(now), THREE) == (local(begin), local(end))


def test_one_and_two_shifts():
    assert shift(local("2026-11-30 07:00"), shift_starts("8")) == (local("2026-11-29 08:00"), local("2026-11-30 08:00"))
    assert shift(local("2026-11-30 08:00"), shift_starts("8")) == (local("2026-11-30 08:00"), local("2026-12-01 08:00"))
    two = shift_starts("20:00，8：30")
    assert shift(local("2026-11-30 19:59"), two) == (local("2026-11-30 08:30"), local("2026-11-30 20:00"))


def test_days():
    begin, end = day(local("2026-11-30 00:00"))
    assert (begin, end) == (local("2026-11-30"), local("2026-12-01"))
    assert day(local("2026-11-30 23:59"), 1) == (local("2026-11-29"), local("2026-11-30"))
    assert day(local("2026-03-01 12:00"), 1)[0] == local("2026-02-28") and end - begin == timedelta(days=1)


@pytest.mark.parametrize("text", ["", " , ", "25:00", "six", "06:61", "06:00, x"])
def test_what_is_no_time_of_day_is_refused(text):
    with pytest.raises(InputError, match="06:00, 14:00, 22:00"):
        shift_starts(text)


class OnWindows(datetime):
    """Knows no local time, as Windows before 1970."""

    def astimezone(self, tz=None):
        if tz is None:
            raise OSError(22, "Invalid argument")
        return super().astimezone(tz)


def test_where_the_system_knows_no_local_time_the_offset_of_today_is_taken():
    zone = datetime.now().astimezone().tzinfo
    assert to_local_time(OnWindows(1960, 1, 1)) == datetime(1960, 1, 1, tzinfo=zone)
    assert to_local_time(OnWindows(1960, 1, 1, tzinfo=UTC)).timestamp() == datetime(1960, 1, 1, tzinfo=UTC).timestamp()
    assert to_local_time(datetime(2026, 11, 30)) == local("2026-11-30")
