import pytest

from inspector.ui.kit import strings
from inspector.ui.kit.duration import duration


@pytest.mark.parametrize(
    "seconds, text",
    [(0, "0 s"), (-3, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (3900, "1 h 5 min")],
)
def test_durations(seconds, text):
    strings.set_language("en")
    assert duration(seconds) == text
