"""How the program begins and ends: streams to write to, no way to the network, sharp pixels, a clean end."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import faulthandler
import os
import sys
from typing import NoReturn

from inspector import paths
from inspector.domain import InputError

OUTPUT = "output.log"
_LONGEST = 1_000_000  # bytes
_SYSTEM_AWARE = 1  # PROCESS_SYSTEM_DPI_AWARE


def prepare() -> None:
    """First of all, for the window and for every command."""
    _prepare_streams()
    # What cannot be made here is said as soon as somebody needs it.
    with contextlib.suppress(InputError, OSError):
        from inspector.frameworks import go_offline

        go_offline()


def _prepare_streams() -> None:
    """A windowed program on Windows has no streams, and what writes to them would fail: a file takes their place."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - as long as the program
    if sys.stdout is not None and sys.stderr is not None:
        return
    try:
        file = paths.logs_folder() / OUTPUT
        mode = "w" if file.exists() and file.stat().st_size > _LONGEST else "a"
        stream = open(file, mode, buffering=1, encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
    except (InputError, OSError):
        stream = open(os.devnull, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
    else:
        faulthandler.enable(stream)
    sys.stdout = sys.stdout or stream
    sys.stderr = sys.stderr or stream


def prepare_screen() -> None:
    """Before Tk: on Windows the program draws at the screen's own resolution, instead of being enlarged and blurred."""
    if sys.platform == "win32":
        try:
            ctypes.windll.shcore.SetProcessDpiAwareness(_SYSTEM_AWARE)
        except (OSError, AttributeError):  # before Windows 8.1
            with contextlib.suppress(OSError, AttributeError):
                ctypes.windll.user32.SetProcessDPIAware()


def leave(code: int) -> NoReturn:
    """End the process, without Python taking itself apart: a thread inside a native library would abort it then."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
