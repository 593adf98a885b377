"""The video of a turning bearing."""

import numpy as np

from inspector.datasets.synthetic import turning_video_frames


def test_frames_turn_and_repeat() -> None:
    frames = list(turning_video_frames(seed=1, count=6, size=200))
    again = list(turning_video_frames(seed=1, count=6, size=200))
    assert len(frames) == 6
    assert all(frame.shape == (200, 200, 3) and frame.dtype == np.uint8 for frame in frames)
    assert all(np.array_equal(a, b) for a, b in zip(frames, again, strict=True))
    assert not np.array_equal(frames[0], frames[1])


def test_the_background_rests_while_the_part_turns() -> None:
    first, *_, last = (f.astype(np.float32).mean(2) for f in turning_video_frames(seed=2, count=6, size=240))
    change = np.abs(first - last)
    corner, middle = change[:20, :20].mean(), change[60:180, 60:180].mean()
    assert middle > 2 * corner


def test_seeds_give_different_bearings() -> None:
    one, two = (next(turning_video_frames(seed, 1, 200)) for seed in (3, 4))
    assert np.abs(one.astype(int) - two.astype(int)).mean() > 5
