"""Inference next to other work on the same cores, by the spin time of torch's idle threads.

    .venv/bin/python tests/benchmarks/threads.py

Each row is a process of its own; "busy" runs beside one endless loop a core.
"""

import os
import statistics
import subprocess
import sys
import time

SECONDS = 8.0


def measure() -> None:
    import numpy as np

    from inspector.system.paths import assets
    from inspector_plugins.yolo11.inference.torch_runner import TorchModel

    model = TorchModel(assets() / "models" / "bearing-yolo11n-seg.pt", "cpu", imgsz=640)
    image = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    for _ in range(5):
        model.predict([image], 0.25, 0.45)
    took = []
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        began = time.perf_counter()
        model.predict([image], 0.25, 0.45)
        took.append((time.perf_counter() - began) * 1000)
    print(f"median {statistics.median(took):6.0f} ms, 95 % {sorted(took)[int(len(took) * 0.95)]:6.0f} ms", flush=True)


def main() -> None:
    for busy in (False, True):
        for spin in ("300000", "100000", "10000", "1000"):  # the first is libgomp's default
            loops = [subprocess.Popen([sys.executable, "-c", "while 1: pass"]) for _ in range(os.cpu_count() or 1)]
            if not busy:
                for loop in loops:
                    loop.kill()
            print(f"{'busy ' if busy else 'quiet'} spin {spin:>7}: ", end="", flush=True)
            environment = os.environ | {"GOMP_SPINCOUNT": spin}
            subprocess.run([sys.executable, __file__, "--measure"], env=environment, check=True)
            for loop in loops:
                loop.kill()
                loop.wait()


if __name__ == "__main__":
    measure() if "--measure" in sys.argv else main()
