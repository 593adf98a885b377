"""Line breaking of Chinese text, without a window."""

import pytest

from inspector.ui.kit.line_breaking import break_lines, may_break


def measure(text: str) -> int:
    """Pixels of a font whose Chinese characters are twice as wide as its Latin ones."""
    return sum(2 if ord(character) > 0x2E80 else 1 for character in text)


@pytest.mark.parametrize(
    ("before", "after", "behind", "allowed"),
    [
        ("件", "，", "缺", False),
        ("“", "开", "始", False),
        ("始", "”", "（", False),
        ("件", "缺", "陷", True),
        ("下", "N", "G", True),
        ("N", "G", "", False),
        ("用", ".", "v", True),
        ("用", ".", " ", False),
        (" ", "N", "G", True),
        ("0", "\N{NO-BREAK SPACE}", "p", False),
        ("\N{NO-BREAK SPACE}", "p", "x", False),
    ],
)
def test_where_a_line_may_end(before, after, behind, allowed):
    assert may_break(before, after, behind) is allowed


@pytest.mark.parametrize("width", [0, 1, 2, 3, *range(8, 60)])
def test_every_line_fits_and_nothing_is_lost(width):
    text = "预览，未保存。按“开始”（F5）保存。\n面积 4557\N{NO-BREAK SPACE}px² 超过 950\N{NO-BREAK SPACE}px²"
    lines = break_lines(text, measure, width).split("\n")
    assert all(measure(line) <= width or len(line) == 1 for line in lines), "a character is never cut"
    assert "".join(lines).replace(" ", "") == text.replace("\n", "").replace(" ", "")
    if width >= 20:
        assert not [line for line in lines if line[0] in "，。”）" or line[-1] in "“（"], lines


def test_english_is_left_to_tk():
    assert (
        break_lines("Press Start (F5), and each one is saved.", measure, 10)
        == "Press Start (F5), and each one is saved."
    )
