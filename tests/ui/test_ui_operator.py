"""The operator's view: the verdict, and the three keys that its last line names."""

import pytest

from inspector.domain import Skipped


@pytest.fixture
def view(window, page, until):
    page.toggle_operator()
    until(lambda: page._operator.winfo_viewable())
    page._operator.focus_force()
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
    assert view.preview.detections
    page._show(Skipped("a.png", "it is cut off"), saved=False)
    assert view.banner.status == "SKIPPED" and "cut off" in view.banner._reason.cget("text")


def test_f5_starts_and_escape_stops(window, page, view, until, faults):
    window.session.set_rules(None)
    press(view, "<F5>")
    assert window.session.run is not None
    until(lambda: not window.session.active)
    until(lambda: "5" in view._words.cget("text"))
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
