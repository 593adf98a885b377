"""The files around the program; and the built program itself, where there is one."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import build

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "dist" / "bearing-inspector" / "bearing-inspector"
LINUX = ROOT / "packaging" / "linux"


def test_the_version_resource_is_what_pyinstaller_reads(tmp_path):
    text = build._version_resource()
    assert f"'FileVersion', '{build.version()}'" in text and "filevers=(0, 2, 0, 0)" in text
    names = (
        "VSVersionInfo",
        "FixedFileInfo",
        "StringFileInfo",
        "StringTable",
        "StringStruct",
        "VarFileInfo",
        "VarStruct",
    )
    made = eval(text, {name: lambda *arguments, **named: (arguments, named) for name in names})
    assert len(made[1]["kids"]) == 2


def test_the_installer_speaks_both_languages_and_needs_no_administrator():
    text = (ROOT / "packaging" / "windows" / "installer.iss").read_text("utf-8")
    assert "PrivilegesRequired=lowest" in text and "{localappdata}" in text and "HKCU" in text
    assert not re.search(r"HKLM|\{commonpf|\{pf\}", text)
    words = {language: set(re.findall(rf"^{language}\.(\w+)=", text, re.MULTILINE)) for language in ("en", "zh")}
    assert words["en"] == words["zh"] != set()
    assert set(re.findall(r"cm:(\w+)\}", text)) <= words["en"] | {"CreateDesktopIcon"}


@pytest.mark.skipif(sys.platform != "linux", reason="the menu of Linux")
def test_the_menu_entry_comes_and_goes(tmp_path):
    """In a folder whose name a shell, sed and a desktop entry all could stumble over."""
    folder, home = tmp_path / "程序 & |$x `1` \\ 2", tmp_path / "home"
    shutil.copytree(LINUX, folder)
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
    subprocess.run([folder / "install.sh"], check=True, env=environment, capture_output=True)
    entry = (home / ".local/share/applications/bearing-inspector.desktop").read_text("utf-8")
    line = next(line for line in entry.splitlines() if line.startswith("Exec="))
    quoted = line.removeprefix('Exec="').removesuffix('" --open %F').replace("\\\\", "\\")  # as a value
    assert re.sub(r'\\([\\"`$])', r"\1", quoted).replace("%%", "%") == f"{folder}/bearing-inspector"
    icon = next(line for line in entry.splitlines() if line.startswith("Icon=")).removeprefix("Icon=")
    assert icon.replace("\\\\", "\\") == f"{folder}/bearing-inspector.png" and "@" not in entry
    kept = home / ".local/share/Bearing Inspector"
    (kept / "results").mkdir(parents=True)
    (kept / "settings.json").touch()
    for answer, there in ((b"\n", True), (b"n\n", True), (b"", True), (b"y\n", False)):
        subprocess.run([folder / "uninstall.sh"], input=answer, check=True, env=environment, capture_output=True)
        assert (kept / "settings.json").exists() is there
    assert (kept / "results").is_dir() and not (home / ".local/share/applications/bearing-inspector.desktop").exists()


@pytest.mark.skipif(not PROGRAM.exists(), reason="no built program; make package makes it")
@pytest.mark.timeout(600)
def test_the_built_program_works(tmp_path):
    if shutil.which("Xvfb") is None or shutil.which("xdotool") is None:
        pytest.skip("Xvfb or xdotool is not installed")
    words = [
        sys.executable,
        ROOT / "packaging" / "smoke.py",
        "--fast",
        "--work",
        tmp_path / "烟 1",
        "--out",
        tmp_path / "out",
    ]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok  selftest" in done.stdout
