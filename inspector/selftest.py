"""``bearing-inspector --self-test``: verify that this copy of the program is complete and works.

Uses a temporary data folder: the user's settings, history and plugins are not touched.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from inspector.system import paths, startup

_TIME_LIMIT = 300.0  # seconds per command
_PLUGIN = '''"""Adds nothing: a plugin from outside that uses the program's door and rarely used modules."""

import concurrent.futures, ctypes.util, decimal, email.mime.text, glob, http.server, logging.handlers, sqlite3
import tomllib, unittest.mock, wave, xml.etree.ElementTree, zoneinfo

import cv2
import numpy as np

from inspector.api import ExporterSpec, Text, hookimpl

PLUGIN = {"id": "self_test", "version": "1", "api": 1, "kinds": ["exporter"], "description": "Tries the program."}


class Exporter:
    def __init__(self, folder, run):
        self.file, self.count = folder / "self-test.txt", decimal.Decimal(0)

    def write(self, inspection):
        self.count += int(np.count_nonzero(cv2.bitwise_not(np.zeros((1, 1), np.uint8))))

    def close(self):
        self.file.write_text(str(self.count), "utf-8")
        return [self.file]


@hookimpl
def inspector_exporters():
    return [ExporterSpec("self_test", Text("Self-test", "自检"), Exporter)]
'''
# Modules of the standard library that are useless in a packaged program or exist on some systems only.
_NOT_WANTED = {
    "__main__", "antigravity", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "this", "turtledemo", "venv",
    "_dbm", "_gdbm", "_msi", "_overlapped", "_scproxy", "_winapi", "msilib", "msvcrt", "nt", "winreg", "winsound",
    "_crypt", "_curses", "_curses_panel", "_posixshmem", "_posixsubprocess", "crypt", "curses", "fcntl", "grp", "nis",
    "ossaudiodev", "posix", "pty", "pwd", "readline", "resource", "spwd", "syslog", "termios", "tty",
}  # fmt: skip


class Fault(Exception):
    """A failed check."""


def main() -> int:
    """Run all checks and print the result of each.

    Returns:
        0 if all pass, else 1.
    """
    checks = (
        ("files", _files),
        ("standard library", _standard_library),
        ("plugins", _plugins),
        ("inspection", _inspection),
        ("torch", _torch),
        ("window", _window),
    )
    whole = True
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    with tempfile.TemporaryDirectory(prefix="bearing-自检 ", ignore_cleanup_errors=True) as folder:
        os.environ[paths.HOME_VARIABLE] = str(Path(folder) / "home")
        for what, check in checks:
            began = time.perf_counter()
            try:
                state, detail = "ok", check()
            except Exception as error:  # noqa: BLE001 - whatever fails is what this command is there to tell
                whole, state, detail = False, "BAD", f"{type(error).__name__}: {error}"
            sys.stdout.write(f"{state:3}  {what}: {detail} ({time.perf_counter() - began:.1f} s)\n")
            sys.stdout.flush()
    sys.stdout.write("The program works.\n" if whole else "The program does not work; install it again.\n")
    return 0 if whole else 1


def _files() -> str:
    """Check the files of the program."""
    wanted = ["fonts/OFL.txt", "icons/bearing-inspector.png", "locale/zh/common.json", "manual", "models"]
    missing = [name for name in wanted if not (paths.assets() / name).exists()]
    if paths.sample_data() is None:
        missing.append("sample_data")
    if not any((paths.assets() / "fonts").glob("*.otf")):
        missing.append("a font")
    if missing:
        raise Fault(f"missing: {', '.join(missing)}")
    return f"in {paths.assets()}"


def _standard_library() -> str:
    """Import every module of the standard library."""
    names = sorted(sys.stdlib_module_names - _NOT_WANTED)
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise Fault(f"missing: {', '.join(missing)}")
    return f"{len(names)} modules"


def _plugins() -> str:
    """Load every built-in plugin and one drop-in."""
    from inspector import registry

    (paths.plugins_folder() / "self_test.py").write_text(_PLUGIN, "utf-8")
    catalogue = registry.load()
    faulty = [f"{record.id} ({record.reason})" for record in catalogue.records if record.state != "active"]
    if faulty:
        raise Fault("; ".join(faulty))
    outside = [record.id for record in catalogue.records if record.origin != "built-in"]
    if outside != ["self_test"] or not catalogue.models:
        raise Fault(f"found {len(catalogue.records)} plugins, of which from outside {outside}")
    return f"{len(catalogue.records)} active"


def _inspection() -> str:
    """Inspect the sample images with the bundled model and every exporter in a child process."""
    from inspector import registry

    exporters = sorted(registry.load().exporters)
    output = paths.data_folder() / "结果 1"
    document = _answer("inspect", _samples(), "--output", output, "--export", ",".join(exporters))
    found = sum(len(inspection["detections"]) for inspection in document["inspections"])
    written = sorted(file.suffix for file in output.rglob("*") if file.is_file())
    if not found or not (output / "self-test.txt").read_text("utf-8").isdecimal():
        raise Fault(f"{found} defects were found, and {len(written)} files written")
    runtime = json.loads((output / "run.json").read_text("utf-8"))["model"]["runtime"]
    if not runtime.startswith("openvino"):
        raise Fault(f"the model ran with {runtime}, not with OpenVINO; {paths.logs_folder()} has the details")
    return f"{found} defects in {len(document['inspections'])} images; {len(exporters)} exporters, {len(written)} files"


def _torch() -> str:
    """Inspect with torch instead of OpenVINO."""
    image = next(file for file in sorted(_samples().iterdir()) if file.suffix == ".jpg")
    words = ["inspect", image, "--output", paths.data_folder() / "torch", "--export", "none", "--runtime", "torch"]
    document = _answer(*words)
    return f"{len(document['inspections'][0]['detections'])} defects"


def _samples() -> Path:
    place = paths.sample_data()
    if place is None:
        raise Fault("the sample images did not come along")
    return place


def _answer(*words: object) -> Any:
    """Run a command of this program in a new process and return its JSON."""
    done = subprocess.run(
        [*paths.program(), *map(str, words), "--json"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env=paths.child_environment(),
        timeout=_TIME_LIMIT,
        check=False,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    if done.returncode:
        raise Fault(f"{words[0]} ended with exit code {done.returncode}: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)


def _window() -> str:
    """Open the window, load its model, close it."""
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        return "left out, there is no display"
    from inspector.ui.app import App

    startup.prepare_screen()
    app = App()
    until = time.monotonic() + _TIME_LIMIT

    def look() -> None:
        if (hasattr(app, "session") and app.session.model is not None) or time.monotonic() > until:
            app.root.after_idle(app.close)
        else:
            app.root.after(50, look)

    app.start()
    app.root.after(50, look)
    app.root.mainloop()
    if time.monotonic() > until:
        raise Fault(f"the model was not open after {_TIME_LIMIT:g} s")
    return "opened and closed"
