"""ENOSPC at the n-th write, for n in a loop: a small library takes the place of the C library's writing (LD_PRELOAD).

So no privilege, no file system of its own and no full disk is needed. Linux with gcc only; elsewhere it is left out.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.faults.common import Kind, check_files, check_history, draw, environment, exported, finish, new_home, program

COUNT = 30
FOR_EVER = "1000000000"
SAVE = {
    "settings": "from inspector.settings import Settings; s = Settings.load(); s.set('confidence', 0.5)",
    "recipe": "import sys; from pathlib import Path; from inspector.system.paths import write_text; "
    "write_text(Path(sys.argv[1]) / 'a.bearing', '[' + '1, ' * 100000 + '1]')",
}


def library(folder: Path) -> Path | None:
    """The library, built; None where it cannot be."""
    if sys.platform != "linux" or shutil.which("gcc") is None:
        return None
    built = folder / "full_disk.so"
    source = Path(__file__).with_name("full_disk.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", str(built), str(source), "-ldl"], check=True)
    return built


def _loop(kind: Kind, count: str, place: Path, once: Callable[[dict[str, str], int], None]) -> None:
    """Call ``once`` with the environment of the fault at the 1st, 2nd, 3rd … write, until a try had no such write; the
    second half of the tries, where it comes to that, is at random writes.
    """
    built = library(kind.folder)
    if built is None:
        kind.note = "left out: it needs Linux and gcc"
        return
    reached = False
    for number in kind.each():
        nth = number + 1 if number < kind.tries // 2 or reached else kind.dice.randint(1, 400)
        mark = kind.folder / f"mark{number}"
        fault = {"FAULT_FOLDER": str(place), "FAULT_FROM": str(nth), "FAULT_COUNT": count, "FAULT_MARK": str(mark)}
        once({"LD_PRELOAD": str(built), **fault}, number)
        if not mark.exists() and number < kind.tries // 2:
            reached = True
            kind.note = f"the loop ended at write {nth}, which is one more than there are"
            kind.done += 1
            return


def history(kind: Kind) -> None:
    """Three writes to the history fail, then there is room again: the run waits, and nothing is lost."""
    home, images = new_home(kind.folder), draw(kind.folder / "images", COUNT)
    words = ["inspect", str(images), "--model", "spots", "--quiet", "--export", "jsonl", "--output"]

    def once(fault: dict[str, str], number: int) -> None:
        output = kind.folder / f"out{number}"
        said = finish(kind, program(home, *words, str(output), **fault))
        runs = check_history(kind, home)
        kept = runs[0][2] if runs and output.exists() else 0
        kind.demand(
            kept == len(exported(output)), f"{kept} in the history, {len(exported(output))} in the file: {said}"
        )
        check_files(kind, output, temporary=False)

    _loop(kind, "3", home / "history.sqlite3", once)


def exporters(kind: Kind) -> None:
    """The results' disk is full from the n-th write on: the history has everything, and nothing is half a file."""
    home, images = new_home(kind.folder), draw(kind.folder / "图 images", COUNT)
    words = ["inspect", str(images), "--model", "spots", "--quiet", "--output"]

    def once(fault: dict[str, str], number: int) -> None:
        output = kind.folder / "results" / f"out{number}"
        export = "images,video,jsonl,csv,xlsx,coco,yolo,labelme"
        finish(kind, program(home, *words, str(output), "--export", export, **fault))
        check_files(kind, output, temporary=False)
        runs = check_history(kind, home)
        kind.demand(not runs or runs[0][2] in (0, COUNT), f"the history holds {runs[:1]}")
        shutil.rmtree(output, ignore_errors=True)

    _loop(kind, FOR_EVER, kind.folder / "results", once)


def _file(kind: Kind, what: str, name: str) -> None:
    home = kind.folder / "home"
    home.mkdir()
    before = {"iou": 0.3} if what == "settings" else {"job": 0}
    file = home / name

    def once(fault: dict[str, str], number: int) -> None:
        file.write_text(json.dumps(before), "utf-8")
        command = [sys.executable, "-c", SAVE[what], str(home)]
        done = subprocess.run(command, env=environment(home, **fault), capture_output=True, text=True, check=False)
        kind.demand(done.returncode in (0, 1), f"exit code {done.returncode}")
        try:
            held = json.loads(file.read_text("utf-8"))
        except ValueError as error:
            kind.demand(False, f"{name}: {error}")
            return
        kind.demand(done.returncode == 0 or held == before, "it was changed though it could not be saved")
        kind.demand(not list(home.glob(".tmp-*")), "a temporary file was left behind")

    _loop(kind, FOR_EVER, home, once)


def settings(kind: Kind) -> None:
    """The disk is full while a setting is saved: the old settings stay."""
    _file(kind, "settings", "settings.json")


def recipe(kind: Kind) -> None:
    """The disk is full while a recipe is saved: the old one stays."""
    _file(kind, "recipe", "a.bearing")


def model_cache(kind: Kind) -> None:
    """The disk is full while a model's cache is made: the model is used all the same, and the next time, too."""
    from inspector.system.paths import assets

    images = draw(kind.folder / "images", 2)
    model = kind.folder / "best.pt"
    model.write_bytes(next((assets() / "models").glob("*.pt")).read_bytes())

    def once(fault: dict[str, str], number: int) -> None:
        home = kind.folder / f"home{number}"
        home.mkdir()
        words = ["inspect", str(images), "--model", str(model), "--quiet", "--export", "jsonl", "--output"]
        fault["FAULT_FOLDER"] = str(home / "plugin-data")
        finish(kind, program(home, *words, str(kind.folder / f"full{number}"), **fault))
        finish(kind, program(home, *words, str(kind.folder / f"next{number}")), (0,))
        kind.demand(len(exported(kind.folder / f"next{number}")) == 2, "the model could not be used")
        shutil.rmtree(home, ignore_errors=True)

    _loop(kind, FOR_EVER, kind.folder, once)
