"""Diagnostics that exercise each part for real, and a report for support."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from inspector import __version__, registry
from inspector.domain import InspectorError, interrupts
from inspector.registry import PluginRecord
from inspector.system import logs, paths

TIME_LIMIT = 180.0
DISTRIBUTION = "bearing-inspector"
_LOG_BYTES, _LOG_LINES = 200_000, 200
_SECRET = re.compile(r"passw|token|secret|credential|api_?key", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """One result of the diagnostics. ``state`` is ``good``, ``note`` (works, with a remark) or ``bad``."""

    what: str
    state: str
    detail: str


@dataclass(frozen=True)
class Package:
    """An installed distribution; ``licence`` as it states it, ``""`` if it states none."""

    name: str
    version: str
    licence: str


def examine() -> list[Finding]:
    """Run all diagnostics in this process; imports torch and runs a model."""
    checks: tuple[tuple[str, Callable[[], tuple[str, str]]], ...] = (
        ("program", _program),
        ("processor", _processor),
        ("data folder", _data_folder),
        ("history", _history),
        ("plugins", _plugins),
        ("torch", _torch),
        ("CUDA", _cuda),
        ("model", _model),
        ("pictures", _images),
        ("video", _video),
        ("cameras", _cameras),
        ("window", _window),
    )
    return [_look(what, check) for what, check in checks]


def examine_apart() -> list[Finding]:
    """Run :func:`examine` in a separate process: imports nothing heavy here, and a crash becomes a finding."""
    command = [*paths.program(), "doctor", "--json"]
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=paths.child_environment(),
            timeout=TIME_LIMIT,
            check=False,
            creationflags=flags,
        )
        return [Finding(**row) for row in json.loads(done.stdout)["findings"]]
    except subprocess.TimeoutExpired:
        return [Finding("doctor", "bad", f"it did not end within {TIME_LIMIT:g} s")]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [Finding("doctor", "bad", f"it could not be run: {type(error).__name__}: {error}")]


def packages() -> list[Package]:
    """The installed distributions that the program depends on, by name."""
    from packaging.requirements import Requirement

    wanted, found = [DISTRIBUTION], {}
    while wanted:
        name = wanted.pop().lower().replace("_", "-")
        if name in found:
            continue
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        found[name] = Package(distribution.metadata["Name"], distribution.version, _licence(distribution))
        for text in distribution.requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                wanted.append(requirement.name)
    found.pop(DISTRIBUTION, None)
    return [found[name] for name in sorted(found)]


def _licence(distribution: metadata.Distribution) -> str:
    """The licence of a distribution: SPDX expression, else classifiers, else the first line of its text."""
    about = distribution.metadata
    if "License-Expression" in about:
        return about["License-Expression"]
    classifiers = [
        str(text).rpartition(" :: ")[2] for text in about.get_all("Classifier") or () if "License ::" in text
    ]
    own = str((about.get_all("License") or [""])[0]).strip().partition("\n")[0]
    return ", ".join(classifiers) or (own if len(own) < 80 else "")


def report(
    findings: Sequence[Finding], records: Sequence[PluginRecord], settings: Mapping[str, Any], log: str = ""
) -> str:
    """Format the report as text, without passwords and without the user's folder name.

    Args:
        settings: those that differ from their defaults.
        log: the end of the program's log.
    """
    signs = {"good": "ok", "note": "note", "bad": "BAD"}
    parts = [f"Bearing Inspector {__version__}: diagnostics of {datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z}"]
    parts.append(_part("Machine", [f"{signs[f.state]:4} {f.what}: {f.detail}" for f in findings]))
    parts.append(_part("Plugins", [line for record in records for line in _plugin_lines(record)]))
    parts.append(_part("Settings", [f"{key} = {_shown(key, value)}" for key, value in sorted(settings.items())]))
    parts.append(_part("Packages", [f"{p.name} {p.version} ({p.licence or 'no licence stated'})" for p in packages()]))
    parts.append(_part("Log", log.splitlines()))
    return without_secrets("\n\n".join(parts) + "\n")


def _part(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"== {title} ==", *(lines or ["none"])])


def _plugin_lines(record: PluginRecord) -> list[str]:
    brings = ", ".join(name for _, name in record.specs) or "-"
    line = f"{record.state:12} {record.id} {record.version or '-'} (interface {record.api or '?'}, {record.origin}"
    line += f", {record.load_ms:.0f} ms): {brings}"
    if record.sha256:
        line += f"; SHA-256 {record.sha256}"
    if record.reason:
        line += f"; {record.reason}"
    return [line, *(f"    {text}" for text in record.traceback.splitlines())]


def _shown(key: str, value: object) -> str:
    if _SECRET.search(key):
        return "***"
    # No repr of text: it would double the backslashes of a Windows path, which then no longer names the home folder.
    return f"'{value}'" if isinstance(value, str | Path) else repr(value)


def without_secrets(text: str) -> str:
    """Remove logins of addresses and values of ``token=`` from ``text``, and replace the home folder by ``~``."""
    text = re.sub(r"(\w+://)[^/\s@'\"]+@", r"\1***@", text)
    text = re.sub(r"(?i)\b((?:pass\w*|token|secret|api_?key)=)[^&\s'\"]+", r"\1***", text)
    home = str(Path.home())
    if len(home) <= 3:
        return text
    forms = {home, home.replace("\\", "\\\\"), home.replace("\\", "/")}
    pattern = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
    return re.sub(pattern, "~", text, flags=re.IGNORECASE if sys.platform == "win32" else 0)


def log_tail() -> str:
    """The last lines of the program's log; empty without a log."""
    try:
        with open(paths.logs_folder() / logs.FILE_NAME, "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _LOG_BYTES))
            held = file.read().decode("utf-8", "replace")
    except (OSError, InspectorError):
        return ""
    return "\n".join(held.splitlines()[-_LOG_LINES:])


def gather(records: Sequence[PluginRecord], settings: Mapping[str, Any]) -> str:
    """Collect the whole report; takes as long as :func:`examine_apart`."""
    return report(examine_apart(), records, settings, log_tail())


def _look(what: str, check: Callable[[], tuple[str, str]]) -> Finding:
    try:
        return Finding(what, *check())
    except BaseException as error:
        if interrupts(error):
            raise
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
    from inspector.system.frameworks import prepare_torch

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
        image = np.full((480, 640, 3), 128, np.uint8)
        model.predict([image], 0.25, 0.45)
        began = time.perf_counter()
        model.predict([image], 0.25, 0.45)
        took = (time.perf_counter() - began) * 1000
        return "good", f"{name} ({model.info.architecture}) on {model.info.device}: {took:.0f} ms per 640x480 image"
    finally:
        model.close()


def _images() -> tuple[str, str]:
    import numpy as np

    from inspector.imaging import read_image, write_image

    image = np.zeros((8, 8, 3), np.uint8)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for suffix in ("jpg", "png", "bmp", "tif", "webp"):
            read_image(write_image(Path(folder) / f"轴承.{suffix}", image))
    return "good", "jpg, png, bmp, tif, webp can be written and read, with Chinese names"


def _video() -> tuple[str, str]:
    import av
    import numpy as np

    working, wrong = [], ""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for codec, pixels, suffix in (("mpeg4", "yuv420p", "mp4"), ("mjpeg", "yuvj420p", "mov")):
            path = Path(folder) / f"轴承.{suffix}"
            try:
                with av.open(str(path), "w") as written:
                    stream: Any = written.add_stream(codec, rate=25)
                    stream.width, stream.height, stream.pix_fmt = 64, 64, pixels
                    for _ in range(3):
                        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "bgr24")
                        written.mux(stream.encode(frame))
                    written.mux(stream.encode(None))
                with av.open(str(path)) as read:
                    frames = sum(1 for _ in read.decode(video=0))
            except (OSError, av.FFmpegError) as error:
                wrong = f" ({error})"
                continue
            if frames == 3:
                working.append(f"{codec} ({suffix})")
    said = f"{', '.join(working)} can be written and read" if working else f"no video can be written and read{wrong}"
    return ("good" if working else "bad"), f"PyAV {av.__version__}: {said}"


def _cameras() -> tuple[str, str]:
    catalogue = registry.load()
    found = [name for _, _, name in registry.devices(catalogue, tuple(catalogue.sources.values()))]
    return "good", ", ".join(found) or "none found; network cameras need none"


def _window() -> tuple[str, str]:
    if find_spec("_tkinter") is None:
        return "bad", "this Python has no Tk; install python3-tk, or use the command line only"
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        return "note", "no display here; the command line works without"
    return "good", "Tk and a display are there"
