"""The settings: everything declared is there, is saved and acts at once."""

from tkinter import ttk

import pytest
from fakes import inside, words

from inspector import registry
from inspector.settings import CORE, Settings
from inspector.system import paths
from inspector.ui.kit import strings
from inspector.ui.settings_page import SettingsPage, history_size


@pytest.fixture
def page(shell):
    made = shell.page = SettingsPage(shell.root, shell)
    made.pack(fill="both", expand=True)
    shell.root.update()
    return made


def ticks(page):
    return {str(tick.cget("text")): tick for tick in inside(page, ttk.Checkbutton) if tick.cget("text")}


def test_every_setting_of_the_program_can_be_changed_here(page):
    shown = {key for form in page.forms.values() for key in form.values()}
    assert {option.key for option in CORE} - shown == {"exporters"}  # ticks of their own


def test_a_change_is_saved_and_told(page, shell, wait):
    form = page.forms["Language and appearance"]
    form.go_to("theme")
    page.update()
    page.focus_get().set("dark")
    wait(lambda: shell.changed)
    assert (
        shell.changed == ["theme"] and shell.settings.get("theme") == "dark" and Settings.load().get("theme") == "dark"
    )


def test_text_size_in_steps_and_language_by_name(page, shell, wait):
    form = page.forms["Language and appearance"]
    form.go_to("text_size")
    page.update()
    page.focus_get().set("150")
    form.go_to("language")
    page.update()
    assert page.focus_get().cget("values") == ("System default", "English", "中文")
    page.focus_get().set("中文")
    wait(lambda: len(shell.changed) == 2)
    assert shell.settings.get("text_size") == 150 and shell.settings.get("language") == "zh"


def test_what_a_run_writes(page, shell):
    assert {text for text, tick in ticks(page).items() if tick.instate(["selected"])} == {
        spec.title.en for spec in shell.catalogue.exporters.values() if spec.default
    }
    for text, tick in ticks(page).items():
        if tick.instate(["selected"]) != (text in ("Excel workbook", "CSV tables")):
            tick.invoke()
    assert shell.settings.get("exporters").split(",") == ["xlsx", "csv"] and set(shell.changed) == {"exporters"}
    for text in ("Excel workbook", "CSV tables"):
        ticks(page)[text].invoke()
    assert shell.settings.get("exporters") == "none"
    next(button for button in inside(page, ttk.Button) if button.cget("text") == "Restore defaults").invoke()
    assert shell.settings.get("exporters") == "" and shell.settings.overrides == {}


def test_camera_defaults_are_the_camera_plugins_options(page, shell):
    form = page.forms["Cameras"]
    form.go_to("width")
    page.update()
    field = page.focus_get()
    field.insert(0, "1920")
    field.event_generate("<Return>")
    page.update()
    assert shell.settings.get("camera.width") == 1920 and shell.changed == ["camera.width"]


def test_without_the_camera_plugin_there_are_none(page, shell):
    registry.disable("cameras")
    shell.reload_plugins()
    assert "Cameras" not in page.forms and "Saving" in page.forms


def test_the_size_of_the_history(page, shell, wait):
    page.on_show()
    wait(lambda: shell.tasks.pump() or page._history_size.get())
    assert page._history_size.get().startswith("The history holds 0 inspections in 0.")
    assert history_size()[1] > 0


def test_a_damaged_history_is_told(page, shell, wait):
    paths.history_file().write_bytes(b"no database " * 1000)
    page.on_show()
    wait(lambda: shell.tasks.pump() or page._history_size.get())
    assert page._history_size.get().startswith("✕ ")


def test_a_setting_that_cannot_be_saved_is_told(page, shell):
    paths.settings_file().mkdir()
    page.save("theme", "dark")
    assert shell.said[0][0] == "bad" and shell.changed == []


def test_one_column_where_it_is_narrow(page, shell):
    assert len({group.winfo_rootx() for group in page._groups}) == 2
    shell.root.geometry("700x768")
    shell.root.update()
    assert len({group.winfo_rootx() for group in page._groups}) == 1


def test_in_chinese(shell):
    strings.set_language("zh")
    page = SettingsPage(shell.root, shell)
    assert "语言" in words(page) and "OK 的颜色" in words(page)


def test_it_is_there_also_after_another_page(shell):
    """Tk leaves a page out that asks for a width of one pixel and takes another one's place in the grid."""
    first = ttk.Label(shell.root, text="first")
    shell.root.columnconfigure(0, weight=1)
    shell.root.rowconfigure(0, weight=1)
    first.grid(row=0, column=0, sticky="nsew")
    shell.root.update()
    first.grid_remove()
    page = SettingsPage(shell.root, shell)
    page.grid(row=0, column=0, sticky="nsew")
    shell.root.update()
    assert page.winfo_width() == 1366 and page._groups[0].winfo_ismapped()


def test_what_was_changed_elsewhere_is_shown(page, shell):
    shell.settings.set("theme", "dark")
    shell.settings.set("camera.width", 640)
    page.on_show()
    assert page.forms["Language and appearance"].values()["theme"] == "dark"
    assert page.forms["Cameras"].values()["width"] == 640 and shell.changed == []
