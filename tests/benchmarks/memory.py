"""Memory of a long run, sampled while it lasts.

    .venv/bin/python tests/benchmarks/memory.py [--frames 20000] [--imgsz 160] [--every 2] [--plot FILE.png]

Inspects the sample video, repeated until it has so many frames, with the bundled model on OpenVINO: a whole run of the
engine with history and the exporters images, video, xlsx, csv and jsonl. The run has a process of its own that loads
nothing else. Growth is what memory rises from frame 1,000 on (of a shorter run a fifth) to the last frames before the
files are closed, each the mean of a tenth of the run; the peak is the system's own and has the closing in it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXPORTERS = ("images", "video", "xlsx", "csv", "jsonl")
MOST_MB, MOST_GROWTH_MB = 300, 20


def make_video(file: Path, frames: int) -> None:
    """The sample video over and over."""
    import cv2

    capture = cv2.VideoCapture(str(ROOT / "sample_data" / "turning.mp4"))
    rate, size = capture.get(cv2.CAP_PROP_FPS), (int(capture.get(3)), int(capture.get(4)))
    images = []
    while (read := capture.read())[0]:
        images.append(read[1])
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
    for number in range(frames):
        writer.write(images[number % len(images)])
    writer.release()


def inspect(source: Path, folder: Path, imgsz: int, every: float) -> None:
    """In a process of its own: one line of JSON a sample, and one at the end."""
    from inspector import registry
    from inspector.domain import Choice, Job
    from inspector.engine import Engine
    from inspector.history import History

    catalogue = registry.load()
    job = Job(
        sources=(Choice("video_files", {"path": str(source)}),),
        model=Choice("yolo11", {"imgsz": imgsz, "runtime": "openvino"}),
        weights=str(ROOT / "assets" / "models" / "bearing-yolo11n-seg.pt"),
        device="cpu",
        exporters=tuple(Choice(id) for id in EXPORTERS),
    )
    engine = Engine(catalogue, lambda: History.open(folder / "history.sqlite3"), "0")
    began = time.monotonic()
    run = engine.start(job, folder / "run", "memory")

    def tell(**more: object) -> None:
        seconds = round(time.monotonic() - began, 1)
        told = {"seconds": seconds, "frames": run.counts.inspected, "rss": memory("VmRSS")}
        print(json.dumps(told | more), flush=True)

    while not run.wait(every):
        tell()
    tell(peak=memory("VmHWM"), problems=run.problems, state=run.state, torch="torch" in sys.modules)


def memory(what: str) -> float:
    """MiB."""
    lines = Path("/proc/self/status").read_text("ascii", "replace").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(what))


def plot(file: Path, rows: list[dict], title: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot([row["frames"] for row in rows], [row["rss"] for row in rows], ".-", color="#1f6f8b")
    axes.axhline(MOST_MB, color="#b3261e", linestyle="--", label=f"bar: {MOST_MB} MB")
    axes.set(xlabel="frames inspected", ylabel="memory of the process, MiB", title=title)
    axes.set_ylim(0, max(MOST_MB, *(row["rss"] for row in rows)) * 1.1)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(file, dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--imgsz", type=int, default=160)
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two samples")
    parser.add_argument("--plot", type=Path, help="a picture of it")
    parser.add_argument("--inspect", nargs=2, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inspect:
        inspect(*given.inspect, given.imgsz, given.every)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "long.mp4"
        make_video(source, given.frames)
        words = [sys.executable, __file__, "--imgsz", str(given.imgsz), "--every", str(given.every)]
        words += ["--inspect", str(source), scratch]
        rows = []
        with subprocess.Popen(words, stdout=subprocess.PIPE, encoding="utf-8") as process:
            for line in process.stdout:
                rows.append(json.loads(line))
                print(line.strip(), file=sys.stderr, flush=True)
        if process.returncode or rows[-1]["state"] != "done" or rows[-1]["problems"]:
            sys.exit(f"the run failed: {rows[-1:]}")
    *samples, end = rows
    part, early = given.frames // 10, min(1_000, given.frames // 5)
    first = mean([row["rss"] for row in samples if early <= row["frames"] < early + part])
    last = mean([row["rss"] for row in samples if given.frames - part <= row["frames"] < given.frames])
    growth = (last - first) * 20_000 / (given.frames - part - early)
    step = max(1, len(samples) // 12)
    print("| frames | seconds | memory, MB |\n|---|---|---|")
    for row in [*samples[::step], end]:
        print(f"| {row['frames']} | {row['seconds']:.0f} | {row['rss']:.0f} |")
    print(f"\n{end['frames']} frames of input {given.imgsz} in {end['seconds']:.0f} s; torch in it: {end['torch']}")
    print(f"peak {end['peak']:.0f} MB (bar {MOST_MB}), when all is closed {end['rss']:.0f} MB")
    print(f"from {first:.0f} to {last:.0f} MB: by 20,000 frames {growth:+.1f} MB (bar {MOST_GROWTH_MB})")
    if given.plot:
        plot(given.plot, samples, f"A run of {end['frames']} frames, input {given.imgsz}")
    return 0 if end["peak"] <= MOST_MB and growth <= MOST_GROWTH_MB else 1


def mean(values: list[float]) -> float:
    if not values:
        sys.exit("too few samples; give more --frames or a smaller --every")
    return sum(values) / len(values)


if __name__ == "__main__":
    sys.exit(main())
