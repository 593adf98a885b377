"""Texts from strangers' files and plugins."""

import pytest

from inspector.domain import InputError, InspectorError, Rules, describe, printable, quote, shorten, spreadsheet_text
from inspector.domain.job import Job


@pytest.mark.parametrize(
    "text, shown",
    [
        ("a.jpg", "a.jpg"),
        ("图　片.jpg", "图　片.jpg"),  # with a full-width space
        ("\x1b[31mred\x07", "�[31mred�"),
        ("a\u202egpj.exe", "a�gpj.exe"),
        ("a\x9b31m", "a�31m"),
        ("a\nb\u2028c\u2029d\te", "a�b�c�d�e"),
        ("👨\u200d👩\u200d👧.png", "👨\u200d👩\u200d👧.png"),
        ("\udcff.png", "\udcff.png"),
    ],
)
def test_nothing_disturbs_a_terminal(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize("sign", [*"=+-@＝＋－＠", "\t=", "\r=", "\n=", ' "='])
def test_a_formula_becomes_a_text(sign):
    assert spreadsheet_text(f"{sign}1+1") == f"'{sign}1+1"
    assert spreadsheet_text(f"x;{sign}1+1").startswith("x;'")


@pytest.mark.parametrize("text", ["a.jpg", "a-b=c.jpg", "x; y", "-3.5", "+7", "2026-11-30", "", "(-1)"])
def test_other_texts_stay_as_they_are(text):
    assert spreadsheet_text(text) == text


def test_long_texts_keep_their_beginning_and_their_end():
    assert shorten("abc") == "abc"
    cut = shorten("a" * 5000 + "z")
    assert len(cut) == 2000 and cut.startswith("aaa") and cut.endswith("az") and "…" in cut


def test_a_wrong_value_is_repeated_in_part():
    nested: list = []
    for _ in range(100_000):
        nested = [nested]
    assert len(quote("x" * 100_000)) < 110 and len(quote([1] * 100_000)) <= 100
    assert quote(nested) == "a value of the type list" and quote(10**5000) == "a value of the type int"


@pytest.mark.parametrize(
    "data",
    [
        {"classes": {"x" * 100_000: 1}},
        {"classes": {"A": {"count": {"ng": "x" * 100_000}}}},
        {"classes": {"A": {"count": {"ng": 10**400}}}},
        {"classes": {"A": {"y" * 100_000: {"ng": 1}}}},
    ],
)
def test_messages_have_a_bounded_length(data):
    with pytest.raises(InputError) as caught:
        Rules.from_json(data)
    assert len(str(caught.value)) < 600
    with pytest.raises(InputError) as caught:
        Job.from_json({"model": {"id": "m"}, "x" * 100_000: 1})
    assert len(str(caught.value)) < 600


def test_an_error_that_cannot_tell_its_text_is_described():
    class Odd(Exception):
        def __str__(self):
            raise RuntimeError

    assert describe(Odd()) == "Odd" and describe(InspectorError("a sentence")) == "a sentence"
    assert describe(SystemExit(0)) == "SystemExit: 0" and len(describe(ValueError("x" * 10**6))) == 2000
