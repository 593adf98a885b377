"""Which images a trigger takes."""

import numpy as np
import pytest

from inspector.domain import Frame, InputError, Trigger
from inspector.engine.triggers import TriggerGate


def frame(seconds, image=None, name="cam"):
    return Frame(np.zeros((48, 64, 3), np.uint8) if image is None else image, 0, name, seconds)


def passed(gate, frames):
    return [round(each.seconds, 2) for each in frames if gate.lets_pass(each)]


def test_all_images_pass_without_a_trigger():
    gate = TriggerGate(None, False)
    assert gate.lets_pass(frame(None)) and gate.lets_pass(frame(0.0)) and gate.number == 0


def test_a_key_takes_one_image_each_time_or_begins_a_stretch():
    for stretch, expected in ((False, [True, False, True, True, False]), (True, [True] * 5)):
        gate = TriggerGate(Trigger("key"), stretch)
        assert not gate.lets_pass(frame(0.0))
        seen = []
        for number in range(5):
            for _ in range({0: 1, 2: 2}.get(number, 0)):
                gate.fire()
            seen.append(gate.lets_pass(frame(0.1 * number)))
        assert seen == expected and gate.number == 3


def test_a_timer_keeps_its_interval_and_starts_again_with_each_video():
    gate = TriggerGate(Trigger("timer", 1.0), False)
    frames = [frame(number * 0.3) for number in range(12)]
    assert passed(gate, frames) == [0.0, 1.2, 2.1, 3.0]
    assert passed(gate, [frame(9.5), frame(9.9), frame(10.1)]) == [9.5, 10.1]  # a gap: one image, not six
    gate.next_source()
    assert passed(gate, [frame(0.0), frame(0.5)]) == [0.0]


def scene(position: float | None, noise: int = 2) -> np.ndarray:
    """Camera image with a bright disc at ``position`` (0 to 1 across), or without."""
    import cv2

    image = np.random.default_rng(round((position or 0) * 1000)).integers(60, 60 + noise, (240, 320, 3), np.uint8)
    if position is not None:
        cv2.circle(image, (round(position * 320), 120), 30, (200, 200, 200), -1)
    return image


def conveyor():
    """Parts at 10 images a second: each comes in, rests for a second and leaves; (seconds, image)."""
    time = 0.0
    for _ in range(3):
        for position in (None, None, 0.0, 0.2, 0.4, *[0.5] * 10, 0.7, 0.9, None, None):
            yield frame(time, scene(position))
            time += 0.1


def test_a_still_image_triggers_once_for_each_part_that_stops():
    gate = TriggerGate(Trigger("still", 0.3), False)
    taken = [each for each in conveyor() if gate.lets_pass(each)]
    assert [each.seconds for each in taken] == pytest.approx([0.85, 2.75, 4.65], abs=0.1)  # not of the empty place
    assert all(np.array_equal(each.image, scene(0.5)) for each in taken)


def test_nothing_triggers_while_nothing_has_moved():
    gate = TriggerGate(Trigger("still", 0.3), True)
    assert passed(gate, [frame(number * 0.1, scene(0.5)) for number in range(30)]) == []


def test_a_still_image_that_is_no_stream_is_refused():
    with pytest.raises(InputError, match=r"a\.png is a still image"):
        TriggerGate(Trigger("timer", 1.0), False).lets_pass(frame(None, name="a.png"))
