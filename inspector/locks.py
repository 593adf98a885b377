"""A lock on a file, which the system frees with the process that holds it, however that ends."""

from __future__ import annotations

import errno
import sys

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


def locked(file: int, shared: bool = False) -> bool:
    """Try to lock an open file until it is closed; never waits.

    Args:
        file: descriptor, open for writing.
        shared: hinder nobody who does the same (on Windows there is no such lock, it hinders).

    Returns:
        False while another process holds it; True also on a file system without locks, where nobody can.
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
