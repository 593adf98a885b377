"""Options that follow from a dataset."""

import pytest

from inspector.ui.training.proposal import proposed_options


def report(side: int, used: int) -> dict:
    return {"splits": {"train": {"median_side": side, "used": used}}}


@pytest.mark.parametrize(
    "side, used, size, batch",
    [(320, 20, 320, 4), (330, 80, 352, 8), (2560, 5000, 640, 16), (10, 159, 32, 8), (640, 160, 640, 16)],
)
def test_size_and_batch_suit_the_set(side, used, size, batch):
    assert proposed_options(report(side, used)) == {"imgsz": size, "batch": batch}


def test_nothing_is_proposed_for_a_set_without_images():
    assert proposed_options(report(0, 0)) == {} and proposed_options({"splits": {}}) == {}
