"""The manual's page: images come from threads, links work with pointer and keys, tables fit."""

import numpy as np
import pytest
from fakes import focus

from inspector.imaging import write_image
from inspector.ui.kit.markdown.view import MarkdownView
from inspector.ui.kit.tasks import BackgroundTasks

PAGE = """# Top
See [below](#far-below), [another page](other.md#x) and [the web](https://example.org).

| Name | Long |
|---|---|
| `a` | {long} |

![a part](part.png)
![gone](gone.png)

{filling}
## Far below
End.
"""


@pytest.fixture
def tasks():
    failed = []
    made = BackgroundTasks(failed.append)
    yield made
    made.close()
    assert not failed


@pytest.fixture
def followed():
    return []


@pytest.fixture
def view(root, tasks, followed, tmp_path):
    write_image(tmp_path / "part.png", np.full((300, 3000, 3), 90, np.uint8))
    made = MarkdownView(root, tasks, followed.append)
    made.pack(fill="both", expand=True)
    root.update()
    headings = made.show(PAGE.format(long="word " * 60, filling="\n\n".join(["text " * 40] * 40)), tmp_path)
    assert [block.text for block in headings] == ["Top", "Far below"]
    focus(made.text)
    root.update()
    return made


def test_an_image_takes_its_place_and_no_more_than_the_width(view, tasks, wait):
    wait(lambda: tasks.pump() or view.text.image_names())
    (name,) = view.text.image_names()
    assert view.tk.call("image", "width", view.text.image_cget(name, "image")) <= view.text.winfo_width()
    content = view.text.get("1.0", "end")
    assert "[a part]" not in content and "[gone]" in content


def test_an_image_that_comes_late_is_left_out(view, tasks, wait, tmp_path):
    view.show("# Another", tmp_path)
    end = iter(range(60))
    wait(lambda: tasks.pump() or next(end, 60) >= 59)
    assert not view.text.image_names() and view.text.get("1.0", "end").strip() == "Another"


def test_the_page_cannot_be_written_on(view):
    before = view.text.get("1.0", "end")
    for key in ("x", "<BackSpace>", "<Delete>"):
        view.text.event_generate(key if key.startswith("<") else f"<Key-{key}>")
    view.update()
    assert view.text.get("1.0", "end") == before


def test_links_with_the_pointer(root, view, followed):
    for name, target in view._links.items():
        start = view.text.tag_ranges(name)[0]
        view.text.see("1.0")
        root.update()
        x, y, _, height = view.text.bbox(start)
        view.text.event_generate("<Motion>", x=x + 2, y=y + height // 2)
        view.text.event_generate("<Button-1>", x=x + 2, y=y + height // 2)
        view.text.event_generate("<ButtonRelease-1>", x=x + 2, y=y + height // 2)
        root.update()
        if target.startswith("#"):
            assert view.text.yview()[0] > 0.3
            view.text.yview_moveto(0)
    assert followed == ["other.md#x", "https://example.org"]


def test_links_with_the_keyboard(root, view, followed):
    for key in ("<Tab>", "<Tab>", "<Return>"):
        view.text.event_generate(key)
    root.update()
    assert followed == ["other.md#x"] and view.text.tag_ranges("current")
    view.text.event_generate("<Shift-Tab>")
    view.text.event_generate("<Return>")
    root.update()
    assert view.text.yview()[0] > 0.3


def test_after_the_last_link_the_focus_goes_on(root, view):
    from tkinter import ttk

    behind = ttk.Button(root, text="behind")
    behind.pack()
    root.update()
    for _ in range(4):
        view.text.event_generate("<Tab>")
        root.update()
    assert root.focus_get() is not view.text


def test_keys_scroll(root, view):
    view.text.event_generate("<Next>")
    root.update()
    assert 0 < view.text.yview()[0] < 1
    view.text.event_generate("<End>")
    root.update()
    assert view.text.yview()[1] == 1
    view.text.event_generate("<Home>")
    root.update()
    assert view.text.yview()[0] == 0


def test_headings_are_found_by_name(view):
    assert view.go_to("far-below") and view.text.yview()[0] > 0.3
    assert not view.go_to("nowhere")


def test_a_table_that_is_too_wide_becomes_a_list(view, tmp_path):
    wide = "very " * 60
    view.show(f"| Name | What | Note |\n|---|---|---|\n| a | {wide} | n |\n", tmp_path)
    lines = view.text.get("1.0", "end").split("\n")
    assert lines[0] == "a" and lines[1].startswith("What: very") and lines[2] == "Note: n"
    view.show(f"| 消息 | 怎么办 |\n|---|---|\n| {wide} | 重新复制 |\n", tmp_path)
    assert view.text.get("2.0", "2.end") == "怎么办：重新复制"
    view.show("| Name | What |\n|---|---|\n| a | b |\n", tmp_path)
    assert view.text.get("1.0", "1.end") == "Name\tWhat"


def test_chinese_breaks_between_characters(view, tmp_path):
    view.show("# 标题\n\n中文内容", tmp_path)
    assert str(view.text.cget("wrap")) == "char"
    view.show("# Title\n\nwords", tmp_path)
    assert str(view.text.cget("wrap")) == "word"
