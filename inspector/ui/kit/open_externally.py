"""Hands files and folders to the system's own programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from inspector.domain import InputError
from inspector.system.paths import foreign_environment, long_path


def open_path(path: Path) -> None:
    """Open a file or folder with the system's default program.

    Raises:
        InputError: it does not exist, or the system has no program for it.
    """
    if not long_path(path).exists():
        raise InputError("{path} no longer exists", path=path)
    try:
        if sys.platform == "win32":
            os.startfile(path)
        else:
            program = "open" if sys.platform == "darwin" else "xdg-open"
            subprocess.Popen(
                [program, str(path)], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=foreign_environment()
            )
    except OSError as error:
        raise InputError(
            "{path} cannot be opened by the system ({reason}); open it by hand", path=path, reason=error.strerror
        ) from None


def show_in_folder(path: Path) -> None:
    """Open the folder of a file, with the file selected if the system can.

    Raises:
        InputError: the folder does not exist.
    """
    if sys.platform == "win32" and long_path(path).exists():
        # One string: in a list the whole argument would be quoted, which Explorer does not understand.
        subprocess.Popen(f'explorer /select,"{path}"', env=foreign_environment())
    else:
        open_path(path.parent)
