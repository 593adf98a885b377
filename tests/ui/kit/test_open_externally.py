"""Files are opened with the system's programs; failures are reported in a sentence."""

import os
import sys

import pytest

from inspector.domain import InputError
from inspector.ui.kit import open_externally

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a stand-in for xdg-open on PATH")


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Arguments of xdg-open, recorded by a stand-in on PATH."""
    note = tmp_path / "opened.txt"
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "xdg-open"
    program.write_text(f'#!/bin/sh\nprintf %s "$1" > "{note}.part"; mv "{note}.part" "{note}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    processes = []
    start = open_externally.subprocess.Popen
    monkeypatch.setattr(
        open_externally.subprocess, "Popen", lambda *a, **k: processes.append(start(*a, **k)) or processes[-1]
    )

    def wait() -> str:
        for process in processes:
            process.wait(10)
        return note.read_text("utf-8")

    return wait


def test_a_file_is_given_to_the_system(opened, tmp_path):
    file = tmp_path / "零件 1.png"
    file.touch()
    open_externally.open_path(file)
    assert opened() == str(file)


def test_a_file_is_shown_in_its_folder(opened, tmp_path):
    open_externally.show_in_folder(tmp_path / "gone.png")
    assert opened() == str(tmp_path)


def test_what_is_gone_is_told(tmp_path):
    with pytest.raises(InputError, match="no longer exists"):
        open_externally.open_path(tmp_path / "gone.png")
    with pytest.raises(InputError, match="no longer exists"):
        open_externally.show_in_folder(tmp_path / "gone" / "gone.png")


def test_a_system_without_a_program_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="open it by hand"):
        open_externally.open_path(tmp_path)
