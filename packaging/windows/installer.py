"""``installer.iss`` compiled by the real Inno Setup, installed, upgraded and removed, under a Wine of 32 bits.

Inno Setup is a program of 32 bits, which Debian's 64-bit Wine does not run, and this machine shall not get a second
architecture for it: a small Debian of its own in the place, made by debootstrap, has both. Inno Setup comes from
the npm package ``innosetup-compiler``, by its SHA-256. It has no simplified Chinese, so that its own texts are English
here, while those of this project are Chinese.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import place
from place import LOGS, PLACE, ROOT

DEBIAN = PLACE / "debian"
COMPILER = "innosetup-compiler-6.3.1.tgz"
SHA256 = "dddd8f1f4ee10c65f88b41cef5f9dd88454e5b23795126264b1b529e2305f0bc"
_LOCAL = "/root/.wine/drive_c/users/root/AppData/Local"
_HEAD = """unset WINEPREFIX WINEARCH
export HOME=/root WINEDEBUG=-all WINEDLLOVERRIDES="mscoree=,mshtml=" DISPLAY=:95 LC_ALL=zh_CN.UTF-8
"""
_PREPARE = """set -e
export DEBIAN_FRONTEND=noninteractive
dpkg --add-architecture i386
apt-get -qq update
apt-get -qq install -y --no-install-recommends wine wine32:i386 wine64 xvfb locales
localedef -i zh_CN -f UTF-8 zh_CN.UTF-8
"""
_BEGIN = """rm -f /tmp/.X95-lock /tmp/.X11-unix/X95
Xvfb :95 -screen 0 1024x768x24 >/dev/null 2>&1 & X=$!
sleep 2
wineboot -i </dev/null 2>&1 | cat
wine reg add 'HKCU\\Software\\Wine' /v Version /d win10 /f </dev/null 2>&1 | cat
cd /work
"""
_END = """
wineserver -k
kill $X
"""
_COMPILE = r"""wine inno/ISCC.exe /Q "/DVersion=VERSION" 'source\packaging\windows\installer.iss' </dev/null 2>&1 | cat
"""
_SETUP = r"""cd /work/source/dist
SILENT="/VERYSILENT /SUPPRESSMSGBOXES"
wine bearing-inspector-VERSION-windows-setup.exe $SILENT /LANG=zh /TASKS=associate </dev/null 2>&1 | cat
echo "== registry"
wine reg query 'HKCU\Software\Classes\BearingInspector.Recipe' /s </dev/null 2>&1 | cat
wine reg query 'HKCU\Software\Classes\.bearing' /s </dev/null 2>&1 | cat
wine reg query 'HKCU\Software\Microsoft\Windows\CurrentVersion\Uninstall' /s </dev/null 2>&1 | cat
"""
_REMOVE = r"""wine "LOCAL/Programs/Bearing Inspector/unins000.exe" /VERYSILENT /SUPPRESSMSGBOXES </dev/null 2>&1 | cat
sleep 10
echo "== registry"
wine reg query 'HKCU\Software\Classes\BearingInspector.Recipe' </dev/null 2>&1 | cat
"""


class Missing(Exception):
    """A missing item."""


def check(program: Path, version: str) -> list[str]:
    """Compile, install over an older version, remove; returns what was seen.

    Args:
        program: the folder of the built program.
        version: of the installer.

    Raises:
        Missing: something is not as the script says.
    """
    _set_up()
    source = DEBIAN / "work" / "source"
    shutil.rmtree(source, ignore_errors=True)
    for name in ("packaging/windows/installer.iss", "assets/icons/bearing-inspector.ico", "LICENSE"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    shutil.copytree(program, source / "dist" / "bearing-inspector")
    shutil.rmtree(DEBIAN / "root" / ".wine", ignore_errors=True)
    files = {file.relative_to(program).as_posix() for file in program.rglob("*") if file.is_file()}
    said = _run(_COMPILE.replace("VERSION", version))
    setup = source / "dist" / f"bearing-inspector-{version}-windows-setup.exe"
    if not setup.is_file():
        raise Missing(f"Inno Setup made no installer: {said[-400:]}")
    lines = [f"compiled: {setup.name}, {setup.stat().st_size / 1e6:.0f} MB"]

    local = DEBIAN / _LOCAL.lstrip("/")
    installed, kept = local / "Programs" / "Bearing Inspector", local / "Bearing Inspector" / "settings.json"
    for old in (installed / "_internal" / "of an older version.dll", kept):
        old.parent.mkdir(parents=True, exist_ok=True)
        old.write_text("{}", "utf-8")
    said = _run(_SETUP.replace("VERSION", version))
    found = {file.relative_to(installed).as_posix() for file in installed.rglob("*") if file.is_file()}
    if found - files != {"unins000.exe", "unins000.dat"} or files - found:
        raise Missing(f"installed: {sorted(found ^ files)[:5]}; {said[-300:]}")
    lines.append(f"installed for one user: {len(found)} files; what an older version left in _internal is gone")
    command = r'Bearing Inspector.exe" --recipe "%1"'
    for wanted in (command, "Bearing Inspector.exe,0", "REG_SZ    BearingInspector.Recipe", f"REG_SZ    {version}"):
        if wanted not in said:
            raise Missing(f"the registry has no {wanted}: {said[-800:]}")
    links = sorted(file.name for file in (DEBIAN / "root/.wine/drive_c/users").rglob("Bearing Inspector*.lnk"))
    lines.append(f"registered: *.bearing opens with it, Settings lists it; {', '.join(links)} in the menu")

    said = _run(_REMOVE.replace("LOCAL", _LOCAL))
    left = [file for file in (local / "Programs").rglob("*") if file.is_file()]
    if left or "REG_SZ" in said or not kept.exists():
        raise Missing(f"left after the removal: {left[:5]}; settings kept: {kept.exists()}; {said[-300:]}")
    lines.append("removed: program, file type and link are gone; settings stay, since the user was not asked")
    return lines


def _set_up() -> None:
    """The small Debian with a Wine of both architectures, and Inno Setup in it; done again only where missing."""
    mark = DEBIAN / "work" / "ready"
    if mark.exists():
        return
    archive = PLACE / "downloads" / COMPILER
    if not archive.exists():
        if shutil.which("npm") is None:
            raise Missing("the installer needs npm, which brings Inno Setup; apt-get install npm")
        name = COMPILER.removesuffix(".tgz").replace("-6", "@6")
        subprocess.run(["npm", "pack", name, "--silent"], cwd=archive.parent, check=True, capture_output=True)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != SHA256:
        raise Missing(f"{archive} has SHA-256 {digest}, not {SHA256}; delete it and try again")
    with open(LOGS / "debian.txt", "w", encoding="utf-8") as log:
        subprocess.run(["apt-get", "-qq", "install", "-y", "debootstrap"], check=True, stdout=log, stderr=log)
        words = ["apt-get", "indextargets", "--format", "$(SITE) $(CODENAME)", "Created-By: Packages"]
        targets = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split("\n")
        site, release = next(line.split() for line in targets if line and "-" not in line.split()[1])
        shutil.rmtree(DEBIAN, ignore_errors=True)
        words = ["debootstrap", "--variant=minbase", release, str(DEBIAN), site]
        subprocess.run(words, check=True, stdout=log, stderr=log)
    shutil.copy("/etc/resolv.conf", DEBIAN / "etc")
    inno = DEBIAN / "work" / "inno"
    inno.mkdir(parents=True)
    with tarfile.open(archive) as packed:
        packed.extractall(DEBIAN / "work", filter="data")
    shutil.copytree(DEBIAN / "work" / "package" / "bin", inno, dirs_exist_ok=True)
    english = (inno / "Default.isl").read_text("utf-8-sig")
    ours = re.sub("LanguageName=.*", "LanguageName=简体中文", english, count=1)
    ours = re.sub("LanguageID=.*", "LanguageID=$0804", ours, count=1)
    (inno / "Languages" / "ChineseSimplified.isl").write_text(ours, "utf-8-sig")
    _run(_PREPARE, screen=False)
    if not (DEBIAN / "usr/lib/i386-linux-gnu/wine").is_dir():
        raise Missing(f"Debian's wine32 could not be installed; see {LOGS / 'installer.txt'}")
    mark.touch()


def _run(script: str, screen: bool = True) -> str:
    """Run a script of the shell in the small Debian; what it says stays in ``logs/installer.txt``."""
    with _mounted():
        words = ["chroot", str(DEBIAN), "sh", "-c", _HEAD + _BEGIN + script + _END if screen else script]
        return place.command(words, log="installer", limit=3600).text


@contextlib.contextmanager
def _mounted() -> Iterator[None]:
    mounts = (["-t", "proc", "proc", str(DEBIAN / "proc")], ["--bind", "/dev", str(DEBIAN / "dev")])
    done: list[str] = []
    try:
        for words in mounts:
            subprocess.run(["mount", *words], check=True)
            done.append(words[-1])
        yield
    finally:
        for target in reversed(done):
            subprocess.run(["umount", "--lazy", target], check=False)  # a program may still be ending
