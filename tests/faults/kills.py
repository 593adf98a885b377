"""SIGKILL at random moments: of runs, resumed runs, exports, settings, and the making of a model's cache."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.faults.common import Kind, check_files, check_history, draw, environment, exported, finish, new_home, program

COUNT = 300
EXPORTS = "images,jsonl,csv,xlsx,coco,yolo,labelme"
SETTER = """
import sys
from inspector.settings import Settings
settings = Settings.load()
number = round(settings.get("confidence") * 100)
settings.set("iou", number % 100 / 100)
print("ready", flush=True)  # both are equal from now on, or one step apart
while True:
    number += 1
    settings.set("confidence", number % 100 / 100)
    settings.set("iou", number % 100 / 100)
"""


def inspections(kind: Kind) -> None:
    """``inspect`` is killed, then resumed until its end: its files are those of an undisturbed run."""
    home, images = new_home(kind.folder), draw(kind.folder / "图 images", COUNT)
    words = ["inspect", str(images), "--model", "spots", "--quiet", "--export", EXPORTS, "--output"]
    began = time.monotonic()
    finish(kind, program(home, *words, str(kind.folder / "whole")), (0,), 1800.0)
    whole = time.monotonic() - began
    limit = max(180.0, 10 * whole)  # a machine may be slow; what hangs takes longer still
    for number in kind.each():
        output = kind.folder / f"out{number}"
        process = program(home, *words, str(output))
        kills = 0
        while True:
            time.sleep(kind.dice.uniform(0.2, 1.0) * whole)
            process.kill()
            process.communicate()
            check_files(kind, output)
            runs = check_history(kind, home)
            if not (output / "run.json").exists():
                break  # killed before it began
            kind.demand(runs[0][1] in ("interrupted", "done"), f"the run is {runs[0][1]}")
            if runs[0][1] == "done":
                break
            kills += 1
            process = program(home, "inspect", "--resume", str(output), "--quiet")
            if kills == 2:
                finish(kind, process, (0,), limit)
                _compare(kind, kind.folder / "whole", output)
                kind.demand(check_history(kind, home)[0][1:] == ("done", COUNT), "it was not resumed to its end")
                break
        shutil.rmtree(output, ignore_errors=True)


def _compare(kind: Kind, whole: Path, output: Path) -> None:
    names = [{file.relative_to(place).as_posix() for file in place.rglob("*")} for place in (whole, output)]
    kind.demand(names[0] == names[1], f"other files: {sorted(names[0] ^ names[1])[:5]}")
    kind.demand(exported(whole) == exported(output), "results.jsonl differs")
    for name in names[0] & names[1]:
        same = name.startswith(("images/", "yolo/labels", "defects.csv")) and (whole / name).is_file()
        kind.demand(not same or (whole / name).read_bytes() == (output / name).read_bytes(), f"{name} differs")


def exports(kind: Kind) -> None:
    """``history export`` is killed: no file that has its name is half a file, and the next export works."""
    home, images = new_home(kind.folder), draw(kind.folder / "images", COUNT)
    finish(kind, program(home, "inspect", str(images), "--model", "spots", "--quiet", "--export", "none"), (0,))
    words = ["history", "export", "--export", EXPORTS, "--output"]
    for number in kind.each():
        output = kind.folder / f"export{number}"
        process = program(home, *words, str(output))
        time.sleep(kind.dice.uniform(0.5, 4.0))
        process.kill()
        process.communicate()
        check_files(kind, output)
        check_history(kind, home)
    finish(kind, program(home, *words, str(kind.folder / "last")), (0,))
    kind.demand(len(exported(kind.folder / "last")) == COUNT, "an export is not complete")


def settings(kind: Kind) -> None:
    """A program that saves settings all the time is killed: the file is whole, with one of the last two values."""
    home = kind.folder / "home"
    home.mkdir()
    for _ in kind.each():
        command = [sys.executable, "-c", SETTER]
        with subprocess.Popen(command, env=environment(home), stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(kind.dice.uniform(0.01, 0.3))
            process.kill()
        try:
            held = json.loads((home / "settings.json").read_text("utf-8")) if (home / "settings.json").exists() else {}
        except ValueError as error:
            kind.demand(False, f"settings.json: {error}")
            continue
        apart = abs(held.get("confidence", 0.25) - held.get("iou", 0.45))  # defaults are not kept
        kind.demand(apart < 0.011 or abs(apart - 0.99) < 0.011, f"{held} was never saved")
        kind.demand(not list(home.glob("*damaged*")), "the file was taken for damaged")


def model_cache(kind: Kind) -> None:
    """The first use of a model, which makes its cache, is killed: the next use works, with the same results."""
    from inspector.system.paths import assets

    images = draw(kind.folder / "images", 3)
    model = kind.folder / "best.pt"
    for number in kind.each():
        home = kind.folder / f"home{number}"
        home.mkdir()
        source = next((assets() / "models").glob("*.pt"))
        model.write_bytes(source.read_bytes())
        words = ["inspect", str(images), "--model", str(model), "--quiet", "--export", "jsonl", "--output"]
        process = program(home, *words, str(kind.folder / f"killed{number}"))
        time.sleep(kind.dice.uniform(1.0, 15.0))
        process.kill()
        process.communicate()
        finish(kind, program(home, *words, str(kind.folder / f"next{number}")), (0,))
        kind.demand(len(exported(kind.folder / f"next{number}")) == 3, "the model could not be used")
        shutil.rmtree(home, ignore_errors=True)
