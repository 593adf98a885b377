"""Supported Markdown; everything else becomes a paragraph."""

import pytest

from inspector.ui.kit.markdown.parser import Block, anchor, inline, join_lines, parse, plain


@pytest.mark.parametrize(
    ("source", "blocks"),
    [
        ("# Title", [Block("heading", "Title", 1, "title")]),
        ("### 1. Ein `x` #", [Block("heading", "1. Ein `x`", 3, "1-ein-x")]),
        ("one\ntwo\n\nthree", [Block("text", "one two"), Block("text", "three")]),
        ("中文一，\n中文二", [Block("text", "中文一，中文二")]),
        ("- a\n  more\n- b", [Block("item", "a more", 0, "•"), Block("item", "b", 0, "•")]),
        ("1. a\n   - deep", [Block("item", "a", 0, "1."), Block("item", "deep", 1, "•")]),
        ("text\n- item", [Block("text", "text"), Block("item", "item", 0, "•")]),
        ("> one\n> two", [Block("quote", "one two")]),
        ("```sh\na *b*\n\n# c\n```\nend", [Block("code", "a *b*\n\n# c"), Block("text", "end")]),
        ("```\nnever closed", [Block("code", "never closed")]),
        ("---", [Block("rule")]),
        ("![a b](x/y.png)", [Block("image", "a b", mark="x/y.png")]),
        ("| a | b |\n|---|:-:|\n| 1 \\| 2 | 3 |", [Block("table", rows=(("a", "b"), ("1 | 2", "3")))]),
        ("| no table", [Block("text", "| no table")]),
        ("#no heading", [Block("text", "#no heading")]),
        (" # x\n > y\n | z", [Block("text", "# x"), Block("text", "> y"), Block("text", "| z")]),
        ("", []),
    ],
)
def test_blocks(source, blocks):
    assert parse(source) == blocks


def test_headings_of_one_name_have_anchors_of_their_own():
    assert [block.mark for block in parse("# A b\n# A b\n# A b")] == ["a-b", "a-b-1", "a-b-2"]
    assert anchor("3. 选择 `best.pt`?") == "3-选择-bestpt"


def test_within_a_line():
    assert list(inline("a **b `c`** *d* [e](f.md#g) `*h*`")) == [
        ("a ", (), ""),
        ("b ", ("bold",), ""),
        ("c", ("bold", "code"), ""),
        (" ", (), ""),
        ("d", ("slanted",), ""),
        (" ", (), ""),
        ("e", ("link",), "f.md#g"),
        (" ", (), ""),
        ("*h*", ("code",), ""),
    ]
    assert plain("3*4*5, a_b_c and **x") == "3*4*5, a_b_c and **x"


def test_lines_are_joined_with_blanks_only_where_words_are():
    assert join_lines(["a", "b", "中", "文", "c"]) == "a b中文c"
    assert join_lines([]) == ""


def test_the_documentation_is_understood():
    from pathlib import Path

    for file in (Path(__file__).resolve().parents[4] / "docs").glob("*.md"):
        kinds = {block.kind for block in parse(file.read_text("utf-8"))}
        assert {"heading", "text"} <= kinds, file
