"""Chinese lines: what they begin and end with, at several widths, over the manual and over hard cases."""

import itertools

import pytest

from inspector.system import paths
from inspector.ui.kit import theme
from inspector.ui.kit.markdown.view import MarkdownView
from inspector.ui.kit.tasks import BackgroundTasks

CLOSING, OPENING = "，。、；：！？）》」』】”’%,.;:!?)]}", "（《「『【“‘([{"
HARD = "按“开始”（F5），程序检测每一张图片；结果立即保存。打开 bearing-inspector.exe 后，见「帮助」。"


def lines(text):
    """Text of each line on the screen, with the index where it begins."""
    at, found = "1.0", []
    while text.compare(following := text.index(f"{at} +1 display lines"), ">", at):
        found.append((at, text.get(at, following)))
        at = following
    return [*found, (at, text.get(at, "end-1c"))]


def page(root, wait, source, width):
    view = MarkdownView(root, BackgroundTasks(print), print)
    view.pack(fill="both", expand=True)
    root.geometry(f"{width}x600")
    root.deiconify()
    wait(lambda: abs(view.text.winfo_width() - width) < theme.px(40))
    view.show(source, paths.assets() / "manual")
    root.update()
    return view


@pytest.mark.parametrize("width", [560, 700, 1100])
def test_no_line_of_the_chinese_manual_begins_or_ends_wrongly(root, wait, width):
    source = (paths.assets() / "manual" / "manual.zh.md").read_text("utf-8")
    text = page(root, wait, source, width).text
    shown = lines(text)
    assert len(shown) > 150
    for (_, before), (at, line) in itertools.pairwise(shown):
        if before.endswith("\n"):
            continue
        assert line[:1] not in CLOSING or line.startswith(".venv"), line
        assert before[-1:] not in OPENING, before
        assert not (before[-1:].isascii() and before[-1:].isalnum() and line[:1].isascii() and line[:1].isalnum()), at


def test_another_width_begins_anew_and_nothing_of_it_is_text(root, wait):
    view = page(root, wait, "\n\n".join([HARD] * 8), 500)
    text = view.text
    gaps = len(text.tag_ranges("line-break"))
    assert gaps
    assert text.get("1.0", "end").split() == "\n".join([HARD] * 8).split()
    assert view.seek("立即保存"), "a gap is not in the way of a search"
    root.geometry("760x600")
    wait(lambda: len(lines(text)) < 20 or text.winfo_width() > 700)
    root.update()
    assert not [line for _, line in lines(text) if line and line[0] in CLOSING]
    assert str(text.cget("state")) == "disabled"


def test_english_is_broken_by_tk_alone(root, wait):
    text = page(root, wait, "Press “Start” (F5): every image is inspected. " * 20, 500).text
    assert not text.tag_ranges("line-break")
