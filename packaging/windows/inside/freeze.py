"""Run by the Windows Python: builds the program as ``packaging/build.py`` does, without an archive.

    freeze.py LIST  # LIST: a file with the names of the source files, which git tells on Linux only

Wine's replacement for ``ucrtbase.dll``, which PyInstaller takes along, is removed: it belongs to Wine alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
import build


def main() -> None:
    names = Path(sys.argv[1]).read_text("utf-8").splitlines()
    build._tracked = lambda: names
    build.BUILD.mkdir(exist_ok=True)
    build.install()
    build.freeze()
    for name in ("ucrtbase.dll", "ucrtwine.dll"):
        (build.PROGRAM / "_internal" / name).unlink(missing_ok=True)
    build.furnish()
    build.report()


if __name__ == "__main__":
    main()
