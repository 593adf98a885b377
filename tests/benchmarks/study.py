"""Trains architectures with the same budget, seeds and data, and compares what comes out.

.venv/bin/python tests/benchmarks/study.py OUTPUT --data TRAIN.yaml --test NAME=DATA.yaml:SPLIT … [--seeds 0 1]
    [--architectures yolo11n-seg yolo11n-seg-cgnet …] [--epochs 12] [--imgsz 256] [--batch 8]

A training that OUTPUT holds already is not repeated, so several processes may share the work (each with architectures
or seeds of its own), and a last call prints the table of all. Milliseconds are of one image of imgsz x imgsz on the
CPU, medians of interleaved repeats: eager (as trained), merged (branches and norms folded), OpenVINO (f32).
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from inspector import registry
from inspector.system.frameworks import prepare_torch

PRESETS = [f"yolo11n-seg{suffix}" for suffix in ("", "-cgnet", "-unireplknet", "-rmt", "-vmamba", "-freqfusion")]


def train_one(architecture: str, seed: int, arguments: argparse.Namespace, layers) -> Path:
    from inspector_plugins.yolo11.training.train import train

    folder = arguments.output / f"{architecture}.{seed}"
    weights = folder / "weights" / "best.pt"
    if not (folder / "seconds.txt").exists():
        began = time.monotonic()
        train(
            arguments.data, architecture, folder, layers, lambda line: print(f"{folder.name}: {line}", file=sys.stderr),
            epochs=arguments.epochs, imgsz=arguments.imgsz, batch=arguments.batch, seed=seed, patience=arguments.epochs,
        )  # fmt: skip
        (folder / "seconds.txt").write_text(f"{time.monotonic() - began:.0f}\n")
    return weights


def measure_one(weights: Path, arguments: argparse.Namespace, layers) -> dict[str, dict[str, float]]:
    from inspector_plugins.yolo11.evaluation.evaluate import evaluate

    found = {}
    for test in arguments.test:
        name, _, rest = test.partition("=")
        data, _, split = rest.rpartition(":")
        report = evaluate(weights, Path(data), layers, None, split=split, imgsz=arguments.imgsz)["all"]
        found[name] = {f"{kind} {key}": report[kind][key] for kind in ("box", "mask") for key in ("mAP50", "mAP50-95")}
    return found


def latencies(weights: dict[str, Path], imgsz: int, layers, repeats: int = 20) -> dict[str, dict[str, float]]:
    """Milliseconds of each architecture, eager, merged and in OpenVINO, all interleaved."""
    import openvino
    import torch

    from inspector_plugins.yolo11.architecture import build
    from inspector_plugins.yolo11.checkpoint import checkpoint
    from inspector_plugins.yolo11.export.export import export

    image = torch.rand(1, 3, imgsz, imgsz)
    calls = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, file in weights.items():
            eager = checkpoint.load(file, layers).model
            merged = build.prepare_for_inference(checkpoint.load(file, layers).model)
            written = export(file, "openvino", Path(folder) / f"{name}_openvino_model", layers, imgsz=imgsz)
            compiled = openvino.Core().compile_model(
                next(written.glob("*.xml")), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
            )
            calls[name, "eager"] = lambda eager=eager: eager(image)
            calls[name, "merged"] = lambda merged=merged: merged(image)
            calls[name, "OpenVINO"] = lambda compiled=compiled: compiled([image.numpy()])
    times = {key: [] for key in calls}
    with torch.no_grad():
        for call in calls.values():
            call()
        for _ in range(repeats):
            for key, call in calls.items():
                began = time.perf_counter()
                call()
                times[key].append(1e3 * (time.perf_counter() - began))
    return {
        name: {kind: round(statistics.median(times[name, kind]), 1) for kind in ("eager", "merged", "OpenVINO")}
        for name in weights
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--test", nargs="+", required=True, metavar="NAME=DATA.yaml:SPLIT")
    parser.add_argument("--architectures", nargs="+", default=PRESETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--imgsz", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--no-latency", action="store_true")
    arguments = parser.parse_args()
    prepare_torch()
    catalogue = registry.load()
    layers = tuple(catalogue.layers.values())
    known = catalogue.model("yolo11").architectures(layers)
    arguments.output.mkdir(parents=True, exist_ok=True)
    results = []
    for seed in arguments.seeds:
        for architecture in arguments.architectures:
            weights = train_one(architecture, seed, arguments, layers)
            results.append((architecture, seed, measure_one(weights, arguments, layers)))
    first = {
        name: arguments.output / f"{name}.{arguments.seeds[0]}/weights/best.pt" for name in arguments.architectures
    }
    ms = {} if arguments.no_latency else latencies(first, arguments.imgsz, layers)
    report = []
    for name in arguments.architectures:
        cost = known.cost(name)
        runs = {seed: found for architecture, seed, found in results if architecture == name}
        report.append(
            {
                "name": name,
                "parameters": cost.parameters,
                "gflops": round(cost.gflops, 2),
                "ms": ms.get(name),
                "runs": runs,
            }
        )
    json.dump(report, (arguments.output / "report.json").open("w"), indent=1)
    tests = [test.partition("=")[0] for test in arguments.test]
    columns = [f"{test} {kind} {key}" for test in tests for kind in ("mask", "box") for key in ("mAP50", "mAP50-95")]
    print(f"| architecture | parameters | GFLOPs | eager, merged, OpenVINO ms | {' | '.join(columns)} |")
    print("|" + "---|" * (len(columns) + 4))
    for row in report:
        cells = []
        for column in columns:
            test, kind, key = column.rsplit(" ", 2)
            cells.append(" ".join(f"{found[test][f'{kind} {key}']:.3f}" for found in row["runs"].values()))
        speed = ", ".join(str(value) for value in row["ms"].values()) if row["ms"] else ""
        print(f"| {row['name']} | {row['parameters']:,} | {row['gflops']} | {speed} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
