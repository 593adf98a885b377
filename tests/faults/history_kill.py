"""Kills a program that writes to the history, again and again: python tests/faults/history_kill.py [times]

Each time the file must open, be intact, and hold every inspection that the program had said was on the disk, whole.
"""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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


def main() -> None:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    dice = random.Random()
    beyond = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.sqlite3"
        for attempt in range(times):
            run, number = kill_once(path, dice.uniform(0, 0.9))
            beyond.append(check(path, run, number))
            print(f"{attempt + 1}: run {run}, {number} said, {beyond[-1]} more kept", flush=True)
        locks = list(Path(folder).glob("*.lock"))
        assert not locks, locks
    print(f"{times} kills: every file intact, nothing that was said to be kept was lost")


if __name__ == "__main__":
    main()
