"""File locks, released by the system when their process ends."""

from __future__ import annotations

import errno
import sys

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


def locked(file: int, shared: bool = False) -> bool:
    """Try to lock an open file until it is closed; never waits.

    Args:
        file: descriptor, open for writing.
        shared: a shared lock (exclusive on Windows, which has none).

    Returns:
        False if another process holds it; True also on file systems without locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in _NO_LOCKS
    return True
