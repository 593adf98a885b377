import errno
import logging
import os
import sys
from pathlib import Path

import pytest

from inspector import paths
from inspector.domain import InputError


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a.jpg", "a.jpg"),
        ("轴承 🔩.png", "轴承 🔩.png"),
        ('a<b>:"/\\|?*\n\0.txt', "a_b__________.txt"),
        ("../../x", "_.._x"),
        (" . a . ", "a"),
        ("", "_"),
        ("..", "_"),
        ("con", "_con"),
        ("LPT1.txt", "_LPT1.txt"),
        ("console", "console"),
        ("a\udce4.jpg", "a_.jpg"),  # a file name that is not UTF-8, as Linux hands it out
    ],
)
def test_safe_names(text, name):
    assert paths.safe_name(text) == name == paths.safe_name(name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a" * 150, "a" * 150),
        ("a" * 151, "a" * 150),
        ("字" * 200, "字" * 50),
        ("a" + "字" * 200, "a" + "字" * 49),  # a character is not split
        ("字" * 200 + ".tiff", "字" * 48 + ".tiff"),
        ("😀" * 100 + ".jpg", "😀" * 36 + ".jpg"),
        ("a" * 200 + "." + "b" * 20, "a" * 150),  # no suffix, part of the name
        ("a" * 100 + "." * 60 + "b.jpg", "a" * 100 + ".jpg"),
        ("a" * 149 + " " + "b" * 9, "a" * 149),
    ],
)
def test_long_names_are_cut_and_keep_their_suffix(text, name, tmp_path):
    assert paths.safe_name(text) == name and len(name.encode()) <= 150
    (tmp_path / f"{name}-1000000.json").touch()


def test_an_unused_path(tmp_path):
    path = tmp_path / "轴承 1.0.jpg"
    assert paths.unused_path(path) == path
    path.touch()
    assert paths.unused_path(path) == tmp_path / "轴承 1.0-2.jpg"
    (tmp_path / "轴承 1.0-2.jpg").mkdir()
    assert paths.unused_path(path) == tmp_path / "轴承 1.0-3.jpg"


def test_a_temporary_file_lies_beside(tmp_path):
    first, second = (paths.temporary_beside(tmp_path / "轴承.jpg") for _ in range(2))
    assert first != second and first.parent == tmp_path and first.suffix == ".jpg" and first.read_bytes() == b""
    with pytest.raises(FileNotFoundError):
        paths.temporary_beside(tmp_path / "gone" / "a.jpg")


@pytest.mark.skipif(sys.platform == "win32", reason="no such rights")
def test_a_temporary_file_has_the_rights_of_an_ordinary_one(tmp_path):
    (tmp_path / "ordinary").touch()
    rights = (tmp_path / "ordinary").stat().st_mode
    assert paths.temporary_beside(tmp_path / "a").stat().st_mode == rights


def test_publish_replaces(tmp_path, caplog):
    final, temporary = tmp_path / "a.txt", paths.temporary_beside(tmp_path / "a.txt")
    final.write_text("old")
    temporary.write_text("new")
    assert paths.publish(temporary, final) == final
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"] and final.read_text() == "new"
    assert not caplog.records


def test_a_file_that_is_open_elsewhere_gets_a_second_name(tmp_path, monkeypatch, caplog):
    replace, final = os.replace, tmp_path / "结果.xlsx"

    def refuse(source: Path, target: Path) -> None:
        if target == final:  # as Windows does
            raise PermissionError(errno.EACCES, "Access is denied", str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    final.write_text("old")
    temporary = paths.temporary_beside(final)
    temporary.write_text("new")
    with caplog.at_level(logging.WARNING):
        assert paths.publish(temporary, final) == tmp_path / "结果-2.xlsx"
    assert (final.read_text(), (tmp_path / "结果-2.xlsx").read_text()) == ("old", "new")
    (record,) = caplog.records
    assert record.getMessage() == "结果.xlsx is open in another program; saved as 结果-2.xlsx instead"
    assert not temporary.exists()


def test_a_folder_is_taken_by_one(tmp_path):
    folder = tmp_path / "a" / "结果"
    with paths.taken(folder):
        with pytest.raises(FileExistsError), paths.taken(folder):
            pass
        (folder / "run.log").touch()
    assert [file.name for file in folder.iterdir()] == ["run.log"]
    with pytest.raises(FileExistsError), paths.taken(folder):
        pass
    assert [file.name for file in folder.iterdir()] == ["run.log"]


def test_a_folder_that_was_used_just_before_it_is_marked_is_left(tmp_path, monkeypatch):
    touch = Path.touch

    def late(self, *args, **kwargs):
        (tmp_path / "run.log").write_text("of another run")  # which was done with taking it in that moment
        touch(self, *args, **kwargs)

    monkeypatch.setattr(Path, "touch", late)
    with pytest.raises(FileExistsError), paths.taken(tmp_path):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["run.log"]


def test_text_is_written_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    path = paths.write_text(tmp_path / "a.json", "轴承\n")
    assert path == tmp_path / "a.json" and path.read_bytes() == "轴承\n".encode()

    def full(handle):
        raise OSError("no space left on device")

    monkeypatch.setattr(paths.os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        paths.write_text(path, "new")
    assert path.read_bytes() == "轴承\n".encode() and [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_what_is_not_unicode_is_escaped(tmp_path):
    path = paths.write_text(tmp_path / "a.json", '["\udce4"]')
    assert path.read_text("utf-8") == '["\\udce4"]'


def test_the_data_folder_is_where_the_variable_says(home, tmp_path, monkeypatch):
    assert paths.data_folder() == home and paths.history_file().parent == home
    chosen = tmp_path / "数据" / "new"
    monkeypatch.setenv("BEARING_INSPECTOR_HOME", str(chosen))
    assert paths.data_folder() == chosen and chosen.is_dir()
    assert paths.plugins_folder() == chosen / "plugins" and (chosen / "plugins").is_dir()
    assert paths.plugin_folder("a:b") == chosen / "plugin-data" / "a_b"
    assert paths.logs_folder().is_dir() and paths.settings_file() == chosen / "settings.json"
    assert paths.results_folder() == chosen / "results" and not paths.results_folder().exists()


def test_without_the_variable_it_is_the_users_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("BEARING_INSPECTOR_HOME")
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA", "HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    if sys.platform == "linux":
        assert paths.data_folder() == tmp_path / "Bearing Inspector" and paths.data_folder().is_dir()
    assert paths.results_folder().name == "Bearing Inspector"


def test_a_data_folder_that_cannot_be_made_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("BEARING_INSPECTOR_HOME", str(tmp_path / "file" / "x"))
    with pytest.raises(InputError, match=r"cannot be made .*; set BEARING_INSPECTOR_HOME to a folder"):
        paths.data_folder()


def test_the_assets_are_there():
    assert (paths.assets() / "locale").is_dir()


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """The packaged program in a folder of its own, without the variable that moves the data folder."""
    program = tmp_path / "程序 1" / "bearing-inspector"
    program.parent.mkdir()
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.delenv(paths.HOME_VARIABLE)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home" / "share"))
    return program.parent


def test_a_packaged_program_starts_itself(packed):
    assert paths.frozen() and paths.program() == [str(packed / "bearing-inspector")]


def test_with_the_mark_everything_lies_beside_the_program(packed, monkeypatch, tmp_path):
    assert paths.portable_folder() is None and paths.data_folder() != packed / "data"
    (packed / "portable").touch()
    assert paths.portable_folder() == packed
    assert paths.data_folder() == packed / "data" and paths.results_folder() == packed / "results"
    assert paths.settings_file().parent == packed / "data" and (packed / "data").is_dir()
    monkeypatch.setenv(paths.HOME_VARIABLE, str(tmp_path / "chosen"))
    assert paths.data_folder() == tmp_path / "chosen" and paths.results_folder() == tmp_path / "chosen" / "results"


def test_a_mark_beside_python_means_nothing(packed, monkeypatch):
    (packed / "portable").touch()
    monkeypatch.delattr(sys, "frozen")
    assert paths.portable_folder() is None and paths.program()[1:] == ["-m", "inspector"]


def test_on_windows_children_are_the_program_with_streams(packed, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(sys, "executable", str(packed / "Bearing Inspector.exe"))
    assert paths.program() == [str(packed / "Bearing Inspector.exe")]
    (packed / "bearing-inspector.exe").touch()
    assert paths.program() == [str(packed / "bearing-inspector.exe")]


def test_programs_of_the_system_do_not_get_our_libraries(packed, monkeypatch):
    monkeypatch.setenv("LD_LIBRARY_PATH", str(packed / "_internal"))
    monkeypatch.delenv("LD_LIBRARY_PATH_ORIG", raising=False)
    assert "LD_LIBRARY_PATH" not in paths.foreign_environment()
    monkeypatch.setenv("LD_LIBRARY_PATH_ORIG", "/opt/lib")
    found = paths.foreign_environment()
    assert found["LD_LIBRARY_PATH"] == "/opt/lib" and "LD_LIBRARY_PATH_ORIG" not in found
    monkeypatch.delattr(sys, "frozen")
    assert paths.foreign_environment() == dict(os.environ)


def test_the_source_lies_beside_a_packaged_program(packed, monkeypatch):
    assert paths.source_archive() is None
    (packed / "bearing-inspector-0.1.0-source.tar.gz").touch()
    assert paths.source_archive() == packed / "bearing-inspector-0.1.0-source.tar.gz"
    monkeypatch.delattr(sys, "frozen")
    assert paths.source_archive() is None
