import argparse
import json

import pytest

from inspector.cli import plugins
from inspector.domain import InputError

PLUGIN = """
from inspector.api import SourceSpec, Text, hookimpl
print("noise from the plugin")
PLUGIN = {"id": "mine", "version": "1.2", "api": 1, "kinds": ["source"], "description_zh": "我的"}

@hookimpl
def inspector_sources():
    return [SourceSpec(id="mine_here", title=Text("Mine"), open=print)]
"""


@pytest.fixture
def command(capsys):
    """Runs ``plugins …``; returns exit code, stdout and stderr."""
    parser = argparse.ArgumentParser()
    plugins.configure(parser)

    def run(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = plugins.run(parser.parse_args([str(word) for word in words]))
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def mine(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(PLUGIN, encoding="utf-8")
    return file


def listed(command) -> dict[str, dict]:
    code, out, _ = command("list", "--json")
    assert code == 0
    return {row["id"]: row for row in json.loads(out)["plugins"]}


@pytest.mark.slow
def test_the_life_of_a_plugin(command, mine):
    code, out, err = command("install", mine)
    assert code == 0 and "Installed mine 1.2: " in out and "SHA-256 " in out and "full permissions" in err
    row = listed(command)["mine"]
    assert (row["state"], row["origin"], row["description_zh"]) == ("active", "drop-in", "我的")
    assert row["sha256"] in out and row["specs"] == [{"kind": "source", "id": "mine_here"}]
    assert command("disable", "mine")[1] == "mine is disabled from the next start on\n"
    assert listed(command)["mine"]["reason"] == "disabled by the user"
    assert command("enable", "mine", "--json")[1] == '{\n  "id": "mine",\n  "enabled": true\n}\n'
    assert listed(command)["mine"]["state"] == "active"
    assert ", in place of 1.2: " in command("install", mine)[1]
    code, out, _ = command("remove", "mine", "--json")
    assert code == 0 and json.loads(out)["id"] == "mine"
    assert "mine" not in listed(command)


def test_the_list_for_people(command, mine):
    command("install", mine)
    code, out, _ = command("list")
    lines = out.splitlines()
    assert code == 0 and lines[0].split() == ["id", "version", "kinds", "origin", "state", "ms", "brings", "reason"]
    (row,) = (line.split() for line in lines if line.startswith("mine "))
    assert row[:5] == ["mine", "1.2", "source", "drop-in", "active"] and row[6] == "mine_here"


def test_check_fails_when_one_is_wrong(command, home):
    (home / "plugins").mkdir()
    (home / "plugins" / "bad.py").write_text(PLUGIN + "\nraise ValueError('wrong here')", "utf-8")
    code, out, err = command("check")
    assert code == 1 and "ValueError: wrong here" in out and "Traceback" in err
    code, out, _ = command("check", "--json")
    assert code == 1 and json.loads(out)["plugins"][-1]["state"] == "failed"
    assert command("list")[0] == 0


def test_check_tries_a_file_in_another_process(command, mine):
    code, out, _ = command("check", mine, "--json")
    assert code == 0 and json.loads(out)["plugins"][0]["specs"] == [{"kind": "source", "id": "mine_here"}]
    mine.write_text(PLUGIN.replace('"api": 1', '"api": 2'), "utf-8")
    code, out, _ = command("check", mine)
    assert code == 1 and "interface 2, this program has 1" in out


def test_new_writes_a_plugin_that_can_be_installed(command, tmp_path):
    code, out, _ = command("new", "exporter", "tally", "--folder", tmp_path)
    assert code == 0 and out == f"Wrote {tmp_path / 'tally.py'}\n"
    assert command("install", tmp_path / "tally.py", "--json")[0] == 0
    assert listed(command)["tally"]["specs"] == [{"kind": "exporter", "id": "tally"}]
    code, out, _ = command("new", "layer", "attention", "--folder", tmp_path, "--json")
    assert json.loads(out) == {"kind": "layer", "id": "attention", "path": str(tmp_path / "attention")}


def test_bad_input_is_an_input_error(command, tmp_path):
    for words in (
        ("install", tmp_path / "none"),
        ("check", tmp_path / "none"),
        ("remove", "none"),
        ("enable", "none"),
        ("new", "source", "No Name"),
        ("new", "source", "fine", "--folder", tmp_path / "none"),
    ):
        with pytest.raises(InputError):
            command(*words)


def test_the_rescue_flag_may_stand_at_the_end(home):
    import subprocess
    import sys

    (home / "plugins").mkdir()
    (home / "plugins" / "bad.py").write_text(PLUGIN + "import os; os.abort()", "utf-8")
    program = [sys.executable, "-m", "inspector", "plugins", "list", "--json", "--no-plugins"]
    done = subprocess.run(program, capture_output=True, check=True)
    row = json.loads(done.stdout)["plugins"][-1]
    assert (row["id"], row["state"], row["reason"]) == (
        "mine",
        "disabled",
        "not loaded: the program was started without plugins",
    )


def test_an_action_is_needed(command):
    with pytest.raises(SystemExit) as caught:
        command()
    assert caught.value.code == 2
