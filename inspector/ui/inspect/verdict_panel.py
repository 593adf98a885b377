"""Verdict at the right of the inspect page, or a notice in its place."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from dataclasses import replace
from tkinter import ttk

from inspector.ui.inspect.notices import Notice
from inspector.ui.kit import theme
from inspector.ui.kit.strings import tr
from inspector.ui.kit.verdict_banner import VerdictBanner

_FOLDERS = ("folder", "disk", "space")  # alarms that another folder helps against


class VerdictPanel(ttk.Frame):
    """The banner, with a note or a notice and its buttons below.

    Args:
        acknowledge: called when the user acknowledges the notice.
        choose_folder: called to choose another results folder.
    """

    def __init__(self, parent: tk.Misc, acknowledge: Callable[[], object], choose_folder: Callable[[], object]) -> None:
        super().__init__(parent)
        self.banner = VerdictBanner(self)
        self.banner.pack(fill="x")
        self.note = ttk.Label(self, style="Caption.TLabel", anchor="center", justify="center")
        self.note.pack(fill="x", pady=theme.px(2))
        self._box = tk.Frame(self, highlightthickness=theme.px(2))
        self._detail = tk.Label(self._box, font=theme.font("body"), justify="left", anchor="w")
        self.acknowledge = ttk.Button(self._box, text=tr("Acknowledge"), style="Primary.TButton", command=acknowledge)
        self.choose = ttk.Button(self._box, text=tr("Choose a folder…"), command=choose_folder)
        self._shown: Notice | None = None
        self.bind("<Configure>", lambda event: self._wrap(event.width))
        theme.on_theme_change(self, self._paint)

    def show_notice(self, notice: Notice | None) -> None:
        """Show a notice; None hides it."""
        # The text counts seconds and is shown in the banner.
        notice_key = None if notice is None else replace(notice, text=notice.code)
        if notice_key == self._shown:
            return
        self._shown = notice_key
        if notice is None:
            self._box.pack_forget()
            return
        self._detail.configure(text=notice.detail if notice.hides else f"{notice.text}\n{notice.detail}")
        # The buttons first: they stay in reach where a large text leaves no room for all of the sentence.
        for part, wanted in (
            (self.acknowledge, not notice.quiet),
            (self.choose, notice.code in _FOLDERS),
            (self._detail, True),
        ):
            part.pack_forget()
            if wanted:
                part.pack(fill="x", padx=theme.px(6), pady=theme.px(4))
        self._box.pack(fill="x", pady=theme.px(2))

    def _wrap(self, width: int) -> None:
        self.note.configure(wraplength=max(1, width))
        self._detail.configure(wraplength=max(1, width - theme.px(24)))

    def _paint(self) -> None:
        tokens = theme.tokens()
        self._box.configure(background=tokens.card, highlightbackground=tokens.warn, highlightcolor=tokens.warn)
        self._detail.configure(background=tokens.card, foreground=tokens.text)
