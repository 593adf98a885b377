import json
import os
import subprocess
import sys

import pytest

from inspector.domain import InputError
from inspector.registry.installing import enable
from inspector.registry.loading import load
from inspector.registry.state import CRASHED, read_state, starting, write_state

START = (
    "import sys; from inspector import registry; r = registry.load();"
    "print([(x.id, x.state, x.reason) for x in r.records if x.origin == 'drop-in'])"
)


def start() -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, check=False)


def test_a_plugin_that_aborts_is_off_at_the_next_start_until_it_is_enabled(dropins, plugin, good, home):
    (dropins / "boom.py").write_text(plugin("bo.om", "import os; os.abort()"))
    (dropins / "fine.py").write_text(good("fine"))
    first = start()
    assert first.returncode != 0 and first.stdout == ""
    second = start()
    assert second.returncode == 0, second.stderr
    assert eval(second.stdout) == [("bo.om", "disabled", CRASHED), ("fine", "active", "")]
    assert not list((home / "plugins-state" / "starting").iterdir())
    (dropins / "boom.py").write_text(good("bo.om"))
    assert eval(start().stdout)[0][:2] == ("bo.om", "disabled")
    enable("bo.om")
    assert eval(start().stdout)[0][:2] == ("bo.om", "active")


def test_the_mark_of_a_running_program_is_left_alone(home):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        folder = home / "plugins-state" / "starting"
        folder.mkdir(parents=True)
        mark = folder / f"slow.{other.pid}"
        mark.touch()
        assert read_state() == {} and mark.exists()
        other.communicate(b"\n")
    assert read_state() == {"slow": {"off": CRASHED}} and not mark.exists()
    assert read_state() == {"slow": {"off": CRASHED}}


def test_two_programs_that_start_at_once_do_not_disable_each_other(dropins, plugin, good, home):
    body = good("slow").replace("class Nothing", "import time; time.sleep(0.7)\nclass Nothing")
    (dropins / "slow.py").write_text(body)
    running = [subprocess.Popen([sys.executable, "-c", START], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in running:
        assert eval(process.communicate()[0]) == [("slow", "active", "")]
    assert not (home / "plugins-state" / "state.json").exists()


def test_a_mark_with_our_own_number_is_an_earlier_programs(home):
    # In a container every start may have the same number.
    folder = home / "plugins-state" / "starting"
    folder.mkdir(parents=True)
    (folder / f"x.{os.getpid()}").touch()
    with starting("y"):
        assert read_state() == {"x": {"off": CRASHED}}
        assert [mark.name for mark in folder.iterdir()] == [f"y.{os.getpid()}"]
    assert not list(folder.iterdir())


@pytest.mark.parametrize("name", ["x", "x.", ".5", "x.y", f"{'9' * 40}"])
def test_other_files_beside_the_marks_do_no_harm(home, name):
    folder = home / "plugins-state" / "starting"
    folder.mkdir(parents=True)
    (folder / name).touch()
    assert read_state() == {}


def test_a_mark_with_an_impossible_number_counts_as_dead(home):
    folder = home / "plugins-state" / "starting"
    folder.mkdir(parents=True)
    (folder / f"x.{'9' * 40}").touch()
    assert read_state() == {"x": {"off": CRASHED}}


def test_the_state_is_sparse(home):
    write_state({"b": {}, "a": {"off": "why 轴承"}})
    file = home / "plugins-state" / "state.json"
    assert json.loads(file.read_text("utf-8")) == {"plugins": {"a": {"off": "why 轴承"}}}
    assert read_state() == {"a": {"off": "why 轴承"}}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"plugins": 5}', '{"plugins": {"a": 5}}', "\udcff", "[" * 100_000])
def test_a_damaged_state_is_told_and_stops_nothing(home, caplog, text, dropins, good):
    (dropins / "a.py").write_text(good("a"))
    (home / "plugins-state").mkdir()
    (home / "plugins-state" / "state.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert "a" in load().sources
    assert "is damaged" in caplog.text


def test_a_state_that_cannot_be_written_is_told(home, dropins, good, caplog):
    (dropins / "a.py").write_text(good("a"))
    (home / "plugins-state").write_text("a file where the folder should be")
    with pytest.raises(InputError, match=r"state\.json cannot be written"):
        write_state({"a": {"off": "x"}})
    assert "a" in load().sources
    assert "would go unnoticed" in caplog.text
