"""What the workbook costs: rows a second, the time to save, file size and memory at three sizes.

    python tests/benchmarks/spreadsheet.py [INSPECTIONS ...]     (default 1000 10000 50000)

Each size runs in a process of its own. An inspection has three defects, so it makes four rows.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DEFECTS = 3


def measure(count: int) -> dict[str, float]:
    import numpy as np

    from inspector.api import (
        Choice,
        Detection,
        Frame,
        Inspection,
        Job,
        Mask,
        ModelInfo,
        Reason,
        RunInfo,
        Timings,
        Verdict,
    )
    from inspector_plugins.spreadsheet import inspector_exporters

    model = ModelInfo("best.pt", "0" * 64, "yolo11n-seg", ("Defect",), "yolo11", "torch", "cpu", 640)
    run = RunInfo(Job((Choice("image_files"),), Choice("yolo11")), model, "benchmark", "2026-01-02T03:04:05+08:00")
    frame = Frame(np.zeros((720, 1280, 3), np.uint8), 0, "turning.mp4", 1.25, 25.0, "/data/videos/turning.mp4")
    mask = Mask(100, 100, np.ones((20, 40), bool))
    found = (Detection("Defect", 0.875, (100.0, 100.0, 140.0, 120.0), mask),) * DEFECTS
    verdict = Verdict("NG", (Reason("area_above", "Defect", 800.0, 400.0, "px2"),))
    begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        (spec,) = inspector_exporters()
        exporter = spec.open(Path(folder), run)
        start = time.perf_counter()
        for number in range(1, count + 1):
            exporter.write(
                Inspection(
                    frame,
                    found,
                    verdict,
                    model,
                    Timings(1.5, 20.25, 22.0),
                    number,
                    time="2026-01-02T03:04:05.678+08:00",
                )
            )
        written = time.perf_counter()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        (path,) = exporter.close()
        saved = time.perf_counter()
        size = path.stat().st_size
    rows = count * (1 + DEFECTS)
    return {
        "inspections": count,
        "rows": rows,
        "rows_per_s": round(rows / (written - start)),
        "ms_per_inspection": round((written - start) / count * 1000, 3),
        "save_s": round(saved - written, 2),
        "file_MB": round(size / 1e6, 2),
        "growth_writing_MB": round((memory - begun) / 1024, 1),
        "growth_saving_MB": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - begun) / 1024, 1),
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        sys.stdout.write(json.dumps(measure(int(sys.argv[2]))))
    else:
        for size in sys.argv[1:] or ["1000", "10000", "50000"]:
            done = subprocess.run([sys.executable, __file__, "--one", size], capture_output=True, text=True, check=True)
            sys.stdout.write(done.stdout + "\n")
            sys.stdout.flush()
