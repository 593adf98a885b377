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
    assert code == 2 and not out and "is damaged; move it away" in err and err.count("\n") == 1


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


@pytest.fixture
def entry(monkeypatch):
    """``entry("--open", …)``: which of the two the program enters, and with what."""
    from inspector import __main__ as program

    def run(*arguments):
        entered = []
        monkeypatch.setattr("inspector.ui.main", lambda words: entered.append(("window", words)) or 0)
        monkeypatch.setattr("inspector.cli.main", lambda words: entered.append(("command line", words)) or 0)
        monkeypatch.setattr(sys, "argv", ["bearing-inspector", *arguments])
        assert program.main() == 0
        ((which, words),) = entered
        assert words == list(arguments)
        return which

    return run


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--open", "a.jpg", "b.jpg"],
        ["--open=a.jpg"],
        ["--recipe", "run.json"],
        ["--recipe=run.json", "--open", "a.jpg"],
        ["--no-plugins"],
        ["--verbose", "--no-plugins"],
        ["--verbose", "--open", "a.jpg"],
        ["--no-plugins", "--recipe", "run.json"],
    ],
)
def test_without_a_command_it_is_the_window(entry, words):
    assert entry(*words) == "window"


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["-h"],
        ["--version"],
        ["inspect", "a.jpg"],
        ["inspect", "--recipe", "run.json"],
        ["--no-plugins", "plugins", "list"],
        ["--verbose", "--help"],
        ["history", "search", "--text", "--operator"],
        ["history", "search", "--text", "--open"],
        ["frob"],
        ["a.jpg"],
    ],
)
def test_a_command_and_help_are_the_command_lines(entry, words):
    assert entry(*words) == "command line"


@pytest.mark.parametrize(
    "words, sources, recipe, verbose",
    [
        ([], [], None, False),
        (["--open", "零件 1.jpg", "camera:0"], ["零件 1.jpg", "camera:0"], None, False),
        (["--recipe", "run.json", "--verbose"], [], "run.json", True),
    ],
)
def test_the_window_is_given_what_to_open(monkeypatch, words, sources, recipe, verbose):
    from inspector import ui
    from inspector.ui import app

    given = []
    monkeypatch.setattr(app, "main", lambda *a, **k: given.append((*a, k)) or 0)
    assert ui.main(words) == 0
    ((opened, file, told, options),) = given
    assert opened == sources and (file and str(file)) == recipe and told is verbose
    assert set(options) == {"only", "operator", "start"} and not options["operator"] and not options["start"]


def test_the_window_opens_the_operators_view_and_starts(monkeypatch):
    from inspector import ui
    from inspector.ui import app

    given = []
    monkeypatch.setattr(app, "main", lambda *a, **k: given.append(k) or 0)
    assert ui.main(["--recipe", "line.bearing", "--operator", "--start"]) == 0
    assert given[0]["operator"] and given[0]["start"]


def test_the_rescue_reaches_the_window(monkeypatch):
    import os

    from inspector import ui
    from inspector.ui import app

    monkeypatch.setenv("BEARING_INSPECTOR_NO_PLUGINS", "")
    monkeypatch.setattr(app, "main", lambda *a, **k: 0)
    assert ui.main(["--no-plugins"]) == 0 and os.environ["BEARING_INSPECTOR_NO_PLUGINS"] == "1"


@pytest.mark.skipif(sys.platform != "linux", reason="screens of X11")
@pytest.mark.parametrize("words", [[], ["--open", "a.jpg"], ["--recipe", "run.json"]])
def test_without_a_screen_it_is_a_sentence(words, monkeypatch, home):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    done = subprocess.run([sys.executable, "-m", "inspector", *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and not done.stdout
    assert "cannot be opened" in done.stderr and "command line" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="screens of X11")
def test_a_home_that_cannot_be_made_is_a_sentence_without_a_command_too(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("BEARING_INSPECTOR_HOME", str(tmp_path / "file" / "home"))
    monkeypatch.delenv("DISPLAY", raising=False)
    done = subprocess.run([sys.executable, "-m", "inspector"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "set BEARING_INSPECTOR_HOME" in done.stderr.splitlines()[-1]


def test_a_wrong_word_for_the_window_is_told(capsys):
    from inspector import ui

    for words in (["--recipe"], ["--open", "a.jpg", "--frob"]):
        with pytest.raises(SystemExit) as ended:
            ui.main(words)
        assert ended.value.code == 2 and "error: " in capsys.readouterr().err


def test_help_is_the_command_lines(program):
    code, out, _ = program("--help")
    assert code == 0 and "inspect" in out and "train" in out


NOISY = """
import ctypes, os, threading, time
PLUGIN = {"id": "noisy", "version": "1.0", "api": 1, "kinds": ["source"], "description": "x"}
os.write(1, b"noise of a library\\n")
ctypes.CDLL(None).puts(b"noise of C")
threading.Thread(target=time.sleep, args=(300,)).start()
from inspector.api import SourceSpec, Text, hookimpl
@hookimpl
def inspector_sources():
    return [SourceSpec("noisy", Text("noisy"), open=print)]
"""


@pytest.mark.skipif(sys.platform == "win32", reason="it takes the C library by name")
@pytest.mark.timeout(60)
def test_what_libraries_print_is_no_result_and_a_plugins_thread_does_not_keep_the_program(home):
    (home / "plugins").mkdir(exist_ok=True)
    (home / "plugins" / "noisy.py").write_text(NOISY)
    done = subprocess.run(
        [sys.executable, "-m", "inspector", "plugins", "list", "--json"], capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0 and "noise of a library" in done.stderr
    assert any(plugin["id"] == "noisy" for plugin in json.loads(done.stdout)["plugins"])


@pytest.mark.parametrize("error", [SystemExit(0), GeneratorExit(), RuntimeError("a mistake")], ids=str)
def test_whatever_a_command_raises_it_is_not_done(program, monkeypatch, error):
    def run(arguments):
        raise error

    monkeypatch.setattr("inspector.cli.cameras.run", run)
    code, out, err = program("cameras")
    assert code == 1 and not out and f"Unexpected error: {type(error).__name__}" in err and "Traceback" not in err


def test_names_from_strangers_do_not_reach_the_terminal_raw(program, capsys):
    from inspector.cli import console

    console.print_line("a\x1b[31m.jpg")
    console.print_error("b\u202e\x07.jpg")
    console.table(["name"], [["c\x9b.jpg"]])
    console.emit({"name": "d\u202e\x9b\x1b\u2028"})
    out, err = capsys.readouterr()
    assert not set("\x1b\u202e\x07\x9b\u2028") & set(out + err)
    assert json.loads(out[out.index("{") :]) == {"name": "d\u202e\x9b\x1b\u2028"}
