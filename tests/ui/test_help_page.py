"""Help: the steps do what they say, the manual can be read, keys and licences are listed."""

import tkinter as tk
from tkinter import ttk

import pytest
from fakes import inside, words

from inspector import diagnostics
from inspector.ui import help_page
from inspector.ui.help_page import HelpPage, licence_text, manual_folder, shortcuts
from inspector.ui.kit import strings


@pytest.fixture
def manual(tmp_path, monkeypatch):
    (tmp_path / "manual.en.md").write_text(
        "# Manual\n\n## Cameras\n\n[more](extra.md#deep)\n" + "\n\ntext" * 200, "utf-8"
    )
    (tmp_path / "manual.zh.md").write_text("# 手册\n\n## 相机\n", "utf-8")
    (tmp_path / "extra.md").write_text("# Extra\n" + "\n\ntext" * 200 + "\n\n## Deep\n", "utf-8")
    monkeypatch.setattr(help_page, "manual_folder", lambda: tmp_path)


@pytest.fixture
def page(shell, manual):
    made = HelpPage(shell.root, shell)
    made.pack(fill="both", expand=True)
    shell.root.update()
    return made


def press(page, text):
    next(button for button in inside(page, ttk.Button) if button.cget("text") == text).invoke()


def test_the_first_steps_do_the_steps(page, shell):
    for text in ("Try the sample images", "Go to Inspect", "Go to the history", "Go to training"):
        press(page, text)
    assert shell.shown == [("inspect", {"sample": True}), ("inspect", {}), ("history", {}), ("training", {})]
    press(page, "Open the manual")
    page.update()
    assert page.save_state() == {"topic": "manual"}


def test_the_manual_with_its_contents_and_links(page, shell):
    page.on_show(topic="manual")
    page.update()
    assert page.view.text.get("1.0", "1.end") == "Manual"
    (top,) = page.contents.get_children()
    (below,) = page.contents.get_children(top)
    assert page.contents.item(below, "text") == "Cameras"
    page._follow("extra.md#deep")
    page.update()
    assert page.view.text.get("1.0", "1.end") == "Extra" and page.view.text.yview()[0] > 0.5
    page._follow("nothing.md")
    assert shell.said == [("warn", "nothing.md is not in this manual.")]
    page.contents.selection_set(page.contents.get_children()[0])
    page.update()
    assert page.view.text.yview()[0] == 0


def test_an_address_is_copied_and_not_opened(page, shell):
    page._follow("https://example.org/x")
    assert page.clipboard_get() == "https://example.org/x" and "opens no web pages" in shell.said[0][1]


def test_a_heading_can_be_asked_for(page):
    page.on_show(topic="manual", anchor="cameras")
    page.update()
    assert page.save_state() == {"topic": "manual"}


def test_the_manual_in_chinese(shell, manual):
    strings.set_language("zh")
    page = HelpPage(shell.root, shell)
    page.pack(fill="both", expand=True)
    page.restore_state({"topic": "manual"})
    page.update()
    assert page.view.text.get("1.0", "1.end") == "手册"


def test_without_a_manual_it_says_so(page, tmp_path, monkeypatch):
    monkeypatch.setattr(help_page, "manual_folder", lambda: tmp_path / "nowhere")
    page.on_show(topic="manual")
    page.update()
    assert "is not included" in page.view.text.get("1.0", "end")


def test_about_lists_what_is_installed_with_licences(page, shell, wait):
    page.on_show(topic="about")
    wait(lambda: shell.tasks.pump() or page.packages.get_children())
    rows = {
        page.packages.item(item, "text").lower(): page.packages.item(item, "values")
        for item in page.packages.get_children()
    }
    assert "BSD" in rows["numpy"][1] and rows["numpy"][0]
    assert any("AGPL-3.0" in text for text in words(page))


def test_the_licence_can_be_read(page):
    assert "GNU AFFERO GENERAL PUBLIC LICENSE" in licence_text()
    press(page, "Read the licence")
    page.update()
    (window,) = inside(page, tk.Toplevel)
    (box,) = inside(window, tk.Text)
    assert "GNU AFFERO" in box.get("1.0", "end")
    window.event_generate("<Escape>")
    page.update()
    assert not inside(page, tk.Toplevel)


def test_diagnostics_go_to_the_clipboard(page, shell, wait, monkeypatch):
    monkeypatch.setattr(diagnostics, "examine_apart", list)
    page.copy_button.invoke()
    assert page.copy_button.instate(["disabled"])
    wait(lambda: shell.tasks.pump() or shell.said)
    assert page.clipboard_get().startswith("Bearing Inspector ") and page.copy_button.instate(["!disabled"])


def test_keys_are_listed_in_both_languages(shell, page):
    english = [key for keys in shortcuts().values() for key in keys]
    strings.set_language("zh")
    chinese = [text for keys in shortcuts().values() for text in keys.values()]
    assert {"F5", "Ctrl+O", "F11", "Ctrl+,"} <= set(english)
    assert all(any(ord(character) > 0x2E80 for character in text) for text in chinese)


def test_where_the_manual_lies():
    assert (manual_folder() / "manual.en.md").is_file() and (manual_folder() / "manual.zh.md").is_file()


def test_a_packaged_program_points_to_its_source(shell, tmp_path, monkeypatch):
    source = tmp_path / "bearing-inspector-0.1.0-source.tar.gz"
    shown = []
    monkeypatch.setattr(help_page.paths, "source_archive", lambda: source)
    monkeypatch.setattr(help_page.open_externally, "show_in_folder", shown.append)
    monkeypatch.setattr(shell.tasks, "run", lambda function, *arguments, **options: function(*arguments))
    page = help_page.HelpPage(shell.root, shell)
    assert any(str(source) in text for text in words(page))
    press(page, "Show the source code")
    assert shown == [source]


def test_the_manual_is_searched(shell, wait):
    page = HelpPage(shell.root, shell)
    page.pack(fill="both", expand=True)
    page.on_show(topic="manual")
    shell.root.update()
    page.sought.set("CONFIDENCE")
    first = page.view.text.index("sel.first")
    assert page.view.text.get("sel.first", "sel.last").lower() == "confidence"
    page._search()
    assert page.view.text.compare(page.view.text.index("sel.first"), ">", first)
    page.sought.set("no such word")
    page._search()
    assert not page.view.text.tag_ranges("found") and shell.said[-1][0] == "warn"
