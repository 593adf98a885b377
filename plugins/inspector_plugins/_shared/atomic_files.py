"""Write files under a temporary name and move them into place when they are complete."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inspector.api import publish, replace_patiently, temporary_beside


class AtomicTextFile:
    """A text file written in parts; :meth:`publish` moves it to its name at once, replacing an older file."""

    def __init__(self, path: Path, encoding: str = "utf-8", newline: str = "\n") -> None:
        self._path, self._temporary = path, temporary_beside(path)
        self._file = open(self._temporary, "w", encoding=encoding, errors="replace", newline=newline)  # noqa: SIM115
        self._newline, self._broken = newline, False

    def write(self, text: str) -> None:
        try:
            self._file.write(text)
        except OSError:
            self._broken = True  # partly on the disk, partly lost
            raise

    def rewrite(self, change: Callable[[str], str]) -> None:
        """Replace each line that was written by ``change(line)``.

        Raises:
            OSError: it cannot be written completely.
        """
        self._file.flush()
        changed = temporary_beside(self._path)
        try:
            file = self._file
            with (
                open(self._temporary, encoding=file.encoding, newline="") as lines,
                open(changed, "w", encoding=file.encoding, newline="") as target,
            ):
                for line in lines:
                    target.write(change(line))
            self._file.close()
            replace_patiently(changed, self._temporary)
            self._file = open(self._temporary, "a", encoding=file.encoding, errors="replace", newline=self._newline)  # noqa: SIM115
        except OSError:
            self._broken = True
            raise
        finally:
            changed.unlink(missing_ok=True)

    def publish(self) -> Path:
        """Finish the file; on failure nothing is left behind.

        Raises:
            OSError: it cannot be written completely, e.g. on a full disk.
        """
        try:
            with self._file as file:
                if self._broken:
                    raise OSError(f"{self._path.name} could not be written completely and was not kept")
                file.flush()
                os.fsync(file.fileno())
            return publish(self._temporary, self._path)
        finally:
            self._temporary.unlink(missing_ok=True)

    def discard(self) -> None:
        """Delete what was written."""
        with contextlib.suppress(OSError):
            self._file.close()
        self._temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes | Callable[[Path], object], patience: float | None = None) -> Path:
    """Write a file completely or not at all, replacing an older one.

    Args:
        content: the bytes, or a function that writes them to the temporary file that it is given.
        patience: seconds to wait for another program to close the old file; None: use a second name instead.

    Returns:
        The final path.

    Raises:
        OSError: it cannot be written, or the old file is still open after ``patience``.
    """
    temporary = temporary_beside(path)
    try:
        if callable(content):
            content(temporary)
        else:
            temporary.write_bytes(content)
        if patience is None:
            return publish(temporary, path)
        replace_patiently(temporary, path, patience)
        return path
    finally:
        temporary.unlink(missing_ok=True)


def dumps(value: Any, ascii_only: bool = False) -> str:
    """Convert ``value`` to one line of strict JSON: null instead of NaN and infinity, valid UTF-8."""
    try:
        text = json.dumps(value, ensure_ascii=ascii_only, allow_nan=False)
    except ValueError:
        value = _finite(value)
        text = json.dumps(value, ensure_ascii=ascii_only, allow_nan=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a file name that is not valid Unicode
        return json.dumps(value, ensure_ascii=True, allow_nan=False)
    return text


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
