"""Reads a weights file."""

from __future__ import annotations

from pathlib import Path

from inspector.api import InputError, long_path

_LARGEST_FILE = 4 << 30


def read(path: Path) -> bytes:
    """The file's content.

    Raises:
        InputError: saying why it cannot be had.
    """
    file = long_path(path)
    if file.is_dir():
        raise InputError(f"{path} is a folder; give the checkpoint file in it, such as weights/best.pt")
    try:
        if file.stat().st_size > _LARGEST_FILE:
            raise InputError(f"{path.name} is larger than {_LARGEST_FILE >> 30} GB, which no checkpoint is")
        return file.read_bytes()
    except FileNotFoundError:
        raise InputError(f"There is no file {path}; check the path of the weights") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}); check that you may open it") from None
