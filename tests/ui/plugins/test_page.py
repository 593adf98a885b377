"""The plugin manager with real plugins in the plugins folder: nothing is installed without consent."""

import hashlib
import sys
import tkinter as tk
from tkinter import ttk

import pytest
from fakes import inside, words

from inspector import diagnostics
from inspector.ui.kit import strings
from inspector.ui.kit.form import Form
from inspector.ui.plugins.new_plugin_dialog import NewPluginDialog
from inspector.ui.plugins.page import PluginsPage, place_of, shortened

GOOD = """
from inspector.api import Option, SourceSpec, Text, hookimpl

PLUGIN = {{"id": "belt", "version": "{version}", "api": 1, "kinds": ["source"], "description": "A belt"}}

class Nothing:
    total = 0
    def __init__(self, speed=3): ...
    def __iter__(self):
        return iter(())
    def close(self): ...

@hookimpl
def inspector_sources():
    return [SourceSpec("belt", Text("Belt", "传送带"), Nothing, (Option("speed", int, 3, Text("Speed"), minimum=0),))]
"""
BROKEN = """
PLUGIN = {"id": "broken", "version": "0.3", "api": 1, "kinds": ["source"]}

def helper():
    raise ValueError("no camera driver")

helper()
"""


@pytest.fixture(autouse=True)
def clean_modules():
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("bearing_inspector_dropins"):
            del sys.modules[name]


@pytest.fixture
def belt(tmp_path):
    file = tmp_path / "传送带.py"
    file.write_text(GOOD.format(version="1.0"), "utf-8")
    return file


@pytest.fixture
def page(shell, home):
    (home / "plugins").mkdir(exist_ok=True)
    (home / "plugins" / "broken.py").write_text(BROKEN)
    shell.reload_plugins()
    made = shell.page = PluginsPage(shell.root, shell)
    made.pack(fill="both", expand=True)
    shell.root.update()
    return made


@pytest.fixture
def rest(shell, page, wait):
    """Wait until no task is running."""

    def until():
        wait(lambda: shell.tasks.pump() or not page._working, 30)

    return until


def rows(page):
    table = page.table
    return {
        table.set(item, "name"): (table.item(item, "text"), *table.item(item, "values"))
        for item in table.get_children()
    }


def test_every_plugin_is_listed_with_sign_and_word(page):
    listed = rows(page)
    assert listed["cameras"][:2] == ("✓ active", "cameras") and listed["cameras"][2] == "Camera"
    assert [str(value) for value in listed["cameras"][3:7]] == ["input source", "1.0", "1", "built in"]
    assert listed["broken"][0] == "✕ failed" and listed["broken"][6] == "user-installed"
    assert str(listed["cameras"][7]).endswith(" ms")


def test_a_broken_one_shows_reason_and_traceback(page):
    page.on_show(plugin="broken")
    page.update()
    assert "ValueError: no camera driver" in words(page.details)
    (box,) = inside(page.details, tk.Text)
    assert "in helper" in box.get("1.0", "end")


def test_installing_asks_first_and_shows_what_it_is(page, shell, belt, rest, home):
    page.install_from(belt)
    rest()
    ((title, text, buttons, default),) = shell.asked
    assert title == "Install this plugin?" and default == "leave" and buttons == {"install": True, "leave": False}
    digest = hashlib.sha256(belt.read_bytes()).hexdigest()
    for part in ("belt 1.0", str(belt), "A belt", "source", digest, "no sandbox"):
        assert part in text
    assert not (home / "plugins" / "belt").exists() and shell.said == []


def test_after_consent_it_is_installed_and_selected(page, shell, belt, rest):
    shell.answer = "install"
    page.install_from(belt)
    rest()
    assert shell.said == [("good", "belt 1.0 is installed.")]
    assert "belt" in shell.catalogue.sources and page.save_state() == {"plugin": "belt"}
    belt.write_text(GOOD.format(version="2.0"), "utf-8")
    page.install_from(belt)
    rest()
    assert "It replaces the installed version 1.0." in shell.asked[-1][1]
    assert shell.said[-1] == ("good", "belt 2.0 is installed and replaces 1.0.") and rows(page)["belt"][4] in (
        "2.0",
        2.0,
    )


def test_what_is_no_plugin_is_refused_in_one_sentence(page, shell, tmp_path, rest):
    (tmp_path / "x.py").write_text("x = 1")
    page.on_show(install=tmp_path / "x.py")
    rest()
    assert shell.asked == [] and shell.said[0][0] == "bad" and "PLUGIN" in shell.said[0][1]


def test_its_options_are_a_form_that_saves(page, shell, belt, rest):
    shell.answer = "install"
    page.install_from(belt)
    rest()
    (form,) = inside(page.details, Form)
    assert form.values() == {"speed": 3}
    form.go_to("speed")
    page.update()
    field = page.focus_get()
    field.delete(0, "end")
    field.insert(0, "7")
    field.event_generate("<Return>")
    page.update()
    assert shell.settings.get("belt.speed") == 7 and shell.changed == ["belt.speed"]


def test_switching_off_and_on(page, shell, rest):
    page.on_show(plugin="hot_folder")
    page.update()
    page.switch_button.invoke()
    rest()
    assert "hot_folder" not in shell.catalogue.sources and rows(page)["hot_folder"][0] == "○ disabled"
    assert page.switch_button.cget("text") == "Enable" and page.save_state() == {"plugin": "hot_folder"}
    page.switch_button.invoke()
    rest()
    assert "hot_folder" in shell.catalogue.sources
    assert shell.said == [("good", "hot_folder is disabled."), ("good", "hot_folder is enabled.")]


def test_a_model_that_is_switched_tells_what_stays(page, shell, rest):
    page.on_show(plugin="cgnet")
    page.update()
    page.switch_button.invoke()
    rest()
    assert "until the program is restarted" in shell.said[0][1]


def test_removing_asks_and_what_is_built_in_cannot_be_removed(page, shell, home, rest):
    page.on_show(plugin="cameras")
    page.update()
    assert page.remove_button.instate(["disabled"])
    page.on_show(plugin="broken")
    page.update()
    page.remove_button.invoke()
    assert (home / "plugins" / "broken.py").exists() and shell.asked[0][3] == "keep"
    shell.answer = "remove"
    page.remove_button.invoke()
    rest()
    assert not (home / "plugins" / "broken.py").exists() and "broken" not in rows(page)


def test_checking_a_drop_in_happens_in_another_process(page, shell, rest, home):
    (home / "plugins" / "broken.py").write_text(
        BROKEN.replace('raise ValueError("no camera driver")', "import os; os._exit(7)")
    )
    page.on_show(plugin="broken")
    page.update()
    page.check_button.invoke()
    rest()
    assert shell.said[0][0] == "bad" and "exit code 7" in shell.said[0][1]


def test_checking_what_works(page, shell, rest):
    page.on_show(plugin="tables")
    page.update()
    page.check_button.invoke()
    rest()
    kind, text = shell.said[0]
    assert kind == "good" and text.startswith("tables loads and works (")


def test_diagnostics_go_to_the_clipboard(page, shell, rest, monkeypatch):
    monkeypatch.setattr(diagnostics, "examine_apart", list)
    page.copy_button.invoke()
    assert page.copy_button.instate(["disabled"])
    rest()
    held = page.clipboard_get()
    assert "broken 0.3" in held and "no camera driver" in held and shell.said[0][0] == "good"


def test_in_chinese(shell, home):
    strings.set_language("zh")
    page = PluginsPage(shell.root, shell)
    page.on_show(plugin="cameras")
    assert rows(page)["cameras"][0] == "✓ 已启用" and rows(page)["cameras"][2] == "相机"
    page.on_show(plugin="annotated")
    assert "标注图片, 标注视频" in words(page.details)
    shown = [str(value) for box in inside(page.details, ttk.Combobox) for value in box.cget("values")]
    assert {"仅 WARN 和 NG", "全部", "无"} <= set(shown)


def test_the_place_of_a_plugin_is_its_file_or_folder(page, shell, belt, rest, home):
    shell.answer = "install"
    page.install_from(belt)
    rest()
    records = {record.id: record for record in shell.catalogue.records}
    assert place_of(records["belt"]) == home / "plugins" / "belt"
    assert place_of(records["broken"]) == home / "plugins" / "broken.py"
    assert place_of(records["cameras"]) is None


def test_what_is_too_long_for_its_cell_ends_in_an_ellipsis():
    assert shortened("a block, a neck", 15, len) == "a block, a neck"
    assert shortened("a block, a neck", 8, len) == "a block…"
    assert shortened("a block, a neck", 0, len) == "…"


def test_a_new_plugin_is_written_and_can_be_installed(page, shell, rest, tmp_path, monkeypatch, wait):
    opened = []
    monkeypatch.setattr("inspector.ui.plugins.page.open_path", opened.append)
    page.new_button.invoke()
    (dialog,) = inside(shell.root, NewPluginDialog)
    assert dialog.form.display_value("folder").endswith("plugins")
    dialog.form.set("name", "My Camera")
    dialog.make.invoke()
    wait(lambda: shell.tasks.pump() or "lower case letters" in dialog.status.cget("text"), 10)
    dialog.form.set("name", "my_camera")
    dialog.form.set("folder", str(tmp_path / "code" / "new"))
    dialog.make.invoke()
    wait(lambda: shell.tasks.pump() or opened, 10)
    place = tmp_path / "code" / "new" / "my_camera.py"
    assert opened == [place.parent] and place.is_file() and not dialog.winfo_exists()
    assert str(place) in shell.said[-1][1]
    shell.answer = "install"
    page.install_from(place)
    rest()
    assert "my_camera" in shell.catalogue.sources
