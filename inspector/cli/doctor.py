"""``bearing-inspector doctor``: what this machine can do, each thing tried for real."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from inspector import __version__, paths, registry
from inspector.cli import console
from inspector.cli.console import emit, table
from inspector.domain import InspectorError


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. ``state`` is ``good``, ``note`` (works, but worth knowing) or ``bad``."""

    what: str
    state: str
    detail: str


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")


def run(arguments: argparse.Namespace) -> int:
    checks: tuple[tuple[str, Callable[[], tuple[str, str]]], ...] = (
        ("program", _program),
        ("processor", _processor),
        ("data folder", _data_folder),
        ("history", _history),
        ("plugins", _plugins),
        ("torch", _torch),
        ("CUDA", _cuda),
        ("model", _model),
        ("pictures", _pictures),
        ("video", _video),
        ("cameras", _cameras),
        ("window", _window),
    )
    with console.results_only():
        found = [_look(what, check) for what, check in checks]
    if arguments.json:
        emit({"good": all(f.state != "bad" for f in found), "findings": [asdict(f) for f in found]})
    else:
        signs = {"good": "ok", "note": "note", "bad": "BAD"}
        table(("what", "state", "found"), [(f.what, signs[f.state], f.detail) for f in found])
    return 1 if any(f.state == "bad" for f in found) else 0


def _look(what: str, check: Callable[[], tuple[str, str]]) -> Finding:
    try:
        return Finding(what, *check())
    except Exception as error:  # noqa: BLE001 - plugins and drivers are called, which may fail in any way
        sentence = " ".join(str(error).split())
        kind = "" if isinstance(error, InspectorError) else type(error).__name__
        return Finding(what, "bad", f"{kind}: {sentence}".strip(": "))


def _program() -> tuple[str, str]:
    return "good", f"Bearing Inspector {__version__}, Python {platform.python_version()}, {platform.platform()}"


def _processor() -> tuple[str, str]:
    return "good", f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}"


def _data_folder() -> tuple[str, str]:
    folder = paths.data_folder()
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        file.write(b"probe")
    free = shutil.disk_usage(folder).free / 2**30
    return ("good" if free > 1 else "note"), f"{folder}, {free:.1f} GiB free"


def _history() -> tuple[str, str]:
    from inspector.history import History, Query

    with History.open() as history:
        return "good", f"{history.count(Query())} inspections in {paths.history_file()}"


def _plugins() -> tuple[str, str]:
    records = registry.load().records
    faulty = [f"{record.id} ({record.reason})" for record in records if record.faulty]
    active = sum(record.state == "active" for record in records)
    return ("bad" if faulty else "good"), f"{active} active" + (f"; not working: {', '.join(faulty)}" if faulty else "")


def _torch() -> tuple[str, str]:
    from inspector.frameworks import prepare_torch

    state = prepare_torch()
    import torch

    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("torch", "torchvision", "ultralytics"))
    words = {
        "native": "operators native",
        "repaired": "torchvision's own operators do not fit this torch; replaced",
        "absent": "torchvision is absent",
    }
    return ("note" if state == "absent" else "good"), f"{versions}; {words[state]}; {torch.get_num_threads()} threads"


def _cuda() -> tuple[str, str]:
    import torch

    if not torch.cuda.is_available():
        return "note", "no CUDA device; models run on the processor"
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return "good", "; ".join(f"cuda:{i} {name}" for i, name in enumerate(names))


def _model() -> tuple[str, str]:
    import time

    import numpy as np

    catalogue = registry.load()
    spec = next((spec for spec in catalogue.models.values() if spec.bundled), None)
    if spec is None:
        return "bad", "no model ships with this program; reinstall it"
    name, weights = next(iter(spec.bundled.items()))
    options = {option.key: option.default for option in spec.options}
    model = spec.open(weights, "auto", layers=tuple(catalogue.layers.values()), **options)
    try:
        picture = np.full((480, 640, 3), 128, np.uint8)
        model.predict([picture], 0.25, 0.45)
        began = time.perf_counter()
        model.predict([picture], 0.25, 0.45)
        took = (time.perf_counter() - began) * 1000
        return "good", f"{name} ({model.info.architecture}) on {model.info.device}: {took:.0f} ms a 640x480 picture"
    finally:
        model.close()


def _pictures() -> tuple[str, str]:
    import numpy as np

    from inspector.imaging import read_image, write_image

    picture = np.zeros((8, 8, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("jpg", "png", "bmp", "tif", "webp"):
            read_image(write_image(Path(folder) / f"轴承.{suffix}", picture))
    return "good", "jpg, png, bmp, tif, webp can be written and read, with Chinese names"


def _video() -> tuple[str, str]:
    import cv2
    import numpy as np

    writable = []
    with tempfile.TemporaryDirectory() as folder:
        for code, suffix in (("mp4v", "mp4"), ("MJPG", "avi")):
            path = str(Path(folder) / f"probe.{suffix}")
            writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*code), 25.0, (64, 64))
            for _ in range(3):
                writer.write(np.zeros((64, 64, 3), np.uint8))
            writer.release()
            reader = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
            if reader.read()[0]:
                writable.append(f"{code} ({suffix})")
            reader.release()
    return ("good" if writable else "bad"), f"OpenCV {cv2.__version__} writes {', '.join(writable) or 'no video'}"


def _cameras() -> tuple[str, str]:
    found = [name for spec in registry.load().sources.values() if spec.devices for _, name in spec.devices()]
    return "good", ", ".join(found) or "none found; network cameras need none"


def _window() -> tuple[str, str]:
    if find_spec("_tkinter") is None:
        return "bad", "this Python has no Tk; install python3-tk, or use the command line only"
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        return "note", "no display here; the command line works without"
    return "good", "Tk and a display are there"
