"""Shared code of the fault tests: counting, starting the program, checking that a folder is complete."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class Kind:
    """One kind of fault at work.

    Attributes:
        tries: at most so many.
        seconds: at most about so long.
        lost: a sentence for each try that the program did not survive as it should.
    """

    name: str
    dice: random.Random
    folder: Path
    tries: int
    seconds: float
    done: int = 0
    lost: list[str] = field(default_factory=list)
    note: str = ""

    def __post_init__(self) -> None:
        self._until = time.monotonic() + self.seconds

    def each(self) -> Iterator[int]:
        """The numbers of the tries, from 0 on, as long as there is time; at least one."""
        for number in range(self.tries):
            if number and time.monotonic() > self._until:
                return
            yield number
            self.done += 1

    def demand(self, holds: object, sentence: str) -> None:
        if not holds:
            self.lost.append(f"{self.name}, try {self.done + 1}: {sentence}")


def environment(home: Path, **more: str) -> dict[str, str]:
    return os.environ | {"BEARING_INSPECTOR_HOME": str(home), "OMP_NUM_THREADS": "1", **more}


def program(home: Path, *words: str, **more: str) -> subprocess.Popen[str]:
    """The command line, at work."""
    return subprocess.Popen(
        [sys.executable, "-m", "inspector", *words],
        env=environment(home, **more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )


def finish(kind: Kind, process: subprocess.Popen[str], codes: tuple[int, ...] = (0, 1, 2), limit: float = 180.0) -> str:
    """Wait for its end, which must be orderly; returns what it said on stderr."""
    try:
        _, said = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        kind.demand(False, f"it did not end within {limit:g} s")
        return ""
    kind.demand(process.returncode in codes, f"exit code {process.returncode}: {said[-300:]}")
    kind.demand("Traceback" not in said and "Unexpected error" not in said, f"no sentence: {said[-600:]}")
    return said


def new_home(folder: Path) -> Path:
    """A user's folder with the model ``spots``."""
    home = folder / "home"
    (home / "plugins").mkdir(parents=True)
    script = "import sys; from inspector import registry; from pathlib import Path; "
    script += "registry.new('model', 'spots', Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", script, str(home / "plugins")], env=environment(home), check=True)
    return home


def draw(folder: Path, count: int, width: int = 80, height: int = 60) -> Path:
    """A folder of so many small images; every other one has a defect."""
    from inspector.imaging import write_image

    folder.mkdir(parents=True)
    for number in range(count):
        image = np.full((height, width, 3), 200, np.uint8)
        if number % 2:
            image[20:30, 20:30] = 10
        write_image(folder / f"{number:05d}.png", image)
    return folder


def check_files(kind: Kind, output: Path, temporary: bool = True) -> None:
    """Every file that has its name is whole.

    Args:
        temporary: ``.tmp-`` files may be there, as after a kill.
    """
    for file in output.rglob("*") if output.is_dir() else ():
        if file.is_dir():
            continue
        if file.name.startswith(".tmp-"):
            kind.demand(temporary, f"{file.name} was left behind")
            continue
        try:
            if file.suffix == ".json":
                json.loads(file.read_text("utf-8"))
            elif file.suffix == ".jsonl":
                for line in file.read_text("utf-8").splitlines():
                    json.loads(line)
            elif file.suffix == ".xlsx":
                with zipfile.ZipFile(file) as archive:
                    kind.demand(archive.testzip() is None, f"{file} is damaged")
            elif file.suffix == ".jpg":
                kind.demand(file.read_bytes().endswith(b"\xff\xd9"), f"{file} is half an image")
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            kind.demand(False, f"{file}: {error}")


def check_history(kind: Kind, home: Path) -> list[tuple[int, str, int]]:
    """The history is intact; returns (run, state, number of inspections) of each run, the newest first."""
    from inspector.history import History

    file = home / "history.sqlite3"
    if not file.exists():
        return []
    try:
        with History.open(file) as history:
            history.runs()
        connection = sqlite3.connect(file)
        kind.demand(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",), "the history is damaged")
        rows = connection.execute(
            """SELECT run.id, state, count(verdict), count(inspection.id), ifnull(max(number), 0) FROM run
            LEFT JOIN inspection ON inspection.run = run.id GROUP BY run.id ORDER BY run.id DESC"""
        ).fetchall()
        connection.close()
    except Exception as error:
        kind.demand(False, f"the history cannot be used: {error}")
        return []
    for run, _, _, kept, highest in rows:  # an image that cannot be read takes a number, too
        kind.demand(kept >= highest, f"run {run} lacks an inspection: {kept} of {highest}")
    return [(run, state, inspected) for run, state, inspected, *_ in rows]


def exported(output: Path) -> list[str]:
    """The names in results.jsonl."""
    file = output / "results.jsonl"
    return [json.loads(line)["name"] for line in file.read_text("utf-8").splitlines()] if file.exists() else []
