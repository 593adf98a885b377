"""A selection of rows that stays small."""

import pytest

from inspector.ui.kit.table.selection import IndexRanges, Selection


def test_spans_are_merged_and_sorted():
    assert IndexRanges([(5, 7), (0, 3), (2, 4), (9, 9)]).spans == ((0, 4), (5, 7))
    assert IndexRanges([(0, 3), (3, 5)]).spans == ((0, 5),)


def test_it_is_a_sequence_of_indices():
    ranges = IndexRanges([(2, 4), (10, 12)])
    assert list(ranges) == [2, 3, 10, 11] == ranges[:]
    assert (len(ranges), ranges[0], ranges[2], ranges[-1], ranges.first) == (4, 2, 10, 11, 2)
    assert ranges == [2, 3, 10, 11] and ranges != [2, 3]
    assert [index in ranges for index in (1, 2, 3, 4, 10, 12)] == [False, True, True, False, True, False]
    with pytest.raises(IndexError):
        ranges[4]


def test_a_million_rows_are_one_span():
    every = IndexRanges([(0, 1_000_000)])
    assert len(every) == 1_000_000
    assert every[999_999] == 999_999
    assert len(every.toggled(500).spans) == 2


@pytest.mark.parametrize(("index", "expected"), [(2, [3, 4]), (3, [2, 4]), (4, [2, 3]), (7, [2, 3, 4, 7])])
def test_toggling(index, expected):
    assert IndexRanges.between(4, 2).toggled(index) == expected


def test_shift_chooses_from_the_anchor_and_ctrl_adds():
    at = Selection()
    at.choose(5)
    at.choose(8, up_to=True)
    assert at.chosen == [5, 6, 7, 8]
    at.choose(3, up_to=True)
    assert at.chosen == [3, 4, 5]
    at.choose(10, add=True)
    at.choose(11, up_to=True, add=True)
    assert at.chosen == [3, 4, 5, 10, 11]
    at.choose(4, add=True)
    assert at.chosen == [3, 5, 10, 11]


def test_it_follows_its_rows():
    at = Selection()
    at.choose(5)
    at.shift(100)
    assert (at.chosen, at.current, at.anchor) == ([105], 105, 105)
    at.clip(50)
    assert (list(at.chosen), at.current) == ([], 49)
    at.clip(0)
    assert at.current == 0
