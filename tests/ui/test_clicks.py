"""Clicks needed for common reporting tasks, counted in the real window with real clicks."""

import json

import openpyxl
import pytest

from inspector.domain import Rules
from inspector.history import History, Query


@pytest.fixture
def click(window):
    """``click(button)``: press a button where it is on the screen; it must be visible. ``click.count`` counts."""

    def press(button):
        window.root.update()
        assert button.winfo_viewable() and not button.instate(["disabled"]), button.cget("text")
        x, y = button.winfo_width() // 2, button.winfo_height() // 2
        button.event_generate("<Enter>", x=x, y=y)
        button.event_generate("<Button-1>", x=x, y=y)
        button.event_generate("<ButtonRelease-1>", x=x, y=y)
        press.count += 1
        window.root.update()

    press.count = 0
    return press


def ran(window, page, until):
    page.start()
    until(lambda: page._finished and window.session.run.counts.inspected == 5)


def aged(days):
    """Move all inspections of the history into the past."""
    with History.open() as history:
        history._connection.execute("UPDATE inspection SET at = at - ?", (days * 86_400_000,))


def test_an_ng_part_of_yesterday_takes_two_clicks(window, page, until, click):
    ran(window, page, until)
    aged(1)
    click(window._nav["history"])
    history = window._pages["history"]
    until(lambda: history.periods.buttons["yesterday", "NG"].cget("text") == "✕ NG 2")
    click(history.periods.buttons["yesterday", "NG"])
    until(lambda: history.details.stored is not None)
    assert click.count == 2 and history.details.stored.record["name"] == "part-3.png"
    assert len(history._rows) == 2


def test_todays_ng_parts_to_excel_take_four_clicks(window, page, until, click, tmp_path):
    ran(window, page, until)
    window.settings.set("output_folder", str(tmp_path / "out"))
    click(window._nav["history"])
    history = window._pages["history"]
    click(history.periods.buttons["today", "NG"])
    until(lambda: history._rows is not None and not history._rows.loading and len(history._rows) == 2)
    click(history.export_button)
    dialog = history._export
    until(lambda: dialog.covered)
    click(dialog._start)
    until(lambda: not dialog.winfo_exists())
    assert click.count == 4
    (book,) = (tmp_path / "out").rglob("results.xlsx")
    names = [row[2].value for row in openpyxl.load_workbook(book)["Inspections"].iter_rows(min_row=2)]
    assert names == ["part-1.png", "part-3.png"] and sorted(file.name for file in book.parent.iterdir()) == [
        "results.xlsx",
        "scope.json",
    ]


def test_the_export_key_does_what_the_button_does(window, page, until):
    ran(window, page, until)
    window.show("history")
    history = window._pages["history"]
    history.filter.set(verdict="OK")
    until(lambda: history._rows is not None and not history._rows.loading and len(history._rows) == 3)
    by = {}
    for way, act in (
        ("key", lambda: window.root.event_generate("<Control-e>")),
        ("button", history.export_button.invoke),
    ):
        act()
        window.root.update()
        dialog = history._export
        until(lambda dialog=dialog: dialog.covered)
        by[way] = [(s.title, s.query, s.selected) for s in dialog._scopes], dialog._covers.cget("text")
        dialog.close()
    assert by["key"] == by["button"] and "verdict OK" in by["key"][1]
    assert history.filter.values()["verdict"] == "OK" and len(history._rows) == 3  # nothing was replaced
    window.show("inspect")
    window.root.focus_force()  # as a window manager does once the dialog is gone
    window.root.update()
    window.root.event_generate("<Control-e>")
    until(lambda: page._export is not None and page._export.covered)
    assert window.page == "inspect" and "run 1" in page._export._covers.cget("text")
    assert history.filter.values()["verdict"] == "OK"
    page._export.close()


def test_a_recipe_is_reopened_by_one_click_and_says_what_it_set(window, page, until, click, tmp_path):
    rules = Rules.from_json({"name": "strict", "classes": {"*": {"area_px": {"ng": 50}}}})
    window.session.set_thresholds(0.6, 0.3)
    window.session.set_rules(rules)
    file = tmp_path / "6205 outer ring.bearing"
    page.sources.save_recipe_as(file, window.session.job())
    until(lambda: window.root.title() == "6205 outer ring – Bearing Inspector")
    window.session.set_thresholds(0.25, 0.45)
    until(lambda: window.root.title() == "6205 outer ring * – Bearing Inspector")
    window.session.set_rules(None)
    buttons = [each for each in page.controls._recipes.winfo_children() if each.winfo_class() == "TButton"]
    assert [button.cget("text") for button in buttons] == ["6205 outer ring"]
    click(buttons[0])
    until(lambda: window.root.title() == "6205 outer ring – Bearing Inspector" and not window.session.loading)
    assert click.count == 1 and (window.session.confidence, window.session.rules) == (0.6, rules)
    said = [each.text for each in window.messages.history]
    assert any("“6205 outer ring” is set up" in text and "0.6" in text and "1 limit active" in text for text in said)
    until(lambda: "strict #" in page._judged.cget("text"))
    ran(window, page, until)
    with History.open() as history:
        record = next(iter(history.records(Query())))
    assert record["recipe"]["name"] == "6205 outer ring" and record["recipe"]["version"] == 1


def test_a_recipe_whose_model_has_changed_is_said(window, page, until, tmp_path, monkeypatch):
    weights = tmp_path / "best.pt"
    weights.write_bytes(b"now")
    job = {"sources": [], "model": {"id": "spots"}, "weights": str(weights)}
    file = tmp_path / "old.bearing"
    file.write_text(json.dumps({"recipe": {"name": "old", "version": 1}, "model": {"sha256": "00"}, "job": job}))
    monkeypatch.setattr(page.controls, "use_model", lambda text: None)
    page.sources.use_recipe(file)
    until(
        lambda: any("differs from the one the recipe “old” was saved with" in m.text for m in window.messages.history)
    )
