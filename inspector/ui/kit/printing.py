"""Printing, with what the system has for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

from inspector.domain import InputError
from inspector.system.paths import foreign_environment


def can_print() -> bool:
    """Whether the system can print a PDF directly; on Windows, whether the PDF program can (Edge cannot)."""
    if sys.platform == "win32":
        return _has_verb(".pdf", "print")
    return shutil.which("lp") is not None


def print_file(path: Path) -> None:
    """Send a file to the system's default printer.

    Raises:
        InputError: the system does not print it.
    """
    try:
        if sys.platform == "win32":
            os.startfile(path, "print")
            return
        environment = foreign_environment()
        subprocess.run(["lp", str(path)], check=True, capture_output=True, text=True, timeout=60, env=environment)
    except subprocess.CalledProcessError as error:
        message = error.stderr.strip() or str(error)
    except (OSError, subprocess.TimeoutExpired) as error:
        message = str(error)
    else:
        return
    raise InputError("{path} was not printed ({reason}); open it and print it from there", path=path, reason=message)


if sys.platform == "win32":

    def _has_verb(suffix: str, verb: str) -> bool:
        """Whether the program registered for such files offers ``verb``."""
        import ctypes
        from ctypes import wintypes

        size = wintypes.DWORD(0)
        command, only_length = 1, 1  # ASSOCSTR_COMMAND; S_FALSE, the answer where no text is asked for
        answer = ctypes.windll.shlwapi.AssocQueryStringW(0, command, suffix, verb, None, ctypes.byref(size))
        return bool(answer == only_length)


def page_file() -> Path:
    """A new place for pages to be printed, in the system's temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="bearing-inspector-"))
    return folder / f"{datetime.now():%Y-%m-%d %H%M%S}.pdf"
