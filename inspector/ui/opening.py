"""Hands files and folders to the system's own programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from inspector.domain import InputError
from inspector.paths import foreign_environment, long_path


def open_path(path: Path) -> None:
    """Open a file or folder with the program that the system has for it.

    Raises:
        InputError: it is gone, or the system has no program for it.
    """
    if not long_path(path).exists():
        raise InputError(f"{path} does not exist any more")
    try:
        if sys.platform == "win32":
            os.startfile(path)
        else:
            program = "open" if sys.platform == "darwin" else "xdg-open"
            subprocess.Popen(
                [program, str(path)], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=foreign_environment()
            )
    except OSError as error:
        raise InputError(f"{path} cannot be opened by the system ({error.strerror}); open it by hand") from None


def show_in_folder(path: Path) -> None:
    """Open the folder of a file, with the file marked where the system can.

    Raises:
        InputError: the folder is gone.
    """
    if sys.platform == "win32" and long_path(path).exists():
        subprocess.Popen(["explorer", f"/select,{path}"])
    else:
        open_path(path.parent)
