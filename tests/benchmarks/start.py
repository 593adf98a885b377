"""Time from start to first response: the window, the first verdict, the command line.

    .venv/bin/python tests/benchmarks/start.py [--repeats 7] [--imports inspect]

Every measurement is a process of its own, all kinds in turn, with a user's folder in which everything has been run once
(the bundled model comes converted, OpenVINO's compiled network is kept by that first run). The clock starts before the
process does. The window is drawn below a virtual screen of its own (Xvfb) unless DISPLAY is set. Core-seconds tell what
a quiet machine would need where other work went on. ``--imports COMMAND`` runs that command (such as "plugins list"),
lists which modules it imports longest, and ends.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PICTURE = str(ROOT / "sample_data" / "defect-07.jpg")
PROGRAM = [sys.executable, "-m", "inspector"]
# The window reports when it is drawn and when it shows a verdict; then it ends.
WINDOW = """
import os, sys, time
from inspector.ui import app
from inspector.ui.kit import verdict_banner

began, wanted = float(os.environ["BEGAN"]), sys.argv.pop(1)
start, show = app.App.start, verdict_banner.VerdictBanner.show

def tell(what):
    if what == wanted:
        sys.stdout.write(f"{time.monotonic() - began}\\n")
        sys.stdout.flush()
        os._exit(0)

def started(self, *given, **named):
    start(self, *given, **named)
    self.root.update()
    tell("drawn")

def shown(self, verdict):
    show(self, verdict)
    self.winfo_toplevel().update_idletasks()
    tell("verdict")

app.App.start, verdict_banner.VerdictBanner.show = started, shown
from inspector.__main__ import main
sys.exit(main())
"""
BARS = {"window drawn": 0.6, "window, first verdict": 1.2, "inspect, first verdict": 1.2, "import of the CLI": 0.25}


def commands() -> dict[str, list[str]]:
    window = [sys.executable, "-c", WINDOW]
    return {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import of the CLI": [sys.executable, "-c", "import inspector.__main__, inspector.cli"],
        "--help": [*PROGRAM, "--help"],
        "plugins list": [*PROGRAM, "plugins", "list"],
        "inspect --help": [*PROGRAM, "inspect", "--help"],
        "inspect, first verdict": [*PROGRAM, "inspect", PICTURE],
        "inspect, all saved": [*PROGRAM, "inspect", PICTURE],
        "window drawn": [*window, "drawn"],
        "window, first verdict": [*window, "verdict", "--open", PICTURE],
    }


def measure(what: str, words: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds to what was waited for, and core-seconds of the process until it ended."""
    began = time.monotonic()
    environment = environment | {"BEGAN": str(began)}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=said, cwd=ROOT)
        first = process.stdout.readline() if "verdict" in what or "drawn" in what else b""
        took = time.monotonic() - began
        process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in (0, 1):
            said.seek(0)
            sys.exit(f"{what}: {said.read().decode()}")
    if "window" in what:
        took = float(first)
    elif "first verdict" not in what:
        took = time.monotonic() - began
    return took, used.ru_utime + used.ru_stime


def imports(command: str) -> None:
    """The 25 modules that take longest by themselves, and with all that they bring."""
    words = [sys.executable, "-X", "importtime", *PROGRAM[1:], *command.split()]
    told = subprocess.run(words, capture_output=True, encoding="utf-8", cwd=ROOT).stderr
    rows = [
        line.removeprefix("import time:").split("|") for line in told.splitlines() if "|" in line and "us]" not in line
    ]
    print("| module | own, ms | with what it brings, ms |\n|---|---|---|")
    for own, whole, name in sorted(rows, key=lambda row: -int(row[1]))[:25]:
        print(f"| {name.strip()} | {int(own) / 1000:.1f} | {int(whole) / 1000:.1f} |")


def screen(folder: str) -> subprocess.Popen | None:
    """A virtual screen where there is none; sets DISPLAY."""
    if os.environ.get("DISPLAY"):
        return None
    if shutil.which("Xvfb") is None:
        sys.exit("There is no screen here and no Xvfb; install xvfb")
    read, write = os.pipe()
    words = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1366x768x24", "-nolisten", "tcp", "-fbdir", folder]
    server = subprocess.Popen(words, pass_fds=(write,), stderr=subprocess.DEVNULL)
    os.close(write)
    with open(read, encoding="ascii") as told:
        os.environ["DISPLAY"] = f":{told.readline().strip()}"
    return server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--imports", metavar="COMMAND")
    given = parser.parse_args()
    if given.imports is not None:
        imports(given.imports)
        return
    with tempfile.TemporaryDirectory() as folder:
        server = screen(folder)
        try:
            environment = os.environ | {"BEARING_INSPECTOR_HOME": str(Path(folder) / "home")}
            told: dict[str, list[tuple[float, float]]] = {what: [] for what in commands()}
            for number in range(given.repeats + 1):  # the first fills the caches
                for what, words in commands().items():
                    row = measure(what, words, environment)
                    if number:
                        told[what].append(row)
        finally:
            if server is not None:
                server.terminate()
                server.wait()
    print("| process start to | median, s | quickest, s | slowest, s | core-seconds | bar |\n" + "|---" * 6 + "|")
    for what, rows in told.items():
        times, work = zip(*rows, strict=True)
        cells = [
            f"{value:.2f}" for value in (statistics.median(times), min(times), max(times), statistics.median(work))
        ]
        print(f"| {what} | {' | '.join(cells)} | {BARS.get(what, '')} |")
    bare = statistics.median(took for took, _ in told["python -c pass"])
    own = statistics.median(took for took, _ in told["import of the CLI"]) - bare
    print(f"\nThe CLI's own part of its import: {own:.2f} s")


if __name__ == "__main__":
    main()
