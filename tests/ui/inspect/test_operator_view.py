"""The operator view: verdict, counters, buttons and keys."""

from dataclasses import replace

import pytest
from fakes import focus

from inspector.api import Choice
from inspector.domain import Grouping, RecipeInfo, Skipped
from inspector.jobs.recipes import Recipe
from inspector.ui.kit import strings


@pytest.fixture
def view(window, page, until):
    page.toggle_operator()
    until(lambda: page._operator.winfo_viewable())
    focus(page._operator)
    window.root.update()
    yield page._operator
    if page._operator is not None:
        page.toggle_operator()


def press(view, key):
    view.event_generate(key)
    view.update()


def test_it_shows_what_the_window_shows(window, page, view, until):
    assert view.banner.status == page.banner.status == "OK"
    page.step(1)
    until(lambda: view.banner.status == "NG")
    assert view.image_view.detections
    page._show(Skipped("a.png", "it is cut off"), saved=False)
    assert view.banner.status == "SKIPPED" and "cut off" in view.banner._reason.cget("text")


def test_f5_starts_and_escape_stops(window, page, view, until, faults):
    window.session.set_rules(None)
    press(view, "<F5>")
    assert window.session.run is not None
    until(lambda: not window.session.active)
    until(lambda: view.counters["inspected"].cget("text") == "5 (5)")
    stopped = []
    window.session.stop = lambda: stopped.append(True)
    window.session.__class__.active, active = property(lambda session: True), window.session.__class__.active
    try:
        press(view, "<Escape>")
    finally:
        window.session.__class__.active = active
        del window.session.stop
    assert stopped == [True]


def test_f11_goes_back_and_leaves_no_timer(window, page, view, until, faults):
    press(view, "<F11>")
    assert page._operator is None and not view.winfo_exists()
    later = []
    window.root.after(500, lambda: later.append(True))
    until(lambda: later)
    assert not faults.found
    page.toggle_operator()
    assert page._operator is not None


def test_closing_its_window_goes_back(window, page, view):
    window.root.tk.call(*window.root.tk.splitlist(view.protocol("WM_DELETE_WINDOW")))
    assert page._operator is None


def test_nothing_in_it_can_be_broken(window, page, view):
    def kinds(widget):
        yield widget.winfo_class()
        for child in widget.winfo_children():
            yield from kinds(child)

    assert not {"TEntry", "TSpinbox", "TCombobox", "TScale", "Treeview"} & set(kinds(view))


def test_it_covers_the_screen(window, view):
    assert view.winfo_width() >= view.winfo_screenwidth() - 4
    assert view.winfo_height() >= view.winfo_screenheight() - 4


def test_the_language_changes_while_it_is_open(window, page, view, until, faults):
    window.settings.set("language", "zh")
    window.settings_changed("language")
    until(lambda: window.inspect_page() is not page)
    page._operator = None
    later = []
    window.root.after(500, lambda: later.append(True))
    until(lambda: later)
    assert not faults.found and window.inspect_page()._operator is None


def test_its_buttons_start_pause_stop_and_go_back(window, page, view, until, parts):
    def possible():
        return {key for key, button in view.buttons.items() if button.instate(["!disabled"])}

    watched = Choice("hot_folder", {"folder": str(parts), "settle": 0.1})
    window.session.open_choices([watched], "line")
    until(lambda: possible() == {"start", "back"})
    view.buttons["start"].invoke()
    assert view.banner.status == "" and view.banner.displayed[1] == "starting…", "the old verdict is gone"
    until(lambda: possible() == {"pause", "stop", "back"})
    until(lambda: window.session.run.counts.inspected == 5 and view.banner.status == "OK")
    view.buttons["pause"].invoke()
    until(lambda: view.buttons["pause"].cget("text") == "Resume")
    assert "paused" in view._state_label.cget("text") and view.banner._faded
    view.buttons["pause"].invoke()
    until(lambda: "running" in view._state_label.cget("text") and view.banner.status == "")
    view.buttons["stop"].invoke()
    until(lambda: not window.session.active)
    until(lambda: "stopped" in view._state_label.cget("text"))
    assert view.banner.status == page.banner.status == ""
    view.buttons["back"].invoke()
    assert page._operator is None


def test_a_run_that_has_ended_leaves_its_last_verdict_in_grey(window, page, view, until):
    window.session.set_rules(None)
    press(view, "<F5>")
    until(lambda: window.session.run is not None and not window.session.active)
    until(lambda: "ended" in view._state_label.cget("text"))
    until(lambda: view.banner.faded and view.banner.status == "OK")
    counted = {key: label.cget("text") for key, label in view.counters.items()}
    assert counted == {"ok": "3", "warn": "0", "ng": "2", "skipped": "0", "inspected": "5 (5)", "yield": "60.0%"}


def test_opened_after_the_end_it_shows_the_last_verdict_in_grey(window, page, until):
    page.start()
    until(lambda: window.session.run is not None and not window.session.active and page._finished)
    page.toggle_operator()
    assert page._operator.banner.status == page.banner.status and page._operator.banner._faded
    page.toggle_operator()


def test_a_result_that_comes_after_the_end_is_grey_too(window, page, view, until):
    page.start()
    until(lambda: window.session.run is not None and not window.session.active and page._finished)
    until(lambda: view.banner.faded)
    view.show(page._shown)
    assert not view.banner.faded
    until(lambda: view.banner.faded)


def test_the_verdict_of_a_preview_stands_in_grey(window, page, until):
    """After a run other rules give the image another verdict: no green OK for a part that the run called NG."""
    page.start()
    until(lambda: window.session.run is not None and not window.session.active and page._finished)
    page.step(-1)
    until(lambda: "Preview" in page._unsaved.cget("text"))
    page.toggle_operator()
    view = page._operator
    assert view.banner._faded and view.banner.status == page.banner.status and "not saved" in view.banner.displayed[1]
    page.step(1)
    until(lambda: view.banner._faded and view.banner.status == page.banner.status)
    assert "not saved" in view.banner.displayed[1]
    page.toggle_operator()


def test_it_is_legible_from_two_metres(window, page, view, until):
    """NG is twice as tall as it was (a font of 113 px); of 62 px capitals and digits have 45."""
    page.step(1)
    until(lambda: view.banner.status == "NG")
    assert view.winfo_width() == 1366 and abs(view.banner._font["size"]) >= 2 * 113
    assert abs(view.banner._small["size"]) >= 62 and abs(view._fonts["number"]["size"]) >= 62
    assert min(button.winfo_height() for button in view.buttons.values()) >= 64


def test_no_word_is_cut(window, page, view, until):
    strings.set_language("zh")
    try:
        view.banner.skipped("图片已损坏，无法读取其内容，请重新拍摄")
        window.root.update()
        for label, font in ((view.banner._word, view.banner._font), (view.banner._reason, view.banner._small)):
            widest = max(font.measure(line) for line in str(label.cget("text")).splitlines())
            lines = -(-widest // label.winfo_width())
            assert label is view.banner._reason or lines == 1
    finally:
        strings.set_language("en")
    for label in (*view.counters.values(), *view._captions.values()):
        label.update()
        assert label.winfo_reqwidth() <= label.winfo_width()
    for button in view.buttons.values():
        assert button.winfo_reqwidth() <= button.winfo_width()


def test_an_error_is_said_in_the_panel_until_it_is_acknowledged(window, page, view, until):
    window.session.sources = ()
    page.start()
    until(lambda: view.banner.status == "ALARM")
    assert "There is nothing to inspect" in view.banner.displayed[1] and view._seen.winfo_manager()
    assert page.banner.status != "ALARM", "the window says it in a message"
    view._seen.invoke()
    until(lambda: view.banner.status == "" and not view._seen.winfo_manager())


def test_recipe_and_rules_stand_in_its_head(window, page, view, until):
    window.session.use_recipe(Recipe(replace(window.session.job(), recipe=RecipeInfo("Bearing 6204", 1, ""))))
    until(lambda: "Recipe Bearing 6204" in view._facts.cget("text"))
    assert "any defect is NG" in view._facts.cget("text")


def test_little_room_is_said_beside_the_verdict(window, page, view, until):
    page.start()
    until(lambda: window.session.run is not None and not window.session.active)
    sentence = "Only 300 MB are free on the disk of /r, which is less than 1000 MB; make room soon"
    window.session.run.alarms.begin("space", sentence)
    until(lambda: view._hint.winfo_manager() and view._seen.winfo_manager())
    assert view._hint.cget("text") == sentence and view.banner.status == "OK"
    view._seen.invoke()
    until(lambda: not view._hint.winfo_manager() and not view._seen.winfo_manager())


def test_it_shows_the_verdict_of_the_part_and_none_that_is_not_final(window, page, view, until):
    window.session.parts = Grouping(count=2)
    press(view, "<F5>")
    until(lambda: not window.session.active and page._finished)
    counted = {key: view.counters[key].cget("text") for key in ("ok", "warn", "ng", "inspected", "yield")}
    assert counted == {"ok": "0", "warn": "1", "ng": "2", "inspected": "3 (5)", "yield": "0.0%"}
    # The last part has one of two images, and that is OK: its verdict is not.
    assert view.banner.status == page.banner.status == "WARN"
    page.toggle_operator()
    page.toggle_operator()
    assert page._operator.banner.status == "WARN"
