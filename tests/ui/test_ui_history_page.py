"""Searching the history, opening an old inspection with its masks, exporting, deleting: with a real history."""

import json
from datetime import datetime, timedelta

import numpy as np
import pytest

from inspector import registry
from inspector.domain import Choice, Detection, Frame, Inspection, Job, Mask, ModelInfo, Rules, Skipped, judge
from inspector.history import History, Query
from inspector.history.listing import Listing
from inspector.imaging import write_image
from inspector.settings import Settings
from inspector.ui import filters, history_page, opening, purge_dialog, texts
from inspector.ui.history_page import HistoryPage
from inspector.ui.record_view import as_text, facts, load, load_inspection
from inspector.ui.work import Tasks

MODEL = ModelInfo("best.pt", "ab" * 32, "yolo11n-seg", ("wear", "pit"), device="cpu")
RULES = Rules.from_json({"classes": {"pit": {"area_px": {"warn": 50, "ng": 500}}}})
TODAY = datetime.now().astimezone()
COUNT = 12


@pytest.fixture(scope="module")
def catalogue():
    return registry.load(False)


class FakeShell:
    def __init__(self, root, catalogue):
        self.root, self.said, self.shown, self.answers = root, [], [], []
        self.errors = []
        self.tasks = Tasks(self.errors.append)
        self.catalogue, self.settings = catalogue, Settings.load()

    def toast(self, text, kind="info", action=None):
        self.said.append((kind, text))

    def ask(self, title, text, buttons, default):
        self.said.append(("asked", title))
        return self.answers.pop() if self.answers else default

    def show(self, page, **what):
        self.shown.append((page, what))

    def language(self):
        return texts.language()


@pytest.fixture
def pictures(tmp_path):
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
def filled(home, pictures):
    """Two runs: one of today and one of 40 days ago; 3 and 9 are NG, 6 and 12 are WARN."""
    with History.open() as history:
        for age in (40, 0):
            begin = TODAY - timedelta(days=age)
            run = history.begin(Job((), Choice("yolo11")), MODEL, f"batch {age}", None, begin.isoformat())
            for number in range(1, COUNT + 1):
                history.add(run, inspection(pictures, number, begin + timedelta(milliseconds=number)))
            if not age:
                history.add_skipped(run, Skipped("broken.png", "it is cut off", str(pictures / "broken.png")))
            history.finish(run, "done", {})
    return 2


@pytest.fixture
def shell(root, catalogue):
    shell = FakeShell(root, catalogue)
    waiting = []

    def pump():
        shell.tasks.pump()
        waiting[:] = [root.after(5, pump)]

    pump()
    yield shell
    root.after_cancel(waiting[0])
    shell.tasks.close()
    assert shell.errors == []


@pytest.fixture
def page(root, shell, filled, wait, monkeypatch):
    monkeypatch.setattr(history_page, "_LOOK", 150)
    page = HistoryPage(root, shell)
    page.pack(fill="both", expand=True)
    root.update()
    page.shown()
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


def test_it_shows_the_newest_first_and_how_many(page, wait):
    assert page.count.cget("text") == "Rows found: 29"
    wait(lambda: page.table.tree.item(page.table.tree.get_children()[1], "values"))
    assert page._rows.row(0).skipped == "it is cut off"
    assert [page._rows.row(index).name for index in (1, 2)] == ["12.png", "11.png"]


def test_it_filters(page, wait):
    for fields, rows in (
        ({"verdict": "NG"}, 8),
        ({"verdict": "WARN"}, 4),
        ({"verdict": "SKIPPED"}, 1),
        ({"period": "today"}, 15),
        ({"period": "month", "verdict": "NG"}, 4),
        ({"label": "PIT"}, 8),
        ({"model": "best*"}, 29),
        ({"model": "other.pt"}, 0),
        ({"run": "1"}, 14),
        ({"file": "3.png"}, 4),
        ({"text": "零件/12"}, 2),
    ):
        assert search(page, wait, **fields) == rows, fields
    assert page.count.cget("text") == "Rows found: 2"


def test_days_are_by_the_clock_on_the_wall(page, wait):
    old = TODAY - timedelta(days=40)
    day = f"{old:%Y-%m-%d}"
    assert search(page, wait, period="own", since=day, until=day) == 14
    assert page.filter.query().until - page.filter.query().since in (timedelta(hours=h) for h in (23, 24, 25))
    assert search(page, wait, period="own", since=f"{TODAY:%Y-%m-%d}") == 15


def test_what_is_no_day_is_said_and_changes_nothing(root, page, wait):
    before = page._rows.query
    page.filter.set(period="own", since="yesterday")
    root.update()
    assert page.filter._said.cget("text") == "✕ yesterday is not a day such as 2026-11-23."
    assert page.filter._said.winfo_ismapped() and page._rows.query is before
    page.filter.set(run="abc")
    assert page.filter._said.cget("text") == "✕ abc is not the number of a run."
    page.filter.reset()
    assert not page.filter._said.grid_info()


def test_typing_searches_soon_and_a_date_chooses_its_period(page, wait):
    page.filter._values["text"].set("12.p")
    wait(lambda: page._rows.query.text == "12.p" and not page._rows.loading)
    assert len(page._rows) == 2
    page.filter._values["since"].set("2026-01-01")
    assert page.filter.held()["period"] == "own"
    page.filter._values["period"].set("Today")
    assert page.filter.held()["since"] == ""


def test_it_offers_what_there_is(page, wait):
    wait(lambda: page.filter._runs)
    choices = filters.load_choices()
    assert (choices.labels, choices.models) == (("pit", "wear"), ("best.pt",))
    page.filter._values["run"].set(choices.runs[0][1])
    assert page.filter.query().run == 2


def select(page, wait, number, detection=0):
    (place, *_) = [
        place for place in range(len(page._rows)) if (row := page._rows.row(place)) and row.name == f"{number}.png"
    ]
    page.table.select(place + detection)
    page._selected(page.table.selection())
    wait(lambda: page.details.kept is not None and page.details.kept.record["name"] == f"{number}.png")
    return place


def test_an_old_inspection_comes_back_with_its_masks(page, wait):
    select(page, wait, 9, detection=1)
    shown = page.details.kept.inspection
    assert shown.frame.image[0, 0, 0] == 40 * (9 % 5)
    assert [d.label for d in shown.detections] == ["wear", "pit"]
    assert np.array_equal(shown.detections[1].mask.pixels, np.tri(10, dtype=bool))
    assert page.details.preview.selected == 1
    text = page.details.text.get("1.0", "end")
    for part in ("✕ NG", "wear: count 1 above 0", "9.png", "ab" * 32, "80 × 60 px", "pit\t0.800\t55\t"):
        assert part in text


def test_a_click_on_a_defect_selects_its_row(page, wait):
    place = select(page, wait, 9)
    page.details.preview._on_select(1)
    assert list(page.table.selection()) == [place + 1]


def test_only_the_last_of_many_wishes_is_shown(page, wait):
    for place in range(1, 12):
        page.table.select(place)
        page._selected(page.table.selection())
    wait(lambda: page.details.kept is not None and page.details._loading is None)
    assert page.details.kept.record["id"] == ids(page)[11]


def test_a_picture_that_is_gone_says_so_and_the_facts_stay(page, wait, pictures):
    (pictures / "9.png").unlink()
    select(page, wait, 9)
    assert page.details.kept.inspection is None
    assert "is not there any more" in page.details.preview.canvas.itemcget(page.details.preview._text, "text")
    assert "wear: count 1 above 0" in page.details.text.get("1.0", "end")


def test_the_keyboard_reaches_everything(root, page, wait):
    page.table.tree.focus_force()
    page.table.tree.event_generate("<Down>")
    wait(lambda: page.details.kept is not None)
    page.table.tree.event_generate("<Return>")
    root.update()
    assert root.focus_get() is page.details.preview.canvas
    root.event_generate("<Control-f>")
    assert root.focus_get() is page.filter.text


def test_files_are_opened_and_copied(root, page, shell, wait, pictures, monkeypatch):
    opened = []
    monkeypatch.setattr(opening, "open_path", opened.append)
    place = select(page, wait, 9)
    page.details._file_buttons[0].invoke()
    items = dict(page._menu(place))
    items["Open file"]()
    wait(lambda: len(opened) == 2)
    assert opened == [pictures / "9.png"] * 2
    items["Copy path"]()
    assert root.clipboard_get() == str(pictures / "9.png")
    page.details.copy()
    assert "Reasons\twear: count 1 above 0\n" in root.clipboard_get()
    items["Show only this run"]()
    wait(lambda: page._rows.query.run == 2)


def test_facts_speak_chinese(page, catalogue):
    texts.use("zh")
    kept = load(catalogue, 9)
    assert ("原因", "wear：数量 1 超过 0\npit：面积 55 px² 超过 50 px²"[:14]) == (
        facts(kept)[1][0],
        facts(kept)[1][1][:14],
    )
    assert "类别\t置信度" in as_text(kept)


def test_the_inspection_page_gets_inspection_and_defect(filled, catalogue):
    with Listing() as listing:
        keys = [key for key in listing.keys(Query()).tolist() if key[0] == 9]
    assert [load_inspection(catalogue, *key)[1] for key in keys] == [0, 1]
    found, place = load_inspection(catalogue, 1, 0)
    assert (found.frame.name, place) == ("1.png", None)
    skipped, place = load_inspection(catalogue, 25, 0)
    assert (type(skipped), skipped.reason, place) == (Skipped, "it is cut off", None)


def test_another_page_asks_for_an_inspection_or_a_run(page, wait):
    page.shown(inspection=3)
    wait(lambda: len(page.table.selection()) == 1 and page.details.kept)
    assert ids(page)[page.table.selection().first] == page.details.kept.record["id"] == 3
    page.shown(run=1, export=True)
    wait(lambda: page._rows.query == Query(run=1) and not page._rows.loading)
    assert page._export.winfo_exists()
    assert [scope.title for scope in page._export._scopes][-1] == "The whole run 1"
    page._export.close()


def test_new_inspections_appear_by_themselves(page, wait, pictures):
    with History.open() as history:
        run = history.begin(Job((), Choice("yolo11")), MODEL, "new", None, TODAY.isoformat())
        history.add(run, inspection(pictures, 4, datetime.now().astimezone()))
        history.finish(run, "done", {})
    wait(lambda: len(page._rows) == 30)
    assert page._rows.prepended == 1 and page.count.cget("text") == "Rows found: 30"


def test_sorting_and_the_state_survive_a_rebuild(root, page, shell, wait):
    page.table._sort("score")
    wait(lambda: not page._rows.loading)
    search(page, wait, verdict="NG", text="png")
    page.table.set_widths({"model": 77})
    kept = json.loads(json.dumps(page.kept()))
    page.close()
    page.pack_forget()
    again = HistoryPage(root, shell)
    again.restore(kept)
    again.pack(fill="both", expand=True)
    root.update()
    again.shown()
    wait(lambda: again._rows is not None and not again._rows.loading)
    assert len(again._rows) == 8 and again._rows.order.column == "score"
    assert again.table.widths()["model"] == 77
    again.close()


def test_exporting_the_selection(page, shell, wait, tmp_path):
    select(page, wait, 9)
    page.export()
    dialog = page._export
    dialog._folder.set(str(tmp_path / "out"))
    for id, value in dialog._chosen.items():
        value.set(id in ("jsonl", "images"))
    dialog._check()
    dialog._start.invoke()
    assert page.busy() == "An export is under way; it would be cancelled."
    wait(lambda: not dialog.winfo_exists())
    assert page.busy() == ""
    (folder,) = (tmp_path / "out").iterdir()
    lines = (folder / "results.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["9.png"]
    assert list(folder.rglob("*9*.*"))
    assert shell.said[-1] == ("good", f"1 inspections exported to {folder}")


def test_exporting_what_the_filter_finds_tells_of_pictures_that_are_gone(page, shell, wait, tmp_path, pictures):
    (pictures / "3.png").unlink()
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
    assert shell.said[-1][0] == "warn" and shell.said[-1][1].startswith("2 pictures could not be read again:")


def test_an_export_can_be_cancelled_and_leaves_nothing(page, shell, wait, tmp_path):
    page.export()
    dialog = page._export
    dialog._folder.set(str(tmp_path / "out"))
    for id, value in dialog._chosen.items():
        value.set(id == "images")
    dialog.start()
    dialog.close()
    wait(lambda: not dialog.winfo_exists())
    assert shell.said[-1][1] == "The export was cancelled; nothing was left of it."
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_refused_export_says_why_and_stays(page, shell, wait, tmp_path):
    (tmp_path / "out").write_text("a file", "utf-8")
    page.export()
    dialog = page._export
    dialog._folder.set(str(tmp_path / "out"))
    dialog.start()
    wait(lambda: not dialog.working)
    assert dialog._said.cget("text").startswith("✕ The folder")
    for value in dialog._chosen.values():
        value.set(False)
    dialog._check()
    assert dialog._start.instate(["disabled"]) and dialog._said.cget("text") == "Choose at least one kind of file."
    dialog.close()


def test_old_inspections_are_deleted_after_asking(page, shell, wait):
    page.purge()
    (dialog,) = [child for child in shell.root.winfo_children() if isinstance(child, purge_dialog.PurgeDialog)]
    dialog.days.set("x")
    assert dialog.said.cget("text") == "Give a number of days." and dialog.delete.instate(["disabled"])
    dialog.days.set("30")
    wait(lambda: dialog.said.cget("text") == "Inspections that would be deleted: 12")
    dialog.ask()  # answered by the safe one
    assert shell.said[-1] == ("asked", "Delete 12 inspections?") and dialog.winfo_exists()
    shell.answers = ["delete"]
    dialog.ask()
    wait(lambda: len(page._rows) == 15)
    assert ("good", "Inspections deleted: 12") in shell.said
    with History.open() as history:
        assert history.count(Query()) == 13


def test_the_statistics_of_the_same_filter_are_a_click_away(page, shell, wait):
    search(page, wait, verdict="NG")
    page._to_statistics()
    ((name, what),) = shell.shown
    assert (name, what["filter"]["verdict"]) == ("statistics", "NG")
