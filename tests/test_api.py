import subprocess
import sys
from pathlib import Path

import pytest

from inspector import api
from inspector.api import InputError, Option, Text, check_options

T = Text("Title")


def option(type_, default=None, **more):
    return Option("key", type_, default, T, **more)


@pytest.mark.parametrize(
    ("declared", "value", "expected"),
    [
        (option(int), "5", 5),
        (option(int), 5.0, 5),
        (option(float), "0.25", 0.25),
        (option(float), 3, 3.0),
        (option(str), "轴承", "轴承"),
        (option(Path), "a/b", Path("a/b")),
        (option(Path), Path("a"), Path("a")),
        (option(bool), " Yes ", True),
        (option(bool), "off", False),
        (option(bool), True, True),
        (option(int), None, None),
        (option(int, 1, minimum=1, maximum=3), "3", 3),
        (option(str, "a", choices=("a", "b")), "b", "b"),
    ],
)
def test_an_option_converts_what_is_typed(declared, value, expected):
    checked = declared.check(value)
    assert checked == expected and type(checked) is type(expected)


@pytest.mark.parametrize(
    ("declared", "value", "says"),
    [
        (option(int), "5.5", "key: '5.5' is not a whole number"),
        (option(int), 5.5, "is not a whole number"),
        (option(int), True, "is not a whole number"),
        (option(int, 1), None, "is not a whole number"),
        (option(int), float("inf"), "is not a whole number"),
        (option(float), "a", "is not a number"),
        (option(float), "nan", "is not a number"),
        (option(float, 0.5, minimum=0, maximum=1), 1.01, "1.01 is outside the range from 0 to 1"),
        (option(int, 1, minimum=1), 0, "0 is less than the minimum 1"),
        (option(bool), "maybe", "is not yes or no"),
        (option(bool), 1, "is not yes or no"),
        (option(str, "a", choices=("a", "b")), "c", "'c' is not one of a, b"),
        (option(Path), ["a"], "is not a path"),
    ],
)
def test_an_option_refuses_in_one_sentence(declared, value, says):
    with pytest.raises(InputError, match=says):
        declared.check(value)


def test_options_are_completed_and_checked():
    options = (option(int, 3), Option("other", Path, None, T))
    assert check_options(options, {}, "thing") == {"key": 3, "other": None}
    assert check_options(options, {"key": "4"}, "thing") == {"key": 4, "other": None}
    with pytest.raises(InputError, match="thing has no option 'kay'; it has key, other"):
        check_options(options, {"kay": 1}, "thing")
    with pytest.raises(InputError, match="thing has no option 'kay'; it has none"):
        check_options((), {"kay": 1}, "thing")
    with pytest.raises(InputError, match="thing, option key: 'x' is not a whole number"):
        check_options(options, {"key": "x"}, "thing")


def test_a_text_is_read_in_both_languages():
    text = Text("Source", "来源")
    assert (text.read("en"), text.read("zh"), text.read("zh_CN")) == ("Source", "来源", "来源")
    assert Text("Source").read("zh") == "Source"


def test_everything_that_is_promised_is_there():
    for name in api.__all__:
        assert getattr(api, name) is not None, name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = api.nothing


def test_the_door_opens_without_heavy_libraries():
    heavy = "{'torch', 'cv2', 'numpy', 'PIL', 'tkinter'}"
    code = f"import inspector.api, sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
