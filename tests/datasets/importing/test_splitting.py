"""Splitting: numbers, groups, rare kinds, and what adding images changes."""

from collections import Counter

import pytest

from inspector.datasets.importing.splitting import split_by_group
from inspector.domain import InputError


def marks(count: int, prefix: str = "") -> list[list[str]]:
    return [[f"{prefix}{number}"] for number in range(count)]


@pytest.mark.parametrize(
    "count, val, test", [(10, 0.2, 0.0), (10, 0.2, 0.1), (1000, 0.15, 0.15), (3, 0.2, 0.2), (2, 0.9, 0)]
)
def test_numbers_are_as_asked_for_and_no_split_is_empty(count, val, test):
    shares = {"val": val} | ({"test": test} if test else {})
    found = Counter(split_by_group(marks(count), [0] * count, shares, 0))
    for split, share in shares.items():
        assert found[split] == min(max(1, round(share * count)), count - len(shares))
    assert found["train"] == count - found["val"] - found["test"] >= 1


def test_it_depends_on_seed_and_marks_only():
    names = marks(50)
    first = dict(zip(map(tuple, names), split_by_group(names, [0] * 50, {"val": 0.2}, 3), strict=True))
    turned = dict(zip(map(tuple, names[::-1]), split_by_group(names[::-1], [0] * 50, {"val": 0.2}, 3), strict=True))
    assert first == turned
    assert len({tuple(split_by_group(names, [0] * 50, {"val": 0.2}, seed)) for seed in range(6)}) == 6


def test_added_images_hardly_move_the_others():
    before = split_by_group(marks(100), [0] * 100, {"val": 0.2, "test": 0.1}, 0)
    after = split_by_group(marks(100) + marks(10, "new"), [0] * 110, {"val": 0.2, "test": 0.1}, 0)[:100]
    assert sum(one != other for one, other in zip(before, after, strict=True)) <= 6


def test_what_shares_a_mark_stays_together_however_far():
    chain = [[f"link{number}", f"link{number + 1}"] for number in range(4)]
    for seed in range(20):
        found = split_by_group(chain + marks(20), [0] * 24, {"val": 0.3}, seed)
        assert len(set(found[:4])) == 1
        assert 6 <= found.count("val") <= 9


def test_a_rare_kind_is_dealt_out_too():
    for seed in range(20):
        kinds = [2] * 5 + [1] * 20 + [-1] * 75
        found = split_by_group(marks(100), kinds, {"val": 0.2}, seed)
        assert found[:5].count("val") == 1 and found[5:25].count("val") == 4 and found.count("val") == 20


def test_one_large_bundle_does_not_fill_a_small_split():
    found = split_by_group([["same"]] * 50 + marks(50), [0] * 100, {"val": 0.1}, 0)
    assert found[0] == "train" and found.count("val") == 10


def test_too_few_are_refused():
    with pytest.raises(InputError, match="1 different images"):
        split_by_group([["same"]] * 5, [0] * 5, {"val": 0.2}, 0)
    assert split_by_group([["same"]] * 5, [0] * 5, {}, 0) == ["train"] * 5
