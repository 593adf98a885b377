"""Codes of a scanner, distinguished from typing by their timing."""

import pytest

from inspector.ui.kit.scanner import LONGEST_GAP, KeyBurst


def keys(text, gap, start=1000):
    burst = KeyBurst()
    for place, character in enumerate(text):
        burst.key(character, start + place * gap)
    return burst, start + len(text) * gap


@pytest.mark.parametrize("gap", [1, 10, LONGEST_GAP])
def test_fast_keys_ended_by_enter_are_a_code(gap):
    burst, end = keys("recipe:6205", gap)
    assert burst.end(end) == "recipe:6205"
    assert burst.end(end + 1) == "", "only once"


def test_typing_is_no_code():
    burst, end = keys("recipe:6205", LONGEST_GAP + 1)
    assert burst.end(end) == ""
    burst, end = keys("recipe:6205", 10)
    assert burst.end(end + 500) == "", "Enter came later"
    burst, end = keys("62", 10)
    assert burst.end(end) == "", "too short"


def test_what_was_typed_before_a_scan_is_no_part_of_it():
    burst, end = keys("mf", 200)
    for place, character in enumerate("4006381"):
        burst.key(character, end + 300 + place * 5)
    assert burst.end(end + 340) == "4006381"
