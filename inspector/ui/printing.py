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
from inspector.paths import foreign_environment


def can_print() -> bool:
    """Whether the system prints a file by itself."""
    return sys.platform == "win32" or shutil.which("lp") is not None


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
        said = error.stderr.strip() or str(error)
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    else:
        return
    raise InputError(f"{path} was not printed ({said}); open it and print it from there")


def page_file() -> Path:
    """A new place for pages to be printed, in the system's temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="bearing-inspector-"))
    return folder / f"{datetime.now():%Y-%m-%d %H%M%S}.pdf"
