"""``make package``: the standalone program in ``dist/bearing-inspector``, and its archive with its SHA-256.

    python packaging/build.py               # everything
    python packaging/build.py --no-archive  # the folder only

``BEARING_INSPECTOR_CUDA=1`` makes the CUDA build where torch is a CUDA build.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import notices

ROOT = Path(__file__).resolve().parent.parent
BUILD, DIST = ROOT / "build", ROOT / "dist"
DISTRIBUTION = BUILD / "distribution"
PROGRAM = DIST / "bearing-inspector"
# MB, of a build without CUDA. 55 of it decode images (imagecodecs, libheif with x265), 100 are PyAV with its own
# FFmpeg, which notices damaged frames, and 95 are scikit-image with SciPy, which thin masks to their skeleton.
LARGEST = 1200
CUDA = os.environ.get("BEARING_INSPECTOR_CUDA", "") not in ("", "0")
# Libraries whose symbols are for debuggers only; others are left as they come (patched ones break when stripped).
STRIPPED = ("torch/lib/*.so*", "libpython*.so*", "kiwisolver/*.so")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--no-archive", action="store_true", help="make the folder only")
    given = parser.parse_args()
    install()
    freeze()
    strip()
    furnish()
    report()
    if not given.no_archive:
        archive()


def install() -> None:
    """Install the program as a user would, into a folder of the build, which PyInstaller then reads.

    OpenCV comes without its windows there: the program has its own, and Qt would be 36 MB.
    """
    for left in (BUILD / "lib", BUILD / "distribution", *BUILD.glob("bdist.*")):
        shutil.rmtree(left, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    opencv = f"opencv-python-headless=={metadata.version('opencv-python')}"
    _run(*pip, "--target", DISTRIBUTION, "--no-build-isolation", ".")
    _run(*pip, "--target", DISTRIBUTION, "--only-binary", ":all:", opencv)


def freeze() -> None:
    shutil.rmtree(PROGRAM, ignore_errors=True)
    if sys.platform == "win32":
        (BUILD / "version.txt").write_text(_version_resource(), "utf-8")
    words = ["--noconfirm", "--log-level", "WARN", "--distpath", DIST, "--workpath", BUILD / "work"]
    _run(sys.executable, "-m", "PyInstaller", *words, ROOT / "packaging" / "bearing-inspector.spec")


def strip() -> None:
    """Take the symbols out of the largest libraries, where there is a tool for it."""
    if sys.platform == "win32" or shutil.which("strip") is None:
        return
    inside = PROGRAM / "_internal"
    for library in sorted({file for pattern in STRIPPED for file in inside.glob(pattern) if not file.is_symlink()}):
        library.chmod(0o755)
        _run("strip", "--strip-unneeded", library)


def furnish() -> None:
    """Add the files for users next to the program: licences, source, instructions."""
    shutil.copy(ROOT / "LICENSE", PROGRAM)
    shutil.copy(ROOT / "LICENSE", PROGRAM / "_internal")  # for the About page
    shutil.copy(ROOT / "CHANGELOG.md", PROGRAM)
    shutil.copy(ROOT / "packaging" / "README.txt", PROGRAM)
    (PROGRAM / "docs").mkdir()
    for name in ("using.md", "training.en.md", "training.zh.md", "plugins.md"):
        shutil.copy(ROOT / "docs" / name, PROGRAM / "docs")
    parts = notices.inside(BUILD / "work" / "bearing-inspector", [DISTRIBUTION])
    (PROGRAM / "THIRD-PARTY-NOTICES.txt").write_text(notices.text(parts), "utf-8")
    bill = json.dumps(notices.bill(parts, version(), PROGRAM), ensure_ascii=False, indent=1)
    (PROGRAM / "sbom.cdx.json").write_text(bill + "\n", "utf-8")
    _source(PROGRAM / f"bearing-inspector-{version()}-source.tar.gz")
    if sys.platform == "linux":
        shutil.copytree(ROOT / "packaging" / "linux", PROGRAM, dirs_exist_ok=True)
        shutil.copy(ROOT / "assets" / "icons" / "bearing-inspector.png", PROGRAM)


def _source(file: Path) -> None:
    """The exact source of this build, as the licence demands: what git knows and what it does not ignore."""
    with tarfile.open(file, "w:gz") as archive:
        for name in sorted(_tracked()):
            if (ROOT / name).is_file():
                archive.add(ROOT / name, f"bearing-inspector-{version()}/{name}", recursive=False)


def _tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True,
    ).stdout.decode()  # fmt: skip
    return [name for name in listed.split("\0") if name]


def report() -> None:
    """Say what was made and what was left out; a build that grew too large fails."""
    size = sum(file.lstat().st_size for file in PROGRAM.rglob("*") if not file.is_dir()) / 1e6
    rows = json.loads((BUILD / "left-out.json").read_text("utf-8"))
    lines = [f"{total / 1e6:8.1f} MB  {number:5} files  {pattern}: {why}" for pattern, number, total, why in rows]
    text = "Left out of the program:\n" + "\n".join(sorted(lines, reverse=True)) + "\n"
    (BUILD / "left-out.txt").write_text(text, "utf-8")
    sys.stdout.write(f"{text}{PROGRAM}: {size:.0f} MB\n")
    if size > LARGEST and not CUDA:
        raise SystemExit(f"The program has {size:.0f} MB, more than {LARGEST}; see what is large in it")


def archive() -> Path:
    """Pack the folder; SHA-256 and the bill of materials go next to the archive."""
    system = {"win32": "windows", "darwin": "macos"}.get(sys.platform, sys.platform)
    stem = f"bearing-inspector-{version()}-{system}-{platform.machine().lower()}{'-cuda' if CUDA else ''}"
    if sys.platform == "win32":
        packed = DIST / f"{stem}.zip"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
            for path in sorted(PROGRAM.rglob("*")):
                file.write(path, Path("bearing-inspector") / path.relative_to(PROGRAM))
    else:
        packed = DIST / f"{stem}.tar.gz"
        with tarfile.open(packed, "w:gz", compresslevel=6) as file:
            file.add(PROGRAM, f"bearing-inspector-{version()}")
    shutil.copy(PROGRAM / "sbom.cdx.json", DIST / f"{stem}.cdx.json")
    with open(packed, "rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    packed.with_name(packed.name + ".sha256").write_text(f"{digest}  {packed.name}\n", "utf-8")
    sys.stdout.write(f"{packed}: {packed.stat().st_size / 1e6:.0f} MB, SHA-256 {digest}\n")
    return packed


def version() -> str:
    found = re.search(r'__version__ = "(.+)"', (ROOT / "inspector" / "__init__.py").read_text("utf-8"))
    assert found is not None
    return found.group(1)


def _version_resource() -> str:
    """The version resource that Windows shows in the program's properties, in PyInstaller's format."""
    numbers = tuple((*map(int, re.findall(r"\d+", version())[:4]), 0, 0, 0, 0)[:4])
    rows = {
        "CompanyName": "Bearing Inspector",
        "FileDescription": "Bearing Inspector",
        "FileVersion": version(),
        "InternalName": "bearing-inspector",
        "LegalCopyright": "AGPL-3.0-or-later",
        "ProductName": "Bearing Inspector",
        "ProductVersion": version(),
    }
    strings = ", ".join(f"StringStruct({key!r}, {value!r})" for key, value in rows.items())
    return (
        f"VSVersionInfo(ffi=FixedFileInfo(filevers={numbers}, prodvers={numbers}), kids=[\n"
        f"  StringFileInfo([StringTable('040904B0', [{strings}])]),\n"
        "  VarFileInfo([VarStruct('Translation', [0x0409, 1200])]),\n])\n"
    )


def _run(*words: object) -> None:
    subprocess.run([*map(str, words)], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
