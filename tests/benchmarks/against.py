"""This tree beside another one: ``.venv/bin/python tests/benchmarks/against.py OTHER [FOLDER…] [--times N]``.

OTHER is the working tree of an older commit with its own ``.venv``. Both inspect each folder in turn, each in a process
of its own and with a user's folder of its own in which everything has been run once; then both open each checkpoint of
``--open`` in turn, each time in a new process. Printed are medians of wall and processor seconds, the largest memory,
and the median of the ratios of neighbouring runs, which other work on the machine disturbs less than the seconds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
OPEN = """
import os, sys, time
from pathlib import Path
from inspector.api import prepare_torch
prepare_torch()
try:
    from inspector_plugins.yolo11.checkpoint import checkpoint
except ImportError:  # where it was before issue 15
    from inspector_plugins.yolo11 import checkpoint
checkpoint.load(Path(sys.argv[1]))
began, used = time.perf_counter(), sum(os.times()[:4])
checkpoint.load(Path(sys.argv[1]))
print(time.perf_counter() - began, sum(os.times()[:4]) - used)
"""


def ran(tree: Path, words: list[str], home: Path) -> tuple[float, float, float, str]:
    """Wall seconds, processor seconds, MB at most and what was printed of one process."""
    own = {"BEARING_INSPECTOR_HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "HOME": str(home)}
    began = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        command = [str(tree / ".venv/bin/python"), *words]
        process = subprocess.Popen(command, cwd=tree, env=os.environ | own, stdout=said, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        took = time.perf_counter() - began
        said.seek(0)
        text = said.read().decode(errors="replace")
    if process.returncode:
        sys.exit(f"{tree}: {text[-2000:]}")
    return took, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, text


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("other", type=Path)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--open", nargs="*", type=Path, default=[], metavar="FILE")
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args()
    trees = (given.other.resolve(), HERE)
    with tempfile.TemporaryDirectory(prefix="against-") as folder:
        homes = [Path(folder) / name for name in ("old", "new")]
        for home in homes:
            home.mkdir()
        print("| | old, s | new, s | ratio | old, core-s | new, core-s | ratio | old, MB | new, MB |")
        print("|---|---|---|---|---|---|---|---|---|")
        for what in given.folders:
            words = ["-m", "inspector", "inspect", str(what.resolve())]
            rows: list[list[tuple[float, float, float]]] = []
            for number in range(given.times + 1):
                pair = [ran(tree, words, home)[:3] for tree, home in zip(trees, homes, strict=True)]
                rows += [pair] if number else []
            columns = [[[pair[side][one] for pair in rows] for side in (0, 1)] for one in range(3)]
            cells = [cell for one in columns[:2] for cell in (*middles(one), ratio(one))]
            memory = [f"{max(side):.0f}" for side in columns[2]]
            print("|", " | ".join([f"inspect {what.name}", *cells, *memory]), "|", flush=True)
        for file in given.open:
            seconds: list[list[float]] = [[], []]
            cores: list[list[float]] = [[], []]
            for _ in range(given.times):
                for side, (tree, home) in enumerate(zip(trees, homes, strict=True)):
                    wall, core = ran(tree, ["-c", OPEN, str(file.resolve())], home)[3].split()[-2:]
                    seconds[side].append(float(wall))
                    cores[side].append(float(core))
            cells = [*middles(seconds), ratio(seconds), *middles(cores), ratio(cores)]
            print("|", " | ".join([f"open {file.name}", *cells, "", ""]), "|", flush=True)
    print("load average", *(f"{one:.1f}" for one in os.getloadavg()))


def middles(sides: list[list[float]]) -> list[str]:
    return [f"{statistics.median(side):.2f}" for side in sides]


def ratio(sides: list[list[float]]) -> str:
    """Median of the ratios of neighbours, and the smallest and largest one."""
    ratios = [new / old for old, new in zip(*sides, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


if __name__ == "__main__":
    main()
