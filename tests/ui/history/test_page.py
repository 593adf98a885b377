"""Searching the history, opening an old inspection with its masks, exporting, deleting: with a real history."""

import json
from datetime import datetime, timedelta

import numpy as np
import openpyxl
import pytest
from fakes import Shell, focus

from inspector import registry
from inspector.domain import Choice, Detection, Frame, Inspection, Job, Mask, ModelInfo, Rules, Skipped, judge
from inspector.history import History, Query
from inspector.history.listing import Listing
from inspector.imaging import write_image
from inspector.ui.history import filter_bar, purge_dialog
from inspector.ui.history import page as history_page
from inspector.ui.history.page import HistoryPage
from inspector.ui.history.stored_inspection import as_text, facts, load, load_inspection
from inspector.ui.kit import open_externally, strings

MODEL = ModelInfo("best.pt", "ab" * 32, "yolo11n-seg", ("wear", "pit"), device="cpu")
RULES = Rules.from_json({"classes": {"pit": {"area_px": {"warn": 50, "ng": 500}}}})
TODAY = datetime.now().astimezone()
COUNT = 12


@pytest.fixture(scope="module")
def catalogue():
    return registry.load(False)


@pytest.fixture
def image_folder(tmp_path):
    folder = tmp_path / "零件"
    folder.mkdir()
    for number in range(1, COUNT + 1):
        write_image(folder / f"{number}.png", np.full((60, 80, 3), 40 * (number % 5), np.uint8))
    return folder


def inspection(folder, number, moment):
    found = ()
    if number % 3 == 0:
        wear = Detection("wear", 0.9, (5.0, 5.0, 25.0, 15.0), Mask(5, 5, np.ones((10, 20), bool)), 0)
        pit = Detection("pit", 0.8, (40.0, 30.0, 50.0, 40.0), Mask(40, 30, np.tri(10, dtype=bool)), 1)
        found = (wear, pit) if number % 2 else (pit,)
    path = folder / f"{number}.png"
    frame = Frame(np.zeros((60, 80, 3), np.uint8), number, path.name, path=str(path))
    return Inspection(frame, found, judge(found, RULES), MODEL, number=number, time=moment.isoformat())


@pytest.fixture
def filled(home, image_folder):
    """Two runs: one of today and one of 40 days ago; 3 and 9 are NG, 6 and 12 are WARN."""
    with History.open() as history:
        for age in (40, 0):
            begin = TODAY - timedelta(days=age)
            run = history.begin(Job((), Choice("yolo11")), MODEL, f"batch {age}", None, begin.isoformat())
            for number in range(1, COUNT + 1):
                history.add(run, inspection(image_folder, number, begin + timedelta(milliseconds=number)))
            if not age:
                history.add_skipped(run, Skipped("broken.png", "it is cut off", str(image_folder / "broken.png")))
            history.finish(run, "done", {})
    return 2


@pytest.fixture
def shell(root, catalogue, pumped):
    shell = pumped(Shell(root, catalogue))
    yield shell
    assert shell.errors == []


@pytest.fixture
def page(root, shell, filled, wait, monkeypatch):
    monkeypatch.setattr(history_page, "_LOOK", 150)
    page = HistoryPage(root, shell)
    page.pack(fill="both", expand=True)
    root.update()
    page.on_show()
    wait(lambda: page._rows is not None and not page._rows.loading)
    yield page
    page.close()


def ids(page):
    return page._rows.keys[:, 0].tolist()


def search(page, wait, **fields):
    before = page._rows.version
    page.filter.set(**fields)
    wait(lambda: page._rows.version > before and not page._rows.loading)
    return len(page._rows)


@pytest.mark.quick
def test_it_shows_the_newest_first_and_how_many(page, wait):
    wait(lambda: page.count.cget("text") == "25 parts (25 images), 12 defects")
    assert page.table.columns[0].key == "verdict"
    wait(lambda: page.table.tree.item(page.table.tree.get_children()[1], "values"))
    assert page._rows.row(0).skipped == "it is cut off"
    assert [page._rows.row(index).name for index in (1, 2)] == ["12.png", "11.png"]


def test_it_filters(page, wait):
    for fields, rows in (
        ({"verdict": "NG"}, 4),
        ({"verdict": "WARN"}, 4),
        ({"verdict": "SKIPPED"}, 1),
        ({"period": "today"}, 13),
        ({"period": "month", "verdict": "NG"}, 2),
        ({"period": "yesterday"}, 0),
        ({"label": "PIT"}, 8),
        ({"model": "best*"}, 25),
        ({"model": "other.pt"}, 0),
        ({"run": "1"}, 12),
        ({"file": "3.png"}, 2),
        ({"text": "零件/12"}, 2),
    ):
        assert search(page, wait, **fields) == rows, fields
    wait(lambda: page.count.cget("text") == "2 parts (2 images), 2 defects")


def test_days_are_by_the_clock_on_the_wall(page, wait):
    old = TODAY - timedelta(days=40)
    day = f"{old:%Y-%m-%d}"
    assert search(page, wait, period="own", since=day, until=day) == 12
    assert page.filter.query().until - page.filter.query().since in (timedelta(hours=h) for h in (23, 24, 25))
    assert search(page, wait, period="own", since=f"{TODAY:%Y-%m-%d}") == 13


def test_what_is_no_day_is_said_and_changes_nothing(root, page, wait):
    before = page._rows.query
    page.filter.set(period="own", since="yesterday")
    root.update()
    assert page.filter._status.cget("text") == "✕ yesterday is not a date like 2026-11-23."
    assert page.filter._status.winfo_ismapped() and page._rows.query is before
    page.filter.set(run="abc")
    assert page.filter._status.cget("text") == "✕ abc is not a run number."
    page.filter.reset()
    assert not page.filter._status.grid_info()


def test_typing_searches_soon_and_a_date_chooses_its_period(page, wait):
    page.filter._values["text"].set("12.p")
    wait(lambda: page._rows.query.text == "12.p" and not page._rows.loading)
    assert len(page._rows) == 2
    page.filter._values["since"].set("2026-01-01")
    assert page.filter.values()["period"] == "own"
    page.filter._values["period"].set("Today")
    assert page.filter.values()["since"] == ""


def test_it_offers_what_there_is(page, wait):
    wait(lambda: page.filter._runs)
    choices = filter_bar.load_choices()
    assert (choices.labels, choices.models) == (("pit", "wear"), ("best.pt",))
    page.filter._values["run"].set(choices.runs[0][1])
    assert page.filter.query().run == 2


def select(page, wait, number, detection=0):
    (place, *_) = [
        place for place in range(len(page._rows)) if (row := page._rows.row(place)) and row.name == f"{number}.png"
    ]
    if detection:  # its row is there once the inspection is open
        page._opened(place)
        wait(lambda: page._rows.key(place + 1)[1])
        wait(lambda: page._rows.row(place + detection) is not None)
    page.table.select(place + detection)
    page._selected(page.table.selection())
    wait(lambda: page.details.stored is not None and page.details.stored.record["name"] == f"{number}.png")
    return place


def test_an_old_inspection_comes_back_with_its_masks(page, wait):
    select(page, wait, 9, detection=2)
    shown = page.details.stored.inspection
    assert shown.frame.image[0, 0, 0] == 40 * (9 % 5)
    assert [d.label for d in shown.detections] == ["wear", "pit"]
    assert np.array_equal(shown.detections[1].mask.pixels, np.tri(10, dtype=bool))
    assert page.details.image_view.selected == 1
    text = page.details.text.get("1.0", "end")
    for part in ("✕ NG", "wear: 1 found (limit 0)", "9.png", "ab" * 32, "80 × 60 px", "pit\t0.800\t55\t"):
        assert part in text


def test_a_click_on_a_defect_selects_its_row(page, wait):
    place = select(page, wait, 9, detection=1)
    page.details.image_view._on_select(1)
    assert list(page.table.selection()) == [place + 2]


def test_an_inspection_opens_to_its_defects_and_closes_again(page, wait):
    place = select(page, wait, 9)
    before = ids(page)
    for ways in (page._opened, lambda index: page._cell(index, "defects")):
        assert page._rows.fetch(place, place + 1)[0][3:5] == ("▸ 2", "pit, wear")
        ways(place)
        wait(lambda: len(page._rows) == len(before) + 2 and page._rows.row(place + 2))
        rows = page._rows.fetch(place, place + 3)
        assert rows[0][3] == "▾ 2" and [row[4:7] for row in rows[1:]] == [
            ("wear", "0.900", "200"),
            ("pit", "0.800", "55"),
        ]
        assert [row[0] for row in rows] == ["✕ NG", "", ""] and page._rows.parts == 25
        page._opened(place + 2)  # from one of its defects
        assert ids(page) == before and list(page.table.selection()) == [place]
    good = select(page, wait, 8)
    page._opened(good)
    assert not page._cell(good, "defects") and ids(page) == before


def test_an_open_inspection_stays_open_while_new_ones_come(page, wait, image_folder):
    place = select(page, wait, 9, detection=2)
    with History.open() as history:
        run = history.begin(Job((), Choice("yolo11")), MODEL, "new", None, TODAY.isoformat())
        history.add(run, inspection(image_folder, 3, datetime.now().astimezone()))
        history.finish(run, "done", {})
    wait(lambda: page._rows.parts == 26 and page.count.cget("text") == "26 parts (26 images), 14 defects")
    assert page._rows.is_open(place + 1) and list(page.table.selection()) == [place + 3]


def test_details_go_when_the_filter_finds_nothing(page, wait):
    select(page, wait, 9)
    search(page, wait, text="no such part")
    assert page.details.inspection is None and page.details.stored is None
    assert "9.png" not in page.details.text.get("1.0", "end")


def test_rows_have_thumbnails_of_what_is_seen(root, page, wait):
    tree = page.table.tree
    wait(lambda: sum(bool(tree.item(slot, "image")) for slot in tree.get_children()) > 5)
    slots = tree.get_children()
    assert not tree.item(slots[0], "image")  # the image that could not be read
    assert int(root.tk.call("image", "height", tree.item(slots[1], "image")[0])) == 40
    page._thumbnails.close()


def test_a_period_is_one_click_and_shows_its_newest_part(page, wait):
    buttons = page.periods.buttons
    wait(lambda: buttons["today", "NG"].cget("text") == "✕ NG 2")
    assert buttons["yesterday", "NG"].cget("text") == "✕ NG 0"
    buttons["today", "NG"].invoke()
    wait(lambda: page.details.stored is not None)
    assert page.details.stored.record["name"] == "9.png" and list(page.table.selection()) == [0]
    assert page.filter.values()["period"] == "today" and page.filter.values()["verdict"] == "NG"
    buttons["yesterday", ""].invoke()
    wait(lambda: len(page._rows) == 0 and page.details.inspection is None)
    buttons["shift", ""].invoke()
    wait(lambda: not page._rows.loading)
    assert page._rows.query.since <= datetime.now().astimezone() < page._rows.query.since + timedelta(hours=9)


def test_times_of_shifts_that_are_none_are_said(page, wait, shell):
    shell.settings.set("shifts", "morning")
    page.periods.press("shift")
    assert "'morning' is not the start time of a shift" in page.filter._status.cget("text")


def test_only_the_last_of_many_wishes_is_shown(page, wait):
    for place in range(1, 12):
        page.table.select(place)
        page._selected(page.table.selection())
    wait(lambda: page.details.stored is not None and page.details._loading is None)
    assert page.details.stored.record["id"] == ids(page)[11]


def test_an_image_that_is_gone_says_so_and_the_facts_stay(page, wait, image_folder):
    (image_folder / "9.png").unlink()
    select(page, wait, 9)
    assert page.details.stored.inspection is None
    assert "no longer exists" in page.details.image_view.canvas.itemcget(page.details.image_view._text, "text")
    assert "wear: 1 found (limit 0)" in page.details.text.get("1.0", "end")


def test_the_keyboard_reaches_everything(root, page, wait):
    focus(page.table.tree)
    page.table.tree.event_generate("<Down>")
    wait(lambda: page.details.stored is not None and page._rows.row(1) is not None)
    page.table.tree.event_generate("<Return>")
    root.update()
    wait(lambda: len(page._rows) == 25 + page._rows.row(1).defects)
    root.event_generate("<Control-f>")
    assert root.focus_get() is page.filter.text


def test_files_are_opened_and_copied(root, page, shell, wait, image_folder, monkeypatch):
    opened = []
    monkeypatch.setattr(open_externally, "open_path", opened.append)
    place = select(page, wait, 9)
    page.details._file_buttons[0].invoke()
    items = dict(page._menu(place))
    items["Open file"]()
    wait(lambda: len(opened) == 2)
    assert opened == [image_folder / "9.png"] * 2
    items["Copy path"]()
    assert root.clipboard_get() == str(image_folder / "9.png")
    page.details.copy()
    assert "Reasons\twear: 1 found (limit 0)\n" in root.clipboard_get()
    items["Show only this run"]()
    wait(lambda: page._rows.query.run == 2)


def test_facts_speak_chinese(page, catalogue):
    strings.set_language("zh")
    kept = load(catalogue, 9)
    assert ("原因", "wear 1 处（上限 0）\npit：面积 55 px² 超过 50 px²"[:14]) == (
        facts(kept)[1][0],
        facts(kept)[1][1][:14],
    )
    assert "类别\t置信度" in as_text(kept)


def test_the_inspection_page_gets_inspection_and_defect(filled, catalogue):
    with Listing() as listing:
        keys = [key for key in listing.keys(Query()).tolist() if key[0] == 9]
    assert [load_inspection(catalogue, *key)[1] for key in keys] == [0, 1]
    found, defect, place = load_inspection(catalogue, 1, 0)
    assert (found.frame.name, defect, place) == ("1.png", None, 0)
    skipped, defect, place = load_inspection(catalogue, 25, 0)
    assert (type(skipped), skipped.reason, defect, place) == (Skipped, "it is cut off", None, 12)


def test_another_page_asks_for_an_inspection_or_a_run(page, wait):
    page.on_show(inspection=3)
    wait(lambda: len(page.table.selection()) == 1 and page.details.stored)
    assert ids(page)[page.table.selection().first] == page.details.stored.record["id"] == 3
    page.on_show(run=1, export=True)
    wait(lambda: page._rows.query == Query(run=1) and not page._rows.loading)
    assert page._export.winfo_exists()
    assert [scope.title for scope in page._export._scopes][-1] == "Whole run 1"
    page._export.close()


def test_new_inspections_appear_by_themselves(page, wait, image_folder):
    with History.open() as history:
        run = history.begin(Job((), Choice("yolo11")), MODEL, "new", None, TODAY.isoformat())
        history.add(run, inspection(image_folder, 4, datetime.now().astimezone()))
        history.finish(run, "done", {})
    wait(lambda: len(page._rows) == 26)
    assert page._rows.prepended == 1
    wait(lambda: page.count.cget("text") == "26 parts (26 images), 12 defects")


def test_sorting_and_the_state_survive_a_rebuild(root, page, shell, wait):
    page.table._sort("score")
    wait(lambda: not page._rows.loading)
    search(page, wait, verdict="NG", text="png")
    page.table.set_widths({"model": 77})
    kept = json.loads(json.dumps(page.save_state()))
    page.close()
    page.pack_forget()
    again = HistoryPage(root, shell)
    again.restore_state(kept)
    again.pack(fill="both", expand=True)
    root.update()
    again.on_show()
    wait(lambda: again._rows is not None and not again._rows.loading)
    assert len(again._rows) == 4 and again._rows.order.column == "score"
    assert again.table.widths()["model"] == 77
    again.close()


def test_exporting_the_selection(page, shell, wait, tmp_path):
    select(page, wait, 9)
    page.export()
    dialog = page._export
    assert [scope.title for scope in dialog._scopes] == [
        "Filtered results (25 parts)",
        "Selected rows (1)",
        "Whole run 2",
    ]
    dialog._what.set(1)
    dialog._what_changed()
    wait(lambda: dialog.covered.get(1))
    assert "Parts: 1, images: 1 of 12 (runs: 1)" in dialog._covers.cget("text")
    assert "states no yield" in dialog._covers.cget("text")
    dialog._folder.set(str(tmp_path / "out"))
    for id, value in dialog._chosen.items():
        value.set(id in ("jsonl", "images"))
    dialog._check()
    dialog._start.invoke()
    assert page.close_warning() == "An export is running; closing cancels it."
    wait(lambda: not dialog.winfo_exists())
    assert page.close_warning() == ""
    (folder,) = (tmp_path / "out").iterdir()
    lines = (folder / "results.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["9.png"]
    assert list(folder.rglob("*9*.*"))
    assert shell.said[-1] == ("good", f"1 images exported to {folder}")
    scope = json.loads((folder / "scope.json").read_text("utf-8"))
    assert scope["query"] == {"selection": True} and (scope["inspections"], scope["total"]) == (1, 12)
    page.export()  # remembers the formats
    assert {id for id, value in page._export._chosen.items() if value.get()} == {"jsonl", "images"}
    page._export.close()


def test_the_dialog_says_what_goes_out_and_is_modal_until_it_starts(root, page, shell, wait, tmp_path):
    search(page, wait, period="today", verdict="NG")
    page.export()
    dialog = page._export
    wait(lambda: dialog.covered)
    said = dialog._covers.cget("text")
    assert "verdict NG" in said and "Parts: 2, images: 2 of 12 (runs: 1)" in said
    assert dialog._writes.cget("text") == "Writes: Excel workbook"  # nothing else at first
    assert "Today NG" in dialog._called.get() and root.grab_current() is dialog
    dialog._chosen["images"].set(True)
    dialog._check()
    assert dialog._writes.cget("text") == "Writes: Annotated images (up to 2 images) · Excel workbook"
    dialog._called.set("for the audit")
    dialog._folder.set(str(tmp_path / "out"))
    dialog.start()
    assert root.grab_current() is None
    wait(lambda: not dialog.winfo_exists())
    book = openpyxl.load_workbook(tmp_path / "out" / "for the audit" / "results.xlsx")
    lines = {row[0]: row[1] for row in book["Summary"].iter_rows(values_only=True)}
    assert lines["Inspections"] == "2 of 12" and lines["NG"] == 2 and not any("ield" in str(key) for key in lines)
    assert book["Scope"]["B1"].value.endswith("verdict NG")
    assert book["Inspections"].max_row == 3


def test_exporting_what_the_filter_finds_tells_of_images_that_are_gone(page, shell, wait, tmp_path, image_folder):
    (image_folder / "3.png").unlink()
    search(page, wait, verdict="NG")
    page.export()
    dialog = page._export
    dialog._folder.set(str(tmp_path / "out"))
    for id, value in dialog._chosen.items():
        value.set(id in ("jsonl", "images"))
    dialog.start()
    wait(lambda: not dialog.winfo_exists())
    (folder,) = (tmp_path / "out").iterdir()
    assert len((folder / "results.jsonl").read_text("utf-8").splitlines()) == 4
    assert shell.said[-1][0] == "warn" and shell.said[-1][1].startswith("2 images could not be read again:")


def test_an_export_can_be_cancelled_and_leaves_nothing(page, shell, wait, tmp_path):
    page.export()
    dialog = page._export
    dialog._folder.set(str(tmp_path / "out"))
    for id, value in dialog._chosen.items():
        value.set(id == "images")
    dialog.start()
    dialog.close()
    wait(lambda: not dialog.winfo_exists())
    assert shell.said[-1][1] == "Export cancelled; no files were left behind."
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_refused_export_says_why_and_stays(page, shell, wait, tmp_path):
    (tmp_path / "out").write_text("a file", "utf-8")
    page.export()
    dialog = page._export
    dialog._folder.set(str(tmp_path / "out"))
    dialog.start()
    wait(lambda: not dialog.working)
    assert dialog._status.cget("text").startswith("✕ The folder")
    for value in dialog._chosen.values():
        value.set(False)
    dialog._check()
    assert dialog._start.instate(["disabled"]) and dialog._status.cget("text") == "Choose at least one format."
    dialog.close()


def test_old_inspections_are_deleted_after_asking(page, shell, wait):
    page.purge()
    (dialog,) = [child for child in shell.root.winfo_children() if isinstance(child, purge_dialog.PurgeDialog)]
    dialog.days.set("x")
    assert dialog.status.cget("text") == "Enter a number of days." and dialog.delete.instate(["disabled"])
    dialog.days.set("30")
    wait(lambda: dialog.status.cget("text") == "Inspections that would be deleted: 12")
    dialog.ask()  # answered by the safe one
    assert shell.asked[-1][0] == "Delete 12 inspections?" and dialog.winfo_exists()
    shell.answer = "delete"
    dialog.ask()
    wait(lambda: len(page._rows) == 13)
    assert ("good", "Inspections deleted: 12") in shell.said
    with History.open() as history:
        assert history.count(Query()) == 13


def test_the_statistics_of_the_same_filter_are_a_click_away(page, shell, wait):
    search(page, wait, verdict="NG")
    page._to_statistics()
    ((name, what),) = shell.shown
    assert (name, what["filter"]["verdict"]) == ("statistics", "NG")
