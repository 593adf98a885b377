"""Files written under a temporary name and put in place when they are complete."""

from __future__ import annotations

import contextlib
import json
import math
import os
from pathlib import Path
from typing import Any

from inspector.api import publish, temporary_beside


class Draft:
    """A text file that is streamed and appears under its name with :meth:`publish`, replacing what is there."""

    def __init__(self, path: Path, encoding: str = "utf-8", newline: str = "\n") -> None:
        self._path, self._temporary = path, temporary_beside(path)
        self._file = open(self._temporary, "w", encoding=encoding, errors="replace", newline=newline)  # noqa: SIM115
        self._broken = False

    def write(self, text: str) -> None:
        try:
            self._file.write(text)
        except OSError:
            self._broken = True  # some of it is on the disk, some is lost
            raise

    def publish(self) -> Path:
        """Finish the file; nothing stays behind where that fails.

        Raises:
            OSError: it cannot be written completely, such as on a full disk.
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
        """Give up what was written."""
        with contextlib.suppress(OSError):
            self._file.close()
        self._temporary.unlink(missing_ok=True)


def put(path: Path, data: bytes) -> Path:
    """Write a small file as a whole or not at all; returns where it lies."""
    temporary = temporary_beside(path)
    try:
        temporary.write_bytes(data)
        return publish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def dumps(value: Any, ascii_only: bool = False) -> str:
    """``value`` as JSON on one line that any reader accepts: no NaN or infinity (null stands for them), valid UTF-8."""
    try:
        text = json.dumps(value, ensure_ascii=ascii_only, allow_nan=False)
    except ValueError:
        value = _finite(value)
        text = json.dumps(value, ensure_ascii=ascii_only, allow_nan=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a file name that is not Unicode, from the file system
        return json.dumps(value, ensure_ascii=True, allow_nan=False)
    return text


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
