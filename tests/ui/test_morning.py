"""The next start: the last inspection is set up again, and starts by itself if so configured."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest

from inspector.api import Choice
from inspector.imaging import write_image
from inspector.settings import Settings
from inspector.system import credentials


def keep(app, condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it did not happen in time; said: {app.messages.history[-3:]}"
        app.root.update()
        time.sleep(0.003)


@pytest.fixture
def start(faults, home, spots):
    """``start(sources, **more)``: the program as it is started; closed at the end, or by ``end()``."""
    from inspector.ui.app import App

    (home / "window.json").write_text(json.dumps({"model": "spots"}))
    settings = Settings.load()
    for key, value in {"language": "en", "exporters": "none", "alarm_sound": False}.items():
        settings.set(key, value)
    apps = []

    def begin(sources=(), recipe=None, **more):
        app = App()
        apps.append(app)
        faults.watch(app.root)
        app.start(sources, recipe, **more)
        keep(app, lambda: app.ready and app.session.model is not None)
        return app

    def end(app):
        if not app._closing:
            app.session.stop()
            keep(app, lambda: not app.session.active, 30)
            app._save_geometry()
            app._end()

    begin.end = end
    yield begin
    for app in apps:
        end(app)


@pytest.fixture
def line(tmp_path):
    """A folder that a line puts images into."""
    folder = tmp_path / "line"
    folder.mkdir()
    write_image(folder / "a.png", np.full((60, 80, 3), 200, np.uint8))
    return folder


def watch(app, folder):
    page = app.inspect_page()
    page.sources._open_choices([Choice("hot_folder", {"folder": str(folder), "settle": 0.1})])
    keep(app, lambda: page.banner.status == "OK")


def test_the_last_job_comes_back_and_waits(start, line, tmp_path):
    app = start([str(line)])
    watch(app, line)
    start.end(app)
    again = start()
    page = again.inspect_page()
    keep(again, lambda: again.session.sources)
    assert again.session.sources == (Choice("hot_folder", {"folder": str(line), "settle": 0.1}),)
    assert page.controls._source.get() == f"watch:{line}" == again.window_state.recent("sources")[0]
    assert again.session.run is None and page._operator is None
    page.start()
    keep(again, lambda: again.session.run is not None and again.session.run.state == "running")


def test_it_starts_by_itself_in_the_operators_view_where_the_settings_say_so(start, line):
    app = start([str(line)])
    watch(app, line)
    start.end(app)
    for key in ("start_operator", "start_inspecting"):
        Settings.load().set(key, True)
    again = start()
    page = again.inspect_page()
    keep(again, lambda: page._operator is not None and again.session.active)
    write_image(line / "b.png", np.full((60, 80, 3), 200, np.uint8))
    keep(again, lambda: page._operator.banner.status == "OK")  # no click, and no key


def test_flags_do_so_for_once_with_a_recipe(start, line, tmp_path):
    job = {
        "sources": [{"id": "hot_folder", "options": {"folder": str(line), "settle": 0.1}}],
        "model": {"id": "spots", "options": {}},
        "confidence": 0.4,
    }
    recipe = tmp_path / "Bearing 6204.bearing"
    recipe.write_text(json.dumps({"job": job}), "utf-8")
    app = start((), recipe, operator=True, start=True)
    page = app.inspect_page()
    keep(app, lambda: page._operator is not None and page._operator.banner.status == "OK", 30)
    assert app.session.recipe_name == "Bearing 6204" and app.session.confidence == 0.4
    assert "Recipe Bearing 6204" in page._operator._facts.cget("text")
    app.session.set_thresholds(0.5, app.session.iou)
    assert app.session.recipe_name == "Bearing 6204 *", "it is not the recipe any more"
    start.end(app)
    again = start()
    keep(again, lambda: again.session.recipe_name)
    assert again.session.recipe_name == "Bearing 6204" and again.session.run is None


def test_a_recipe_alone_waits_at_the_start(start, line, tmp_path):
    job = {"sources": [{"id": "hot_folder", "options": {"folder": str(line)}}], "model": {"id": "spots", "options": {}}}
    recipe = tmp_path / "r.bearing"
    recipe.write_text(json.dumps({"job": job}), "utf-8")
    app = start((), recipe)
    keep(app, lambda: app.session.sources)
    assert app.session.run is None


def test_a_job_whose_files_have_gone_is_not_opened(start, parts):
    import shutil

    app = start([str(parts)])
    keep(app, lambda: app.inspect_page().banner.status)
    start.end(app)
    shutil.rmtree(parts)
    again = start()
    page = again.inspect_page()
    text = page.image_view.canvas.itemcget(page.image_view._text, "text")
    assert again.session.sources == () and "drop it here" in text


def test_a_camera_whose_password_is_not_known_asks_for_it(start, monkeypatch):
    monkeypatch.setattr(credentials, "_known", {})
    monkeypatch.setattr(credentials, "_store", lambda: None)
    app = start()
    page = app.inspect_page()
    asked = []
    monkeypatch.setattr(page.sources, "open_source", lambda id, values, said: asked.append((id, dict(values), said)))
    page.open_sources(["rtsp://admin:***@127.0.0.1:9/s"])
    keep(app, lambda: asked)
    assert asked[0][:2] == ("camera", {"address": "rtsp://admin:***@127.0.0.1:9/s"}) and "password" in asked[0][2]
    assert app.session.run is None


def test_no_password_is_kept_in_a_file(start, home):
    app = start()
    page = app.inspect_page()
    page.sources._open_choices([Choice("camera", {"address": "rtsp://admin:geheim@127.0.0.1:9/s"})])
    keep(app, lambda: app.session.run is not None)
    assert app.window_state.recent("sources")[0] == "rtsp://admin:***@127.0.0.1:9/s" == page.controls._source.get()
    start.end(app)
    held = [file for file in home.rglob("*") if file.is_file() and b"geheim" in file.read_bytes()]
    assert not held


def test_a_run_asks_for_a_password_that_is_not_known(start, monkeypatch):
    monkeypatch.setattr(credentials, "_known", {})
    monkeypatch.setattr(credentials, "_store", lambda: None)
    app = start()
    page = app.inspect_page()
    asked = []
    monkeypatch.setattr(page.sources, "open_source", lambda id, values, said: asked.append((id, dict(values), said)))
    app.session.open_choices([Choice("camera", {"address": "rtsp://admin:***@127.0.0.1:9/s"})], "camera")
    page.start()
    keep(app, lambda: asked)
    assert asked[0][0] == "camera" and "password" in asked[0][2] and app.session.run is None


def test_a_saved_recipe_is_followed_at_the_next_start(start, parts, tmp_path):
    app = start([str(parts)])
    keep(app, lambda: app.inspect_page().banner.status and app.session.model is not None)
    page, file = app.inspect_page(), tmp_path / "Ring A.bearing"
    page.sources.save_recipe_as(file, app.session.job())
    keep(app, lambda: app.session.recipe_name == "Ring A")
    app.session.model = replace(app.session.model, name="other", weights=tmp_path / "other.pt")
    assert app.session.recipe_name == "Ring A *", "with another model it is not the recipe any more"
    start.end(app)
    again = start()
    keep(again, lambda: again.session.recipe_name == "Ring A")
