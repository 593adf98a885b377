"""The whole window, driven as a user does."""

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes import focus, kept

from inspector.history import History, Query
from inspector.system import paths

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "sample_data"


@pytest.fixture
def app(faults, home):
    """The window, opened, with its plugins and the bundled model."""
    from inspector.settings import Settings
    from inspector.ui.app import App

    Settings.load().set("language", "en")
    window = App()
    report = window._callback_failed

    def note(kind, error, trace):
        faults.callback(kind, error, trace)
        report(kind, error, trace)

    window._callback_failed = note
    window.root.report_callback_exception = note
    yield window
    if not window._closing:
        window._end()


@pytest.fixture
def until(app):
    """``until(condition)``: keep the window alive until the condition holds."""

    def wait(condition, seconds: float = 60.0):
        end = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < end, "it did not happen in time"
            app.root.update()
            time.sleep(0.005)
        app.root.update()
        return value

    return wait


@pytest.fixture
def ready(app, until):
    """Open the window with sources; wait for the model."""

    def start(*sources):
        app.start([str(source) for source in sources])
        until(lambda: app.ready and app.page == "inspect")
        until(lambda: app.session.model is not None and not app.session.loading)
        return app.inspect_page()

    return start


def finished(app):
    return app.session.run is not None and not app.session.active and app.inspect_page()._finished


@pytest.mark.quick
def test_first_start_shows_samples_ready_to_run(app, ready, until):
    page = ready()
    assert app.session.text == str(SAMPLES)
    until(lambda: page.banner.status in ("OK", "NG"))
    assert page.image_view.detections
    assert "not saved" in page._unsaved.cget("text")
    assert not Path(app.settings.get("output_folder") or "nowhere").exists()
    with History.open() as history:
        assert history.count(Query()) == 0


def test_a_run_is_shown_saved_and_counted(app, ready, until, tmp_path):
    for name in ("good-01.jpg", "defect-07.jpg", "defect-08.jpg"):
        shutil.copy(SAMPLES / name, tmp_path)
    page = ready(tmp_path)
    page.start()
    until(lambda: finished(app))
    until(lambda: len(page.results.rows) >= 3)
    counts = app.session.run.counts
    assert counts.inspected == 3
    assert page.counters._values["inspected"].cget("text") == "3 (3)"
    with History.open() as history:
        assert history.count(Query(run=page.results.run)) == 3
    files = {file.name for file in app.session.run.output.rglob("*")}
    assert "run.json" in files and "results.xlsx" in files
    assert any(m.text.startswith("Parts: 3 (images: 3).") for m in app.messages.history)


def test_selecting_a_row_shows_that_inspection_and_its_defect(app, ready, until, tmp_path):
    for name in ("defect-07.jpg", "good-01.jpg"):
        shutil.copy(SAMPLES / name, tmp_path)
    page = ready(tmp_path)
    page.start()
    until(lambda: finished(app))
    until(lambda: len(page.results.rows) > 1 and page.results.rows.key(0) is not None)
    page.results.table.select(0)
    page.results._selected(page.results.table.selection())
    until(lambda: page.image_view.selected is not None)
    assert page._shown.frame.name == "defect-07.jpg"
    assert page.defects.tree.selection() == (str(page.image_view.selected),)
    other = len(page.image_view.detections) - 1
    page.defects.tree.selection_set(str(other))
    until(lambda: page.image_view.selected == other)


def test_thresholds_act_at_once_on_a_still_image(app, ready, until):
    page = ready(SAMPLES / "defect-07.jpg")
    until(lambda: isinstance(page.image_view.detections, tuple) and page.banner.status)
    before = len(page.image_view.detections)
    assert before > 1
    page.controls.confidence._take(0.78)
    until(lambda: 0 < len(page.image_view.detections) < before)
    assert all(d.score >= 0.78 for d in page.image_view.detections)
    page.controls.confidence._take(0.999)
    until(lambda: page.banner.status == "OK")


def test_thresholds_act_in_a_run_and_it_pauses_and_stops(app, ready, until):
    page = ready(SAMPLES / "turning.mp4")
    page.start()
    until(lambda: app.session.run.counts.inspected > 2)
    page.pause()
    assert app.session.run.paused
    halted, since = -1, time.monotonic()  # images that were under way are still finished

    def settled() -> bool:
        nonlocal halted, since
        if app.session.run.counts.inspected != halted:
            halted, since = app.session.run.counts.inspected, time.monotonic()
        return time.monotonic() - since > 2

    until(settled)
    assert halted < app.session.run.total
    page.step(1)
    until(lambda: app.session.run.counts.inspected == halted + 1)
    page.controls.confidence._take(0.99)
    page.pause()
    until(lambda: app.session.run.counts.inspected > halted + 4)
    page.stop()
    until(lambda: finished(app))
    assert app.session.run.state == "stopped"
    with History.open() as history:
        records = list(history.records(Query(order="oldest")))
    assert len(records) == app.session.run.counts.inspected < app.session.run.total
    assert records[0]["confidence"] == 0.25 and records[-1]["confidence"] == 0.99
    first = next(record["number"] for record in records if record["confidence"] == 0.99)
    changes = json.loads((app.session.run.output / "run.json").read_text("utf-8"))["threshold_changes"]
    assert changes == [{"number": first, "confidence": 0.99, "iou": 0.45}]


def test_stepping_through_a_video_and_its_slider(app, ready, until):
    page = ready(SAMPLES / "turning.mp4")
    until(lambda: app.session.total > 10)
    page.step(1)
    until(lambda: page._shown is not None and page._shown_frame().index == 1)
    page.position._slid("7.2")
    until(lambda: page._shown_frame().index == 7)
    page.step(-1)
    until(lambda: page._shown_frame().index == 6)


def test_a_refused_model_keeps_the_old_one_and_says_why(app, ready, until, tmp_path):
    page = ready()
    wrong = tmp_path / "最佳.pt"
    wrong.write_bytes(b"not a model")
    page.controls.use_model(str(wrong))
    until(lambda: kept(app, "最佳.pt", "bad"))
    assert app.session.model.name == "bearing-yolo11n-seg"
    until(lambda: page.controls._model.get() == "bearing-yolo11n-seg")


def test_what_cannot_be_opened_is_said(app, ready, until, tmp_path):
    page = ready()
    page.open_sources([str(tmp_path / "nowhere.jpg")])
    assert kept(app, "does not exist")
    assert app.session.text == str(SAMPLES)


def test_language_and_theme_change_at_once_and_keep_what_is_shown(app, ready, until):
    from inspector.ui.kit import theme

    page = ready()
    until(lambda: page.banner.status)
    page.controls.set_view("side_by_side")
    app.settings.set("language", "zh")
    app.settings_changed("language")
    until(lambda: app.inspect_page() is not page)
    new = app.inspect_page()
    assert new.controls._view.get() == "side_by_side"
    assert app._nav["history"].cget("text") == "历史"
    assert new.banner.status
    app.toggle_theme()
    assert theme.dark() and new.image_view.canvas.cget("background") == theme.tokens().canvas


def test_every_page_opens_in_both_languages_and_by_key(app, ready, until):
    ready()
    for language in ("zh", "en"):
        app.settings.set("language", language)
        app.settings_changed("language")
        until(lambda: app._pages and app.page)
        for page in ("history", "statistics", "training", "plugins", "settings", "help", "inspect"):
            app.show(page)
            for _ in range(10):
                app.root.update()
                time.sleep(0.01)
            assert app.page == page and app._pages[page].winfo_ismapped()
    focus(app.root)
    app.root.event_generate("<Control-Key-2>")
    until(lambda: app.page == "history")


def test_operator_view_shows_the_verdict_large(app, ready, until):
    page = ready(SAMPLES / "defect-07.jpg")
    until(lambda: page.banner.status == "NG")
    page.toggle_operator()
    until(lambda: page._operator.banner.status == "NG")
    assert page._operator.banner._font.actual("size") != 0
    page.toggle_operator()
    assert page._operator is None


def test_a_recipe_is_saved_and_set_up_again(app, ready, until, tmp_path, monkeypatch):
    page = ready(SAMPLES / "defect-07.jpg")
    page.controls.confidence._take(0.4)
    recipe = tmp_path / "配方.json"
    monkeypatch.setattr("inspector.ui.inspect.sources.filedialog.asksaveasfilename", lambda **_: str(recipe))
    page.sources.save_recipe()
    until(recipe.exists)
    assert json.loads(recipe.read_text("utf-8"))["job"]["confidence"] == 0.4
    page.controls.confidence._take(0.1)
    page.open_sources([str(recipe)])
    until(lambda: page.controls.confidence.value == 0.4)
    until(lambda: app.session.confidence == 0.4)


def test_closing_in_a_run_asks_and_saves(app, ready, until, monkeypatch):
    page = ready(SAMPLES / "turning.mp4")
    page.start()
    until(lambda: app.session.run.counts.inspected > 1)
    asked = []
    monkeypatch.setattr(app, "ask", lambda title, text, buttons, default: asked.append(default) or "stay")
    app.close()
    assert asked == ["stay"] and app.session.active
    monkeypatch.setattr(app, "ask", lambda title, text, buttons, default: "close")
    run = app.session.run
    app.close()
    until_closed(app)
    assert run.state == "stopped"
    with History.open() as history:
        assert history.runs()[0].state == "stopped"
        assert history.count(Query()) == run.counts.inspected


def until_closed(app, seconds: float = 30.0):
    import tkinter

    end = time.monotonic() + seconds
    while not app._closing:
        assert time.monotonic() < end
        try:
            app.root.update()
        except tkinter.TclError:
            return
        time.sleep(0.01)


def test_a_slow_poll_leaves_tk_its_turn(app, ready):
    ready()
    calls = []

    def slow():
        calls.append(1)
        time.sleep(0.03)
        app.root.after_idle(time.sleep, 0.015)
        if len(calls) == 50:
            app._tickers.remove(slow)  # so that the failing test ends

    app._tickers.append(slow)
    time.sleep(0.05)  # the next poll is due
    app.root.update()
    assert 0 < len(calls) < 10
    app._tickers.remove(slow)


def test_an_error_in_a_callback_is_said_once_and_the_window_lives_on(app, ready, until, faults):
    ready()

    def fail():
        raise RuntimeError("a mistake of ours")

    for _ in range(2):
        app.root.after(1, fail)
    until(lambda: len(faults.found) >= 2)
    said = [m for m in app.messages.history if "a mistake of ours" in m.text]
    assert len(said) == 1 and said[0].kind == "bad"
    app.show("history")
    assert app.page == "history"
    faults.found.clear()


def test_the_window_starts_without_torch(display, home):
    """Usable: drawn, plugins loaded, a page shown; torch comes with the model, in the background."""
    program = (
        "import sys, time\n"
        "from inspector.ui.app import App\n"
        "import inspector.ui.inspect.session as session\n"
        "session.Session.choose_model = session.Session.preload_model = lambda self, text: None\n"
        "app = App(); app.start()\n"
        "end = time.monotonic() + 60\n"
        "while app.page != 'inspect' and time.monotonic() < end:\n"
        "    app.root.update(); time.sleep(0.01)\n"
        "app.root.update()\n"
        "print(app.page, [name for name in ('torch', 'ultralytics', 'timm', 'openvino') if name in sys.modules])\n"
        "app._end()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "inspect []", done.stderr


def test_searching_and_exporting_what_was_inspected(app, ready, until, tmp_path):
    for name in ("good-01.jpg", "defect-07.jpg", "defect-08.jpg"):
        shutil.copy(SAMPLES / name, tmp_path)
    page = ready(tmp_path)
    page.start()
    until(lambda: finished(app))
    app.show("history")
    history = app._pages["history"]
    until(lambda: history._rows is not None and len(history._rows) == 3)
    history.filter.set(file="defect-08*")
    until(lambda: len(history._rows) == 1 and not history._rows.loading)
    assert {history._rows.row(0).name} == {"defect-08.jpg"}
    app.show("inspect")
    page.export()
    dialog = until(lambda: page._export)
    dialog._folder.set(str(tmp_path / "导出"))
    for mark in dialog._chosen.values():
        mark.set(False)
    dialog._chosen["csv"].set(True)
    dialog._what.set(len(dialog._scopes) - 1)
    dialog.start()
    until(lambda: not dialog.working)
    tables = list((tmp_path / "导出").rglob("*.csv"))
    assert any("defect-07.jpg" in table.read_text("utf-8-sig") for table in tables)


PLUGIN = '''"""A source for a test."""
import numpy as np
from inspector.api import Frame, Option, SourceSpec, Text, hookimpl

PLUGIN = {"id": "grey", "version": "2.5", "api": 1, "kinds": ["source"], "description": "Grey images"}

@hookimpl
def inspector_sources():
    many = Option("many", int, 3, Text("How many", "数量"), minimum=1, maximum=9)
    return [SourceSpec("grey", Text("Grey images", "灰色图片"), Grey, (many,))]

class Grey:
    def __init__(self, many):
        self.total = many
    def __iter__(self):
        for index in range(self.total):
            yield Frame(np.full((64, 64, 3), 128, np.uint8), index, f"grey-{index}")
    def close(self):
        pass
'''


def test_a_plugin_is_dropped_agreed_to_and_used(app, ready, until, tmp_path, monkeypatch):
    page = ready()
    file = tmp_path / "灰色 插件.py"
    file.write_text(PLUGIN, "utf-8")
    asked = []
    monkeypatch.setattr(app, "ask", lambda title, text, buttons, default: asked.append((text, default)) or "install")
    app.show("plugins")

    class Drop:
        data = f"{{{file}}}"
        action = "copy"

    assert app._dropped(Drop()) == "copy"
    until(lambda: "grey" in app.catalogue.sources)
    assert "2.5" in asked[0][0] and asked[0][1] == "leave"
    from inspector.api import Choice

    app.show("inspect")
    app.session.open_choices([Choice("grey", {"many": 2})], "grey")
    page.start()
    until(lambda: finished(app))
    assert app.session.run.counts.inspected == 2


def test_a_click_beside_the_knob_brings_it_there(app, ready, until):
    page = ready(SAMPLES / "defect-07.jpg")
    scale = page.controls.confidence.scale
    until(lambda: scale.winfo_width() > 50)
    x = round(scale.winfo_width() * 0.7)
    for event in ("<ButtonPress-1>", "<ButtonRelease-1>"):
        scale.event_generate(event, x=x, y=scale.winfo_height() // 2)
    app.root.update()
    assert 0.55 < page.controls.confidence.value < 0.85


def test_rules_and_thresholds_are_those_of_last_time(app, ready, until, home):
    from inspector.domain import Rules
    from inspector.settings import Settings
    from inspector.ui.app import App

    page = ready(SAMPLES / "defect-07.jpg")
    rules = {"classes": {"Defect": {"count": {"warn": 0, "ng": 50}}}}
    app.window_state.set("rules", rules)
    page.controls.confidence._take(0.33)
    app.close()
    assert app._closing and Settings.load().get("confidence") == 0.33
    again = App()
    try:
        again.start([str(SAMPLES / "defect-07.jpg")])
        end = time.monotonic() + 60
        while again.page != "inspect" or again.session.model is None:
            again.root.update()
            assert time.monotonic() < end
        assert again.session.rules == Rules.from_json(rules)
        assert again.session.confidence == 0.33
        assert any("Rules from the last session" in m.text for m in again.messages.history)
    finally:
        again._end()


def test_a_run_that_was_killed_is_told_of_once_and_tidied(app, ready, until, home, tmp_path):
    from inspector.domain import Choice, Job, ModelInfo
    from inspector.domain.clock import local_time

    folder = tmp_path / "broken off"
    folder.mkdir()
    (folder / ".tmp-1.xlsx").write_bytes(b"half")
    (folder / "run.json").write_text('{"state": "running"}', "utf-8")
    with History.open() as history:
        history.begin(Job((), Choice("yolo11")), ModelInfo("m", "", "", ("Defect",)), "parts", folder, local_time())
    ready(SAMPLES)
    until(lambda: any("was interrupted (parts)" in m.text for m in app.messages.history))
    assert json.loads((folder / "run.json").read_text("utf-8"))["state"] == "interrupted"
    assert [file.name for file in folder.iterdir()] == ["run.json"]
    app._report_interrupted((1, "parts", 0, False))
    assert sum("was interrupted" in m.text for m in app.messages.history) == 1


def test_what_cannot_be_read_stands_in_the_table_and_the_counters(app, ready, until, tmp_path):
    shutil.copy(SAMPLES / "good-01.jpg", tmp_path)
    (tmp_path / "kaputt.jpg").write_bytes(b"no picture")
    page = ready(tmp_path)
    page.start()
    until(lambda: finished(app))
    until(lambda: len(page.results.rows) == 2)
    until(lambda: page.results.rows.row(1) is not None)
    names = {page.results.rows.row(index).name for index in range(2)}
    assert names == {"good-01.jpg", "kaputt.jpg"}
    assert page.counters._values["unread"].cget("text") == "1"
    run = json.loads((app.session.run.output / "run.json").read_text("utf-8"))
    assert run["threshold_changes"] == []


def test_closing_while_a_training_is_at_work_asks_first(app, ready, until, monkeypatch):
    ready()
    app.show("training")
    monkeypatch.setattr(app._pages["training"], "close_warning", lambda: "A training is at work.")
    asked = []
    monkeypatch.setattr(app, "ask", lambda title, text, buttons, default: asked.append((text, default)) or default)
    app.close()
    assert asked == [("A training is at work.", "stay")] and not app._closing
    monkeypatch.setattr(app, "ask", lambda *_: "close")
    app.close()
    assert app._closing


def test_a_run_that_was_killed_is_resumed_from_its_message_and_from_the_history(app, ready, until, monkeypatch):
    from inspector.ui.app import _interrupted_run

    page = ready(SAMPLES)
    stills = sorted(SAMPLES.glob("*.jpg"))
    page.session.open([str(file) for file in stills])
    page.start()
    until(lambda: finished(app))
    before = app.session.run
    whole, run = before.counts, before.history_id
    with sqlite3.connect(paths.history_file()) as connection:  # as a kill leaves it
        connection.execute("DELETE FROM inspection WHERE run = ? AND number > 3", (run,))
        connection.execute("UPDATE run SET state = 'running'")
    connection.close()
    found = _interrupted_run(app.catalogue)
    assert found is not None and found[0] == run and found[2:] == (3, True)
    app.window_state.set("told_run", 0)
    told = []
    monkeypatch.setattr(app, "toast", lambda text, kind="info", action=None: told.append((text, action)))
    app._report_interrupted(found)
    ((text, action),) = told
    assert "was interrupted" in text and action[0] == "Resume"
    app.show("history", run=run)
    history = app._pages["history"]
    until(lambda: history._rows is not None and len(history._rows) and history._rows.row(0) is not None)
    assert "Resume this run" in dict(history._menu(0))
    action[1]()
    until(lambda: app.session.run not in (before, None) and finished(app))
    assert app.session.run.history_id == run and app.session.run.state == "done"
    assert app.page == "inspect" and app.session.run.counts == whole
    app.show("history", run=run)
    until(lambda: len(history._rows) and (row := history._rows.row(0)) is not None and row.state == "done")
    assert "Resume this run" not in dict(history._menu(0))


def test_a_dropped_folder_is_a_dataset_on_the_training_page_and_a_source_elsewhere(app, ready, until, tmp_path):
    ready()
    app.show("training")
    page = app._pages["training"]
    app._open_dropped([str(tmp_path)])
    until(lambda: page.data.dataset_form is not None)
    assert app.page == "training" and page.data.dataset_form.form.display_value("source_folder") == str(tmp_path)
    assert app.training_progress() == ""
    app._open_dropped([str(tmp_path / "best.pt")])
    until(lambda: app.page == "inspect")
