"""The parts of ``--self-test`` that are quick; the whole of it runs in the built program (tests/packaging)."""

import os
from importlib.metadata import entry_points

import pytest

from inspector import selftest
from inspector.system import paths


@pytest.fixture
def quick(monkeypatch):
    """Without the parts that start children and windows."""
    for name in ("_inspection", "_torch", "_window"):
        monkeypatch.setattr(selftest, name, lambda: "left out")


def test_a_program_that_is_whole(quick, capsys, home):
    assert selftest.main() == 0
    said = capsys.readouterr().out.splitlines()
    assert [line[:3] for line in said[:-1]] == ["ok "] * 6 and said[-1] == "The program works."
    built_in = len(entry_points(group="bearing_inspector.plugins"))
    assert f"{built_in + 1} active" in said[2]  # and the drop-in that it writes
    assert list(home.iterdir()) == []  # the user's own folder was not touched
    assert os.environ[paths.HOME_VARIABLE] != str(home)


def test_what_is_missing_is_told_and_the_others_are_tried(quick, capsys, monkeypatch, tmp_path):
    (tmp_path / "fonts").mkdir()
    monkeypatch.setattr(paths, "assets", lambda: tmp_path)
    monkeypatch.setattr(selftest, "_plugins", lambda: "left out")
    assert selftest.main() == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("BAD  files: Fault: missing: fonts/OFL.txt, icons/") and "a font" in said[0]
    assert said[-1] == "The program does not work; install it again." and len(said) == 7


def test_a_plugin_that_fails_is_named(quick, capsys, monkeypatch):
    monkeypatch.setattr(selftest, "_PLUGIN", selftest._PLUGIN.replace("import cv2", "import no_such_module"))
    assert selftest.main() == 1
    assert "BAD  plugins: Fault: self_test (ModuleNotFoundError" in capsys.readouterr().out


def test_a_command_that_fails_is_told(home):
    with pytest.raises(selftest.Fault, match=r"inspect ended with exit code 2: bearing-inspector: .*no_such"):
        selftest._answer("inspect", home / "no_such.jpg")
