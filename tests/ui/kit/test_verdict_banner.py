"""The verdict, by word, sign and reason, in both languages."""

import pytest

from inspector.domain import Detection, PartProgress, Rules, Verdict, judge
from inspector.ui.kit import strings, theme
from inspector.ui.kit.verdict_banner import SIGNS, VerdictBanner

RULES = Rules.from_json(
    {"classes": {"pit": {"count": {"warn": 0}}, "wear": {"score": {"ng": 0.5}, "count": {"ng": 0}}}}
)
PIT, WEAR = (Detection(label, 0.9, (0, 0, 5, 5)) for label in ("pit", "wear"))


@pytest.fixture
def banner(root):
    banner = VerdictBanner(root)
    banner.pack(fill="x")
    root.update()
    yield banner
    strings.set_language("en")


def said(banner):
    return banner._word.cget("text"), banner._reason.cget("text")


def test_without_a_verdict_it_says_what_it_is_told(banner):
    assert said(banner) == ("—", "") and banner.status == ""
    banner.idle("ready")
    assert said(banner) == ("—", "ready")


def test_ok_warn_and_ng_have_a_sign_a_word_and_a_reason(banner):
    banner.show(judge((), RULES))
    assert said(banner) == ("✓ OK", "Pass")
    banner.show(judge((PIT,), RULES))
    assert banner.status == "WARN" and said(banner)[0] == "▲ WARN" and "pit" in said(banner)[1]
    banner.show(judge((PIT, WEAR), RULES))
    assert banner.status == "NG" and said(banner)[0] == "✕ NG"
    assert "(+1 more)" in said(banner)[1]
    assert len(set(SIGNS.values())) == len(SIGNS)


def test_it_speaks_chinese(banner):
    strings.set_language("zh")
    banner.show(Verdict("OK"))
    assert said(banner)[0] == "✓ OK" and not said(banner)[1].isascii()
    banner.show(judge((WEAR,), None))
    assert banner.status == "NG" and not said(banner)[1].isascii()
    banner.skipped("文件已损坏")
    assert banner.status == "SKIPPED" and said(banner) == (f"∅ {strings.tr('Unreadable')}", "文件已损坏")


def test_an_unread_image_looks_like_no_verdict(banner):
    banner.show(Verdict("OK"))
    banner.skipped("it is cut off")
    assert said(banner)[1] == "it is cut off"
    assert banner.cget("background") not in (theme.tokens().ok, theme.tokens().ng)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_colours_follow_verdict_and_theme(banner, mode):
    theme.configure(mode)
    tokens = theme.tokens()
    for status, ground, ink in (
        ("OK", tokens.ok, tokens.on_status),
        ("NG", tokens.ng, tokens.on_status),
        ("WARN", tokens.warn, tokens.on_warn),
    ):
        banner.show(Verdict(status))
        for part in (banner, banner._word, banner._reason):
            assert part.cget("background") == ground
        assert banner._word.cget("foreground") == banner._reason.cget("foreground") == ink
    theme.configure(ok_colour="blue")
    banner.show(Verdict("OK"))
    assert banner.cget("background") == theme.OK_COLOURS["blue"]
    theme.configure(ok_colour="teal")
    assert banner.cget("background") == theme.OK_COLOURS["teal"]


def test_its_place_and_height_stay_whatever_it_says(root, banner):
    heights = set()
    for verdict in (Verdict("OK"), judge((PIT, WEAR), RULES), judge((WEAR,) * 40, None)):
        banner.show(verdict)
        root.update()
        heights.add(banner.winfo_height())
    banner.idle("a text " * 30)
    root.update()
    assert len(heights | {banner.winfo_height()}) == 1


def test_the_operators_is_larger(root, banner):
    large = VerdictBanner(root, "large")
    assert abs(large._font.cget("size")) > 2 * abs(banner._font.cget("size"))


def test_the_verdict_of_a_part_is_grey_until_it_is_final(banner):
    banner.show_part(PartProgress("A1", Verdict("OK"), 1, 2, False))
    assert banner.faded and said(banner) == ("✓ OK", "Part A1: views so far 1 / 2")
    banner.show_part(PartProgress("A1", Verdict("OK"), 2, 2, True))
    assert not banner.faded and banner.status == "OK"
