"""SIGKILL of a program that writes to the history: the file must open, be intact, and hold every inspection that the
program had said was on the disk, whole.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from tests.faults.common import Kind

WRITER = """
import sys
from datetime import datetime
from pathlib import Path
import numpy as np
from inspector.domain import Choice, Detection, Frame, Inspection, Job, Mask, ModelInfo, Verdict
from inspector.history import History

history = History.open(Path(sys.argv[1]))
model = ModelInfo("best.pt", "00", "yolo11n-seg", ("Crack",))
started = datetime.now().astimezone().isoformat()
run = history.begin(Job((Choice("files"),), Choice("yolo11")), model, "kill", None, started)
found = (Detection("Crack", 0.9, (1, 1, 4, 4), Mask(1, 1, np.ones((3, 3), bool))),) * 3
image = np.zeros((8, 8, 3), np.uint8)
number = 0
while True:
    number += 1
    frame = Frame(image, number, f"{number}.png", path=f"/folder {number % 50}/{number}.png")
    history.add(run, Inspection(frame, found, Verdict("NG"), model, number=number))
    if number % 20 == 0:
        history.commit()
    if not history.pending:
        print(run, number, flush=True)
    if number == 200:
        history.purge(run=run - 2)
"""


def kill_once(path: Path, after: float) -> tuple[int, int]:
    """Returns the run and the number of its last inspection that was said to be on the disk."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(after)
        writer.kill()
        said = [line for line in (first + writer.stdout.read()).splitlines(keepends=True) if line.endswith("\n")]
    run, number = said[-1].split()
    return int(run), int(number)


def check(path: Path, run: int, number: int) -> int:
    """Returns how many inspections the run has beyond those that had to be there."""
    from inspector.history import History, Query

    with History.open(path) as history:
        entry = next(entry for entry in history.runs() if entry.id == run)
        kept = history.count(Query(run=run))
        assert entry.state == "interrupted", entry
        assert entry.counts["inspected"] == kept >= number, (entry.counts, kept, number)
        last = history.get(history.search(Query(run=run, limit=1)).entries[0].id)
        assert last["number"] == kept and len(last["detections"]) == 3, last
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        whole = "SELECT count(*), count(DISTINCT number), max(number), sum(defects) FROM inspection WHERE run = ?"
        assert connection.execute(whole, (run,)).fetchone() == (kept, kept, kept, 3 * kept)
        assert connection.execute("SELECT count(*) % 3 FROM detection").fetchone() == (0,)
    connection.close()
    return kept - number


def history(kind: Kind) -> None:
    """A program that writes to the history is killed: what it said was on the disk is there."""
    path = kind.folder / "history.sqlite3"
    for _ in kind.each():
        try:
            run, number = kill_once(path, kind.dice.uniform(0, 0.9))
            check(path, run, number)
        except AssertionError as error:
            kind.demand(False, f"{error}"[:300])
    kind.demand(not list(kind.folder.glob("*.lock")), "a lock was left behind")
