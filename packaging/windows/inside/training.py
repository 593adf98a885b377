"""Run by the Windows Python: trainings as the window starts them; each line says what happened and how long it took.

    training.py FOLDER [PROGRAM]  # PROGRAM: the packaged command line, whose children then train

One finishes, one is stopped after an epoch and resumed, one is stopped at once, one loses its parent, one has a process
that loads its images. A line that begins with BAD, or an exit code other than 0, is a fault.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inspector.datasets.synthetic import synthesize
from inspector.system import paths
from inspector.training import Training, is_locked, read_progress

SMALL: dict[str, Any] = {"epochs": 2, "imgsz": 32, "batch": 2, "device": "cpu", "learning_rate": 0.002}
ENDLESS = SMALL | {"epochs": 400}
LIMIT = 900.0  # seconds for anything
_PARENT = """
import sys, time
from pathlib import Path
from inspector.system import paths
from inspector.training import Training
if len(sys.argv) > 4:
    paths.program = lambda: [sys.argv[4]]
one = Training.start(Path(sys.argv[1]), "yolo11n-seg", Path(sys.argv[2]), eval(sys.argv[3]))
time.sleep(600)
"""


class Fault(Exception):
    """A deviation from the expected behaviour."""


def until(condition: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + LIMIT
    while not (found := condition()):
        if time.monotonic() > end:
            raise Fault(f"not within {LIMIT:g} s: {what}")
        time.sleep(0.2)
    return found


def expect(progress: Any, state: str) -> str:
    if progress.state != state:
        raise Fault(f"{progress.state} instead of {state}: {progress.sentence} {list(progress.log)[-3:]}")
    return f"{state} after epoch {progress.epoch} of {progress.epochs}"


def finishes(data: Path, folder: Path) -> str:
    one = Training.start(data, "yolo11n-seg", folder, SMALL)
    until(lambda: not one.alive, "its end")
    return expect(one.progress(), "finished")


def stops(data: Path, folder: Path) -> str:
    one = Training.start(data, "yolo11n-seg", folder, ENDLESS)
    until(lambda: one.progress().batches or not one.alive, "its first step")
    one.stop_after_epoch()
    until(lambda: not one.alive, "its end")
    said = expect(one.progress(), "stopped")
    two = Training.resume(folder, {"epochs": one.progress().epoch + 1})
    until(lambda: not two.alive, "the end of the resumed one")
    return f"{said}; resumed: {expect(two.progress(), 'finished')}"


def stops_at_once(data: Path, folder: Path) -> str:
    one = Training.start(data, "yolo11n-seg", folder, ENDLESS)
    until(lambda: one.progress().batches or not one.alive, "its first step")
    began = time.monotonic()
    one.stop()
    until(lambda: not one.alive, "its end")
    return f"{expect(one.progress(), 'stopped')}, {time.monotonic() - began:.1f} s after the word"


def loses_its_parent(data: Path, folder: Path) -> str:
    parent = subprocess.Popen([sys.executable, "-c", _PARENT, str(data), str(folder), repr(ENDLESS), *sys.argv[2:]])
    until(lambda: folder.exists() and read_progress(folder, alive=True).batches, "its first step")
    parent.kill()
    parent.wait()
    began = time.monotonic()
    until(lambda: not is_locked(folder), "its end after its parent was killed")
    took = time.monotonic() - began
    said = expect(read_progress(folder), "interrupted")
    two = Training.resume(folder, {"epochs": read_progress(folder).epoch + 1})
    until(lambda: not two.alive, "the end of the resumed one")
    return f"{said}, {took:.1f} s after its parent was killed; resumed: {expect(two.progress(), 'finished')}"


def with_a_worker(data: Path, folder: Path) -> str:
    one = Training.start(data, "yolo11n-seg", folder, SMALL | {"workers": 1})
    until(lambda: not one.alive, "its end")
    return expect(one.progress(), "finished")


def main() -> int:
    place = Path(sys.argv[1]) / "训练 检查"
    if len(sys.argv) > 2:
        paths.program = lambda: [sys.argv[2]]
    data = place / "数据 集"
    synthesize(data, count=8, size=160, seed=1, split=(0.5, 0.5, 0), good_share=0.0)
    faults = 0
    for check in (finishes, stops, stops_at_once, loses_its_parent, with_a_worker):
        began, name = time.monotonic(), check.__name__.replace("_", " ")
        try:
            state, said = "ok ", check(data / "data.yaml", place / f"结果 {check.__name__}")
        except (Fault, OSError) as fault:
            faults, state, said = faults + 1, "BAD", str(fault)
        sys.stdout.buffer.write(f"{state} {name}: {said} ({time.monotonic() - began:.0f} s)\n".encode())
        sys.stdout.flush()
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
