"""The command line as a whole: what every command has in common."""

import json
import subprocess
import sys

import pytest

LIGHT = """
import sys
from inspector.cli import main
{what}
print(*sorted({{"numpy", "cv2", "torch", "PIL", "tkinter", "openpyxl"}} & set(sys.modules)), file=sys.stderr)
"""


def test_without_arguments_the_help_is_shown(program):
    code, out, _ = program()
    assert code == 0 and "inspect" in out and "Exit codes" in out


def test_version_and_help_are_results(program):
    assert program("--version")[0] == 0
    code, out, err = program("inspect", "--help")
    assert code == 0 and not err
    assert len(out.split("\n\n")[0]) < 100, "the usage line does not list the flags of all plugins"
    assert "--xlsx.thumbnails" in out and "--images.format jpg|png" in out and "{" not in out


@pytest.mark.parametrize(
    "words, complaint",
    [
        (["frob"], "invalid choice: 'frob'"),
        (["--frob"], "required: COMMAND"),
        (["history"], "required: search|show|export|purge"),
        (["plugins", "list", "--jso"], "unrecognized arguments: --jso"),
        (["synthesize", "x", "--count", "many"], "--count: invalid int value: 'many'"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(program, words, complaint):
    code, out, err = program(*words)
    assert code == 2 and not out
    assert complaint in err and err.count("\n") == 1 and "--help" in err


def test_the_rescue_may_stand_before_and_behind_the_command(program, spots):
    assert "spots" in _active(program("plugins", "list", "--json"))
    for words in (["--no-plugins", "plugins", "list", "--json"], ["plugins", "list", "--json", "--no-plugins"]):
        assert "spots" not in _active(program(*words))


def _active(result) -> set[str]:
    return {plugin["id"] for plugin in json.loads(result[1])["plugins"] if plugin["state"] == "active"}


@pytest.mark.parametrize("what", ["main([])", "main(['plugins', 'list'])"])
def test_starting_is_light(what):
    done = subprocess.run(
        [sys.executable, "-c", LIGHT.format(what=what)], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stderr.split() == []


def test_a_home_that_cannot_be_made_is_a_sentence(program, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("BEARING_INSPECTOR_HOME", str(tmp_path / "file" / "home"))
    code, out, err = program("history", "search")
    assert code == 2 and not out
    assert "set BEARING_INSPECTOR_HOME" in err.splitlines()[-1] and "Traceback" not in err


def test_a_damaged_history_is_a_sentence(program, home):
    (home / "history.sqlite3").write_bytes(b"no database " * 1000)
    code, out, err = program("history", "search")
    assert code == 2 and not out and "is damaged; move it aside" in err and err.count("\n") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full")
def test_a_full_disk_behind_stdout_is_a_sentence():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "inspector", "plugins", "list"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1 and "No space left" in done.stderr and done.stderr.count("\n") == 1


def test_a_reader_that_goes_away_is_no_error(start):
    process = start("history", "search", "--json")
    process.stdout.close()
    assert process.wait(30) == 0 and process.stderr.read() == ""
