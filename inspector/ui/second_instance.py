"""Handle another start of the program: bring the window to the front and open what was requested."""

from __future__ import annotations

import tkinter as tk
from pathlib import Path
from typing import Protocol

from inspector.system.single_instance import Request, SingleInstance
from inspector.ui.kit.shell import Shell

_LOOK = 200  # milliseconds


class ReceivingWindow(Shell, Protocol):
    """The window as requests of another start see it."""

    @property
    def leaving(self) -> bool:
        """The window is about to close and takes nothing new."""


def listen(window: ReceivingWindow, only: SingleInstance) -> None:
    """Poll for requests until the window closes, and carry them out."""
    window.root.after(_LOOK, listen, window, only)
    if window.leaving:  # not answered: the other start opens its own window once this one has closed
        return
    for request in only.requests():
        come_forward(window.root)
        _open(window, request)


def come_forward(root: tk.Tk) -> None:
    """Show the window above all others, with the keyboard focus."""
    if root.state() == "iconic":
        root.deiconify()
    root.attributes("-topmost", True)  # a plain lift is not honoured where another program has the keyboard
    root.lift()
    root.focus_force()
    root.after_idle(root.attributes, "-topmost", False)


def _open(window: ReceivingWindow, request: Request) -> None:
    recipe = Path(request.recipe) if request.recipe else None
    if request.sources or recipe is not None or request.operator or request.start:
        window.show(
            "inspect",
            sources=list(request.sources),
            recipe=recipe,
            operator=request.operator,
            start=True if request.start else None,
        )
