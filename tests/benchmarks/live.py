"""Age of a camera's image when its result is saved.

    .venv/bin/python tests/benchmarks/live.py [--rate 30] [--seconds 20] [--size 1280x720] [--kinds f32,bf16,int8]

A camera in the network (motion JPEG over HTTP, in a process of its own) writes the number of each image into it as
black and white fields, and notes when it begins to send it. Age is from there until the engine has the result in the
history, exporters and all; what is left of it without the inference is the way there. A camera that is quicker than the
model costs images, never age: the dropped ones are counted.
"""

import argparse
import contextlib
import http.server
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BITS, FIELD = 16, 16  # fields of 16x16 pixels, at the upper left


def serve(folder: Path, rate: float, width: int, height: int) -> None:
    """In a process of its own: report the port, then the time of each image sent, one line each in ``sent``."""
    import cv2
    import numpy as np

    from inspector.imaging import read_image

    picture, _ = read_image(ROOT / "sample_data" / "defect-07.jpg")
    picture = cv2.resize(picture, (width, height))
    weights = 2 ** np.arange(BITS)

    def numbered(number: int) -> bytes:
        fields = np.kron((number & weights > 0) * np.uint8(255), np.ones((FIELD, FIELD), np.uint8))
        picture[:FIELD, : BITS * FIELD] = fields[..., None]
        return cv2.imencode(".jpg", picture)[1].tobytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            with contextlib.suppress(OSError), (folder / "sent").open("w", encoding="ascii", buffering=1) as sent:
                began = time.monotonic()
                for number in range(2**BITS):
                    data = numbered(number)
                    time.sleep(max(0.0, began + number / rate - time.monotonic()))
                    print(time.monotonic(), file=sent)
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                    self.wfile.write(head.encode() + data + b"\r\n")

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


def number_in(image) -> int:
    middles = image[FIELD // 2, FIELD // 2 : BITS * FIELD : FIELD, 1] > 127
    return sum(int(on) << bit for bit, on in enumerate(middles))


def measure(kind: str, address: str, folder: Path, seconds: float) -> tuple[list[tuple[int, float, float]], int]:
    """Number, moment and inference in ms of each result, and how many images were dropped."""
    from inspector import registry
    from inspector.domain import Choice, Inspection, Job
    from inspector.engine import Engine
    from inspector.history import History

    job = Job(
        sources=(Choice("camera", {"address": address}),),
        model=Choice("yolo11", {"runtime": "openvino", "precision": kind, "imgsz": 640}),
        weights=str(ROOT / "assets" / "models" / "bearing-yolo11n-seg.pt"),
        device="cpu",
        exporters=(Choice("images"), Choice("xlsx")),
    )
    kept = []

    def note(result):
        if isinstance(result, Inspection):
            kept.append((number_in(result.frame.image), time.monotonic(), result.timings.infer))

    engine = Engine(registry.load(), lambda: History.open(folder / "history.sqlite3"), "0")
    run = engine.start(job, folder / kind, "live", note)
    while not kept and not run.wait(0.1):
        pass
    run.wait(seconds)
    run.stop()
    run.wait()
    if run.failure:
        sys.exit(str(run.failure))
    return kept, run.counts.dropped


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=30.0, help="pictures a second that the camera sends")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--size", default="1280x720", metavar="WIDTHxHEIGHT")
    parser.add_argument("--kinds", default="f32,bf16")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    if given.serve:
        serve(given.serve, given.rate, width, height)
        return
    print("| | sent a second | inspected a second | dropped | inference, ms | age, ms: median | 95 % | longest |")
    print("|---" * 8 + "|")
    for kind in given.kinds.split(","):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            words = [sys.executable, __file__, "--serve", scratch, "--rate", str(given.rate), "--size", given.size]
            with subprocess.Popen(words, stdout=subprocess.PIPE, encoding="ascii") as camera:
                try:
                    address = f"http://127.0.0.1:{camera.stdout.readline().strip()}/"
                    kept, dropped = measure(kind, address, folder, given.seconds)
                finally:
                    camera.kill()
            sent = [float(line) for line in (folder / "sent").read_text("ascii").splitlines()]
        kept = kept[len(kept) // 10 :]  # the first ones compile the network
        ages = sorted((moment - sent[number]) * 1000 for number, moment, _ in kept)
        rate = (len(kept) - 1) / (kept[-1][1] - kept[0][1])
        cells = (given.rate, rate, dropped, statistics.median(one[2] for one in kept), statistics.median(ages))
        told = " | ".join(f"{cell:.0f}" for cell in (*cells, ages[int(0.95 * len(ages))], ages[-1]))
        print(f"| {kind} | {told} |", flush=True)


if __name__ == "__main__":
    main()
