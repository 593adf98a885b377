"""Persistent state of plugins: disabled ones with reasons, installed hashes, and marks that reveal crashes.

``plugins-state/state.json`` is sparse: it lists only plugins with a state to remember.
While a plugin that is not built-in is imported, an empty file ``plugins-state/starting/<id>.<process id>`` exists. A
mark whose process has ended means that the program died while loading that plugin, or was interrupted while the plugin
hung; marks of running programs are kept. (If another process got the same number meanwhile, the mark waits until that
one ends.)
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inspector.domain import InputError, interrupts, message
from inspector.system import paths

logger = logging.getLogger(__name__)
CRASHED = message("the program ended while loading it")
_held: set[str] = set()


def state_folder() -> Path:
    return paths.data_folder() / "plugins-state"


def read_state() -> dict[str, dict[str, Any]]:
    """Read plugin id -> state (``off``: reason, ``sha256``) and evaluate the crash marks."""
    state = _read()
    crashed = _dead_marks()
    if crashed:
        for plugin_id in crashed.values():
            state.setdefault(plugin_id, {})["off"] = CRASHED
        try:
            write_state(state)
        except InputError as error:  # the marks stay until the next start
            logger.warning("%s", error)
        else:
            for mark in crashed:
                mark.unlink(missing_ok=True)
    return state


def write_state(state: dict[str, dict[str, Any]]) -> None:
    """Replace the file atomically.

    Raises:
        InputError: it cannot be written.
    """
    file = state_folder() / "state.json"
    kept = {plugin_id: row for plugin_id, row in sorted(state.items()) if row}
    text = json.dumps({"plugins": kept}, ensure_ascii=False, indent=2) + "\n"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        paths.write_state(file, text)
    except PermissionError as error:
        if file.exists() and os.access(file.parent, os.W_OK):
            raise InputError("{file} is open in another program; close that and try again", file=file) from None
        raise InputError(
            "{file} cannot be written ({reason}); make it writable", file=file, reason=error.strerror or error
        ) from None
    except OSError as error:
        raise InputError(
            "{file} cannot be written ({reason}); make it writable", file=file, reason=error.strerror or error
        ) from None


def _read() -> dict[str, dict[str, Any]]:
    file = state_folder() / "state.json"
    try:
        rows = paths.read_json(file)["plugins"]
        return {str(plugin_id): dict(row) for plugin_id, row in rows.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        logger.warning("%s is damaged and was not used; plugins that were off are on again: %s", file, error)
        return {}


@contextlib.contextmanager
def starting(plugin_id: str) -> Iterator[None]:
    """Hold the crash mark of ``plugin_id`` while the block runs; it stays where Ctrl-C ends the block."""
    mark = state_folder() / "starting" / f"{plugin_id}.{os.getpid()}"
    _held.add(mark.name)
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError as error:
        logger.warning("A crash of the plugin %s would go unnoticed: %s", plugin_id, error)
    interrupted = False
    try:
        yield
    except BaseException as error:
        interrupted = interrupts(error)
        raise
    finally:
        if not interrupted:
            with contextlib.suppress(OSError):
                mark.unlink(missing_ok=True)
        _held.discard(mark.name)


def _dead_marks() -> dict[Path, str]:
    """Marks of programs that have ended -> the plugin's id."""
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
    import psutil

    if process == os.getpid():  # this process holds no mark, so the mark is of an earlier one with its number
        return False
    try:
        return bool(psutil.pid_exists(process))
    except OverflowError:  # no process can have that number
        return False
