"""``make windows-package``: both programs, built under Wine by PyInstaller and tried there. For checking only.

    python packaging/windows/package.py                  # everything
    python packaging/windows/package.py --only selftest  # these parts

What is built here is never handed out: its Python was packed by a third person, and nothing ran on Windows itself. It
is in the folder ``source/dist`` of the place (``BEARING_INSPECTOR_WINE``); the log is
``packaging/windows/package.log``.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import check
import installer
import place
from check import Fault, Part
from place import LOGS, PLACE, SOURCE, command, linux, python, windows

LOG = Path(__file__).with_name("package.log")
PROGRAM = SOURCE / "dist" / "bearing-inspector"
INSIDE = SOURCE / "packaging" / "windows" / "inside"
SCENES = "selftest,commands,plugins,portable"  # of packaging/smoke.py: those without clicks


def build() -> str:
    """PyInstaller's two programs in one folder; nothing is done where the source has not changed."""
    names = place.source_names()
    digest = hashlib.sha256()
    for name in names:
        if not name.startswith(("tests/", "docs/", "packaging/windows/")):
            digest.update(name.encode() + (SOURCE / name).read_bytes())
    mark = PLACE / ".program"
    if not (mark.exists() and mark.read_text() == digest.hexdigest() and PROGRAM.is_dir()):
        mark.unlink(missing_ok=True)
        listed = PLACE / "names.txt"
        listed.write_text("\n".join(names), "utf-8")
        done = python(windows(INSIDE / "freeze.py"), windows(listed), log="build", limit=3 * 3600, PYTHONUTF8="1")
        if done.code != 0:
            raise Fault(f"exit code {done.code}: {done.text.strip()[-500:]}")
        mark.write_text(digest.hexdigest())
    files = [file for file in PROGRAM.rglob("*") if file.is_file()]
    programs = sorted(file.name for file in PROGRAM.glob("*.exe"))
    if programs != ["Bearing Inspector.exe", "bearing-inspector.exe"]:
        raise Fault(f"built: {programs}")
    return f"{', '.join(programs)}; {len(files)} files, {sum(file.stat().st_size for file in files) / 1e6:.0f} MB"


def selftest() -> str:
    """The command line's --self-test in both code pages."""
    lines = []
    for code_page in place.LOCALES:
        words = [place.WINE, str(PROGRAM / "bearing-inspector.exe"), "--self-test"]
        done = command(words, log=f"self-test-{code_page}", limit=1800, code_page=code_page)
        lines += [
            f"code page {code_page}: exit code {done.code} ({done.seconds:.0f} s)",
            *done.text.strip().splitlines(),
        ]
        if done.code != 0 or "The program works." not in done.text:
            raise Fault("\n".join(lines))
    return "\n".join(lines)


def windowed() -> str:
    """The --self-test of the program without a console; what it says is in its log."""
    home = linux(check.new_folder("windowed"))
    words = [place.WINE, str(PROGRAM / "Bearing Inspector.exe"), "--self-test"]
    done = command(words, log="self-test-windowed", limit=1800, BEARING_INSPECTOR_HOME=windows(home))
    said = [file.read_text("utf-8", "replace") for file in home.rglob("output.log")]
    if done.code != 0 or "The program works." not in done.text + "".join(said):
        raise Fault(f"exit code {done.code}: {done.text}{''.join(said)}")
    return f"exit code 0 ({done.seconds:.0f} s)"


def smoke() -> str:
    """``packaging/smoke.py`` in a folder with a Chinese name and a blank, code page 936."""
    done = python(
        windows(SOURCE / "packaging" / "smoke.py"), "--only", SCENES, "--program", windows(PROGRAM), "--work",
        check.new_folder("烟 测试"), "--out", windows(LOGS / "smoke"), log="smoke", limit=2 * 3600, code_page="936",
        PYTHONUTF8="1",
    )  # fmt: skip
    lines = [line for line in done.text.splitlines() if line.strip()]
    if done.code != 0:
        raise Fault("\n".join([f"exit code {done.code}", *lines[-30:]]))
    return "\n".join([SCENES, *lines])


def training() -> str:
    """Trainings whose child is the packaged program, as the packaged window starts them."""
    words = [windows(INSIDE / "training.py"), check.new_folder("frozen"), windows(PROGRAM / "bearing-inspector.exe")]
    return check.lines_of(python(*words, log="training-frozen", limit=3600, code_page="936"))


def installed() -> str:
    """The file type as the installer registers it, a double-click on a recipe, a second start, the end."""
    work = check.new_folder("installed")
    with check.photographer(linux(work)) as taken:
        words = [windows(INSIDE / "installed.py"), windows(PROGRAM), work]
        done = python(*words, log="installed", limit=1800, code_page="936", BEARING_INSPECTOR_HOME=work + r"\home")
    images = LOGS / "installed"
    images.mkdir(exist_ok=True)
    for image in linux(work).glob("*.png"):
        shutil.copy(image, images)
    return f"{check.lines_of(done)}\n{len(taken)} images in {images}"


def setup() -> str:
    """The installer: compiled by Inno Setup, installed over an older version, removed."""
    version = (re.search(r'__version__ = "(.+)"', (SOURCE / "inspector" / "__init__.py").read_text("utf-8")) or [""])[1]
    try:
        lines = installer.check(PROGRAM, version)
    except (installer.Missing, OSError, subprocess.SubprocessError) as error:
        raise Fault(str(error)) from None
    return "\n".join([f"{len(lines)} steps", *lines])


PARTS: dict[str, Part] = {
    "build": build,
    "selftest": selftest,
    "windowed": windowed,
    "smoke": smoke,
    "training": training,
    "installed": installed,
    "installer": setup,
}

if __name__ == "__main__":
    sys.exit(check.main(PARTS, LOG, __doc__ or ""))
