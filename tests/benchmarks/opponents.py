"""Our whole run against ultralytics' and against what the machine could do at best.

    .venv/bin/python tests/benchmarks/opponents.py PICTURES [--what video,folder] [--repeats 5] [--model FILE]

PICTURES is a folder of photographs, such as BSData's validation split; the video (1280x720, 150 frames) pans over them.
All opponents use the same weights at ``imgsz`` 640 and write annotated images or video; ours writes the workbook and
the history too. Every run is a process of its own, the opponents in turn; its clock starts when the model has seen one
image and stops when the last file is closed.

    a            ultralytics predict, .pt with PyTorch on the CPU
    b, b-f32     ultralytics predict, its own OpenVINO export; OpenVINO computes it in bf16 where the processor has it;
                 with b-f32 it is told not to
    c            ultralytics predict, its own ONNX export on onnxruntime
    ours-f32, …  this program with OpenVINO in f32, bf16 or int8
    d-f32, …     the limit: core-seconds of bare decoding, the bare compiled network on a ready tensor of our input size
                 and bare encoding, by the number of cores
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

IMGSZ, CONFIDENCE, IOU = 640, 0.1, 0.45
PARTS = ("decoding", "network", "encoding")
FRAMES, SIZE, RATE = 150, (1280, 720), 25


def make_video(pictures: Path, file: Path) -> None:
    """A slow pan over photographs in turn, each as wide as the frame and mirrored above and below it."""
    import cv2
    import numpy as np

    photographs = [cv2.imread(str(path)) for path in sorted(pictures.iterdir())[: FRAMES // 10]]
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), RATE, SIZE)
    width, height = SIZE
    for number in range(FRAMES):
        photograph = photographs[number // 10 % len(photographs)]
        wide = cv2.resize(photograph, (width + 36, photograph.shape[0] * (width + 36) // photograph.shape[1]))
        above = max(0, height - wide.shape[0]) // 2
        tall = cv2.copyMakeBorder(wide, above, max(0, height - above - wide.shape[0]), 0, 0, cv2.BORDER_REFLECT)
        left = number % 10 * 4
        writer.write(np.ascontiguousarray(tall[:height, left : left + width]))
    writer.release()


# What runs in a process of its own


def theirs(weights: Path, source: Path, output: Path, precision: str) -> dict[str, float]:
    from inspector.api import prepare_torch

    prepare_torch()
    import cv2
    from ultralytics import YOLO

    if precision:
        import openvino

        compile = openvino.Core.compile_model
        openvino.Core.compile_model = lambda self, network, device_name, config: compile(
            self, network, device_name, config | {"INFERENCE_PRECISION_HINT": precision}
        )
    model = YOLO(str(weights), task="segment")
    given = {"imgsz": IMGSZ, "conf": CONFIDENCE, "iou": IOU, "device": "cpu", "verbose": False}
    first = sorted(source.iterdir())[0] if source.is_dir() else source
    if source.is_dir():
        model.predict(cv2.imread(str(first)), **given)
    else:
        found, frame = cv2.VideoCapture(str(first)).read()
        assert found
        model.predict(frame, **given)
    began, worked = time.perf_counter(), time.process_time()
    count = 0
    for _ in model.predict(str(source), stream=True, save=True, project=str(output), name="run", **given):
        count += 1
    for writer in model.predictor.vid_writer.values():
        writer.release()
    return {"frames": count, "wall": time.perf_counter() - began, "work": time.process_time() - worked}


def ours(weights: Path, source: Path, output: Path, precision: str) -> dict[str, float]:
    import cv2

    from inspector import registry
    from inspector.domain import Choice, Job
    from inspector.engine import Engine
    from inspector.history import History

    catalogue = registry.load()
    spec = catalogue.model("yolo11")
    every = {option.key: option.default for option in spec.options} | {"imgsz": IMGSZ, "precision": precision}
    model = spec.open(weights, "cpu", layers=tuple(catalogue.layers.values()), **every)
    first = cv2.imread(str(sorted(source.iterdir())[0])) if source.is_dir() else cv2.VideoCapture(str(source)).read()[1]
    model.many().predict([first], CONFIDENCE, IOU)
    exporters = ["images", "xlsx"] if source.is_dir() else ["video", "xlsx"]
    job = Job(
        sources=(Choice("image_files" if source.is_dir() else "video_files", {"path": str(source)}),),
        model=Choice("yolo11", every),
        weights=str(weights),
        exporters=tuple(Choice(id, {}) for id in exporters),
        confidence=CONFIDENCE,
        iou=IOU,
    )
    engine = Engine(catalogue, lambda: History(output / "history.db"), "0", open_model=lambda *_: model)
    began, worked = time.perf_counter(), time.process_time()
    run = engine.start(job, output / "run")
    run.wait()
    assert run.state == "done", run.failure
    wall, work = time.perf_counter() - began, time.process_time() - worked
    return {"frames": run.counts.inspected, "wall": wall, "work": work, "defects": run.counts.defects}


def limit(weights: Path, source: Path, output: Path, precision: str) -> dict[str, float]:
    """Core-seconds of the bare parts."""
    import cv2
    import numpy as np

    from inspector import registry
    from inspector_plugins.yolo11.inference import decode
    from inspector_plugins.yolo11.inference.openvino_runner import OpenVinoModel

    cores = os.cpu_count() or 1
    began = time.process_time()
    images = []
    if source.is_dir():
        for path in sorted(source.iterdir()):
            images.append(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR))
    else:
        capture = cv2.VideoCapture(str(source))
        while (read := capture.read())[0]:
            images.append(read[1])
    decoding = time.process_time() - began
    began = time.process_time()
    if source.is_dir():
        for number, image in enumerate(images):
            cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tofile(output / f"{number}.jpg")
    else:
        writer = cv2.VideoWriter(str(output / "bare.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), RATE, SIZE)
        for image in images:
            writer.write(image)
        writer.release()
    encoding = time.process_time() - began
    model = OpenVinoModel(weights, tuple(registry.load().layers.values()), IMGSZ, precision)
    for image in images:
        model.predict([image], CONFIDENCE, IOU)
    inferring = 0.0
    for image in images:
        fit = decode.Letterbox.for_size(*image.shape[:2], IMGSZ, 32)
        (request, *_) = model._one.at(fit.input_height, fit.input_width)._idle
        began = time.process_time()
        request._request.start_async()
        request._request.wait()
        inferring += time.process_time() - began
    total = decoding + encoding + inferring
    parts = {"decoding": decoding, "encoding": encoding, "network": inferring}
    return {"frames": len(images), "wall": total / cores, "work": total} | parts


def child(kind: str, weights: Path, source: Path, output: Path) -> None:
    name, _, precision = kind.partition("-")
    run = {"ours": ours, "d": limit}.get(name, theirs)
    told = run(weights, source, output, precision)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    print(json.dumps(told | {"memory": pages * 4096 / 2**20}))


# What starts them


def exported(weights: Path, folder: Path) -> dict[str, Path]:
    """ultralytics' own exports of the weights, as it makes them by default."""
    import shutil

    copy = folder / weights.name
    shutil.copy(weights, copy)
    script = (
        "from inspector.api import prepare_torch; prepare_torch(); from ultralytics import YOLO; import sys; "
        "[YOLO(sys.argv[1]).export(format=f, imgsz=int(sys.argv[2]), device='cpu') for f in ('openvino', 'onnx')]"
    )
    subprocess.run([sys.executable, "-c", script, copy, str(IMGSZ)], check=True, capture_output=True)
    return {"a": copy, "b": folder / f"{copy.stem}_openvino_model", "c": copy.with_suffix(".onnx")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--what", default="video,folder")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--model", type=Path, default=Path("assets/models/bearing-yolo11n-seg.pt"))
    parser.add_argument("--kinds", default="a,b,b-f32,c,ours-f32,ours-bf16,d-f32,d-bf16")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        kind, source, output = given.child
        child(kind, given.model, Path(source), Path(output))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        weights = exported(given.model, folder)
        make_video(given.pictures, folder / "raceway.mp4")
        for what in given.what.split(","):
            compare(what, given, weights, folder / "raceway.mp4" if what == "video" else given.pictures, folder)


def compare(what: str, given: argparse.Namespace, weights: dict[str, Path], source: Path, folder: Path) -> None:
    told: dict[str, list[dict[str, float]]] = {kind: [] for kind in given.kinds.split(",")}
    for number in range(given.repeats):
        for kind, rows in told.items():
            output = folder / f"{what}-{kind}-{number}"
            output.mkdir()
            command = [
                sys.executable,
                __file__,
                str(given.pictures),
                "--model",
                str(weights.get(kind.partition("-")[0], given.model)),
            ]
            done = subprocess.run(
                [*command, "--child", kind, str(source), str(output)], capture_output=True, encoding="utf-8"
            )
            if done.returncode:
                sys.exit(f"{kind}: {done.stderr}")
            rows.append(json.loads(done.stdout.splitlines()[-1]))
            print(kind, rows[-1], file=sys.stderr, flush=True)
    print(f"\n{what}: {told[next(iter(told))][0]['frames']:.0f} pictures, medians of {given.repeats}\n")
    rates = {kind: [row["frames"] / row["wall"] for row in rows] for kind, rows in told.items()}
    own = [kind for kind in told if kind.startswith("ours")]
    print(f"| | a second | core-ms each | memory, MB | {' | '.join(f'{kind} / it' for kind in own)} |")
    print("|---" * (4 + len(own)) + "|")
    for kind, rows in told.items():
        work = statistics.median(1000 * row["work"] / row["frames"] for row in rows)
        memory = statistics.median(row["memory"] for row in rows)
        ratios = [statistics.median(a / b for a, b in zip(rates[mine], rates[kind], strict=True)) for mine in own]
        cells = [f"{statistics.median(rates[kind]):.1f}", f"{work:.1f}", f"{memory:.0f}"]
        print(f"| {kind} | {' | '.join([*cells, *(f'{ratio:.2f}' for ratio in ratios)])} |")
    for kind in filter(lambda kind: kind.startswith("d-"), told):
        parts = [(part, [1000 * row[part] / row["frames"] for row in told[kind]]) for part in PARTS]
        print(f"{kind}:", ", ".join(f"{part} {statistics.median(times):.1f}" for part, times in parts), "core-ms")


if __name__ == "__main__":
    main()
