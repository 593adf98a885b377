"""Cost of growing work: each kind at three sizes, with the exponent between them (1 is linear, 0 constant).

    .venv/bin/python tests/benchmarks/growth.py [--only history,run] [--scale 0.1] [--plot docs/growth.png]

* run: a video (imgsz 64, so that what surrounds the model shows) and a folder of images, with the exporters images,
  video, xlsx, csv and jsonl and the history; what it takes more than a run of one image;
* exporters: the workbook, the CSV files and results.jsonl alone, opened, written and closed;
* history: filled from nothing, and in each size 1,000 more inspections, the newest page, a text that occurs nowhere and
  a verdict that no inspection has (both look at everything), counting;
* table: all keys of the window's table over that history, sorted by score too, and one screenful of rows.

An exponent tells how core-seconds grow, which other work on the machine disturbs less than the wall clock: time of the
larger over time of the smaller, by the logarithm of their sizes. What is quick is repeated; its median counts.
``--scale`` makes all sizes smaller, for trying it.
"""

import argparse
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

from history import FIRST, Recorded, fill, model, pool

SIZES = {"run": (200, 800, 3_200), "exporters": (1_000, 4_000, 16_000), "history": (10_000, 100_000, 1_000_000)}
EXPORTERS = ("images", "video", "xlsx", "csv", "jsonl")
MOST = 1.15  # exponent between the two larger sizes: linear, and what noise and full caches add to it
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Point:
    """One measurement: how many items, seconds, and core-seconds of this process."""

    kind: str
    size: int
    seconds: float
    work: float


def once(kind: str, size: int, work: Callable[[], object]) -> Point:
    began, worked = time.perf_counter(), time.process_time()
    work()
    return Point(kind, size, time.perf_counter() - began, time.process_time() - worked)


def often(kind: str, size: int, work: Callable[[], object]) -> Point:
    points = [once(kind, size, work) for _ in range(5)]
    return Point(kind, size, *(statistics.median(getattr(p, key) for p in points) for key in ("seconds", "work")))


def runs(sizes: list[int], folder: Path) -> Iterator[Point]:
    import shutil

    from memory import make_video

    samples = sorted((ROOT / "sample_data").glob("*.jpg"))
    alone: dict[str, Point] = {}
    for size in (1, 1, *sizes):  # the first of all fills the caches
        make_video(folder / "long.mp4", size)
        images = folder / f"pictures-{size}"
        images.mkdir(exist_ok=True)
        for number in range(size):
            shutil.copy(samples[number % len(samples)], images / f"{number}.jpg")
        for point in (
            inspected("frames of a video", size, "video_files", folder / "long.mp4", folder),
            inspected("images of a folder", size, "image_files", images, folder),
        ):
            if size == 1:
                alone[point.kind] = point
            else:
                rest = alone[point.kind]
                yield Point(point.kind, size - 1, point.seconds - rest.seconds, point.work - rest.work)
        shutil.rmtree(images)


def inspected(kind: str, size: int, source: str, path: Path, folder: Path) -> Point:
    from inspector import registry
    from inspector.domain import Choice, Job
    from inspector.engine import Engine
    from inspector.history import History

    job = Job(
        sources=(Choice(source, {"path": str(path)}),),
        model=Choice("yolo11", {"imgsz": 64, "runtime": "openvino"}),
        weights=str(ROOT / "assets" / "models" / "bearing-yolo11n-seg.pt"),
        device="cpu",
        exporters=tuple(Choice(id) for id in EXPORTERS),
        confidence=0.05,
    )
    with tempfile.TemporaryDirectory(dir=folder) as output:
        engine = Engine(registry.load(), lambda: History.open(Path(output) / "history.sqlite3"), "0")

        def work() -> None:
            run = engine.start(job, Path(output) / "run", kind)
            run.wait()
            if run.problems or run.failure:
                sys.exit(f"{kind}: {run.problems or run.failure}")

        return once(kind, size, work)


def exporters(sizes: list[int], folder: Path) -> Iterator[Point]:
    import random

    from inspector import registry
    from inspector.api import ExporterSpec, Inspection, RunInfo
    from inspector.domain import Choice, Job

    inspections, catalogue = pool(random.Random(0)), registry.load()
    run = RunInfo(Job((Choice("image_files"),), Choice("yolo11")), model(0), "growth", FIRST.isoformat())

    def export(spec: ExporterSpec, chosen: list[Inspection]) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as output:
            exporter = spec.open(Path(output), run, **{option.key: option.default for option in spec.options})
            for inspection in chosen:
                exporter.write(inspection)
            exporter.close()

    for id, kind in (("xlsx", "workbook, rows"), ("csv", "csv, rows"), ("jsonl", "results.jsonl, lines")):
        export(catalogue.exporter(id), inspections[:10])  # what it imports
        for size in sizes:
            chosen = [inspections[number % len(inspections)] for number in range(size)]
            rows = size if id == "jsonl" else sum(1 + len(one.detections) for one in chosen)
            yield once(kind, rows, partial(export, catalogue.exporter(id), chosen))


def history(sizes: list[int], folder: Path) -> Iterator[Point]:
    import random

    from inspector.history import History, Query
    from inspector.history.listing import Listing, Sort

    inspections = pool(random.Random(0))
    records = [Recorded(**vars(i), made=i.record()) for i in inspections]
    for size in sizes:
        path = folder / f"{size}.sqlite3"
        with History.open(path) as opened:
            yield once("history, filled", size, partial(fill, opened, records, 0, size))
            yield once("history, 1,000 more", size, partial(fill, opened, records, size, 1_000))
            yield often("history, newest page", size, partial(opened.search, Query()))
            yield often("history, text nowhere", size, partial(opened.search, Query(text="nothing like it")))
            yield often("history, verdict nowhere", size, partial(opened.search, Query(verdict="SKIPPED")))
            yield often("history, counted", size, partial(opened.count, Query(verdict="NG")))
        with Listing(path) as listing:
            keys = listing.keys(Query())
            yield often("table, all keys", size, partial(listing.keys, Query()))
            yield often("table, by score", size, partial(listing.keys, Query(), Sort("score")))
            middle = keys[len(keys) // 2 : len(keys) // 2 + 50]
            yield often("table, a screenful", size, partial(listing.rows, middle))
        path.unlink()


KINDS = {"run": runs, "exporters": exporters, "history": history}


def exponents(points: list[Point]) -> list[float]:
    """From each size to the next, of core-seconds; what takes under 2 ms counts as constant: it is all noise."""
    return [
        0.0 if b.work < 0.002 else math.log(max(b.work, 1e-9) / max(a.work, 1e-4)) / math.log(b.size / a.size)
        for a, b in pairwise(points)
    ]


def plot(file: Path, told: dict[str, list[Point]]) -> None:
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    columns = 4
    rows = -(-len(told) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.6 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, (kind, points) in zip(panels, told.items(), strict=False):
        sizes, work = [p.size for p in points], [max(p.work, 1e-5) for p in points]
        panel.loglog(sizes, [work[-1] * size / sizes[-1] for size in sizes], ":", color="#888888", label="linear")
        panel.loglog(sizes, work, "o-", color="#1f6f8b")
        panel.set_title(f"{kind}: {exponents(points)[-1]:.2f}", fontsize=10)
        panel.set_xticks(sizes, [f"{size:,}" for size in sizes])
        panel.set_xticks([], minor=True)
        panel.set_ylim(min(min(work), max(work) / 30) / 2, max(work) * 4)
        panel.yaxis.set_minor_formatter(NullFormatter())
        panel.tick_params(labelsize=8)
        panel.grid(alpha=0.3)
    for panel in panels[len(told) :]:
        panel.set_axis_off()
    figure.supylabel("core-seconds", fontsize=10)
    figure.supxlabel("size; in each title the exponent between the two larger sizes, dotted: linear", fontsize=10)
    figure.savefig(file, dpi=100)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(KINDS), help="of run, exporters, history")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    told: dict[str, list[Point]] = {}
    for name in given.only.split(","):
        sizes = [max(10, round(size * given.scale)) for size in SIZES[name]]
        with tempfile.TemporaryDirectory() as folder:
            for point in KINDS[name](sizes, Path(folder)):
                told.setdefault(point.kind, []).append(point)
                print(point, file=sys.stderr, flush=True)
    print("| what | sizes | seconds | core-seconds | core-ms an item | exponents |\n" + "|---" * 6 + "|")
    for kind, points in told.items():
        cells = [" ".join(f"{p.size:,}" for p in points), " ".join(f"{p.seconds:.4g}" for p in points)]
        cells += [" ".join(f"{p.work:.4g}" for p in points)]
        cells += [" ".join(f"{1000 * p.work / p.size:.3g}" for p in points)]
        cells += [" ".join(f"{value:.2f}" for value in exponents(points))]
        print(f"| {kind} | {' | '.join(cells)} |")
    if given.plot:
        plot(given.plot, told)
    worse = [kind for kind, points in told.items() if exponents(points)[-1] > MOST]
    print(f"\nworse than linear: {', '.join(worse) or 'none'}")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
