"""Fixtures of the command line: some images, a model that needs no torch, and the program."""

import signal
import subprocess
import sys

import numpy as np
import pytest

from inspector import registry
from inspector.cli import main
from inspector.imaging import write_image
from inspector.system import logs
from inspector.system.paths import child_environment


@pytest.fixture
def spots(home):
    """The model plugin that ``plugins new model`` writes, installed for this user: dark spots are defects."""
    (home / "plugins").mkdir(exist_ok=True)
    return registry.new("model", "spots", home / "plugins")


@pytest.fixture
def pictures(tmp_path):
    """A folder of five images; the second and the fourth have one dark spot."""
    folder = tmp_path / "轴承 图 😀"
    folder.mkdir()
    for number in range(5):
        image = np.full((60, 80, 3), 200, np.uint8)
        if number % 2:
            image[20:30, 20:30] = 10
        write_image(folder / f"零件 {number}.png", image)
    return folder


@pytest.fixture
def program(capsys, monkeypatch):
    """``program("inspect", …)``: exit code, stdout, stderr."""
    monkeypatch.setenv("BEARING_INSPECTOR_NO_PLUGINS", "")  # --no-plugins sets it for good
    monkeypatch.setenv("LANG", "C.UTF-8")

    def run(*arguments) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        logs.stop()
        return code, *capsys.readouterr()

    yield run
    logs.stop()


@pytest.fixture
def start():
    """``start("inspect", …)``: the program in a process of its own; killed at the end if it still runs."""
    running: list[subprocess.Popen] = []

    def begin(*arguments, **options) -> subprocess.Popen:
        command = [sys.executable, "-m", "inspector", *map(str, arguments)]
        pipes: dict = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8"}
        pipes["env"] = child_environment()
        if sys.platform != "win32":  # Ctrl-C is ignored by what a shell started in the background, and by its children
            pipes["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        running.append(subprocess.Popen(command, **pipes | options))
        return running[-1]

    yield begin
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()
