"""What is remembered of plugins: which are off and why, what was installed; and the marks that reveal a crash.

``plugins-state/state.json`` is sparse: a plugin about which nothing special is known does not stand in it.
While a plugin that is not ours is imported, an empty file ``plugins-state/starting/<id>.<process id>`` exists. A mark
whose process is gone means that the program died while it was loading that plugin; marks of running programs are
left alone. (Where another process has got the same number meanwhile, the mark waits until that one ends.)
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inspector import paths
from inspector.domain import InputError

logger = logging.getLogger(__name__)
CRASHED = "the program ended while it was loading it"
_held: set[str] = set()


def state_folder() -> Path:
    return paths.data_folder() / "plugins-state"


def read_state() -> dict[str, dict[str, Any]]:
    """Plugin id -> what is remembered of it (``off``: reason, ``sha256``), after a look at the crash marks."""
    state = _read()
    crashed = _dead_marks()
    if crashed:
        for plugin_id in crashed.values():
            state.setdefault(plugin_id, {})["off"] = CRASHED
        try:
            write_state(state)
        except InputError as error:  # the marks stay and are read again at the next start
            logger.warning("%s", error)
        else:
            for mark in crashed:
                mark.unlink(missing_ok=True)
    return state


def write_state(state: dict[str, dict[str, Any]]) -> None:
    """Replace the file as a whole.

    Raises:
        InputError: it cannot be written.
    """
    file = state_folder() / "state.json"
    kept = {plugin_id: row for plugin_id, row in sorted(state.items()) if row}
    text = json.dumps({"plugins": kept}, ensure_ascii=False, indent=2) + "\n"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        written = paths.write_text(file, text)
    except OSError as error:
        raise InputError(f"{file} cannot be written ({error.strerror or error}); make it writable") from None
    if written != file:
        written.unlink(missing_ok=True)
        raise InputError(f"{file} is open in another program; close that and try again")


def _read() -> dict[str, dict[str, Any]]:
    file = state_folder() / "state.json"
    try:
        rows = json.loads(file.read_text("utf-8"))["plugins"]
        return {str(plugin_id): dict(row) for plugin_id, row in rows.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        logger.warning("%s is damaged and was not used; plugins that were off are on again: %s", file, error)
        return {}


@contextlib.contextmanager
def starting(plugin_id: str) -> Iterator[None]:
    """Hold the crash mark of ``plugin_id`` while the block runs."""
    mark = state_folder() / "starting" / f"{plugin_id}.{os.getpid()}"
    _held.add(mark.name)
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError as error:
        logger.warning("A crash of the plugin %s would go unnoticed: %s", plugin_id, error)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            mark.unlink(missing_ok=True)
        _held.discard(mark.name)


def _dead_marks() -> dict[Path, str]:
    """Marks left behind by programs that are gone -> the plugin's id."""
    folder = state_folder() / "starting"
    try:
        marks = sorted(folder.iterdir())
    except OSError:
        return {}
    dead = {}
    for mark in marks:
        plugin_id, _, number = mark.name.rpartition(".")
        if plugin_id and number.isdecimal() and mark.name not in _held and not _runs(int(number)):
            dead[mark] = plugin_id
    return dead


def _runs(process: int) -> bool:
    """Whether another process with that number is running."""
    if process == os.getpid():  # ours is not held here, so it is an earlier program's with the same number
        return False
    if sys.platform == "win32":
        return _runs_on_windows(process)
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _runs_on_windows(process: int) -> bool:
    """``os.kill`` would end the process there; its handle is asked instead."""
    import ctypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    kernel.OpenProcess.argtypes = (ctypes.c_uint32, ctypes.c_int, ctypes.c_uint32)
    kernel.OpenProcess.restype = ctypes.c_void_p
    kernel.WaitForSingleObject.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    kernel.CloseHandle.argtypes = (ctypes.c_void_p,)
    synchronize, access_denied, still_running = 0x00100000, 5, 0x102
    handle = kernel.OpenProcess(synchronize, False, process)
    if not handle:
        return bool(ctypes.get_last_error() == access_denied)  # type: ignore[attr-defined,unused-ignore]
    try:
        return bool(kernel.WaitForSingleObject(handle, 0) == still_running)
    finally:
        kernel.CloseHandle(handle)
