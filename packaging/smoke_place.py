"""The built program in its place, for the smoke test: a folder with a Chinese name, read-only, and no network."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from driver import Missing

WINDOWS = sys.platform == "win32"
_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # so that only it receives Ctrl+Break


class Smoke:
    """The program in its place, and what is done with it."""

    def __init__(self, built: Path, work: Path, out: Path) -> None:
        shutil.rmtree(work, ignore_errors=True)
        self.built, self.work, self.out = built, work, out
        self.folder = work / "程序 文件夹" / "bearing-inspector"
        self.folder.parent.mkdir(parents=True)
        shutil.copytree(built, self.folder, symlinks=True, copy_function=link)
        self.program = self.folder / ("bearing-inspector.exe" if WINDOWS else "bearing-inspector")
        self.home = work / "用户 张三"
        self.data = self.home / ".local" / "share" / "Bearing Inspector"
        self.data.mkdir(parents=True)
        (self.data / "settings.json").write_text(json.dumps({"language": "en"}), "utf-8")
        (self.home / "Documents").mkdir()
        self.environment = {
            "HOME": str(self.home), "XDG_DATA_HOME": str(self.home / ".local/share"),
            "PATH": os.defpath, "LANG": "C.UTF-8",
        }  # fmt: skip
        if WINDOWS:  # which asks the system where a user's folders are, not the environment
            self.environment = os.environ | {"BEARING_INSPECTOR_HOME": str(self.data)}
        self.apart = _apart()
        self._started: list[subprocess.Popen[bytes]] = []
        out.mkdir(parents=True, exist_ok=True)
        self._log = open(out / "smoke.log", "w", encoding="utf-8")  # noqa: SIM115 - as long as this program

    def say(self, text: str) -> None:
        for stream in (sys.stdout, self._log):
            stream.write(text + "\n")
            stream.flush()

    def run(self, *words: object, code: int = 0) -> Any:
        """Run a command; return its output, parsed if it is JSON. Exit codes other than ``code`` are faults."""
        done = subprocess.run(
            [*self.apart, str(self.program), *map(str, words)],
            env=self.environment | {"BEARING_INSPECTOR_UTF8": "1"}, cwd=self.work, stdin=subprocess.DEVNULL,
            capture_output=True, encoding="utf-8", errors="replace", timeout=1800 if WINDOWS else 600,
        )  # fmt: skip
        if done.returncode != code:
            raise Missing(f"{' '.join(map(str, words))}: exit code {done.returncode}: {done.stderr.strip()[-600:]}")
        with suppress(ValueError):
            return json.loads(done.stdout)
        return done.stdout

    def open(self, *words: object) -> subprocess.Popen[bytes]:
        """Start the window."""
        with open(self.out / "window.log", "ab") as log:
            process = subprocess.Popen(
                [*self.apart, str(self.program), *map(str, words)],
                env=self.environment, cwd=self.work, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                creationflags=_GROUP,
            )  # fmt: skip
        self._started.append(process)
        return process

    def processes(self) -> list[int]:
        """The processes of this program that are alive."""
        found = []
        for place in Path("/proc").iterdir():
            with suppress(OSError):
                if place.name.isdigit() and (place / "exe").readlink() == self.program:
                    found.append(int(place.name))
        return found

    def count(self, wanted: int, when: str) -> None:
        found = self.processes()
        if len(found) != wanted:
            raise Missing(f"{when} there are {len(found)} processes instead of {wanted}")

    def end(self) -> None:
        """End the processes that were started and still run."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.wait()

    def data_set(self) -> Path:
        """The description of a small data set, made by the program itself."""
        folder = self.work / "数据 集"
        if not folder.exists():
            self.run("synthesize", folder, "--count", 16, "--size", 160, "--classes", "kinds", "--json")
        return folder / "data.yaml"

    def inspections(self) -> int:
        with suppress(sqlite3.Error):
            base = sqlite3.connect(self.data / "history.sqlite3")
            try:
                return int(base.execute("SELECT count(*) FROM inspection").fetchone()[0])
            finally:
                base.close()
        return 0


def link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _apart() -> list[str]:
    """The command prefix that starts a program without a network and in a read-only folder."""
    script = 'mount --bind "${1%/*}" "${1%/*}" && mount -o remount,ro,bind "${1%/*}" && exec "$@"'
    for words in (["unshare", "--net", "--mount", "sh", "-c", script, "sh"], ["unshare", "--net"], ["unshare", "-rn"]):
        with suppress(OSError):
            if subprocess.run([*words, "/usr/bin/true"], capture_output=True).returncode == 0:
                return words
    return []
