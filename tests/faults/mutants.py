"""Files of strangers, changed at random: bytes flipped, cut, repeated, exchanged with another file's."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from tests.faults.common import Kind, check_files, check_history, draw, environment, finish, new_home, program

BATCH = 25
SUFFIXES = (".jpg", ".png", ".bmp", ".tif", ".webp")
LOAD = """
import sys
from pathlib import Path
from inspector.domain import InspectorError
from inspector_plugins.yolo11 import checkpoint
for text in sys.argv[1:]:
    try:
        checkpoint.load(Path(text))
    except InspectorError as error:
        print(Path(text).name, "refused", len(str(error)))
    else:
        print(Path(text).name, "loaded")
"""
INSTALL = """
import sys
from pathlib import Path
from inspector import registry
from inspector.domain import InspectorError
from inspector.registry.manifest import Refused
for text in sys.argv[1:]:
    try:
        registry.install(Path(text))
    except (InspectorError, Refused) as error:
        print(Path(text).name, "refused", len(str(error)))
    else:
        print(Path(text).name, "installed")
"""


def mutate(data: bytes, dice: random.Random, other: bytes = b"") -> bytes:
    """``data`` with one to eight changes."""
    changed = bytearray(data)
    for _ in range(dice.randint(1, 8)):
        if not changed:
            break
        at = dice.randrange(len(changed))
        match dice.randrange(7):
            case 0:
                changed[at] ^= 1 << dice.randrange(8)
            case 1:
                changed[at] = dice.choice((0, 1, 127, 128, 255))
            case 2:
                del changed[at:]
            case 3:
                del changed[at : at + dice.randint(1, 64)]
            case 4:
                changed[at:at] = changed[at : at + dice.randint(1, 256)]
            case 5:
                changed[at : at + 4] = dice.choice((0, 2**31 - 1, 2**32 - 1)).to_bytes(4, "little")
            case _:
                piece = (other or data)[at % max(1, len(other or data)) :][: dice.randint(1, 128)]
                changed[at : at + len(piece)] = piece
    return bytes(changed)


def _image(suffix: str, dice: random.Random) -> bytes:
    pixels = np.random.default_rng(dice.randrange(2**32)).integers(0, 255, (48, 64, 3), np.uint8)
    return bytes(cv2.imencode(suffix, cv2.GaussianBlur(pixels, (5, 5), 0))[1])


def images(kind: Kind) -> None:
    """A folder of mutated images is inspected: each is inspected or reported, none twice."""
    home = new_home(kind.folder)
    tries = kind.tries
    kind.tries = -(-tries // BATCH)
    for number in kind.each():
        folder = kind.folder / f"images{number}"
        folder.mkdir()
        for file in range(BATCH):
            suffix = SUFFIXES[file % len(SUFFIXES)]
            data = mutate(_image(suffix, kind.dice), kind.dice, _image(kind.dice.choice(SUFFIXES), kind.dice))
            (folder / f"{file}{suffix}").write_bytes(data)
        output = kind.folder / f"out{number}"
        words = ["inspect", str(folder), "--model", "spots", "--quiet", "--export", "jsonl", "--output", str(output)]
        finish(kind, program(home, *words))
        if (output / "run.json").exists():
            counts = json.loads((output / "run.json").read_text("utf-8"))["counts"]
            told = counts["inspected"] + counts["skipped"]
            kind.demand(told == BATCH, f"{told} of {BATCH} images were told of ({folder})")
        kind.done += BATCH - 1
    check_history(kind, home)


def videos(kind: Kind) -> None:
    """Mutated videos: each ends with a sentence at the latest."""
    home = new_home(kind.folder)
    whole = kind.folder / "whole.avi"
    writer = cv2.VideoWriter(str(whole), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (64, 48))
    for shade in range(40):
        writer.write(np.full((48, 64, 3), shade * 6, np.uint8))
    writer.release()
    sample = Path(__file__).resolve().parents[2] / "sample_data" / "turning.mp4"
    sources = [path for path in (whole, sample) if path.exists()]
    for number in kind.each():
        source = kind.dice.choice(sources)
        file = kind.folder / f"{number}{source.suffix}"
        file.write_bytes(mutate(source.read_bytes(), kind.dice))
        output = kind.folder / f"out{number}"
        words = ["inspect", str(file), "--model", "spots", "--quiet", "--export", "jsonl", "--output", str(output)]
        finish(kind, program(home, *words))
        check_files(kind, output, temporary=False)
    check_history(kind, home)


def _batches(kind: Kind, script: str, make: Callable[[], bytes], suffix: str) -> None:
    """``script`` works on mutants in a process of its own, which must end by itself and tell of each."""
    home = new_home(kind.folder)
    tries, size = kind.tries, min(BATCH, kind.tries)
    kind.tries = -(-tries // size)
    for number in kind.each():
        files = []
        for file in range(size):
            files.append(kind.folder / f"{number}-{file}{suffix}")
            files[-1].write_bytes(make())
        command: Sequence[str] = [sys.executable, "-c", script, *map(str, files)]
        try:
            done = subprocess.run(
                command, env=environment(home), capture_output=True, text=True, timeout=300, check=False
            )
        except subprocess.TimeoutExpired:
            kind.demand(False, f"it did not end ({files[0]} and the following)")
            continue
        kind.demand(done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-500:]}")
        kind.demand(len(done.stdout.splitlines()) == size, f"{len(done.stdout.splitlines())} of {size} were told of")
        kind.done += size - 1
        for path in files:
            path.unlink()


def checkpoints(kind: Kind) -> None:
    """Mutated checkpoints are loaded or refused in a sentence; half of them with a damaged pickle in a whole ZIP."""
    from inspector.system.paths import assets

    data = next((assets() / "models").glob("*.pt")).read_bytes()

    def make() -> bytes:
        return mutate(data, kind.dice) if kind.dice.random() < 0.5 else _repacked(data, kind.dice, "data.pkl")

    _batches(kind, LOAD, make, ".pt")


def archives(kind: Kind) -> None:
    """Mutated plugin archives are installed or refused in a sentence."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        manifest = '{"id": "p", "version": "1.0", "api": 1, "kinds": ["source"], "description": "x"}'
        archive.writestr("p/__init__.py", f"PLUGIN = {manifest}\n")
        archive.writestr("p/more.py", "x = 1\n" * 100)
    data = packed.getvalue()
    _batches(kind, INSTALL, lambda: mutate(data, kind.dice), ".zip")


def _repacked(data: bytes, dice: random.Random, name: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.namelist():
            content = old.read(entry)
            new.writestr(entry, mutate(content, dice) if entry.endswith(name) else content)
    return target.getvalue()


def recipes(kind: Kind) -> None:
    """Mutated recipes and run.json as recipes: a run, or a sentence of bounded length."""
    home, pictures = new_home(kind.folder), draw(kind.folder / "images", 2)
    whole = kind.folder / "whole"
    words = ["inspect", str(pictures), "--model", "spots", "--quiet", "--export", "jsonl", "--output"]
    finish(kind, program(home, *words, str(whole)), (0,))
    data = (whole / "run.json").read_bytes()
    for number in kind.each():
        file = kind.folder / f"{number}.json"
        file.write_bytes(_mutated_json(data, kind.dice))
        output = kind.folder / f"out{number}"
        said = finish(kind, program(home, "inspect", "--recipe", str(file), "--quiet", "--output", str(output)))
        kind.demand(len(said) < 20_000, f"{len(said)} characters on stderr")
        check_files(kind, output, temporary=False)


def run_json(kind: Kind) -> None:
    """The run.json of an interrupted run, mutated: no start is stopped by it."""
    from inspector.domain import Choice, Job, ModelInfo
    from inspector.history import History

    home, pictures = new_home(kind.folder), draw(kind.folder / "images", 2)
    words = ["inspect", str(pictures), "--model", "spots", "--quiet", "--export", "jsonl", "--output"]
    finish(kind, program(home, *words, str(kind.folder / "whole")), (0,))
    data = (kind.folder / "whole" / "run.json").read_bytes().replace(b'"done"', b'"running"')
    for number in kind.each():
        broken = kind.folder / f"broken{number}"
        broken.mkdir()
        (broken / "run.json").write_bytes(_mutated_json(data, kind.dice))
        with History.open(home / "history.sqlite3") as history:
            info = ModelInfo("best.pt", "00", "yolo11n-seg", ("Crack",))
            history.begin(Job((Choice("x"),), Choice("y")), info, "b", broken, "2026-11-30T10:00:00+01:00")
        output = kind.folder / f"out{number}"
        finish(kind, program(home, *words, str(output)), (0,))
        finish(kind, program(home, "inspect", "--resume", str(broken), "--quiet"), (0, 1, 2))


def _mutated_json(data: bytes, dice: random.Random) -> bytes:
    if dice.random() < 0.4:
        return mutate(data, dice)
    document = json.loads(data)
    for _ in range(dice.randint(1, 4)):
        place = document
        while isinstance(place, dict | list) and place:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = dice.choice(keys)
            if not isinstance(place[key], dict | list) or not place[key] or dice.random() < 0.3:
                place[key] = dice.choice(_VALUES)()
                break
            place = place[key]
    return json.dumps(document, ensure_ascii=dice.random() < 0.5).encode("utf-8", "surrogatepass")


def _nested() -> object:
    value: object = 0
    for _ in range(300):
        value = [value]
    return value


_VALUES: tuple[Callable[[], object], ...] = (
    lambda: None, lambda: -1, lambda: 10**400, lambda: 1e308, lambda: float("nan"), lambda: "x" * 100_000,
    lambda: "a\0b", lambda: "\x1b[31m\u202e", lambda: [], dict, _nested, lambda: True, lambda: "../..",
    lambda: {"id": 7}, lambda: [[]],
)  # fmt: skip
