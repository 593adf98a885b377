"""Plans of MIL-STD-105E against entries of its tables, operating characteristics, and the switching rules."""

import pytest

from inspector.quality.sampling import AQLS, LETTERS, code_letter, next_severity, plan


def test_the_operating_characteristic_of_a_published_plan():
    found = plan("J", 1.0)
    assert (found.size, found.accept, found.reject) == (80, 2, 3)
    assert found.acceptance(0.01) == pytest.approx(0.9534, abs=5e-5)


@pytest.mark.parametrize(
    ("lot", "level", "letter"),
    [(2, "II", "A"), (8, "II", "A"), (9, "II", "B"), (1200, "II", "J"), (1201, "II", "K"), (500_001, "III", "R"),
     (3200, "I", "H"), (1000, "S-1", "C"), (500_001, "S-4", "K"), (150, "S-3", "C"), (151, "S-3", "D")],
)  # fmt: skip
def test_code_letters(lot, level, letter):
    assert code_letter(lot, level) == letter


@pytest.mark.parametrize(
    ("letter", "aql", "severity", "expected"),
    [
        ("J", 0.15, "normal", ("J", 80, 0, 1)),
        ("J", 0.25, "normal", ("H", 50, 0, 1)),
        ("J", 0.40, "normal", ("K", 125, 1, 2)),
        ("K", 4.0, "normal", ("K", 125, 10, 11)),
        ("F", 1.0, "normal", ("E", 13, 0, 1)),
        ("A", 6.5, "normal", ("A", 2, 0, 1)),
        ("A", 10.0, "normal", ("C", 5, 1, 2)),
        ("L", 10.0, "normal", ("K", 125, 21, 22)),
        ("J", 1.0, "tightened", ("J", 80, 1, 2)),
        ("K", 1.0, "tightened", ("K", 125, 2, 3)),
        ("J", 0.15, "tightened", ("K", 125, 0, 1)),
        ("J", 1.0, "reduced", ("J", 32, 1, 3)),
        ("K", 2.5, "reduced", ("K", 50, 3, 6)),
    ],
)
def test_plans(letter, aql, severity, expected):
    found = plan(letter, aql, severity)
    assert (found.letter, found.size, found.accept, found.reject) == expected


def test_every_letter_and_aql_has_a_plan_and_tightened_accepts_less():
    for letter in LETTERS:
        for aql in AQLS:
            normal, tightened = plan(letter, aql), plan(letter, aql, "tightened")
            assert tightened.acceptance(aql / 100) <= normal.acceptance(aql / 100) + 1e-12, (letter, aql)
            assert plan(letter, aql, "reduced").size <= normal.size


def test_switching():
    assert next_severity("normal", [True, False, True, True, False]) == "tightened"
    assert next_severity("normal", [False, True, True, True, True, True, False]) == "normal"
    assert next_severity("normal", [True] * 10) == "normal" and next_severity("normal", [True] * 10, True) == "reduced"
    assert next_severity("tightened", [False, *[True] * 5]) == "normal"
    assert next_severity("tightened", [True, True]) == "tightened"
    assert next_severity("tightened", [False] * 5) is None
    assert next_severity("reduced", [True, False]) == "normal" and next_severity("reduced", [True]) == "reduced"


def test_what_there_is_not_is_refused():
    with pytest.raises(ValueError, match="code letter"):
        plan("I", 1.0)
    with pytest.raises(ValueError, match="AQL"):
        plan("J", 1.1)
    with pytest.raises(ValueError, match="at least 2"):
        code_letter(1)
