"""Speed of the history: python tests/benchmarks/history.py [10000 100000 1000000]

Fills histories with plausible inspections in a temporary folder, and prints insert rate, file size and the median
milliseconds of each kind of search. "real" adds measure, encode and write masks as a run does; the bulk is filled with
records made beforehand, which shows what the database alone does.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from inspector.domain import Choice, Detection, Frame, Inspection, Job, Mask, ModelInfo, Reason, Timings, Verdict
from inspector.history import History, Query

FIRST = datetime(2026, 1, 1).astimezone()
EVERY = timedelta(seconds=10)
RUN = 2_000  # inspections in a run
LABELS = ("Crack", "Wear", "Corrosion", "Scratch", "划痕", "Dent")
IMAGE = np.zeros((1080, 1440, 3), np.uint8)


@dataclass(frozen=True, eq=False)
class Recorded(Inspection):
    """An inspection whose record is made beforehand."""

    made: Any = None

    def record(self) -> dict[str, Any]:
        return {**self.made, "name": self.frame.name, "index": self.frame.index}


def detection(dice: random.Random) -> Detection:
    height, width = dice.randint(5, 60), dice.randint(5, 90)
    rows, columns = np.mgrid[:height, :width]
    pixels = ((rows - height / 2) / height) ** 2 + ((columns - width / 2) / width) ** 2 < 0.2 + 0.05 * dice.random()
    x, y = dice.randint(0, 1300), dice.randint(0, 1000)
    label = dice.choices(LABELS, (30, 30, 20, 10, 9.99, 0.01))[0]
    return Detection(label, dice.random(), (x, y, x + width, y + height), Mask(x, y, pixels))


def pool(dice: random.Random) -> list[Inspection]:
    """Inspections of which half have defects."""
    made = []
    for _ in range(3000):
        found = tuple(detection(dice) for _ in range(dice.choice((0, 0, 0, 1, 1, 2, 3))))
        reasons = tuple(Reason("area_above", d.label, float(d.area or 0), 400.0, "px2") for d in found[:1])
        verdict = Verdict("NG" if len(found) > 1 else "WARN" if found else "OK", reasons)
        frame = Frame(IMAGE, 0, "")
        made.append(Inspection(frame, found, verdict, model(0), Timings(1.5, 25.0, 31.0)))
    return made


def model(run: int) -> ModelInfo:
    return ModelInfo(f"best-{run % 7}.pt", f"{run % 7:064x}", "yolo11n-seg", LABELS, "yolo11", "torch", "cpu", 640)


def at(inspection: Inspection, place: int) -> Inspection:
    line, title = place // RUN % 5, place // RUN
    name = f"轴承_{place:07d}.jpg"
    frame = Frame(IMAGE, 0, name, path=f"D:\\生产 线{line}\\2026-{title:04d}\\{name}")
    moment = (FIRST + place * EVERY).isoformat(timespec="milliseconds")
    return replace(inspection, frame=frame, number=place % RUN + 1, time=moment)


def fill(history: History, inspections: list[Inspection], first: int, count: int) -> float:
    """Add ``count`` inspections; returns how many a second."""
    job = Job((Choice("image_files"),), Choice("yolo11"))
    seconds = 0.0
    for start in range(first, first + count, RUN):
        places = range(start, min(start + RUN, first + count))
        prepared = [at(inspections[place % len(inspections)], place) for place in places]
        began = time.perf_counter()
        run = history.begin(job, model(start // RUN), f"批次 {start // RUN}", None, FIRST.isoformat())
        for inspection in prepared:
            history.add(run, inspection)
        history.finish(run, "done", {"inspected": len(places)})
        seconds += time.perf_counter() - began
    return count / seconds


def measure(folder: Path, inspections: list[Inspection], size: int) -> list[tuple[str, str]]:
    path = folder / f"{size}.sqlite3"
    records = [Recorded(**vars(i), made=i.record()) for i in inspections]
    with History.open(path) as history:
        real = min(10_000, size // 2)
        rates = [fill(history, inspections, 0, real), fill(history, records, real, size - real)]
        day = FIRST + size // 2 * EVERY
        queries = {
            "newest page": Query(),
            "date, a day": Query(since=day, until=day + timedelta(days=1)),
            "date, nothing": Query(until=FIRST),
            "verdict": Query(verdict="NG"),
            "verdict, none": Query(verdict="SKIPPED"),
            "label": Query(label="Crack"),
            "label, 1 in 10000": Query(label="Dent"),
            "label, none": Query(label="Rust"),
            "model": Query(model="best-3.pt"),
            "model, none": Query(model="ffffffff"),
            "file, the first": Query(file="轴承_0000000.jpg"),
            "file, *": Query(file="*00001.jpg"),
            "run, the first": Query(run=1),
            "text, a name": Query(text=f"_{size // 3:07d}"),
            "text, a title": Query(text="批次 1"),
            "text, nothing": Query(text="nothing like it"),
            "text, 1 character": Query(text="承"),
            "text, 1 character, none": Query(text="钢"),
            "all filters": Query(FIRST, day, "NG", "Crack", "best-3.pt", "*.jpg", "线1"),
            "oldest page": Query(order="oldest"),
        }
        rows = [
            (f"inserts a second, {kind}", f"{rate:.0f}") for kind, rate in zip(("real", "database"), rates, strict=True)
        ]
        rows.append(("MB", f"{path.stat().st_size / 1e6:.1f}"))
        rows += [(f"ms {name}", median(lambda q=query: history.search(q))) for name, query in queries.items()]
        after, pages = None, size // 50 - 2
        for _ in range(min(pages, 10_000)):
            after = history.search(Query(after=after)).next
        deep = Query(after=after)
        rows.append((f"ms page {min(pages, 10_000) + 1} by cursor", median(lambda: history.search(deep))))
        rows.append(("ms last page by offset", median(lambda: history.search(Query(offset=size - 50)))))
        rows.append(("ms count, all", median(lambda: history.count(Query()))))
        rows.append(("ms count, text", median(lambda: history.count(Query(text="线1")))))
        last = history.search(Query(label="Crack")).entries[0].id
        rows.append(("ms get", median(lambda: history.get(last))))
        began = time.perf_counter()
        removed = history.purge(before=FIRST + size // 10 * EVERY)
        rows.append((f"s purge of {removed / size:.0%}", f"{time.perf_counter() - began:.1f}"))
        rows.append(("MB after the purge", f"{path.stat().st_size / 1e6:.1f}"))
    return rows


def median(work: Any) -> str:
    times = []
    for _ in range(5):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return f"{statistics.median(times) * 1000:.1f}"


def main() -> None:
    sizes = [int(argument) for argument in sys.argv[1:]] or [10_000, 100_000, 1_000_000]
    inspections = pool(random.Random(0))
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            print(f"\n{size:,} inspections")
            for name, value in measure(Path(folder), inspections, size):
                print(f"  {name:<32}{value:>10}")


if __name__ == "__main__":
    main()
