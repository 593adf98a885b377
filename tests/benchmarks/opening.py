"""Time to open a checkpoint: ``python tests/benchmarks/opening.py FILE… [--times N]``.

Median and fastest of N times, seconds, after one that is not counted. It also runs beside an older commit's packages
(``PYTHONPATH``), for the ratio.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from inspector.api import assets, prepare_torch

prepare_torch()

from inspector_plugins.yolo11.checkpoint import checkpoint  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="*", type=Path, default=[assets() / "models" / "bearing-yolo11n-seg.pt"])
    parser.add_argument("--times", type=int, default=7)
    arguments = parser.parse_args()
    for file in arguments.files:
        checkpoint.load(file)
        taken = []
        for _ in range(arguments.times):
            began = time.perf_counter()
            checkpoint.load(file)
            taken.append(time.perf_counter() - began)
        print(f"{file.name}: median {statistics.median(taken):.2f} s, fastest {min(taken):.2f} s")


if __name__ == "__main__":
    main()
