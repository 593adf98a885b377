import argparse
from pathlib import Path

import pytest

from inspector.api import Option, Text
from inspector.cli.options import add_flags, given
from inspector.domain import InputError

OPTIONS = (
    Option("size", int, 5, Text("Size"), Text("100% of it"), minimum=1, maximum=9),
    Option("ratio", float, None, Text("Ratio")),
    Option("labels", bool, True, Text("Labels")),
    Option("form", str, "jpg", Text("Form"), choices=("jpg", "png")),
    Option("place", Path, None, Text("Place")),
    Option("name", str, "", Text("Name")),
)


def parse(*words: str, prefix: str = "x") -> dict:
    parser = argparse.ArgumentParser()
    add_flags(parser, OPTIONS, prefix)
    return given(parser.parse_args(words), OPTIONS, prefix)


def test_only_what_is_given_appears():
    assert parse() == {}
    assert parse("--x.size", "3", "--no-x.labels", "--x.place", "a b") == {
        "size": 3,
        "labels": False,
        "place": Path("a b"),
    }
    assert parse("--labels", "--form", "png", prefix="") == {"labels": True, "form": "png"}


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["--x.size", "0"], "--x.size: '0' is outside the range from 1 to 9"),
        (["--x.size", "a"], "--x.size: 'a' is not a whole number"),
        (["--x.form", "gif"], "--x.form: 'gif' is not one of jpg, png"),
    ],
)
def test_a_refused_value_names_its_flag(words, complaint):
    with pytest.raises(InputError) as refusal:
        parse(*words)
    assert str(refusal.value) == complaint


def test_the_help_tells_the_default():
    parser = argparse.ArgumentParser()
    add_flags(parser, OPTIONS, "x")
    text = " ".join(parser.format_help().split())
    assert "100% of it (default 5)" in text and "Labels (default on)" in text and "--x.form jpg|png" in text
    assert "(default )" not in text and "None" not in text
