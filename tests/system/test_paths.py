import ast
import errno
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from links import needs_links

from inspector.domain import InputError
from inspector.system import paths


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
    with pytest.raises(InputError, match=r"cannot be created .*; set BEARING_INSPECTOR_HOME to a folder"):
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


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize(
    "content",
    [b"", b"{", nested(65).encode(), nested(1000).encode(), nested(100_000).encode(), b'"\xff"', b"1" * 5000, b"\0"],
    ids=range(8),
)
def test_what_is_no_json_is_a_value_error(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError):
        paths.read_json(tmp_path / "a.json")


def test_json_is_read_with_and_without_a_mark(tmp_path):
    for encoding in ("utf-8", "utf-8-sig"):
        (tmp_path / "a.json").write_text('{"缺陷": [1, {"a": null}]}', encoding)
        assert paths.read_json(tmp_path / "a.json") == {"缺陷": [1, {"a": None}]}


def test_what_is_no_ordinary_file_is_not_read(tmp_path, monkeypatch):
    with pytest.raises((OSError, ValueError)):
        paths.read_json(tmp_path)
    with pytest.raises(FileNotFoundError):
        paths.read_json(tmp_path / "missing.json")
    monkeypatch.setattr(paths, "LARGEST_JSON", 10)
    (tmp_path / "long.json").write_text("[1, 2, 3, 4, 5]")
    with pytest.raises(ValueError, match="more than"):
        paths.read_json(tmp_path / "long.json")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
@pytest.mark.timeout(20)
def test_a_pipe_and_a_device_do_not_stop_it(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    for place in (tmp_path / "pipe.json", Path("/dev/zero")):
        with pytest.raises(ValueError, match="no ordinary file"):
            paths.read_json(place)


@needs_links
def test_a_link_to_nothing_is_no_free_name(tmp_path):
    (tmp_path / "out").symlink_to(tmp_path / "gone")
    (tmp_path / "out-2").symlink_to("out-2")
    assert paths.unused_path(tmp_path / "out") == tmp_path / "out-3"
    with pytest.raises(NotADirectoryError), paths.taken(tmp_path / "out"):
        pass


class Busy:
    """Replaces ``Path.replace``: refuses so many times, as Windows does while a scanner has the file open."""

    def __init__(self, monkeypatch, times):
        self.left, self._replace = times, Path.replace
        monkeypatch.setattr(Path, "replace", lambda source, target: self(source, target))
        monkeypatch.setattr(paths, "_may_be_busy", lambda target: True)

    def __call__(self, source, target):
        if self.left:
            self.left -= 1
            raise PermissionError(13, "Permission denied", str(target))
        return self._replace(source, target)


def test_a_state_file_that_is_busy_for_a_moment_is_replaced(tmp_path, monkeypatch):
    file = tmp_path / "settings.json"
    file.write_text("old")
    Busy(monkeypatch, 3)
    paths.write_state(file, "new")
    assert file.read_text() == "new"
    assert list(tmp_path.iterdir()) == [file]


def test_a_state_file_that_stays_busy_gets_no_second_name(tmp_path, monkeypatch):
    file = tmp_path / "settings.json"
    file.write_text("old")
    Busy(monkeypatch, 1000)
    with pytest.raises(PermissionError):
        paths.write_state(file, "new")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_who_has_more_patience_waits_longer(tmp_path, monkeypatch):
    source, target = tmp_path / "a", tmp_path / "b"
    source.touch()
    Busy(monkeypatch, 2)
    with pytest.raises(PermissionError):
        paths.replace_patiently(source, target, 0.0)
    Busy(monkeypatch, 2)
    paths.replace_patiently(source, target, 60.0)
    assert target.exists() and not source.exists()


def test_a_file_on_a_network_drive_has_no_write_ahead_log(tmp_path, monkeypatch):
    assert not paths.on_network(tmp_path) and paths.journal_mode(tmp_path / "a") == "WAL"
    monkeypatch.setattr(paths, "on_network", lambda path: True)
    assert paths.journal_mode(tmp_path / "a") == "DELETE"


@pytest.mark.skipif(sys.platform != "win32", reason="shares have addresses there")
@pytest.mark.parametrize("text", [r"\\server\share\history.sqlite3", r"\\?\UNC\server\share\a"])
def test_an_address_of_a_share_is_on_the_network(text):
    assert paths.on_network(Path(text))


def processes_started(source: str) -> list[ast.Call]:
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    started = ("subprocess.run", "subprocess.Popen", "subprocess.check_output", "subprocess.check_call")
    return [call for call in calls if ast.unparse(call.func) in started]


def test_every_child_gets_an_environment_that_fits_it():
    """A child of this program speaks UTF-8; a program of the system does not get the packaged program's libraries."""
    root = Path(__file__).parents[2]
    found = 0
    for folder in ("inspector", "plugins"):
        for file in (root / folder).rglob("*.py"):
            for call in processes_started(file.read_text("utf-8")):
                found += 1
                given = {word.arg: ast.unparse(word.value) for word in call.keywords}
                assert "environment" in given.get("env", ""), f"{file}:{call.lineno}"
    assert found > 6


def test_a_result_that_is_busy_for_a_moment_keeps_its_name(tmp_path, monkeypatch):
    file = tmp_path / "results.csv"
    file.write_text("old")
    Busy(monkeypatch, 3)
    assert paths.write_text(file, "new") == file


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (3, "exit code 3"),
        (0xC0000005, "exit code 0xC0000005, access violation"),
        (0xC0000409, "exit code 0xC0000409"),
    ],
)
def test_exit_codes_of_windows_crashes_are_statuses(code, words):
    assert paths.exit_code(code) == words


@pytest.mark.parametrize("name", ["nul .txt", "CONIN$", "conout$.log", "com¹", "LPT³.txt"])
def test_further_reserved_names_of_windows_are_avoided(name):
    assert paths.safe_name(name) == f"_{name}"


def test_a_child_speaks_utf8_whatever_the_code_page(tmp_path):
    words = "from inspector.cli import console; console.prepare(); print('零件 é')"
    environment = paths.child_environment(PYTHONIOENCODING="cp1252", PYTHONPATH=str(Path(__file__).parents[2]))
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, env=environment, check=True)
    assert done.stdout.decode("utf-8").strip() == "零件 é"
