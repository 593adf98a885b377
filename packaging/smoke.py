"""Use the built program as users do, and report for each step whether it works.

    python packaging/smoke.py              # everything: about ten minutes
    python packaging/smoke.py --fast       # the self-test alone
    python packaging/smoke.py --only window,killed

On Windows the scenes with clicks are left out: ``--only selftest,commands,plugins,models,portable``.

The program is in a folder with a Chinese name and blanks that it may not write to, the user's folder has such a
name too, there is no network, and every window is real. The log goes to stdout and, with the images, into
``build/smoke``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import smoke_commands
import smoke_window
from smoke_place import WINDOWS, Smoke

from driver import Missing, screen

ROOT = Path(__file__).resolve().parent.parent
BUILT = ROOT / "dist" / "bearing-inspector"
SCENES: dict[str, Callable[[Smoke], str]] = {
    "selftest": smoke_commands.selftest,
    "commands": smoke_commands.commands,
    "plugins": smoke_commands.plugins,
    "models": smoke_commands.models,
    "portable": smoke_commands.portable,
    "start": smoke_window.start,
    "window": smoke_window.window,
    "killed": smoke_window.killed,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true", help="the self-test alone")
    parser.add_argument("--only", default=",".join(SCENES), metavar="LIST", help=f"of {', '.join(SCENES)}")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "烟 测试", help="a folder that is emptied first")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "smoke", help="for the log and the images")
    parser.add_argument("--program", type=Path, default=BUILT, help="the folder of the built program")
    given = parser.parse_args()
    if not given.program.is_dir():
        raise SystemExit(f"There is no {given.program}; make package makes it")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    smoke = Smoke(given.program, given.work, given.out)
    names = ["selftest"] if given.fast else given.only.split(",")
    network = "no network" if smoke.apart else "WITH THE NETWORK (unshare is not allowed here)"
    smoke.say(f"{smoke.program}; {network}; {'read-only' if 'sh' in smoke.apart else 'writable'} program folder")
    failed = 0
    try:
        with contextlib.nullcontext({}) if WINDOWS else screen(smoke.work) as display:
            os.environ |= display
            smoke.environment |= display
            for name in names:
                try:
                    smoke.say(f"  ok  {name}: {SCENES[name](smoke)}")
                except (Missing, OSError, subprocess.SubprocessError, KeyError, StopIteration) as error:
                    failed += 1
                    smoke.say(f" BAD  {name}: {type(error).__name__}: {error}")
                    smoke.end()
    finally:
        smoke.end()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
