"""What is remembered survives a restart; what is damaged costs nothing."""

import json

import pytest

from inspector.ui.memory import Memory


def test_what_was_put_is_there_at_the_next_start(home):
    memory = Memory()
    memory.put("geometry", "1366x768+0+0")
    memory.put("zoomed", False)
    memory.used("sources", "D:/轴承 图")
    again = Memory()
    assert again.get("geometry", "") == "1366x768+0+0"
    assert again.get("zoomed", True) is False
    assert again.recent("sources") == ["D:/轴承 图"]
    assert "轴承" in (home / "window.json").read_text("utf-8")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1, 2]", b"null", b'"text"', b"\xff\xfe\x00", b"[" * 100_000, b'{"a": NaN'], ids=repr
)
def test_a_damaged_file_is_an_empty_memory_that_works(home, content, caplog):
    (home / "window.json").write_bytes(content)
    memory = Memory()
    assert memory.get("geometry", "x") == "x" and memory.recent("sources") == []
    memory.put("geometry", "y")
    assert Memory().get("geometry", "") == "y"
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "WARNING")]


def test_wrong_types_give_the_default(home):
    held = {"geometry": 5, "zoomed": "yes", "recent_sources": "abc", "recent_models": [1, None, "a.pt"], "columns": []}
    (home / "window.json").write_text(json.dumps(held))
    memory = Memory()
    assert memory.get("geometry", "") == "" and memory.get("zoomed", False) is False and memory.get("columns", {}) == {}
    assert memory.recent("sources") == [] and memory.recent("models") == ["a.pt"]
    assert memory.get("zoomed", None) == "yes"
    memory.used("sources", "a")
    assert memory.recent("sources") == ["a"]


def test_recent_things_are_few_unique_and_the_newest_first():
    memory = Memory()
    for number in range(20):
        memory.used("models", f"{number}.pt")
    memory.used("models", "15.pt")
    assert memory.recent("models")[:3] == ["15.pt", "19.pt", "18.pt"] and len(memory.recent("models")) == 12
    memory.forget("models", "19.pt")
    memory.forget("models", "never there")
    assert memory.recent("models")[:2] == ["15.pt", "18.pt"]


def test_folders_are_remembered_as_long_as_they_are_there(tmp_path):
    memory = Memory()
    assert memory.folder("source") == ""
    (tmp_path / "parts").mkdir()
    memory.chose("source", str(tmp_path / "parts" / "a.jpg"))
    assert Memory().folder("source") == str(tmp_path / "parts")
    memory.chose("source", str(tmp_path))
    assert memory.folder("source") == str(tmp_path)
    (tmp_path / "parts").rmdir()
    memory.chose("source", str(tmp_path / "parts" / "a.jpg"))
    assert memory.folder("source") == ""


def test_a_disk_that_cannot_be_written_disturbs_nobody(home, monkeypatch):
    def refuse(path, text):
        raise OSError(28, "No space left on device")

    memory = Memory()
    monkeypatch.setattr("inspector.ui.memory.paths.write_text", refuse)
    memory.put("geometry", "x")
    assert memory.get("geometry", "") == "x"
