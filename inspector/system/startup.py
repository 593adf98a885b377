"""Start and exit of the program: streams, offline switches, screen resolution, clean exit."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import faulthandler
import os
import sys
from typing import NoReturn

from inspector.domain import InputError
from inspector.system import paths

OUTPUT = "output.log"
_LONGEST = 1_000_000  # bytes
_SYSTEM_AWARE = 1  # PROCESS_SYSTEM_DPI_AWARE


def prepare() -> None:
    """Prepare the process; called first by the window and by every command."""
    _prepare_streams()
    # Errors are reported when the folder is needed.
    with contextlib.suppress(InputError, OSError):
        from inspector.system.frameworks import go_offline

        go_offline()


def _prepare_streams() -> None:
    """Replace missing streams by a file: a windowed program on Windows has none, and writing would fail."""
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
    """Before Tk: draw at the screen's native resolution on Windows instead of being scaled."""
    if sys.platform == "win32":
        try:
            ctypes.windll.shcore.SetProcessDpiAwareness(_SYSTEM_AWARE)
        except (OSError, AttributeError):  # before Windows 8.1
            with contextlib.suppress(OSError, AttributeError):
                ctypes.windll.user32.SetProcessDPIAware()


def leave(code: int) -> NoReturn:
    """End the process without shutting the interpreter down, which threads inside native libraries would abort.

    Camera drivers, FFmpeg, OpenVINO and torch have such threads. Output is flushed and handlers
    registered with ``atexit`` are called; a hanging thread of a plugin cannot keep the program alive.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
