"""Non-modal messages in a strip below the page, which covers nothing; they are kept in a list."""

from __future__ import annotations

import time
import tkinter as tk
from dataclasses import dataclass
from tkinter import ttk

from inspector.ui.kit import dialogs, theme
from inspector.ui.kit.form import wrap
from inspector.ui.kit.shell import Action, Kind
from inspector.ui.kit.strings import tr

_SECONDS: dict[Kind, float] = {"info": 5, "good": 5, "warn": 10}  # a bad one stays until the user closes it
_SIGNS: dict[Kind, str] = {"info": "ℹ", "good": "✓", "warn": "⚠", "bad": "✕"}
_SHOWN, _KEPT = 3, 200


@dataclass(frozen=True)
class Message:
    time: str
    kind: Kind
    text: str


class _Toast(tk.Frame):
    """A message on the screen; ``colour`` of its edge."""

    def __init__(self, parent: tk.Misc, text: str, kind: Kind, colour: str) -> None:
        super().__init__(parent, background=colour)
        self.text, self.kind = text, kind


class Messages:
    """Shows messages at the bottom of ``root`` and keeps the last 200.

    Attributes:
        strip: frame of the messages, as high as they are; the window recreates it with its pages.
    """

    def __init__(self, root: tk.Tk) -> None:
        self.root = root
        self.strip: tk.Misc | None = None
        self.history: list[Message] = []
        self._shown: list[_Toast] = []

    def show(self, text: str, kind: Kind = "info", action: Action | None = None) -> None:
        """Show a message; the same one again only renews it."""
        self.note(text, kind)
        for old in tuple(self._shown):
            if old.text == text:
                self._drop(old)
        most = _SHOWN if self.root.winfo_height() >= theme.px(600) else 1  # large text in a small window
        while len(self._shown) >= most:  # messages that disappear by themselves make room first
            self._drop(next((toast for toast in self._shown if toast.kind != "bad"), self._shown[0]))
        frame = self._build(text, kind, action)
        self._shown.append(frame)
        self._place()
        # Scheduled by the root: callbacks of a destroyed frame would fail.
        if kind in _SECONDS:
            self.root.after(round(_SECONDS[kind] * 1000), self._drop, frame)

    def note(self, text: str, kind: Kind = "info") -> None:
        """Keep a message in the list without showing it."""
        self.history.append(Message(time.strftime("%H:%M:%S"), kind, text))
        del self.history[:-_KEPT]

    def clear(self) -> None:
        """Remove the messages shown; they stay in the list."""
        for frame in tuple(self._shown):
            self._drop(frame)

    def _build(self, text: str, kind: Kind, action: Action | None) -> _Toast:
        tokens = theme.tokens()
        edge = {"info": tokens.primary, "good": tokens.ok, "warn": tokens.warn, "bad": tokens.ng}[kind]
        if self.strip is None or not self.strip.winfo_exists():
            self.strip = tk.Frame(self.root)
            self.strip.pack(side="bottom", fill="x")
        frame = _Toast(self.strip, text, kind, edge)
        inner = tk.Frame(frame, background=tokens.card)
        inner.pack(side="right", fill="both", expand=True, padx=(theme.px(5), 1), pady=1)
        ink = {"info": tokens.text, "good": tokens.ok_text, "warn": tokens.warn_text, "bad": tokens.ng_text}[kind]
        sign = tk.Label(inner, text=_SIGNS[kind], background=tokens.card, foreground=ink, font=theme.font("head"))
        sign.pack(side="left", padx=theme.px(10, 4))
        ttk.Button(inner, text="✕", style="Tool.TButton", width=2, command=lambda: self._drop(frame)).pack(
            side="right", padx=theme.px(2)
        )
        if action is not None:
            verb, act = action

            def do() -> None:
                self._drop(frame)
                act()

            ttk.Button(inner, text=verb, command=do).pack(side="right", padx=theme.px(4))
        said = ttk.Label(inner, text=text, style="Card.TLabel", justify="left", anchor="w")
        said.pack(side="left", fill="x", expand=True, padx=theme.px(4), pady=theme.px(4))
        wrap(said, still=True)
        return frame

    def _drop(self, frame: _Toast) -> None:
        if frame in self._shown:
            self._shown.remove(frame)
            if frame.winfo_exists():
                frame.destroy()
                self._place()

    def _place(self) -> None:
        """Pack the messages, newest lowest; an empty strip takes no room."""
        for frame in self._shown:
            frame.pack_forget()
        for frame in self._shown:
            frame.pack(side="top", fill="x", padx=theme.px(8), pady=theme.px(2))
        if self.strip is not None and self.strip.winfo_exists() and not self._shown:
            self.strip.configure(height=1)  # type: ignore[call-arg]

    def window(self) -> None:
        """All messages since the start, in a window of their own."""
        window = tk.Toplevel(self.root, background=theme.tokens().surface)
        window.title(tr("Messages"))
        window.transient(self.root)
        table = ttk.Treeview(window, columns=("time", "text"), show="headings")
        table.heading("time", text=tr("Time"), anchor="w")
        table.heading("text", text=tr("Message"), anchor="w")
        table.column("time", width=theme.px(90), stretch=False)
        table.column("text", width=theme.px(640))
        for message in reversed(self.history):
            table.insert("", "end", values=(message.time, f"{_SIGNS[message.kind]} {' '.join(message.text.split())}"))

        def copy() -> None:
            window.clipboard_clear()
            window.clipboard_append("\n".join(f"{m.time} {m.text}" for m in self.history))

        row = ttk.Frame(window)
        row.pack(side="bottom", fill="x", padx=theme.px(8), pady=(0, theme.px(8)))
        ttk.Button(row, text=tr("Copy all"), command=copy).pack(side="left")
        close = ttk.Button(row, text=tr("Close"), command=window.destroy)
        close.pack(side="right")
        table.pack(fill="both", expand=True, padx=theme.px(8), pady=theme.px(8))
        window.bind("<Escape>", lambda event: window.destroy())
        dialogs.centre(self.root, window, *theme.px(760, 360))
        close.focus_set()
