"""Speed of re-judging runs: python tests/benchmarks/rejudging.py [parts]

Fills a history in a temporary folder with one run of 100,000 parts of one image each, with 3 defects in every image,
and judges it again by rules in millimetres by class, by region and for all classes. Also prints the microseconds that
judging one image takes at 3 and at 20 defects; tests/benchmarks/saving.py has that of inference.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import timeit
from dataclasses import replace

import numpy as np

from inspector.domain import (
    Calibration,
    Choice,
    Detection,
    Frame,
    Inspection,
    Job,
    Measures,
    ModelInfo,
    Rules,
    judge,
)

RULES = Rules.from_json(
    {
        "version": 2,
        "classes": {
            "Scratch": {"length_mm": {"warn": 4, "ng": 9}, "width_mm": {"ng": 2}, "area_mm2": {"ng": 5}},
            "*": {"count": {"ng": 1}, "nearest_mm": {"ng": 1}},
        },
        "regions": {"raceway": {"classes": {"*": {"feret_mm": {"ng": 8}}}, "all": {"count": {"ng": 2}}}},
        "all": {"count": {"ng": 5}, "total_area_mm2": {"ng": 20}},
        "confidence": {"*": 0.3},
    }
)
SCALE = Calibration(0.1, 0.001)
LABELS = ("Scratch", "Dent", "Rust")


def defects(dice: np.random.Generator, number: int) -> tuple[Detection, ...]:
    made = []
    for _ in range(number):
        length = float(dice.uniform(10, 120))
        measures = Measures(int(length * 4), length, length * 0.95, 6.0, 4.0, 2 * length + 8, 30.0, length)
        region = "raceway" if dice.random() < 0.5 else None
        label, score = LABELS[dice.integers(3)], float(dice.uniform(0.25, 1))
        made.append(Detection(label, score, (1, 2, 30, 40), measures=measures, region=region))
    return tuple(made)


def main(parts: int) -> None:
    from inspector.history import History
    from inspector.jobs.rejudge import keep, rejudge

    dice = np.random.default_rng(0)
    for number in (3, 20):
        found = defects(dice, number)
        seconds = min(timeit.repeat(lambda found=found: judge(found, RULES, SCALE), number=1000, repeat=7)) / 1000
        print(f"judging an image with {number} defects: {seconds * 1e6:.0f} µs", flush=True)

    model = ModelInfo("best.pt", "0" * 64, "yolo11n-seg", LABELS, "yolo11", imgsz=640)
    job = Job((Choice("image_files"),), Choice("yolo11"), calibration=SCALE)
    pool = [defects(dice, 3) for _ in range(500)]
    frame = Frame(np.zeros((460, 1130, 3), np.uint8), 0, "")
    with History.open() as history:
        run = history.begin(job, model, "benchmark", None, "2026-12-01T08:00:00+00:00")
        for number in range(1, parts + 1):
            found = pool[number % len(pool)]
            image = replace(frame, index=number - 1, name=f"{number:06d}.png")
            history.add(run, Inspection(image, found, judge(found), model, number=number, calibration=SCALE))
        history.finish(run, "done", {})
    began = time.perf_counter()
    rejudged = rejudge(str(run), RULES)
    preview = time.perf_counter() - began
    keep(rejudged, "benchmark")
    total = time.perf_counter() - began
    print(f"{parts} parts, 3 defects each: preview {preview:.1f} s, kept after {total:.1f} s; {dict(rejudged.changes)}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BEARING_INSPECTOR_HOME"] = folder
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
