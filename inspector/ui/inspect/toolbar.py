"""Toolbar of the inspect page in the window's header: open sources; start, pause, stop."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from inspector.ui.kit import theme
from inspector.ui.kit.strings import tr
from inspector.ui.kit.widgets import FlowFrame, Tooltip


class Toolbar(FlowFrame):
    """Buttons that call ``commands``; ``show`` enables those that are possible now."""

    def __init__(self, parent: tk.Misc, commands: dict[str, Callable[[], object]]) -> None:
        super().__init__(parent)
        self._buttons: dict[str, ttk.Button] = {}
        self._icons: dict[str, tuple[str, theme.IconKind]] = {}
        self._texts: dict[str, str] = {}
        self._compact = False
        opens = (
            ("open_image", "image", tr("Image"), "Ctrl+O"),
            ("open_folder", "folder2-open", tr("Folder"), "Ctrl+Shift+O"),
            ("open_video", "film", tr("Video"), "Ctrl+Shift+V"),
            ("open_camera", "camera-video", tr("Camera"), tr("A camera on this computer or on the network")),
            (
                "open_watched",
                "folder-symlink",
                tr("Watched folder"),
                tr("Inspects images as they are added to the folder"),
            ),
        )
        for key, icon, text, help in opens:
            self._add(key, icon, text, help, "TButton", commands[key])
        self.add(ttk.Separator(self, orient="vertical"))
        runs = (
            ("start", "play-fill", tr("Start"), "F5", "Primary.TButton"),
            ("pause", "pause-fill", tr("Pause"), "F6", "TButton"),
            ("stop", "stop-fill", tr("Stop"), "Esc", "Danger.TButton"),
        )
        for key, icon, text, help, style in runs:
            self._add(key, icon, text, help, style, commands[key])

    def _add(self, key: str, icon: str, text: str, help: str, style: str, command: Callable[[], object]) -> None:
        button = self._buttons[key] = ttk.Button(self, text=text, style=style, command=command)
        kind: theme.IconKind = "on_primary" if style[0] == "P" else "danger" if style[0] == "D" else "text"
        self._icons[key], self._texts[key] = (icon, kind), text
        theme.set_icon(button, icon, 16, kind)
        self.add(button)
        Tooltip(button, f"{text} ({help})")

    def fit(self, room: int) -> None:
        """Show texts if they fit, otherwise only icons with tooltips.

        Icons that do not fit either wrap to a second line.
        """
        self._show_words(True)
        if 1 < room < self.width() and self._buttons["start"].cget("image"):
            self._show_words(False)
        self.arrange(max(room, 2))

    def _show_words(self, on: bool) -> None:
        self._compact = not on
        for key, button in self._buttons.items():
            button.configure(text=self._texts[key] if on else "", compound="left" if on else "image")

    def show(self, active: bool, paused: bool, startable: bool) -> None:
        for key, possible in (("start", startable and not active), ("pause", active), ("stop", active)):
            button = self._buttons[key]
            if button.instate(["disabled"]) is possible:
                button.state(["!disabled" if possible else "disabled"])
        pause = self._buttons["pause"]
        text = tr("Resume") if paused else tr("Pause")
        if self._texts["pause"] != text:
            self._texts["pause"] = text
            pause.configure(text="" if self._compact else text)
            theme.set_icon(pause, "play-fill" if paused else "pause-fill")
