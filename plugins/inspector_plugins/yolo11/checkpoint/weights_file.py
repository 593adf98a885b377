"""Read a weights file, and the class names in it."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from inspector.api import InputError, long_path

_LARGEST_FILE = 4 << 30
_LONGEST_CLASS = 200  # characters of a name
_NO_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, and what UTF-8 cannot encode


def read(path: Path) -> bytes:
    """Return the file's content.

    Raises:
        InputError: the reason why it cannot be read.
    """
    file = long_path(path)
    if file.is_dir():
        raise InputError("{path} is a folder; give the checkpoint file in it, such as weights/best.pt", path=path)
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would block, a device would be read without end
            raise InputError("{path} is a device or a pipe; give the checkpoint file, such as best.pt", path=path)
        if status.st_size > _LARGEST_FILE:
            raise InputError(
                "{path} is larger than {limit} GB, which no checkpoint is",
                path=path.name,
                limit=_LARGEST_FILE >> 30,
            )
        return file.read_bytes()
    except FileNotFoundError:
        raise InputError("There is no file {path}; check the path of the weights", path=path) from None
    except OSError as error:
        raise InputError(
            "{path} cannot be read ({reason}); check that you may open it", path=path, reason=error.strerror or error
        ) from None


def class_name(value: object) -> str:
    """Convert a class name of a model file to text that every results file can hold; may be empty."""
    return _NO_TEXT.sub("?", str(value)[:_LONGEST_CLASS].strip())
