"""The window state survives a restart; a damaged file is ignored."""

import json

import pytest

from inspector.api import Choice
from inspector.system import credentials
from inspector.ui.kit.window_state import WindowState, choices_from_json


def test_what_was_put_is_there_at_the_next_start(home):
    window_state = WindowState()
    window_state.set("geometry", "1366x768+0+0")
    window_state.set("zoomed", False)
    window_state.add_recent("sources", "D:/轴承 图")
    again = WindowState()
    assert again.get("geometry", "") == "1366x768+0+0"
    assert again.get("zoomed", True) is False
    assert again.recent("sources") == ["D:/轴承 图"]
    assert "轴承" in (home / "window.json").read_text("utf-8")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1, 2]", b"null", b'"text"', b"\xff\xfe\x00", b"[" * 100_000, b'{"a": NaN'], ids=range(8)
)
def test_a_damaged_file_is_an_empty_memory_that_works(home, content, caplog):
    (home / "window.json").write_bytes(content)
    window_state = WindowState()
    assert window_state.get("geometry", "x") == "x" and window_state.recent("sources") == []
    window_state.set("geometry", "y")
    assert WindowState().get("geometry", "") == "y"
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "WARNING")]


def test_wrong_types_give_the_default(home):
    held = {"geometry": 5, "zoomed": "yes", "recent_sources": "abc", "recent_models": [1, None, "a.pt"], "columns": []}
    (home / "window.json").write_text(json.dumps(held))
    window_state = WindowState()
    assert (
        window_state.get("geometry", "") == ""
        and window_state.get("zoomed", False) is False
        and window_state.get("columns", {}) == {}
    )
    assert window_state.recent("sources") == [] and window_state.recent("models") == ["a.pt"]
    assert window_state.get("zoomed", None) == "yes"
    window_state.add_recent("sources", "a")
    assert window_state.recent("sources") == ["a"]


def test_recent_things_are_few_unique_and_the_newest_first():
    window_state = WindowState()
    for number in range(20):
        window_state.add_recent("models", f"{number}.pt")
    window_state.add_recent("models", "15.pt")
    assert window_state.recent("models")[:3] == ["15.pt", "19.pt", "18.pt"] and len(window_state.recent("models")) == 12
    window_state.remove_recent("models", "19.pt")
    window_state.remove_recent("models", "never there")
    assert window_state.recent("models")[:2] == ["15.pt", "18.pt"]


def test_folders_are_remembered_as_long_as_they_are_there(tmp_path):
    window_state = WindowState()
    assert window_state.folder("source") == ""
    (tmp_path / "parts").mkdir()
    window_state.remember_folder("source", str(tmp_path / "parts" / "a.jpg"))
    assert WindowState().folder("source") == str(tmp_path / "parts")
    window_state.remember_folder("source", str(tmp_path))
    assert window_state.folder("source") == str(tmp_path)
    (tmp_path / "parts").rmdir()
    window_state.remember_folder("source", str(tmp_path / "parts" / "a.jpg"))
    assert window_state.folder("source") == ""


def test_a_disk_that_cannot_be_written_disturbs_nobody(home, monkeypatch):
    def refuse(path, text):
        raise OSError(28, "No space left on device")

    window_state = WindowState()
    monkeypatch.setattr("inspector.ui.kit.window_state.paths.write_text", refuse)
    window_state.set("geometry", "x")
    assert window_state.get("geometry", "") == "x"


def test_a_recent_camera_or_watched_folder_is_opened_with_its_options(home):
    window_state = WindowState()
    watched = [Choice("hot_folder", {"folder": "/line", "settle": 0.1})]
    window_state.add_recent_source("watch:/line", watched)
    window_state.add_recent("sources", "/parts")
    again = WindowState()
    assert again.recent("sources") == ["/parts", "watch:/line"]
    assert again.source_options("watch:/line") == tuple(watched) and again.source_options("/parts") == ()
    for number in range(12):
        again.add_recent_source(f"camera:{number}", [Choice("camera", {"address": f"camera:{number}"})])
    assert again.source_options("watch:/line") == (), "what is no longer recent is forgotten"


def test_passwords_of_an_earlier_version_are_taken_out_of_the_file(home, monkeypatch):
    monkeypatch.setattr(credentials, "_known", {})
    held = {"source_camera": {"address": "rtsp://a:geheim@cam/"}, "recent_sources": ["rtsp://a:geheim@cam/"]}
    (home / "window.json").write_text(json.dumps(held))
    assert WindowState().recent("sources") == ["rtsp://a:***@cam/"]
    assert "geheim" not in (home / "window.json").read_text("utf-8")
    assert credentials.reveal("rtsp://a:***@cam/") == "rtsp://a:geheim@cam/", "known until the program ends"


@pytest.mark.parametrize("rows", [None, 5, "x", [1], [{"id": "a"}], [{"options": {}}], {"id": 1}])
def test_wrong_sources_are_none(rows):
    assert choices_from_json(rows) == ()
