"""Per-part false alarms and escapes of a model over the confidence threshold, by size of defect and by surface.

    .venv/bin/python tests/benchmarks/per_part.py --model best.pt --synthetic 300 --seed 1719 --imgsz 640
    .venv/bin/python tests/benchmarks/per_part.py --model best.pt --images DIR --labels DIR --imgsz 640

One image is one part. A part whose label file has lines is defective. It is called NG if any detection reaches the
threshold: a good part called NG is a false alarm, a defective part with no detection is an escape. A defect counts as
found if a detection overlaps its box. Intervals are Wilson's, 95 %. ``--synthetic N`` renders N parts, half of
them good, with the seed given. The program itself inspects the images (``inspect --export jsonl``).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6)
SIZES = (8, 16, 32, 64)  # px, edges of the bins of a defect's size, the root of its area
LOWEST = 0.05  # confidence from which detections are kept


@dataclass(frozen=True)
class LabelledPart:
    """An image with the boxes (xyxy, px) and areas (px²) of its labelled defects, and its detections."""

    name: str
    surface: str
    boxes: tuple[tuple[float, ...], ...]
    areas: tuple[float, ...]
    found: tuple[tuple[float, tuple[float, ...]], ...]  # score, box

    def score(self) -> float:
        return max((score for score, _ in self.found), default=0.0)


def interval(events: int, total: int) -> tuple[float, float]:
    """Wilson score interval, 95 % (Wilson 1927)."""
    if not total:
        return 0.0, 1.0
    z, rate = 1.959964, events / total
    middle = (rate + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * (rate * (1 - rate) / total + z * z / (4 * total * total)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def share(events: int, total: int) -> str:
    low, high = interval(events, total)
    return f"{events}/{total} ({100 * low:.1f} to {100 * high:.1f} %)"


def inspect(model: Path, images: Path, options: Sequence[str], out: Path) -> dict[str, list[dict]]:
    """Detections of each image of a folder by file name, from the program's own results."""
    command = [sys.executable, "-m", "inspector", "inspect", str(images), "--model", str(model), "--quiet"]
    command += ["--conf", str(LOWEST), "--export", "jsonl", "--output", str(out), *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    lines = next(out.rglob("results.jsonl")).read_text(encoding="utf-8").splitlines()
    return {row["name"]: row["detections"] for row in map(json.loads, lines)}


def read_parts(model: Path, images: Path, labels: Path, surfaces: dict[str, str], options: Sequence[str]):
    """The labelled parts of a folder with their detections."""
    with tempfile.TemporaryDirectory() as folder:
        found = inspect(model, images, options, Path(folder) / "run")
    parts = []
    for file in sorted(images.iterdir()):
        image = cv2.imread(str(file))
        height, width = image.shape[:2]
        boxes, areas = [], []
        label = labels / f"{file.stem}.txt"
        for line in label.read_text().splitlines() if label.is_file() else ():
            points = np.array(line.split()[1:], float).reshape(-1, 2) * (width, height)
            boxes.append((*points.min(0), *points.max(0)))
            areas.append(float(cv2.contourArea(points.astype(np.float32))))
        hits = tuple((d["score"], tuple(d["box"])) for d in found[file.name])
        parts.append(LabelledPart(file.name, surfaces.get(file.stem, ""), tuple(boxes), tuple(areas), hits))
    return parts


def render(folder: Path, count: int, seed: int) -> dict[str, str]:
    """Render parts, half of them good; return the kind of scene of each by file stem."""
    from inspector.datasets.synthetic.dataset import synthesize
    from inspector.datasets.synthetic.part import RACEWAY_SHARE, SURFACE_SHARE

    synthesize(folder, count=count, seed=seed, good_share=0.5, split=(0.0, 0.0, 1.0))

    def surface(index: int) -> str:  # the first number that the renderer draws
        lot = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,))).random()
        return "raceway" if lot < RACEWAY_SHARE else "flat" if lot < RACEWAY_SHARE + SURFACE_SHARE else "bearing"

    return {f"{index:05d}": surface(index) for index in range(count)}


def overlaps(a: Sequence[float], b: Sequence[float]) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])


def report(parts: Sequence[LabelledPart], threshold: float) -> None:
    good, bad = [p for p in parts if not p.boxes], [p for p in parts if p.boxes]
    print("| threshold | false alarms | escapes | defects found |\n|---|---|---|---|")
    for level in sorted({*THRESHOLDS, threshold}):
        alarms = sum(p.score() >= level for p in good)
        escapes = sum(p.score() < level for p in bad)
        hits = [any(s >= level and overlaps(box, d) for s, d in p.found) for p in bad for box in p.boxes]
        print(f"| {level} | {share(alarms, len(good))} | {share(escapes, len(bad))} | {sum(hits)}/{len(hits)} |")
    print(f"\nAt {threshold}, by size of defect (root of its area):")
    sizes = [(area**0.5, any(s >= threshold and overlaps(box, d) for s, d in p.found))
             for p in bad for box, area in zip(p.boxes, p.areas, strict=True)]  # fmt: skip
    for low, high in zip((0, *SIZES), (*SIZES, 10**6), strict=True):
        of_size = [hit for size, hit in sizes if low <= size < high]
        print(f"  {low} to {high} px: found {share(sum(of_size), len(of_size))}")
    for surface in sorted({p.surface for p in parts} - {""}):
        alarms = [p.score() >= threshold for p in good if p.surface == surface]
        escapes = [p.score() < threshold for p in bad if p.surface == surface]
        print(
            f"  {surface}: false alarms {share(sum(alarms), len(alarms))}, escapes {share(sum(escapes), len(escapes))}"
        )
    worst = sorted(good, key=LabelledPart.score)[-8:]
    print("worst good parts:", ", ".join(f"{p.name} {p.score():.2f}" for p in reversed(worst)))
    print("escaped parts:", ", ".join(p.name for p in bad if p.score() < threshold))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--synthetic", type=int, metavar="N")
    parser.add_argument("--keep", type=Path, help="folder for the synthetic parts, used again if it is there")
    parser.add_argument("--seed", type=int, default=1719)
    parser.add_argument("--imgsz", default="640")
    parser.add_argument("--threshold", type=float, default=0.25)
    parser.add_argument("options", nargs="*", help="further options of inspect, after --")
    arguments = parser.parse_args()
    given = ["--imgsz", arguments.imgsz, *arguments.options]
    if arguments.synthetic:
        with tempfile.TemporaryDirectory() as temporary:
            place = arguments.keep or Path(temporary) / "parts"
            names = render(place, arguments.synthetic, arguments.seed) if not place.is_dir() else {}
            if not names:
                names = json.loads((place / "surfaces.json").read_text())
            (place / "surfaces.json").write_text(json.dumps(names))
            found = read_parts(arguments.model, place / "images" / "test", place / "labels" / "test", names, given)
    else:
        found = read_parts(arguments.model, arguments.images, arguments.labels, {}, given)
    report(found, arguments.threshold)
