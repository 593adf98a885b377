"""Cost of saving a result compared with inference: core-milliseconds an image of every exporter and of the history.

    .venv/bin/python tests/benchmarks/saving.py [--images 200] [--repeats 3] [--defects 0 3 20]
    .venv/bin/python tests/benchmarks/saving.py --growth 1000 10000 50000        the workbook as it grows

Each is opened, given so many images and closed, and measured with all threads that it starts; the median of the
repeats counts. Next to it is its share of the inference of the bundled model on the same image (OpenVINO f32,
imgsz 640, hence 384x640 for 1280x720, pre- and post-processing included), measured in turn with it. Frames of a video
are 1280x720, still images 1130x460, the size of BSData's photographs; the defects are blobs of 20 to 120 px.
"""

from __future__ import annotations

import argparse
import gc
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np

from inspector import registry
from inspector.api import (
    Choice,
    Detection,
    ExporterSpec,
    Frame,
    Inspection,
    Job,
    Mask,
    Model,
    ModelInfo,
    Reason,
    Rules,
    RunInfo,
    Timings,
    Verdict,
    check_options,
    judge,
    read_image,
    write_image,
)
from inspector.history import History
from inspector.measure import measure as measured

SAMPLES = Path(__file__).parents[2] / "sample_data"
LABELS = ("Crack", "Wear", "Corrosion")
MODEL = ModelInfo("best.pt", "0" * 64, "yolo11n-seg", LABELS, "yolo11", "openvino", "cpu", 640)
STARTED = "2026-01-02T03:04:05.678+08:00"
RUN = RunInfo(Job((Choice("image_files"),), Choice("yolo11")), MODEL, "benchmark", STARTED)
SIZES = {"frame": (1280, 720), "picture": (1130, 460)}
KEPT = "history, xlsx and csv"  # together, as in a run: less than a tenth of inference
RULES = {"classes": {"*": {"area_px": {"ng": 400}, "length_px": {"warn": 30, "ng": 60}, "count": {"ng": 5}}}}
# What is measured besides all exporters with the options they have by default.
MORE = {"xlsx, small pictures": ("xlsx", {"thumbnails": True, "thumbnail_limit": 100_000})}


def blob(dice: random.Random, width: int, height: int) -> Detection:
    wide, high = dice.randint(20, 120), dice.randint(20, 120)
    rows, columns = np.mgrid[:high, :wide]
    across, down = (columns + 0.5) / wide * 2 - 1, (rows + 0.5) / high * 2 - 1
    angle = np.arctan2(down, across)
    pixels = np.hypot(across, down) < 0.8 + 0.15 * np.sin(dice.randint(2, 7) * angle + dice.random())
    x, y = dice.randint(0, width - wide), dice.randint(0, height - high)
    number = dice.randrange(len(LABELS))
    box = (float(x), float(y), float(x + wide), float(y + high))
    return Detection(LABELS[number], round(dice.random(), 6), box, Mask(x, y, pixels), number)


@cache
def blobs(kind: str, defects: int) -> list[list[Detection]]:
    """Of 50 images."""
    dice = random.Random(defects)
    return [[blob(dice, *SIZES[kind]) for _ in range(defects)] for _ in range(50)]


def inspections(kind: str, defects: int, count: int, folder: Path) -> Iterator[Inspection]:
    """``count`` new ones, as a run has them: nothing of them was computed before."""
    dice = random.Random(defects)
    pool = blobs(kind, defects)
    files = sorted(folder.glob(f"{kind}-*.jpg"))
    images = [read_image(file)[0] for file in files]
    for number in range(1, count + 1):
        place = number % len(files)
        still = kind == "picture"
        name, path = (files[place].name, str(files[place])) if still else ("turning.mp4", str(folder / "turning.mp4"))
        moving = {} if still else {"seconds": number / 25, "rate": 25.0}
        frame = Frame(images[place], number - 1, name, path=path, read_ms=1.5, **moving)
        found = tuple(replace(one, mask=replace(one.mask)) for one in dice.choice(pool))
        reasons = tuple(Reason("area_above", d.label, float(d.area or 0), 400.0, "px2") for d in found)
        verdict = Verdict("NG" if defects else "OK", reasons)
        yield Inspection(frame, found, verdict, MODEL, Timings(1.5, 20.25, 22.0), number, time=STARTED)


def make_pictures(folder: Path) -> None:
    """Real content in the sizes that are measured: still images, and a slow pan over one for the frames."""
    files = sorted(SAMPLES.glob("*.jpg"))
    for kind, (width, height) in SIZES.items():
        for place, file in enumerate(files):
            moving = kind == "frame"
            image, _ = read_image(files[0] if moving else file)
            scale = 1.1 * max(width / image.shape[1], height / image.shape[0])
            large = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
            top, left = (large.shape[0] - height) // 2, 4 * place if moving else 0
            part = np.ascontiguousarray(large[top : top + height, left : left + width])
            write_image(folder / f"{kind}-{place}.jpg", part)


class Clock:
    """Core-milliseconds between ``with clock``s, of the whole process."""

    def __init__(self) -> None:
        self.total = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        began = time.process_time()
        try:
            yield
        finally:
            self.total += (time.process_time() - began) * 1000


Chosen = Sequence[tuple[ExporterSpec, Mapping[str, object]]]


def save(given: Iterator[Inspection], folder: Path, exporters: Chosen, history: bool = False) -> float:
    """Core-milliseconds of the history and of exporters."""
    clock = Clock()
    with ExitStack() as stack:
        kept = stack.enter_context(History.open(folder / "history.sqlite3")) if history else None
        with clock.running():
            run = kept.begin(RUN.job, MODEL, RUN.title, None, STARTED) if kept else 0
            opened = [s.open(folder, RUN, **check_options(s.options, options, s.id)) for s, options in exporters]
        for inspection in given:
            with clock.running():
                if kept:
                    kept.add(run, inspection)
                for exporter in opened:
                    exporter.write(inspection)
            if kept:
                kept._written -= 0.05  # as if inference had taken 50 ms: a group is written 3 times a second
        with clock.running():
            for exporter in opened:
                exporter.close()
            if kept:
                kept.finish(run, "done", {})
    return clock.total


def infer(model: Model, given: Iterator[Inspection]) -> float:
    clock = Clock()
    for inspection in given:
        with clock.running():
            model.predict([inspection.frame.image], 0.25, 0.45)
    return clock.total


def judge_all(given: Iterator[Inspection], _: Path) -> float:
    """Core-milliseconds of measuring and judging, as the engine does both."""
    clock, rules = Clock(), Rules.from_json(RULES)
    for inspection in given:
        found = tuple(replace(one, mask=replace(one.mask)) for one in inspection.detections)
        with clock.running():
            judge(measured(found), rules)
    return clock.total


def measure(kind: str, defects: int, pictures: int, repeats: int, model: Model, folder: Path) -> dict[str, float]:
    """Core-milliseconds an image: of inference, and of each that saves."""
    catalogue = registry.load()
    wanted = {id: (id, {}) for id in catalogue.exporters} | MORE
    chosen = {name: (catalogue.exporter(id), options) for name, (id, options) in wanted.items()}
    works: dict[str, Callable[[Iterator[Inspection], Path], float]] = {
        "inference": lambda given, _: infer(model, given),
        "measuring and rules": judge_all,
        "history": lambda given, place: save(given, place, (), history=True),
        **{name: partial(save, exporters=(one,)) for name, one in chosen.items()},
        KEPT: lambda given, place: save(given, place, (chosen["xlsx"], chosen["csv"]), history=True),
    }
    told: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            count = min(pictures, 30) if name == "inference" else pictures
            gc.collect()
            with tempfile.TemporaryDirectory() as place:
                told[name].append(work(inspections(kind, defects, count, folder), Path(place)) / count)
    return {name: statistics.median(times) for name, times in told.items()}


def table(pictures: int, repeats: int, counts: list[int]) -> None:
    spec = registry.load().model("yolo11")
    options = {option.key: option.default for option in spec.options} | {"imgsz": 640, "runtime": "openvino"}
    model = spec.open(next(weights for weights in spec.bundled.values() if weights), "cpu", layers=(), **options)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make_pictures(folder)
        columns = {}
        for kind in SIZES:
            for number in counts:
                columns[kind, number] = measure(kind, number, pictures, repeats, model, folder)
    model.close()
    heads = [f"{kind} {'x'.join(map(str, SIZES[kind]))}, {number}" for kind, number in columns]
    print(f"core-ms a picture and share of inference, medians of {repeats} runs over {pictures} pictures\n")
    print(f"| defects a picture | {' | '.join(heads)} |\n|{'---|' * (len(heads) + 1)}")
    for name in next(iter(columns.values())):
        cells = [_cell(column[name], column["inference"]) for column in columns.values()]
        print(f"| {name} | {' | '.join(cells)} |")


def _cell(value: float, inference: float) -> str:
    return f"{value:.1f}" if value == inference else f"{value:.2f} ({value / inference:.1%})"


def grow(count: int) -> str:
    """The workbook with ``count`` inspections of three defects; a process of its own, because memory is measured."""

    def memory() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    dice = random.Random(0)
    frame = Frame(np.zeros((720, 1280, 3), np.uint8), 0, "turning.mp4", 1.25, 25.0, "/data/videos/turning.mp4")
    found = tuple(blob(dice, 1280, 720) for _ in range(3))
    reasons = tuple(Reason("area_above", d.label, float(d.area or 0), 400.0, "px2") for d in found)
    spec = registry.load().exporter("xlsx")
    with tempfile.TemporaryDirectory() as folder:
        exporter = spec.open(Path(folder), RUN, **check_options(spec.options, {}, spec.id))
        before, began = memory(), time.process_time()
        for number in range(1, count + 1):
            exporter.write(Inspection(frame, found, Verdict("NG", reasons), MODEL, Timings(), number, time=STARTED))
        written, growth = time.process_time(), memory() - before
        (file,) = exporter.close()
        saved, size = time.process_time(), file.stat().st_size / 1e6
    ms = (written - began) / count * 1000
    return f"| {count} | {ms:.2f} | {saved - written:.2f} | {size:.2f} | {growth:.1f} | {memory() - before:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--defects", type=int, nargs="+", default=[0, 3, 20])
    parser.add_argument("--growth", type=int, nargs="+")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(grow(given.one))
    elif given.growth:
        print("| inspections | core-ms each | to save, s | file, MB | memory while writing, MB | after saving, MB |")
        print("|---|---|---|---|---|---|", flush=True)
        for count in given.growth:
            subprocess.run([sys.executable, __file__, "--one", str(count)], check=True)
    else:
        table(given.pictures, given.repeats, given.defects)


if __name__ == "__main__":
    main()
