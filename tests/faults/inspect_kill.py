"""Kills ``inspect`` at random moments, again and again: python tests/faults/inspect_kill.py [times]

Each time the history must open and be intact, the killed run must be told as interrupted, every picture that was
inspected must be whole, no published file may be half a file, and the next run must work.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

COUNT = 400


def prepare(folder: Path) -> None:
    from inspector import registry
    from inspector.imaging import write_image

    (folder / "home" / "plugins").mkdir(parents=True)
    registry.new("model", "spots", folder / "home" / "plugins")
    (folder / "图 pictures").mkdir()
    for number in range(COUNT):
        picture = np.full((60, 80, 3), 200, np.uint8)
        if number % 2:
            picture[20:30, 20:30] = 10
        write_image(folder / "图 pictures" / f"{number}.png", picture)


def inspect(folder: Path, output: Path) -> subprocess.Popen[bytes]:
    words = ["inspect", str(folder / "图 pictures"), "--model", "spots", "--quiet", "--output", str(output)]
    words += ["--export", "images,jsonl,csv,xlsx,coco"]
    return subprocess.Popen([sys.executable, "-m", "inspector", *words], stdout=subprocess.DEVNULL)


def check(home: Path, output: Path) -> tuple[str, int]:
    """State of the last run and the number of its inspections; raises where something is broken."""
    from inspector.history import History

    with History.open() as history:
        runs = history.runs()
    connection = sqlite3.connect(home / "history.sqlite3")
    (answer,) = connection.execute("PRAGMA integrity_check").fetchone()
    assert answer == "ok", answer
    rows = connection.execute("SELECT number, defects FROM inspection WHERE run = ? ORDER BY number", (runs[0].id,))
    numbers = rows.fetchall()
    connection.close()
    assert [number for number, _ in numbers] == list(range(1, len(numbers) + 1)), "an inspection is missing"
    assert all(defects == (number + 1) % 2 for number, defects in numbers), "an inspection is wrong"
    for file in output.rglob("*"):
        if file.name.startswith(".tmp-") or file.is_dir():
            continue
        if file.suffix == ".json":
            json.loads(file.read_text("utf-8"))
        elif file.suffix == ".jsonl":
            assert len([json.loads(line) for line in file.read_text("utf-8").splitlines()]) == COUNT
        elif file.suffix == ".xlsx":
            assert zipfile.ZipFile(file).testzip() is None
        elif file.suffix == ".jpg":
            assert file.read_bytes().endswith(b"\xff\xd9"), f"{file} is half a picture"
    return runs[0].state, len(numbers)


def main(times: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ["BEARING_INSPECTOR_HOME"] = str(folder / "home")
        prepare(folder)
        began = time.monotonic()
        assert inspect(folder, folder / "whole").wait() == 0
        whole = time.monotonic() - began
        told = set()
        for number in range(times):
            output = folder / f"out{number}"
            process = inspect(folder, output)
            time.sleep(random.uniform(0.1, 1.1) * whole)
            process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
            code = process.wait()
            state, kept = check(folder / "home", output)
            told.add(state)
            assert state in ("interrupted", "done") and not (code == 0 and state != "done"), state
            print(f"{number + 1}: exit code {code}, {state}, {kept} inspections")
        assert inspect(folder, folder / "last").wait() == 0
        assert check(folder / "home", folder / "last") == ("done", COUNT)
        assert times < 5 or "interrupted" in told, "no kill hit a run at work"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
