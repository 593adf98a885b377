"""Another start of the program, and a program that cannot start."""

import json
import sys

import pytest

from inspector import ui
from inspector.domain import InspectorError
from inspector.system import single_instance
from inspector.ui import second_instance, startup_error


@pytest.fixture
def only(window):
    """The right to be the window, given to ``window``."""
    taken = single_instance.take_or_hand_over(single_instance.Request())
    second_instance.listen(window, taken)
    yield taken
    taken.close()


def ask(home, **request):
    file = home / "to-open" / "1.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"sources": [], "recipe": ""} | request))
    return file


def test_the_window_opens_what_a_second_start_asks_for(window, only, until, home, parts):
    image = parts / "part-3.png"
    file = ask(home, sources=[str(image)])
    until(lambda: not file.exists())
    until(lambda: window.inspect_page().controls.source_box.get().endswith("part-3.png"))


def test_it_opens_a_recipe(window, only, until, home, parts):
    recipe = home / "检测.bearing"
    job = window.session.job().to_json() | {"confidence": 0.5}
    recipe.write_text(json.dumps({"job": job}), "utf-8")
    ask(home, recipe=str(recipe))
    until(lambda: window.session.confidence == 0.5)


def test_it_comes_back_from_another_page_and_stays_below_others_afterwards(window, only, until, home, parts):
    window.show("plugins")
    ask(home, sources=[str(parts)])
    until(lambda: window.page == "inspect")
    until(lambda: not window.root.attributes("-topmost"))


def test_a_start_without_anything_to_open_leaves_the_page(window, only, until, home):
    window.show("history")
    file = ask(home)
    until(lambda: not file.exists())
    assert window.page == "history"


def test_a_window_that_is_closing_does_not_answer(window, only, until, home):
    window._leaving = True
    file = ask(home)
    for _ in range(100):
        window.root.update()
        window.root.after(5)
    assert file.exists()
    window._leaving = False  # the person decided to stay
    until(lambda: not file.exists())


def test_why_there_is_no_window_is_shown_where_nobody_sees_a_terminal(display, monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(
        startup_error.messagebox, "showerror", lambda title, text, **options: shown.append((title, text))
    )
    monkeypatch.setattr(sys, "_MEIPASS", str(ui.paths.assets().parent), raising=False)
    monkeypatch.setattr(ui.paths, "frozen", lambda: True)

    def refuse(request):
        raise InspectorError("It does not answer")

    monkeypatch.setattr(ui.single_instance, "take_or_hand_over", refuse)
    assert ui.main([]) == 1
    assert shown == [("Bearing Inspector", "It does not answer")]
    assert capsys.readouterr().err == "bearing-inspector: It does not answer\n"
    monkeypatch.setattr(ui.paths, "frozen", lambda: False)
    assert ui.main([]) == 1 and len(shown) == 1


def test_a_second_start_says_where_it_went(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(ui.single_instance, "take_or_hand_over", asked.append)
    assert ui.main(["--open", "camera:0"]) == 0
    assert asked == [single_instance.Request(("camera:0",))] and "is already open" in capsys.readouterr().err


def test_it_shows_the_operators_view_and_starts(window, only, until, home, parts):
    ask(home, sources=[str(parts)], operator=True, start=True)
    page = window.inspect_page()
    until(lambda: page._operator is not None and window.session.run is not None)
    until(lambda: not window.session.active)
    assert window.session.run.counts.inspected == 5
    page.toggle_operator()
