"""``make windows-check``: the program under Wine with a real Windows CPython, on a Debian machine as root.

    python packaging/windows/check.py                       # everything, from nothing: hours on a small machine
    python packaging/windows/check.py --only inspect,window # these parts
    python packaging/windows/check.py --only window --looks zh-light-144
    python packaging/windows/check.py --only tests --tests tests/ui tests/cli

Each part says what it tried. The log stays in ``packaging/windows/check.log``, what the programs printed and the
images in the folder ``logs`` of the place (``BEARING_INSPECTOR_WINE``). This is not Windows: see ``docs/windows.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import place
import suite
from place import LOGS, PLACE, PREFIX, ROOT, SOURCE, inspector, linux, python, windows

LOG = Path(__file__).with_name("check.log")
INSIDE = SOURCE / "packaging" / "windows" / "inside"
WORK = r"C:\检查 work"
LINUX = ROOT / ".venv" / "bin" / "python"
Part = Callable[[], str]
"""Tries something: returns a sentence, then lines; raises :class:`Fault`."""
LOOKS = ["en-light-96", "zh-dark-96", "zh-light-144"]
"""Language, theme and dpi of each walk through the window."""
_NEAR = 1e-3  # largest difference of a score that is ignored: other processor paths round otherwise


class Fault(Exception):
    """A deviation from the expected behaviour."""


def main(parts: dict[str, Part], file: Path, about: str) -> int:
    """Set everything up, then run the parts that are asked for; returns 1 where one is not as it should be."""
    parser = argparse.ArgumentParser(description=about.partition("\n")[0])
    parser.add_argument("--only", default=",".join(parts), metavar="LIST", help=f"of {', '.join(parts)}")
    parser.add_argument("--tests", nargs="*", default=["tests"], metavar="PATH", help="what of the suite (part tests)")
    parser.add_argument("--looks", default=",".join(LOOKS), metavar="LIST", help="which looks of the window")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the screen and Wine are ended
    place.set_up()
    log = Log(file, given.only == parser.get_default("only"))
    suite.WANTED[:] = given.tests
    LOOKS[:] = given.looks.split(",")
    failed = 0
    with place.screen():
        log(f"{datetime.now():%Y-%m-%d}, {_versions()}")
        for name in given.only.split(","):
            began = time.monotonic()
            try:
                lines, state = parts[name](), "ok "
            except Fault as fault:
                lines, state, failed = str(fault), "BAD", failed + 1
            head, *rest = lines.splitlines() or [""]
            log(f"{state} {name}: {head} ({time.monotonic() - began:.0f} s)")
            for line in rest:
                log(f"      {line}")
    return 1 if failed else 0


class Log:
    """Says a line, and keeps it."""

    def __init__(self, file: Path, whole: bool) -> None:
        self._file = file
        if whole:
            file.write_text("", "utf-8")

    def __call__(self, line: str) -> None:
        place.say(line)
        with open(self._file, "a", encoding="utf-8") as file:
            file.write(line + "\n")


def _versions() -> str:
    wine = place.command([place.WINE, "--version"], log="versions").text.strip()
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True).stdout
    told = python("-c", "import sys, torch, numpy; print(sys.version.split()[0], torch.__version__, numpy.__version__)",
                  log="versions").text.split()  # fmt: skip
    return f"commit {commit.strip()}, {wine}, Python, torch, numpy: {', '.join(told)}"


def new_folder(name: str) -> str:
    """A new folder on drive C, with a Chinese name and a blank, as Windows calls it."""
    here = linux(WORK) / name
    shutil.rmtree(here, ignore_errors=True)
    here.mkdir(parents=True)
    return rf"{WORK}\{name}"


# The parts


def doctor() -> str:
    """The program's report on the machine, in both code pages."""
    said = []
    for code_page in place.LOCALES:
        done = inspector("doctor", "--json", log=f"doctor-{code_page}", code_page=code_page)
        if done.code != 0:
            raise Fault(f"code page {code_page}: exit code {done.code}: {done.text.strip()[-300:]}")
        plugins = inspector("plugins", "list", log=f"doctor-{code_page}", code_page=code_page)
        if plugins.code != 0 or "failed" in plugins.text:
            raise Fault(f"plugins list: exit code {plugins.code}: {plugins.text.strip()[-300:]}")
        said.append(f"code page {code_page}: {done.seconds:.0f} s")
    return "; ".join(said)


def inspect() -> str:
    """The sample data with both runtimes and in both code pages, compared with what Linux finds."""
    lines = []
    for runtime in ("openvino", "torch"):
        expected = _on_linux(runtime)
        for code_page in place.LOCALES:
            folder = new_folder(f"结果 {runtime} {code_page}")
            done = inspector(
                "inspect", "sample_data", "--output", folder + r"\out", "--runtime", runtime, "--export",
                "jsonl,csv,xlsx,images,video", log=f"inspect-{runtime}-{code_page}", code_page=code_page, limit=1800,
            )  # fmt: skip
            if done.code != 0:
                raise Fault(f"{runtime}, code page {code_page}: exit code {done.code}: {done.text.strip()[-300:]}")
            found = _records(linux(folder) / "out")
            lines.append(f"{runtime}, code page {code_page}: {_compared(expected, found)} ({done.seconds:.0f} s)")
    return "equal to Linux\n" + "\n".join(lines)


def _on_linux(runtime: str) -> dict[Any, Any]:
    out = PLACE / f"linux-{runtime}"
    shutil.rmtree(out, ignore_errors=True)
    home = {"BEARING_INSPECTOR_HOME": str(PLACE / "linux-home")}
    words = ["inspect", "sample_data", "--output", out, "--runtime", runtime, "--export", "jsonl"]
    command = [str(LINUX), "-m", "inspector", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | home, capture_output=True, text=True)
    if done.returncode:
        raise Fault(f"on Linux, {runtime}: {done.stderr.strip()[-300:]}")
    return _records(out)


def _records(out: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """The results of a run, by name and frame number."""
    file = next(out.glob("*.jsonl"))
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    rows = [row for row in rows if "verdict" in row]
    return {(row["name"].replace("\\", "/"), row["index"]): row for row in rows}


def _compared(expected: dict[Any, Any], found: dict[Any, Any]) -> str:
    if expected.keys() != found.keys():
        raise Fault(f"{len(found)} inspections instead of {len(expected)}: {sorted(set(expected) ^ set(found))[:3]}")
    score = box = area = 0.0
    number = 0
    for key, row in expected.items():
        mine, other = row["detections"], found[key]["detections"]
        if row["verdict"] != found[key]["verdict"]:
            raise Fault(f"{key}: {found[key]['verdict']} instead of {row['verdict']}")
        if [one["label"] for one in mine] != [one["label"] for one in other]:
            raise Fault(f"{key}: {len(other)} defects instead of {len(mine)}")
        number += len(mine)
        for one, two in zip(mine, other, strict=True):
            score = max(score, abs(one["score"] - two["score"]))
            box = max(box, *(abs(a - b) for a, b in zip(one["box"], two["box"], strict=True)))
            area = max(area, abs(one["area_px"] - two["area_px"]) / max(1, one["area_px"]))
    if score > _NEAR or box > 1 or area > 0.02:
        raise Fault(f"largest difference of a score {score:g}, of a box {box:g} pixels, of an area {area:.1%}")
    return (
        f"{len(found)} inspections, {number} defects; largest difference of a score {score:g}, "
        f"of a box {box:g} pixels, of an area {area:.2%}"
    )


def training() -> str:
    """Trainings as the window starts them: finish, stop, stop at once, parent gone, with a worker process."""
    done = python(windows(INSIDE / "training.py"), new_folder("training"), log="training", limit=2400, code_page="936")
    return lines_of(done)


def lines_of(done: place.Done) -> str:
    """The output of a script of ``inside``, one line per check."""
    lines = [line for line in done.text.splitlines() if line.startswith(("ok ", "BAD"))]
    if done.code != 0:
        end = [] if done.code == 1 and lines else done.text.strip().splitlines()[-3:]
        raise Fault("\n".join([f"exit code {done.code}", *lines, *end]))
    return "\n".join([f"{len(lines)} things", *lines])


def window() -> str:
    """Every page, a run, dialogs; English and Chinese, 96 and 144 dpi, light and dark; an image of each."""
    lines = []
    work = rf"{WORK}\window"  # what is shown is made once
    linux(work).mkdir(parents=True, exist_ok=True)
    for name in LOOKS:
        look, _, dpi = name.rpartition("-")
        code_page = "936" if look.startswith("zh") else "1252"
        _set_dpi(int(dpi))
        out = LOGS / "window" / name
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        number = _walk(work, look, out, code_page)
        lines.append(f"{look}, {dpi} dpi, code page {code_page}: {number} images, signing out in a run tried")
    _set_dpi(96)
    return "\n".join([f"{len(lines)} looks", *lines])


def _set_dpi(dpi: int) -> None:
    key = [r"HKCU\Control Panel\Desktop", "/v", "LogPixels", "/t", "REG_DWORD", "/d", str(dpi), "/f"]
    place.command([place.WINE, "reg", "add", *key], log="window")
    place.end_wine()  # it is read once, at the start


def _walk(work: str, look: str, out: Path, code_page: str) -> int:
    """Run the window for one look; take each image that it asks for. Returns how many."""
    words = [windows(INSIDE / "window.py"), work, look, windows(out)]
    with photographer(out) as taken:
        done = python(*words, log=f"window-{out.name}", limit=4800, code_page=code_page)
    if done.code != 0 or "BAD" in done.text:
        raise Fault(f"{out.name}: exit code {done.code}, {len(taken)} images: {done.text.strip()[-400:]}")
    return len(taken)


@contextmanager
def photographer(folder: Path) -> Iterator[list[str]]:
    """Meanwhile take an image of the screen for each ``NAME.wanted`` in ``folder``; gives their names."""
    over = threading.Event()
    taken: list[str] = []

    def photograph() -> None:
        while not over.wait(0.1):
            for wanted in folder.glob("*.wanted"):
                image = wanted.with_suffix(".png")
                subprocess.run(["import", "-window", "root", str(image)], check=False)
                taken.append(image.name)
                wanted.unlink()

    thread = threading.Thread(target=photograph)
    thread.start()
    try:
        yield taken
    finally:
        over.set()
        thread.join()


def system() -> str:
    """The program's use of the system: files, names, consoles, handles; see ``inside/system.py``."""
    drive = PREFIX / "dosdevices" / "n:"
    if not drive.is_symlink():
        drive.symlink_to(linux(new_folder("network")))
    key = [r"HKLM\Software\Wine\Drives", "/v", "n:", "/d", "network", "/f"]
    place.command([place.WINE, "reg", "add", *key], log="system")
    place.end_wine()  # it is read once, at the start
    done = python(windows(INSIDE / "system.py"), new_folder("system"), log="system", limit=900, code_page="936")
    return lines_of(done)


def tests() -> str:
    """The test suite, against the list of expected failures."""
    result = suite.run()
    if result.faults:
        raise Fault("\n".join([result.sentence, *result.faults]))
    return "\n".join([result.sentence, *result.notes])


PARTS: dict[str, Part] = {
    "doctor": doctor,
    "inspect": inspect,
    "training": training,
    "window": window,
    "system": system,
    "tests": tests,
}

if __name__ == "__main__":
    sys.exit(main(PARTS, LOG, __doc__ or ""))
