"""Alarm sound, if the system can play one."""

from __future__ import annotations

import contextlib
import sys
import tkinter as tk


def alarm(root: tk.Misc) -> None:
    """Sound once, without waiting for it."""
    if sys.platform == "win32":
        import winsound

        with contextlib.suppress(RuntimeError):
            winsound.MessageBeep(winsound.MB_ICONHAND)
    else:
        root.bell()
