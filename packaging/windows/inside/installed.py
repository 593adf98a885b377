"""Run by the Windows Python: the built program as the installer leaves it: its file type, its window, its end.

    installed.py PROGRAM_FOLDER WORK

What ``installer.iss`` writes into the registry is written here, out of that file; a recipe is then opened as by a
double-click. Each line says what happened; BAD, or an exit code other than 0, is a fault.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import winreg
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

WINDOW = "Bearing Inspector.exe"
LIMIT = 180.0  # seconds
PROGRAM, WORK = Path(sys.argv[1]), Path(sys.argv[2])
SAMPLES = PROGRAM / "_internal" / "sample_data"


class Fault(Exception):
    """A deviation from the expected behaviour."""


def until(condition: Callable[[], Any], what: str, seconds: float = LIMIT) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise Fault(f"not within {seconds:g} s: {what}")
        time.sleep(0.3)
    return found


def windows() -> list[psutil.Process]:
    """The processes of the windowed program."""
    return [one for one in psutil.process_iter(["name"]) if (one.info["name"] or "").lower() == WINDOW.lower()]


def photograph(name: str) -> None:
    """Ask for an image of the screen, and wait until it was taken."""
    wanted = WORK / f"{name}.wanted"
    wanted.touch()
    until(lambda: not wanted.exists(), "an image of the screen", 60)


def register() -> str:
    """The keys of the section [Registry], as Inno Setup would write them for this program."""
    script = (Path(__file__).resolve().parents[1] / "installer.iss").read_text("utf-8")
    section = script.partition("[Registry]")[2].partition("\n[")[0]
    names = dict(re.findall(r"^zh\.(\w+)=(.*)$", script, re.MULTILINE))
    count = 0
    for line in section.strip().splitlines():
        given = {key: _unquoted(value) for key, value in re.findall(r'(\w+): ("(?:[^"]|"")*"|[^;]*)', line)}
        data = given["ValueData"].replace("{app}", str(PROGRAM))
        data = re.sub(r"\{cm:(\w+)\}", lambda found: names[found[1]], data)
        with winreg.CreateKey(winreg.HKEY_CURRENT_USER, given["Subkey"]) as key:
            winreg.SetValueEx(key, "", 0, winreg.REG_SZ, data)
        count += 1
    if count != 4:
        raise Fault(f"{count} keys were read out of installer.iss")
    return f"{count} keys"


def _unquoted(text: str) -> str:
    return text[1:-1].replace('""', '"') if text.startswith('"') else text.strip()


def open_a_recipe() -> str:
    """By the file type, with a Chinese name and a blank in the path."""
    words = ["inspect", str(min(SAMPLES.glob("*.jpg"))), "--output", str(WORK / "结果 1"), "--export", "none"]
    command = [str(PROGRAM / "bearing-inspector.exe"), *words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        raise Fault(f"inspect: exit code {done.returncode}: {done.stderr[-300:]!r}")
    recipe = WORK / "轴承 检测.bearing"
    recipe.write_bytes((WORK / "结果 1" / "run.json").read_bytes())
    began = time.monotonic()
    os.startfile(recipe)
    until(windows, "the process of the window")
    home = Path(os.environ["BEARING_INSPECTOR_HOME"])
    until(lambda: (home / "window.lock").exists(), "the window's lock")
    time.sleep(40)  # until the model is there
    photograph("recipe")
    return f"the window opened {time.monotonic() - began - 40:.0f} s after the double-click at the latest"


def a_second_start() -> str:
    command = [str(PROGRAM / WINDOW), "--open", str(max(SAMPLES.glob("*.jpg")))]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=LIMIT, check=False)
    time.sleep(8)
    photograph("second")
    if done.returncode or len(windows()) != 1:
        raise Fault(f"exit code {done.returncode}, {len(windows())} windows")
    return "handed over to the window that is open; exit code 0"


def close() -> str:
    """As by the cross: WM_CLOSE."""
    began = time.monotonic()
    subprocess.run(["taskkill", "/IM", WINDOW], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    until(lambda: not windows(), "its end", 60)
    return f"gone after {time.monotonic() - began:.0f} s"


def main() -> int:
    faults = 0
    for check in (register, open_a_recipe, a_second_start, close):
        began = time.monotonic()
        try:
            state, said = "ok ", check()
        except (Fault, OSError, subprocess.SubprocessError) as fault:
            faults, state, said = faults + 1, "BAD", f"{type(fault).__name__}: {fault}"
        line = f"{state} {check.__name__.replace('_', ' ')}: {said} ({time.monotonic() - began:.0f} s)\n"
        sys.stdout.buffer.write(line.encode())
        sys.stdout.flush()
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
