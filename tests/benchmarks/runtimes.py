"""Torch against OpenVINO on the CPU: time, memory, and with labelled images what fewer bits cost in accuracy.

    .venv/bin/python tests/benchmarks/runtimes.py [--repeats 15] [--presets freqfusion,vmamba]
    .venv/bin/python tests/benchmarks/runtimes.py --accuracy DATA.yaml

Times are medians of whole calls of ``predict`` on one image, the runtimes in turn within one process, so that other
work on the machine burdens all alike; memory is of processes of their own. ``--accuracy`` computes mAP with pycocotools
for the bundled model on the images under ``val``; int8 has to be made before, by ``export-model``.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SHAPES = ((720, 1280), (640, 640))  # of images: inputs of 384x640 and 640x640 at imgsz 640
KINDS = {
    "torch": {"runtime": "torch"},
    "openvino f32": {"runtime": "openvino"},
    "openvino bf16": {"runtime": "openvino", "precision": "bf16"},
}
INT8 = {"openvino int8": {"runtime": "openvino", "precision": "int8"}}


def opened(weights: Path, kind: str, imgsz: int | None = 640):
    from inspector import registry
    from inspector_plugins.yolo11 import inspector_models

    (spec,) = inspector_models()
    options = {option.key: option.default for option in spec.options} | (KINDS | INT8)[kind] | {"imgsz": imgsz}
    return spec.open(weights, "cpu", tuple(registry.load().layers.values()), **options)


def picture(height: int, width: int):
    import cv2
    import numpy as np

    small = np.random.default_rng(0).integers(0, 256, (height // 40, width // 40, 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def checkpoint(preset: str, folder: Path) -> Path:
    """A checkpoint of the preset with random weights; of ``bundled`` the bundled one."""
    from inspector import registry
    from inspector.api import assets, prepare_torch

    if preset == "bundled":
        return assets() / "models" / "bearing-yolo11n-seg.pt"
    prepare_torch()
    import torch

    from inspector_plugins.yolo11.architecture import build

    model = build.segmentation_model(f"yolo11n-seg-{preset}", 1, tuple(registry.load().layers.values()))
    torch.save({"model": model.half(), "train_args": {"imgsz": 640}}, folder / f"{preset}.pt")
    return folder / f"{preset}.pt"


def measure_times(presets: list[str], repeats: int) -> None:
    print("| model | picture | " + " | ".join(f"{kind}, ms" for kind in KINDS) + " | torch / f32 | torch / bf16 |")
    print("|---" * (len(KINDS) + 4) + "|")
    with tempfile.TemporaryDirectory() as folder:
        for preset in presets:
            weights = checkpoint(preset, Path(folder))
            models = {kind: opened(weights, kind) for kind in KINDS}
            for height, width in SHAPES:
                image, took = picture(height, width), {kind: [] for kind in KINDS}
                for number in range(repeats + 2):
                    for kind, model in models.items():
                        began = time.perf_counter()
                        model.predict([image], 0.25, 0.45)
                        if number > 1:
                            took[kind].append((time.perf_counter() - began) * 1000)
                middle = {kind: statistics.median(times) for kind, times in took.items()}
                ratios = [middle["torch"] / middle[kind] for kind in list(KINDS)[1:]]
                cells = [f"{middle[kind]:.0f}" for kind in KINDS] + [f"{ratio:.2f}" for ratio in ratios]
                print(f"| {preset} | {width}x{height} | {' | '.join(cells)} |", flush=True)


def measure_start(kind: str) -> None:
    """In a process of its own: seconds from before the first import to the first result, and memory in MB."""
    began, worked = time.perf_counter(), time.process_time()
    model = opened(checkpoint("bundled", Path()), kind)
    image = picture(*SHAPES[0])
    model.predict([image], 0.25, 0.45)
    wall, work = time.perf_counter() - began, time.process_time() - worked
    for _ in range(10):
        model.predict([image], 0.25, 0.45)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    print(json.dumps({"wall": wall, "work": work, "memory": pages * 4096 / 2**20, "torch": "torch" in sys.modules}))


def measure_starts(repeats: int) -> None:
    print(
        "\n| runtime | to the first result, s | of it core-seconds | memory, MB | torch in the process |\n"
        + "|---" * 5
        + "|"
    )
    told = {kind: [] for kind in KINDS}
    for _ in range(repeats + 1):  # the first fills the caches
        for kind, rows in told.items():
            done = subprocess.run([sys.executable, __file__, "--start", kind], capture_output=True, check=True)
            rows.append(json.loads(done.stdout))
    for kind, rows in told.items():
        wall, work, memory = (statistics.median(row[key] for row in rows[1:]) for key in ("wall", "work", "memory"))
        print(
            f"| {kind} | {wall:.2f} | {work:.2f} | {memory:.0f} | {'yes' if rows[0]['torch'] else 'no'} |", flush=True
        )


def measure_accuracy(data: Path) -> None:
    from inspector.api import read_yolo_dataset
    from inspector_plugins.yolo11.evaluation import accuracy
    from inspector_plugins.yolo11.evaluation.evaluate import labelled

    weights = checkpoint("bundled", Path())
    models = {(kind, size): opened(weights, kind, size) for kind in KINDS | INT8 for size in (416, 640)}
    names = next(iter(models.values())).info.names
    images, _ = labelled(weights, names, read_yolo_dataset(data), "val")

    def finder(model):
        return lambda image: model.predict([image], accuracy.CONFIDENCE, accuracy.IOU)[0]

    figures = accuracy.measure({key: finder(model) for key, model in models.items()}, images, len(names))
    print("| runtime | input | mask mAP50-95 | mask mAP50 | box mAP50-95 | box mAP50 |\n" + "|---" * 6 + "|")
    for (kind, size), told in figures.items():
        cells = [f"{told[what][key]:.4f}" for what in ("mask", "box") for key in ("mAP50-95", "mAP50")]
        print(f"| {kind} | {size} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--presets", default="freqfusion")
    parser.add_argument("--accuracy", type=Path, metavar="DATA.yaml")
    parser.add_argument("--start", choices=KINDS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.start:
        measure_start(given.start)
    elif given.accuracy:
        measure_accuracy(given.accuracy)
    else:
        measure_times(["bundled", *filter(None, given.presets.split(","))], given.repeats)
        measure_starts(3)


if __name__ == "__main__":
    main()
