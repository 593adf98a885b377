"""Another start of the program calls the window: it comes to the front and opens what was asked for."""

from __future__ import annotations

import tkinter as tk
from pathlib import Path
from typing import TYPE_CHECKING

from inspector.single_instance import Request, SingleInstance

if TYPE_CHECKING:
    from inspector.ui.app import App

_LOOK = 200  # milliseconds


def listen(app: App, only: SingleInstance) -> None:
    """From now on, until the window closes, look for requests and carry them out."""
    app.root.after(_LOOK, listen, app, only)
    if app.leaving:  # not answered: the other start becomes the window when this one is gone
        return
    for request in only.requests():
        come_forward(app.root)
        _open(app, request)


def come_forward(root: tk.Tk) -> None:
    """Show the window above all others, with the keyboard."""
    if root.state() == "iconic":
        root.deiconify()
    root.attributes("-topmost", True)  # a plain lift is not honoured where another program has the keyboard
    root.lift()
    root.focus_force()
    root.after_idle(root.attributes, "-topmost", False)


def _open(app: App, request: Request) -> None:
    recipe = Path(request.recipe) if request.recipe else None
    if request.sources or recipe is not None:
        app.when_ready(lambda: app.show("inspect", sources=list(request.sources), recipe=recipe))
