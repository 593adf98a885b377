"""The inspect page's buttons in the window's head: what to open, and start, pause, stop."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from inspector.ui import theme
from inspector.ui.texts import t
from inspector.ui.widgets import Tooltip


class Toolbar(ttk.Frame):
    """Calls what it is given; ``show`` says what is possible now."""

    def __init__(self, parent: tk.Misc, commands: dict[str, Callable[[], object]]) -> None:
        super().__init__(parent)
        self._buttons: dict[str, ttk.Button] = {}
        self._icons: dict[str, tuple[str, theme.IconKind]] = {}
        self._texts: dict[str, str] = {}
        self._compact = False
        opens = (
            ("open_picture", "image", t("Picture"), "Ctrl+O"),
            ("open_folder", "folder2-open", t("Folder"), "Ctrl+Shift+O"),
            ("open_video", "film", t("Video"), "Ctrl+Shift+V"),
            ("open_camera", "camera-video", t("Camera"), t("A camera, a stream or a watched folder")),
        )
        for key, icon, text, help in opens:
            self._add(key, icon, text, help, "TButton", commands[key])
        ttk.Separator(self, orient="vertical").pack(side="left", fill="y", padx=theme.px(6), pady=theme.px(2))
        runs = (
            ("start", "play-fill", t("Start"), "F5", "Primary.TButton"),
            ("pause", "pause-fill", t("Pause"), "F6", "TButton"),
            ("stop", "stop-fill", t("Stop"), "Esc", "Danger.TButton"),
        )
        for key, icon, text, help, style in runs:
            self._add(key, icon, text, help, style, commands[key])

    def _add(self, key: str, icon: str, text: str, help: str, style: str, command: Callable[[], object]) -> None:
        button = self._buttons[key] = ttk.Button(self, text=text, style=style, command=command)
        kind: theme.IconKind = "on_primary" if style[0] == "P" else "danger" if style[0] == "D" else "text"
        self._icons[key], self._texts[key] = (icon, kind), text
        theme.icon_on(button, icon, 16, kind)
        button.pack(side="left", padx=(0, theme.px(4)))
        Tooltip(button, f"{text} ({help})")

    def fit(self, room: int) -> None:
        """Words where there is room for them; else only icons, and what each means stands in its tooltip."""
        self._show_words(True)
        self.update_idletasks()
        if 1 < room < self.winfo_reqwidth() and self._buttons["start"].cget("image"):
            self._show_words(False)

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
        text = t("Go on") if paused else t("Pause")
        if self._texts["pause"] != text:
            self._texts["pause"] = text
            pause.configure(text="" if self._compact else text)
            theme.icon_on(pause, "play-fill" if paused else "pause-fill")
